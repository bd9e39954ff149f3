"""What an import would change, person by person, to be read before it is done. Pure.

A value made of the `ImportPlan` and of who was known; how much of it is shown where is the reader's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bridge.directory.course import Span, courses_of
from bridge.directory.course_plan import pieces_of
from bridge.directory.import_plan import ImportPlan, Known
from bridge.directory.scim_resource import Resource
from bridge.directory.scim_shape import COURSE, DATES, EMPLOYMENTS, ENTERPRISE, JOB, MUSTER, USER
from bridge.directory.scim_user import display_name_of

_APART: Final = ("schemas", "name", "emails", USER, ENTERPRISE, MUSTER)


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """An attribute before and after, as people read it; empty where there is none."""

    attribute: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PersonDiff:
    """What changes of one person; of a new one, what there is, from nothing."""

    user_name: str
    display_name: str
    changes: tuple[AttributeChange, ...] = ()
    joins: tuple[str, ...] = ()
    """Names of groups."""
    leaves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportDiff:
    """Who is added, who changes, who works here no longer; each in the order of the file."""

    added: tuple[PersonDiff, ...]
    changed: tuple[PersonDiff, ...]
    removed: tuple[PersonDiff, ...]


def difference(plan: ImportPlan, known: Sequence[Known]) -> ImportDiff:
    """Return what the plan changes of those who are known, and adds to them; somebody deleted comes from nothing."""
    before = {each.id: each.document for each in known}
    written = (*plan.created, *plan.changed, *plan.removed)
    names = {id_: document["userName"] for id_, document in before.items()}
    names |= {each.id: each.document["userName"] for each in written}
    joins, leaves = _by_person(plan.joins), _by_person(plan.leaves)

    def of(id_: str, after: Mapping[str, Any]) -> PersonDiff:
        changes = tuple(_changes(_texts(before.get(id_, {}), names), _texts(after, names)))
        groups = tuple(joins.get(id_, ())), tuple(leaves.get(id_, ()))
        return PersonDiff(after["userName"], display_name_of(after), changes, *groups)

    def all_of(resources: Sequence[Resource]) -> tuple[PersonDiff, ...]:
        return tuple(of(each.id, each.document) for each in resources)

    regrouped = tuple(of(id_, before[id_]) for id_ in plan.regrouped)
    return ImportDiff(all_of(plan.created), (*all_of(plan.changed), *regrouped), all_of(plan.removed))


def _by_person(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group, person in pairs:
        found.setdefault(person, []).append(group)
    return found


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[AttributeChange]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            yield AttributeChange(name, old, new)


def _texts(document: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of a User as a file names them, each in one line."""
    extension = document.get(MUSTER) or {}
    flat: dict[str, Any] = {
        **{name: value for name, value in document.items() if name not in _APART},
        **(document.get("name") or {}),
        **(document.get(ENTERPRISE) or {}),
        **{name: value for name, value in extension.items() if name not in (EMPLOYMENTS, COURSE)},
    }
    if manager := flat.get("manager"):
        flat["manager"] = names.get(manager["value"], manager["value"])
    if emails := [entry["value"] for entry in document.get("emails") or () if entry.get("value")]:
        flat["email"] = ", ".join(emails)
    if jobs := extension.get(EMPLOYMENTS):
        flat[EMPLOYMENTS] = "; ".join(map(_job, jobs))
    if pieces := pieces_of(document):
        courses = {name: ", ".join(map(_span, spans)) for name, spans in courses_of(pieces).items()}
        flat |= courses or {COURSE: "on no day"}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in flat.items()}


def _job(entry: Mapping[str, Any]) -> str:
    said = " ".join(entry[name] for name in JOB if entry.get(name))
    return " ".join(filter(None, (said, *_days(*((entry.get(name) or "")[:10] for name in DATES)))))


def _span(span: Span) -> str:
    return " ".join((span.value, *_days(*(day.isoformat() if day else "" for day in (span.start, span.end)))))


def _days(start: str, end: str) -> Iterator[str]:
    if start:
        yield f"from {start}"
    if end:
        yield f"to {end}"
