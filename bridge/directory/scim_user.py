"""From a SCIM User document to a `Person`. Pure.

The document is one that `scim_schema` let in; only the SCIM endpoint and the file import make such documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from bridge.directory.person import Employment, Person, Scalar
from bridge.directory.scim_schema import DATES, ENTERPRISE, MUSTER
from bridge.ids import PersonId

_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})($|[T ])")
_TEXTS: Final = ("locale", "timezone", "preferredLanguage")
_JOB: Final = {
    "department": "department",
    "division": "division",
    "organization": "organization",
    "costCenter": "cost_center",
    "employeeNumber": "employee_number",
}


def person_of(
    document: Mapping[str, Any],
    person_id: PersonId,
    *,
    deleted: bool = False,
    manager: PersonId | None = None,
    manager_name: str | None = None,
    groups: Sequence[str] = (),
    version: int = 0,
) -> Person:
    """Make a person of a SCIM User.

    `manager` is the manager's id if that person is known, with the name shown for that person; `groups` are display
    names. Who is deleted, or whose `active` is false, is not active; a missing `active` means true.
    """
    return Person(
        id=person_id,
        user_name=document["userName"],
        display_name=display_name_of(document),
        active=document.get("active", True) and not deleted,
        external_id=document.get("externalId"),
        employments=_employments(document, manager, manager_name),
        other=_other(document, groups),
        version=version,
    )


def display_name_of(document: Mapping[str, Any]) -> str:
    """Return what to call the person: displayName, the formatted name, given and family name, or the userName."""
    name = document.get("name") or {}
    both = " ".join(part for part in (name.get("givenName"), name.get("familyName")) if part)
    return str(document.get("displayName") or name.get("formatted") or both or document.get("userName", ""))


def manager_of(document: Mapping[str, Any]) -> str | None:
    """Return the id of the manager as HR sent it, whether or not there is such a person."""
    manager = document.get(ENTERPRISE, {}).get("manager") or {}
    return manager.get("value") or None


def day_of(text: str) -> date:
    """Read a day: `2027-03-01`, also with a time behind it, which is dropped. Raises ValueError."""
    found = _DAY.match(text.strip())
    if found is None:
        raise ValueError(f"expected a day such as 2027-03-01, came {text!r}")
    return date.fromisoformat(found[1])


def _employments(
    document: Mapping[str, Any], manager: PersonId | None, manager_name: str | None
) -> tuple[Employment, ...]:
    enterprise = document.get(ENTERPRISE, {})
    start, end = (_day(document.get(MUSTER, {}).get(name)) for name in DATES)
    job = Employment(
        start=start,
        end=end,
        title=document.get("title") or None,
        user_type=document.get("userType") or None,
        manager=manager,
        manager_name=manager_name,
        **{field: enterprise.get(name) or None for name, field in _JOB.items()},
    )
    return () if job == Employment() else (job,)


def _day(text: str | None) -> date | None:
    return day_of(text) if text else None


def _other(document: Mapping[str, Any], groups: Sequence[str]) -> dict[str, tuple[Scalar, ...]]:
    values: dict[str, tuple[Scalar, ...]] = {}
    for name in _TEXTS:
        if document.get(name):
            values[name.lower()] = (document[name],)
    for part, value in (document.get("name") or {}).items():
        if value:
            values[f"name.{part.lower()}"] = (value,)
    for name, value in document.get(MUSTER, {}).items():
        if name not in DATES and value:
            values[name.lower()] = (value,)
    emails = tuple(entry["value"] for entry in document.get("emails", ()) if entry.get("value"))
    if emails:
        values["emails"] = emails
    if groups:
        values["groups"] = tuple(groups)
    return values
