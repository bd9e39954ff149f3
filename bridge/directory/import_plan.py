"""What a file of people changes: decided from the file and what is known, before anything is written. Pure.

People are matched by externalId, else by userName. A column of the file settles its attribute, also by being empty;
what the file has no column for stays. Whoever is not in the file is left alone, unless the file is said to be
complete.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bridge.directory.csv_file import CsvFile, Problem, Row, groups_of, problems_error, truth_of
from bridge.directory.identity import Suspicion, is_other
from bridge.directory.scim_resource import Resource, resource_of
from bridge.directory.scim_shape import DATES, ENTERPRISE, MUSTER, Shape, comparison_key
from bridge.errors import RefusedError
from bridge.ids import PersonId

MAX_FRACTION: Final = 0.1
"""Share of the active people that a complete file may remove without further ado."""
FLOOR: Final = 5
"""So many it may always remove."""

_CORE: Final = frozenset(
    {"userName", "externalId", "displayName", "title", "userType", "timezone", "locale", "preferredLanguage"}
)
_NAME: Final = frozenset({"givenName", "familyName"})
_ENTERPRISE: Final = frozenset({"department", "division", "organization", "costCenter", "employeeNumber"})


@dataclass(frozen=True, slots=True)
class Known:
    """A User as it is: the document, and the names of the groups."""

    id: str
    document: Mapping[str, Any]
    groups: tuple[str, ...] = ()
    left: bool = False
    """Worked here, and does no more."""
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What to write; every sequence is in the order of the file."""

    created: tuple[Resource, ...]
    changed: tuple[Resource, ...]
    renamed: tuple[str, ...]
    """Ids of those among `changed` whose display name changes, which their reports see."""
    removed: tuple[Resource, ...]
    """Who is missing from a complete file, now inactive."""
    joins: tuple[tuple[str, str], ...]
    """Pairs of a group's display name and a person's id."""
    leaves: tuple[tuple[str, str], ...]
    regrouped: tuple[str, ...]
    """Ids of those of whom nothing changes but the groups."""
    unchanged: int
    held: tuple[Suspicion, ...]
    """Rows left out because their externalId was somebody else's, who has left."""
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Match:
    row: Row
    id: str
    known: Known | None


def plan_import(
    file: CsvFile,
    known: Sequence[Known],
    shape: Shape,
    *,
    new_id: Callable[[], str],
    gone: Sequence[Known] = (),
    confirmed: Collection[tuple[str, str]] = (),
    complete: bool = False,
    shrink: float = MAX_FRACTION,
    allow_removals: int | None = None,
) -> ImportPlan:
    """Decide what a file changes; `new_id` makes the id of a new person.

    `gone` are those who were deleted; they come back under their externalId. A row that looks like somebody else than
    the leaver whose externalId it has is held, unless the leaver's id and the userName are among those `confirmed`.
    Raises `ImportFileError` when rows and known people cannot be told apart, and `RefusedError` when a complete file
    would remove more than the share `shrink` of the active people (at least five) and `allow_removals` is not exactly
    their number.
    """
    matches, held = _matched(file, known, gone, confirmed, new_id)
    warnings = [
        f"{file.name}: {each.user_name}: the externalId was somebody else's, who has left; held until it is decided: "
        "muster directory review"
        for each in held
    ]
    manager_ids = _people_by_key(matches, known)
    created, changed, renamed = [], [], []
    for match in matches:
        before = match.known.document if match.known else {"active": True}
        if match.known is not None and match.known.deleted:
            before = {**before, "active": True}
        after = resource_of(_merged(before, match, file, manager_ids, warnings), match.id, shape)
        if match.known is None:
            created.append(after)
        elif match.known.deleted or after.document != match.known.document:
            changed.append(after)
            if after.display_name != resource_of(match.known.document, match.id, shape).display_name:
                renamed.append(after.id)
    joins, leaves = _group_changes(file, matches)
    written = {each.id for each in (*created, *changed)}
    regrouped = tuple(dict.fromkeys(id_ for _, id_ in (*joins, *leaves) if id_ not in written))
    unchanged = len(matches) - len(written) - len(regrouped)
    removed = _removed(matches, known, shape) if complete else ()
    _require_few(len(removed), sum(1 for each in known if each.document.get("active", True)), shrink, allow_removals)
    return ImportPlan(
        created=tuple(created),
        changed=tuple(changed),
        renamed=tuple(renamed),
        removed=removed,
        joins=joins,
        leaves=leaves,
        regrouped=regrouped,
        unchanged=unchanged,
        held=tuple(held),
        warnings=tuple(warnings),
    )


def group_of(name: str, id_: str, shape: Shape) -> Resource:
    """Return a new group by that name."""
    return resource_of({"displayName": name}, id_, shape)


def _matched(
    file: CsvFile,
    known: Sequence[Known],
    gone: Sequence[Known],
    confirmed: Collection[tuple[str, str]],
    new_id: Callable[[], str],
) -> tuple[list[_Match], list[Suspicion]]:
    by_external = _by_external_id(known)
    formerly = _by_external_id(gone)
    held: list[Suspicion] = []
    by_name = {comparison_key(each.document["userName"]): each for each in known}
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    matches = []
    for row in file.rows:
        candidates = by_external.get(row.external_id, []) if row.external_id else []
        namesake = by_name.get(comparison_key(row.user_name))
        if len(candidates) > 1:
            problems.append(Problem(row.line, "externalId", f"{len(candidates)} people have {row.external_id!r}"))
        if not candidates and namesake is not None and _is_other(row, namesake):
            message = f"{row.user_name!r} is somebody with another externalId, {namesake.document['externalId']!r}"
            problems.append(Problem(row.line, "userName", message))
        if not candidates and namesake is None and _is_swapped(row, by_external, by_name):
            message = "expected a userName, came somebody's externalId; have the columns been swapped?"
            problems.append(Problem(row.line, "userName", message))
        found = candidates[0] if candidates else namesake or next(reversed(formerly.get(row.external_id, [])), None)
        if found is not None and found.left and found is not namesake and _is_reuse(found, row, confirmed):
            held.append(Suspicion(PersonId(found.id), row.external_id, row.user_name, f"csv:{file.name}"))
            continue
        if found is not None and lines.setdefault(found.id, row.line) != row.line:
            problems.append(Problem(row.line, "userName", f"the same person as in line {lines[found.id]}"))
        matches.append(_Match(row, found.id if found else new_id(), found))
    problems.extend(_name_conflicts(matches, known))
    if problems:
        raise problems_error(file.name, problems)
    return matches, held


def _is_reuse(found: Known, row: Row, confirmed: Collection[tuple[str, str]]) -> bool:
    said = row.values
    sent = {
        "userName": row.user_name,
        "displayName": said.get("displayName"),
        "name": {"givenName": said.get("givenName"), "familyName": said.get("familyName")},
        "emails": [{"value": said.get("email")}],
    }
    return (found.id, comparison_key(row.user_name)) not in confirmed and is_other(found.document, sent)


def _is_other(row: Row, namesake: Known) -> bool:
    known = namesake.document.get("externalId")
    return bool(row.external_id and known and known != row.external_id)


def _is_swapped(row: Row, by_external: Mapping[str, object], by_name: Mapping[str, object]) -> bool:
    external = comparison_key(row.user_name, case_exact=True)
    return external in by_external and comparison_key(row.external_id) in by_name


def _name_conflicts(matches: Sequence[_Match], known: Sequence[Known]) -> list[Problem]:
    """Return the rows that take a userName which somebody else keeps."""
    matched = {match.id for match in matches}
    kept = {comparison_key(each.document["userName"]) for each in known if each.id not in matched}
    return [
        Problem(match.row.line, "userName", f"{match.row.user_name!r} belongs to somebody else")
        for match in matches
        if match.known is not None and comparison_key(match.row.user_name) in kept
    ]


def _by_external_id(known: Sequence[Known]) -> dict[str, list[Known]]:
    found: dict[str, list[Known]] = {}
    for each in known:
        value = each.document.get("externalId")
        if value:
            found.setdefault(comparison_key(value, case_exact=True), []).append(each)
    return found


def _people_by_key(matches: Sequence[_Match], known: Sequence[Known]) -> dict[str, str]:
    """Return the id of everybody, in the file or known, by externalId and by userName, which comes first."""
    ids: dict[str, str] = {}
    for each in known:
        ids[each.document.get("externalId") or ""] = each.id
    for match in matches:
        ids[match.row.external_id] = match.id
    for each in known:
        ids[comparison_key(each.document["userName"])] = each.id
    for match in matches:
        ids[comparison_key(match.row.user_name)] = match.id
    return ids


def _merged(
    before: Mapping[str, Any], match: _Match, file: CsvFile, people: Mapping[str, str], warnings: list[str]
) -> dict[str, Any]:
    after: dict[str, Any] = {**before, "name": dict(before.get("name") or {})}
    after[ENTERPRISE] = dict(before.get(ENTERPRISE) or {})
    after[MUSTER] = dict(before.get(MUSTER) or {})
    for column, value in match.row.values.items():
        if column == "active":
            after["active"] = truth_of(value)
        elif column == "email":
            others = [entry for entry in before.get("emails") or () if entry.get("type") != "work"]
            _set(after, "emails", [*([{"value": value, "type": "work", "primary": True}] if value else []), *others])
        elif column == "manager":
            _set(after[ENTERPRISE], "manager", _manager(before, match, file, people, warnings))
        elif column in _CORE:
            _set(after, column, value)
        elif column in _NAME:
            _set(after["name"], column, value)
        elif column in _ENTERPRISE:
            _set(after[ENTERPRISE], column, value)
        elif column != "groups":
            _set(after[MUSTER], column, value[:10] if column in DATES else value)
    return {name: value for name, value in after.items() if value != {}}


def _manager(
    before: Mapping[str, Any], match: _Match, file: CsvFile, people: Mapping[str, str], warnings: list[str]
) -> dict[str, Any] | None:
    value = match.row.values["manager"]
    if not value:
        return None
    found = people.get(comparison_key(value)) or people.get(value)
    if found is None:
        warnings.append(
            f"{file.name}:{match.row.line}:manager: nobody has the userName or externalId {value!r}; left empty"
        )
        return None
    present: dict[str, Any] | None = (before.get(ENTERPRISE) or {}).get("manager")
    return present if present and present.get("value") == found else {"value": found}


def _set(document: dict[str, Any], name: str, value: Any) -> None:
    if value:
        document[name] = value
    else:
        document.pop(name, None)


def _group_changes(
    file: CsvFile, matches: Sequence[_Match]
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    joins: list[tuple[str, str]] = []
    leaves: list[tuple[str, str]] = []
    if "groups" in file.columns:
        for match in matches:
            wanted = groups_of(match.row.values["groups"])
            present = match.known.groups if match.known else ()
            wanted_keys, present_keys = (set(map(comparison_key, names)) for names in (wanted, present))
            joins.extend((name, match.id) for name in wanted if comparison_key(name) not in present_keys)
            leaves.extend((name, match.id) for name in present if comparison_key(name) not in wanted_keys)
    return tuple(joins), tuple(leaves)


def _removed(matches: Sequence[_Match], known: Sequence[Known], shape: Shape) -> tuple[Resource, ...]:
    present = {match.id for match in matches}
    return tuple(
        resource_of({**each.document, "active": False}, each.id, shape)
        for each in known
        if each.id not in present and each.document.get("active", True)
    )


def _require_few(removals: int, active: int, shrink: float, allowed: int | None) -> None:
    if allowed is not None and allowed != removals:
        raise RefusedError(f"The file removes {removals} people, not {allowed}. Nothing was changed.")
    limit = max(FLOOR, int(active * shrink))
    if allowed is None and removals > limit:
        raise RefusedError(
            f"{removals} of {active} active people are missing from the file; at most {limit} may be. Nothing was "
            f"changed. Is the file whole? If they have all left, say --allow-removals {removals}."
        )
