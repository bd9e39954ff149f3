"""What a desk says of how its announcements are made (pure): drafts, languages, templates, discussion.

Who posts and where is `loader`'s, how people acknowledge `acknowledge`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TypedDict

from bridge.document import Kind, Section, Value, duration, integer, line, list_of, mapping_of, nearest, text
from bridge.policy.schema import Desk, Room, RoomKind, RuleId
from bridge.policy.vocabulary import EVERYONE

LONGEST_UNDO = timedelta(hours=1)
_USUAL = Desk("", "", EVERYONE, ())
TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
"""A language as one writes it: `et`, `pt-BR`, `sr-Latn` (RFC 5646)."""
TEMPLATE_KEY = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class Said(TypedDict):
    """Fields of `Desk`."""

    undo: timedelta
    second_person: int | None
    languages: tuple[str, ...]
    templates: dict[str, str]
    discussion: RuleId | None
    lasts: timedelta | None


def read(section: Section, rooms: Mapping[RuleId, Room]) -> Said:
    """Read the keys of a desk that are ours; `rooms` are those of the policy."""
    undo = section.optional("undo", duration, _USUAL.undo)
    if undo > LONGEST_UNDO:
        section.problem("`undo` is at most 1h; an announcement for later is written with `!at`", key="undo")
    languages = section.optional("languages", list_of(_language), ())
    if len(set(languages)) < len(languages):
        section.problem("a language is listed twice", key="languages")
    return Said(
        undo=undo,
        second_person=section.optional("second_person", integer(0), None),
        languages=languages,
        templates=section.optional("templates", mapping_of(_template, _name), {}),
        discussion=section.optional("discussion", _chat(rooms), None),
        lasts=section.optional("lasts", _lasts, _USUAL.lasts),
    )


def _chat(rooms: Mapping[RuleId, Room]) -> Kind[RuleId | None]:
    """Return the kind of ids of a chat of which there is one."""

    def make(value: Value) -> RuleId:
        found = line.make(value)
        if found not in rooms:
            value.refuse(f"there is no room `{found}`{nearest(found, rooms)}")
        if rooms[found].kind is not RoomKind.CHAT or rooms[found].for_each is not None:
            value.expected("a room in which everyone writes, and one without `for_each`")
        return found

    return Kind(make, lambda: None)


def _read_language(value: Value) -> str:
    if not TAG.fullmatch(found := line.make(value)):
        value.expected("a language such as et, en or pt-BR")
    return found


def _read_template(value: Value) -> str:
    if not (found := text.make(value)).strip():
        value.expected("the text of the template")
    return found


def _read_name(value: Value) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,59}", found := line.make(value)):
        value.expected("a name of lower-case letters, digits and `-`")
    return found


def _read_lasts(value: Value) -> timedelta | None:
    if value.scalar("str") == "forever":
        return None
    found = duration.make(value)
    if not found:
        value.expected("a duration such as 7d, or forever")
    return found


_language = Kind(_read_language, str)
_template = Kind(_read_template, str)
_name = Kind(_read_name, str)
_lasts: Kind[timedelta | None] = Kind(_read_lasts, lambda: None)
