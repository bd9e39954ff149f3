"""A person, and the employments that make one.

HR's view is kept as values here; what a selector may ask of a person is `attributes_of`. Nothing here knows where
the data came from (`intake` modules) or where it is kept (`store`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import chain

from bridge.ids import PersonId

Scalar = str | bool | int | float
"""A single value, as SCIM knows it (RFC 7643 section 2.3); moments are ISO 8601 text."""
Attributes = Mapping[str, tuple[Scalar, ...]]
"""Lower-case attribute path → its values. An attribute without a value is absent."""

STANDARD_ATTRIBUTES = (
    "id",
    "externalId",
    "userName",
    "displayName",
    "active",
    "name.formatted",
    "name.givenName",
    "name.middleName",
    "name.familyName",
    "name.honorificPrefix",
    "name.honorificSuffix",
    "title",
    "userType",
    "department",
    "division",
    "organization",
    "costCenter",
    "employeeNumber",
    "manager",
    "manager.displayName",
    "emails",
    "groups",
    "employmentStatus",
    "standing",
    "timezone",
    "locale",
    "preferredLanguage",
)
"""What every directory may know of a person, as SCIM spells it; `active` is true or false, all others are text."""


class Standing(StrEnum):
    """What the company's table of statuses makes of HR's word for how somebody is employed."""

    WORKS = "works"
    AWAY = "away"
    """On leave: keeps everything."""
    BARRED = "barred"
    """Employed still, and to have no access, as on garden leave."""
    LEFT = "left"

    @property
    def admits(self) -> bool:
        """Tell whether somebody of this standing works here, as far as that goes."""
        return self in (Standing.WORKS, Standing.AWAY)


@dataclass(frozen=True, slots=True)
class Employment:
    """One job of a person, with the days on which it is true.

    `start` and `end` are inclusive and local to the place of work; None leaves that side open.
    """

    start: date | None = None
    end: date | None = None
    title: str | None = None
    department: str | None = None
    division: str | None = None
    organization: str | None = None
    cost_center: str | None = None
    employee_number: str | None = None
    user_type: str | None = None
    manager: PersonId | None = None
    manager_name: str | None = None

    def covers(self, day: date) -> bool:
        """Tell whether the job is held on that day."""
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody HR knows, as of one directory version."""

    id: PersonId
    user_name: str
    display_name: str
    active: bool
    """What HR says, by its flag and its status; `works_here` also asks the employments."""
    barred: bool = False
    """Employed, and to have no access; never `active`. `is_employed` also asks the employments."""
    awaited: bool = False
    """Not hired yet, because HR has not said the first day; never `active`."""
    external_id: str | None = None
    employments: tuple[Employment, ...] = ()
    other: Attributes = field(default_factory=dict)
    """Every other attribute a selector may ask for: `name.givenname`, `emails`, `groups`, `timezone`, custom ones.
    What has a field here or in `Employment` is not looked for among them."""
    version: int = 0
    """The directory version (a number that grows with every change of anybody) that made this person so."""


def works_here(person: Person, day: date) -> bool:
    """Tell whether the person works here on that day: HR says active, and an employment, if any is known, covers it."""
    return person.active and _holds_job(person, day)


def is_employed(person: Person, day: date) -> bool:
    """Tell whether the person works here on that day, or is only barred, as on garden leave."""
    return (person.active or person.barred) and _holds_job(person, day)


def begins_within(person: Person, day: date, ahead: timedelta) -> bool:
    """Tell whether the person does not work here on that day, and begins to within so many days."""
    if not person.active or works_here(person, day):
        return False
    return any(job.start is not None and day < job.start <= day + ahead for job in person.employments)


def first_day(person: Person, day: date) -> date:
    """Return the day itself for whoever works here then, else the next first day, if there is any."""
    if works_here(person, day):
        return day
    return min((job.start for job in person.employments if job.start is not None and job.start > day), default=day)


def _holds_job(person: Person, day: date) -> bool:
    return not person.employments or any(job.covers(day) for job in person.employments)


def attributes_of(person: Person, day: date) -> Attributes:
    """Return everything a selector may ask about the person on that day.

    Concurrent employments are united: `department` then has several values. `active` is `works_here`.
    """
    standard = {path: values_of(person, path, day) for path in (*OWN_FIELDS, "active", *EMPLOYMENT_FIELDS)}
    return {path: values for path, values in {**person.other, **standard}.items() if values}


def values_of(person: Person, path: str, day: date) -> tuple[Scalar, ...]:
    """Return the person's values of one attribute (lower-case path) on that day: what `attributes_of` has under it."""
    if path in EMPLOYMENT_FIELDS:
        field, jobs = EMPLOYMENT_FIELDS[path], person.employments
        if len(jobs) == 1:  # as nearly everybody has, and this is asked of everybody
            return _present(getattr(jobs[0], field)) if jobs[0].covers(day) else ()
        return tuple(
            dict.fromkeys(chain.from_iterable(_present(getattr(job, field)) for job in jobs if job.covers(day)))
        )
    if path in OWN_FIELDS:
        return _present(getattr(person, OWN_FIELDS[path]))
    if path == "active":
        return (works_here(person, day),)
    return person.other.get(path, ())


OWN_FIELDS: Mapping[str, str] = {
    "id": "id",
    "username": "user_name",
    "displayname": "display_name",
    "externalid": "external_id",
}
"""Attribute path → field of `Person`."""
EMPLOYMENT_FIELDS: Mapping[str, str] = {
    "title": "title",
    "department": "department",
    "division": "division",
    "organization": "organization",
    "costcenter": "cost_center",
    "employeenumber": "employee_number",
    "usertype": "user_type",
    "manager": "manager",
    "manager.displayname": "manager_name",
}
"""Attribute path → field of `Employment`."""


def _present(value: Scalar | None) -> tuple[Scalar, ...]:
    return () if value is None else (value,)
