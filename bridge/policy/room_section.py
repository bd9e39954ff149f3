"""What a room's rule may say beside its name and its members, each read from its keys.

`loader` puts the rule together; what the keys mean to administrators is told in `docs/policy.md`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from bridge.directory.selector import Selector
from bridge.document import Kind, Section, Value, a, boolean, choice, integer, line, mapping_of
from bridge.policy.pictures import is_picture_file
from bridge.policy.schema import Exemption, RoomKind
from bridge.policy.settings import Act, Encryption, History, Join, Rank, Settings

DEEPEST = 5
"""Levels of managers a role may reach up to: so much of the directory is read for each change."""
_ROLES = {"admins": Rank.ADMINS, "moderators": Rank.MODERATORS, "posters": Rank.POSTERS}


def _read_avatar(value: Value) -> str:
    found = line.make(value)
    if not (re.fullmatch(r"mxc://[^/\s]+/[A-Za-z0-9_=-]+", found) or is_picture_file(found)):
        value.expected(
            "a file beside the policy such as logo.png (PNG, JPEG or WebP), or an uploaded picture such as "
            "mxc://example.org/abcDEF"
        )
    return found


_avatar = Kind(_read_avatar, str)


def read_settings(section: Section, kind: RoomKind, *, exclusive: bool) -> tuple[Join | None, Settings]:
    """Return how people come in, and the other settings."""
    join = section.optional("join", choice(*Join), None)
    if exclusive and join in (Join.SPACE, Join.KNOCK):
        section.problem(f"an exclusive room is for its members alone, so nobody comes in by `join: {join}`", key="join")
    may = section.optional("may", a(_read_may), {})
    if kind is not RoomKind.ANNOUNCEMENT and Rank.POSTERS in may.values():
        section.problem("`posters` is for rooms of `kind: announcement`; in a chat everyone may write", key="may")
    encryption = section.optional("encryption", choice(*Encryption), Encryption.OFF)
    return join, Settings(
        avatar=section.optional("avatar", _avatar, None),
        knock=join is Join.KNOCK,
        history=section.optional("history", choice(*History), None),
        encrypted=encryption is Encryption.REQUIRED,
        may=may,
    )


def _read_may(section: Section) -> Mapping[Act, Rank]:
    rank = choice(*Rank)
    said = {
        Act.INVITE: section.optional("invite", rank, None),
        Act.PIN: section.optional("pin", rank, None),
        Act.CALL: section.optional("call", rank, None),
        Act.MENTION_ROOM: section.optional("mention_room", rank, None),
    }
    return {act: needed for act, needed in said.items() if needed is not None}


def read_exception(section: Section, rule: str, for_each: str | None) -> Exemption:
    """Return one exception of a rule."""
    adds = section.optional("add", boolean, None)
    removes = section.optional("remove", boolean, None)
    value = section.optional("value", line, "")
    if (adds is True) == (removes is True):
        section.problem("an exception says either `add: true` or `remove: true`")
    if value and for_each is None:
        section.problem(f"`{rule}` is one room, so there is no `value` to choose by", key="value")
    if adds and for_each is not None and not value:
        section.problem(f"`{rule}` makes a room for each {for_each}: say by `value` which one")
    return Exemption(
        rule=rule,
        value=value,
        person=section.required("person", line),
        adds=adds is True,
        until=section.required("until", day),
        owner=section.required("owner", line),
        reason=section.required("reason", line),
        place=place_of(section),
    )


def read_renamed(section: Section, for_each: str | None) -> Mapping[str, str]:
    """Return which values of `for_each` are called what by now; no two may have become one."""
    said = section.optional("renamed", mapping_of(line), {})
    if said and for_each is None:
        section.problem("`renamed` is about the values of `for_each`, and this is one room", key="renamed")
    seen: dict[str, str] = {}
    for old, new in said.items():
        if (other := seen.setdefault(new.casefold(), old)) != old:
            section.problem(
                f"`{other}` and `{old}` cannot both be `{new}` now: two rooms do not become one", key="renamed"
            )
        if old.casefold() == new.casefold():
            section.problem(f"`{old}` is called so still", key="renamed")
    return said


def place_of(section: Section) -> tuple[int, int]:
    """Return line and column of a section; zeros for one of nothing."""
    return (section.place.line, section.place.column) if section.place else (0, 0)


def _read_day(value: Value) -> date:
    try:
        return date.fromisoformat(line.make(value))
    except ValueError:
        value.expected("a day such as 2027-03-01")


day = Kind(_read_day, lambda: date.max)


def role(selector: Kind[Selector], for_each: str | None) -> Kind[Selector | int]:
    """Return the kind of what gives a rank: a selector, or how many levels above somebody the rule asks for one stands.

    `manager`, where the rooms are made for each manager, is that manager: one level above.
    """

    def make(value: Value) -> Selector | int:
        if value.is_mapping:
            return a(_read_managers).make(value)
        if value.scalar("str") != "manager":
            return selector.make(value)
        if for_each != "manager":
            value.refuse("`manager` is for rooms made `for_each: manager`; elsewhere write {managers: 1}")
        return 1

    return Kind(make, selector.stand_in)


def _read_managers(section: Section) -> int:
    return section.required("managers", integer(1, DEEPEST))


def divided(said: Mapping[str, Selector | int | None]) -> tuple[dict[str, Selector | None], dict[Rank, int]]:
    """Return the ranks that selectors give, by key, and those that the manager relation gives."""
    selectors = {key: value if isinstance(value, Selector) else None for key, value in said.items()}
    return selectors, {_ROLES[key]: value for key, value in said.items() if isinstance(value, int)}
