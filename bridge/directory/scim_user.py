"""From a SCIM User document to a `Person`. Pure.

The document is one that `scim_schema` let in; only the SCIM endpoint and the file import make such documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from bridge.directory.person import Employment, Person, Scalar, Standing
from bridge.directory.scim_shape import COURSE, DATES, EMPLOYMENTS, ENTERPRISE, JOB, MANAGER, MUSTER
from bridge.ids import PersonId

_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})($|[T ])")
Manager = tuple[PersonId | None, str | None]
"""The manager of a job and the name shown for that person; None twice while nobody is known to be it."""
Managers = Mapping[int, Manager]
_UNKNOWN: Final[Manager] = (None, None)
_NOBODY: Final[Managers] = {}
START: Final = DATES[0]
_TEXTS: Final = ("locale", "timezone", "preferredLanguage")


def person_of(
    document: Mapping[str, Any],
    person_id: PersonId,
    *,
    deleted: bool = False,
    managers: Managers = _NOBODY,
    groups: Sequence[str] = (),
    group_ids: Sequence[str] = (),
    standing: Standing | None = None,
    version: int = 0,
) -> Person:
    """Make a person of a SCIM User.

    `managers` are those of each job (as `managers_of` counts them) who are known; `groups` are display names and
    `group_ids` their ids;
    `standing` is what the company makes of the status. Who is deleted, whose `active` is false, whose standing does not
    admit or who `awaits_start` is not active; a missing `active` means true.
    """
    wanted = document.get("active", True) and not deleted
    awaited = wanted and awaits_start(document)
    return Person(
        id=person_id,
        user_name=document["userName"],
        display_name=display_name_of(document),
        active=wanted and not awaited and (standing is None or standing.admits),
        barred=wanted and not awaited and standing is Standing.BARRED,
        awaited=awaited and standing is not Standing.LEFT,
        external_id=document.get("externalId"),
        employments=employments_of(document, managers),
        other=_other(document, groups, group_ids, standing),
        version=version,
    )


def display_name_of(document: Mapping[str, Any]) -> str:
    """Return what to call the person: displayName, the formatted name, given and family name, or the userName."""
    name = document.get("name") or {}
    both = " ".join(part for part in (name.get("givenName"), name.get("familyName")) if part)
    return str(document.get("displayName") or name.get("formatted") or both or document.get("userName", ""))


def managers_of(document: Mapping[str, Any]) -> dict[int, str]:
    """Return whom each job names as manager, as HR sent it: an id, externalId or userName.

    Job 0 is that of the plain attributes, the others are those listed, from 1 on.
    """
    manager = document.get(ENTERPRISE, {}).get("manager") or {}
    listed = document.get(MUSTER, {}).get(EMPLOYMENTS) or ()
    named = enumerate([manager.get("value"), *(job.get(MANAGER) for job in listed)])
    return {job: sent for job, sent in named if sent}


def awaits_start(document: Mapping[str, Any]) -> bool:
    """Tell whether the person is not hired yet, because HR has not said the first day; see `settle_start`."""
    extension = document.get(MUSTER) or {}
    return extension.get(START) == "" and not _starts(extension)


def settle_start(document: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the document with an empty `start` exactly if the person is not hired yet.

    That is who is new, or was not hired `before`, and is sent with an empty `start`, or with listed jobs of which none
    has one. Who has been hired stays so when a day is emptied; a source that is silent about first days hires at once.
    """
    extension = document.get(MUSTER) or {}
    speaks = START in extension or bool(extension.get(EMPLOYMENTS))
    awaits = speaks and not _starts(extension) and (before is None or awaits_start(before))
    kept = {name: value for name, value in extension.items() if name != START or value}
    if awaits:
        kept[START] = ""
    settled = {**document, MUSTER: kept}
    return settled if kept else {name: value for name, value in document.items() if name != MUSTER}


def _starts(extension: Mapping[str, Any]) -> bool:
    return any(job.get(START) for job in (extension, *(extension.get(EMPLOYMENTS) or ())))


def day_of(text: str) -> date:
    """Read a day: `2027-03-01`, also with a time behind it, which is dropped. Raises ValueError."""
    found = _DAY.match(text.strip())
    if found is None:
        raise ValueError(f"expected a day such as 2027-03-01, came {text!r}")
    return date.fromisoformat(found[1])


def employments_of(document: Mapping[str, Any], managers: Managers = _NOBODY) -> tuple[Employment, ...]:
    """Return the jobs of a User: that of the plain attributes, or those of its course, then those listed.

    Raises ValueError for no day.
    """
    extension = document.get(MUSTER, {})
    plain = _primary(document, managers.get(0, _UNKNOWN))
    course = [_listed(entry, _UNKNOWN) for entry in extension.get(COURSE) or ()]
    listed = enumerate(extension.get(EMPLOYMENTS) or (), 1)
    jobs = (
        *(_along(course, plain) if course else (plain,)),
        *(_listed(entry, managers.get(job, _UNKNOWN)) for job, entry in listed),
    )
    return tuple(dict.fromkeys(job for job in jobs if job != Employment()))


def _along(course: Sequence[Employment], plain: Employment) -> list[Employment]:
    """Return the jobs of a course, with what the plain attributes add: their days, and what no job of it speaks of.

    A job of which that leaves no day is left out, but for one: somebody without any would work here for ever.
    """
    added = {
        name: getattr(plain, name)
        for name in JOB.values()
        if getattr(plain, name) and not any(getattr(job, name) for job in course)
    }
    jobs = [
        replace(
            job,
            start=max((day for day in (job.start, plain.start) if day), default=None),
            end=min((day for day in (job.end, plain.end) if day), default=None),
            manager=plain.manager,
            manager_name=plain.manager_name,
            **added,
        )
        for job in course
    ]
    return [job for job in jobs if job.start is None or job.end is None or job.start <= job.end] or jobs[:1]


def _listed(entry: Mapping[str, Any], manager: Manager) -> Employment:
    texts = {field: entry.get(name) or None for name, field in JOB.items()}
    return Employment(
        start=_day(entry.get("start")),
        end=_day(entry.get("end")),
        manager=manager[0],
        manager_name=manager[1],
        **texts,
    )


def _primary(document: Mapping[str, Any], manager: Manager) -> Employment:
    enterprise = document.get(ENTERPRISE, {})
    start, end = (_day(document.get(MUSTER, {}).get(name)) for name in DATES)
    return Employment(
        start=start,
        end=end,
        manager=manager[0],
        manager_name=manager[1],
        **{field: document.get(name) or enterprise.get(name) or None for name, field in JOB.items()},
    )


def _day(text: str | None) -> date | None:
    return day_of(text) if text else None


def _other(
    document: Mapping[str, Any], groups: Sequence[str], group_ids: Sequence[str], standing: Standing | None
) -> dict[str, tuple[Scalar, ...]]:
    values: dict[str, tuple[Scalar, ...]] = {}
    for name in _TEXTS:
        if document.get(name):
            values[name.lower()] = (document[name],)
    for part, value in (document.get("name") or {}).items():
        if value:
            values[f"name.{part.lower()}"] = (value,)
    for name, value in document.get(MUSTER, {}).items():
        if name not in (*DATES, EMPLOYMENTS, COURSE) and value:
            values[name.lower()] = (value,)
    emails = tuple(entry["value"] for entry in document.get("emails", ()) if entry.get("value"))
    if emails:
        values["emails"] = emails
    if standing is not None:
        values["standing"] = (standing.value,)
    if groups:
        values["groups"] = tuple(groups)
    if group_ids:
        values["groups.value"] = tuple(group_ids)
    return values
