"""What a write of a group does to its members, taken out of the request's body. Pure.

The library checks and copies every member several times, which takes seconds for a large group; so it is given the
rest of the body, and the members are changed by `scim_storage` at the cost of the change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from scim2_models import InvalidValueException

from bridge.directory.scim_shape import GROUP

_ONE_MEMBER: Final = re.compile(r'members\[\s*value\s+eq\s+"([^"\\]+)"\s*\]', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MemberChange:
    """Who comes and who goes; nobody is in both."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    is_whole: bool = False
    """Whoever is not in `added` goes."""


@dataclass(frozen=True, slots=True)
class GroupWrite:
    """A write, divided: the body without members, None when nothing is left of it, and what becomes of the members."""

    body: Any
    change: MemberChange


def divide_group(body: Any) -> GroupWrite:
    """Divide the body of a POST or PUT of a group. Raises `InvalidValueException` for members without an id."""
    if not isinstance(body, dict):
        return GroupWrite(body, MemberChange())
    members = [entry for name, entry in body.items() if _is_members(name)]
    rest = {name: entry for name, entry in body.items() if not _is_members(name)}
    return GroupWrite(rest, MemberChange(_ids(members[0]) if members else (), is_whole=True))


def divide_patch(body: Any) -> GroupWrite | None:
    """Divide the body of a PATCH of a group; None when only the library can tell what becomes of the members.

    Raises `InvalidValueException` for members without an id.
    """
    name = next((name for name in body if name.lower() == "operations"), None) if isinstance(body, dict) else None
    if name is None or not isinstance(body[name], list) or not body[name]:
        return None
    rest: list[Any] = []
    change = MemberChange()
    for operation in body[name]:
        step = _divide_operation(operation)
        if step is None:
            return None
        remaining, make = step
        rest.extend(remaining)
        change = _followed(change, make)
    return GroupWrite({**body, name: rest} if rest else None, change)


_Step = tuple[str, tuple[str, ...]]
"""`add`, `remove` or `replace`, and whom."""


def _divide_operation(operation: Any) -> tuple[list[Any], _Step | None] | None:
    """Return what is left of one operation, and what it does to the members; None for neither."""
    if not isinstance(operation, dict):
        return [operation], None
    parts = {str(name).lower(): value for name, value in operation.items()}
    kind, path, value = str(parts.get("op")).lower(), parts.get("path"), parts.get("value")
    if kind not in ("add", "remove", "replace"):
        return [operation], None
    if isinstance(path, str) and path.strip():
        return _divide_path(operation, kind, path.strip(), value)
    if not isinstance(value, dict) or not any(map(_is_members, value)):
        return [operation], None
    if kind == "remove":
        return None
    members = next(entry for name, entry in value.items() if _is_members(name))
    others = {name: entry for name, entry in value.items() if not _is_members(name)}
    return [{**parts, "value": others}] if others else [], (kind, _ids(members))


def _divide_path(operation: Any, kind: str, path: str, value: Any) -> tuple[list[Any], _Step | None] | None:
    one = _ONE_MEMBER.fullmatch(path)
    if one and kind == "remove" and value is None:
        return [], ("remove", (one[1],))
    if _is_members(path):
        return [], ("replace", ()) if kind == "remove" and value is None else (kind, _ids(value))
    return None if "members" in path.lower() else ([operation], None)


def _followed(change: MemberChange, step: _Step | None) -> MemberChange:
    """Return the change that has the same effect as the change and then the step."""
    if step is None:
        return change
    kind, ids = step
    if kind == "replace":
        return MemberChange(ids, (), is_whole=True)
    if kind == "add":
        return MemberChange(_distinct((*change.added, *ids)), _without(change.removed, ids), change.is_whole)
    return MemberChange(_without(change.added, ids), _distinct((*change.removed, *ids)), change.is_whole)


def _distinct(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


def _without(ids: Iterable[str], gone: Iterable[str]) -> tuple[str, ...]:
    absent = frozenset(gone)
    return tuple(each for each in ids if each not in absent)


def _is_members(name: str) -> bool:
    return name.lower().removeprefix(f"{GROUP.lower()}:") == "members"


def _ids(members: Any) -> tuple[str, ...]:
    entries = members if isinstance(members, list) else [] if members is None else [members]
    return _distinct(map(_id, entries))


def _id(member: Any) -> str:
    value = (
        next((entry for name, entry in member.items() if name.lower() == "value"), None)
        if isinstance(member, Mapping)
        else member
    )
    if not isinstance(value, str) or not value:
        raise InvalidValueException(detail="members: expected a value, the id of a User or Group, in each")
    return value
