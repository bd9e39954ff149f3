"""From a SCIM User document to a `Person`. Pure.

The document is one that `scim_schema` let in; only the SCIM endpoint and the file import make such documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from bridge.directory.person import Employment, Person, Scalar, Standing
from bridge.directory.scim_shape import DATES, EMPLOYMENTS, ENTERPRISE, JOB, MUSTER
from bridge.ids import PersonId

_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})($|[T ])")
_TEXTS: Final = ("locale", "timezone", "preferredLanguage")


def person_of(
    document: Mapping[str, Any],
    person_id: PersonId,
    *,
    deleted: bool = False,
    manager: PersonId | None = None,
    manager_name: str | None = None,
    groups: Sequence[str] = (),
    standing: Standing | None = None,
    version: int = 0,
) -> Person:
    """Make a person of a SCIM User.

    `manager` is the manager's id if that person is known, with the name shown for that person; `groups` are display
    names; `standing` is what the company makes of the status. Who is deleted, whose `active` is false or whose standing
    does not admit is not active; a missing `active` means true.
    """
    return Person(
        id=person_id,
        user_name=document["userName"],
        display_name=display_name_of(document),
        active=document.get("active", True) and not deleted and (standing is None or standing.admits),
        external_id=document.get("externalId"),
        employments=employments_of(document, manager, manager_name),
        other=_other(document, groups, standing),
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


def employments_of(
    document: Mapping[str, Any], manager: PersonId | None = None, manager_name: str | None = None
) -> tuple[Employment, ...]:
    """Return the jobs of a User: that of the plain attributes, then those listed. Raises ValueError for no day."""
    listed = document.get(MUSTER, {}).get(EMPLOYMENTS) or ()
    jobs = (_primary(document, manager, manager_name), *map(_listed, listed))
    return tuple(dict.fromkeys(job for job in jobs if job != Employment()))


def _listed(entry: Mapping[str, Any]) -> Employment:
    texts = {field: entry.get(name) or None for name, field in JOB.items()}
    return Employment(start=_day(entry.get("start")), end=_day(entry.get("end")), **texts)


def _primary(document: Mapping[str, Any], manager: PersonId | None, manager_name: str | None) -> Employment:
    enterprise = document.get(ENTERPRISE, {})
    start, end = (_day(document.get(MUSTER, {}).get(name)) for name in DATES)
    return Employment(
        start=start,
        end=end,
        manager=manager,
        manager_name=manager_name,
        **{field: document.get(name) or enterprise.get(name) or None for name, field in JOB.items()},
    )


def _day(text: str | None) -> date | None:
    return day_of(text) if text else None


def _other(
    document: Mapping[str, Any], groups: Sequence[str], standing: Standing | None
) -> dict[str, tuple[Scalar, ...]]:
    values: dict[str, tuple[Scalar, ...]] = {}
    for name in _TEXTS:
        if document.get(name):
            values[name.lower()] = (document[name],)
    for part, value in (document.get("name") or {}).items():
        if value:
            values[f"name.{part.lower()}"] = (value,)
    for name, value in document.get(MUSTER, {}).items():
        if name not in (*DATES, EMPLOYMENTS) and value:
            values[name.lower()] = (value,)
    emails = tuple(entry["value"] for entry in document.get("emails", ()) if entry.get("value"))
    if emails:
        values["emails"] = emails
    if standing is not None:
        values["standing"] = (standing.value,)
    if groups:
        values["groups"] = tuple(groups)
    return values
