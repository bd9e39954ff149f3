"""How long what was said in a room is kept: what the policy says of it, and the answer for one room. Pure.

Disposing of what is over, and holds that keep it longer, are the archive's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bridge.document import Kind, Placed, Section, Value, a, line, mapping_of, nearest, placed
from bridge.ids import RoomKey
from bridge.policy.period import FOR_EVER, Period, parse, period
from bridge.policy.schema import Policy, Retention, RuleId


def retention_of(policy: Policy, room: RoomKey | None) -> Period | None:
    """Return how long what is said in a room is kept; None: for ever. A room without a key is one that people made."""
    rule = (room or "").partition("/")[0]
    return policy.retention.rooms.get(rule, policy.retention.default)


@dataclass(frozen=True, slots=True)
class Class:
    """The name of a period, where the period itself could stand."""

    name: str


Kept = Placed[Period | Class | None]
"""How long one room's records are kept, as it is written; None: for ever."""


@dataclass(frozen=True, slots=True)
class Said:
    """What stands under `archive: retain:`."""

    default: Period | None = None
    classes: dict[str, Placed[Period | None]] = field(default_factory=dict)
    rooms: dict[RuleId, Kept] = field(default_factory=dict)


def read_archive(section: Section, rules: Collection[RuleId]) -> Said:
    """Return what the policy says of the archive; `rules` are the ids of what makes rooms in which people talk."""
    return section.optional("retain", a(lambda each: _read_retain(each, rules)), Said())


def _read_retain(section: Section, rules: Collection[RuleId]) -> Said:
    return Said(
        section.optional("default", period, None),
        section.optional("classes", mapping_of(placed(period), _class_name), {}),
        section.optional("rooms", mapping_of(kept, _one_of(rules)), {}),
    )


def retention(said: Said, own: Mapping[RuleId, Kept]) -> Retention:
    """Return how long what is kept; `own` is what rooms say of themselves. Reports unknown classes and repetitions."""
    for rule in own.keys() & said.rooms.keys():
        said.rooms[rule].problem(f"`{rule}` says `retain` itself; say it in one place")
    rooms = {rule: _settled(each, said.classes) for rule, each in sorted({**own, **said.rooms}.items())}
    named = {each.value.name for each in (*own.values(), *said.rooms.values()) if isinstance(each.value, Class)}
    unused = {name: each.place for name, each in said.classes.items() if name not in named}
    return Retention(
        said.default, rooms, {name: (place.line, place.column) for name, place in unused.items() if place is not None}
    )


def _settled(each: Kept, classes: Mapping[str, Placed[Period | None]]) -> Period | None:
    if not isinstance(each.value, Class):
        return each.value
    name = each.value.name
    if name not in classes:
        hint = nearest(name, classes) or "; `archive: retain: classes:` names none"
        each.problem(f"there is no retention class `{name}`{hint}")
        return None
    return classes[name].value


def _one_of(rules: Collection[RuleId]) -> Kind[str]:
    def make(value: Value) -> str:
        if (rule := line.make(value)) not in rules:
            value.refuse(f"there is no room or desk `{rule}`{nearest(rule, rules)}")
        return rule

    return Kind(make, str)


def _is_name(written: str) -> bool:
    return bool(re.fullmatch(r"[a-z][a-z0-9-]{0,59}", written)) and written != FOR_EVER


def _read_class_name(value: Value) -> str:
    if not _is_name(name := line.make(value)):
        value.expected(f"the name of a class, of lower-case letters, digits and `-` and not `{FOR_EVER}`")
    return name


def _read_kept(value: Value) -> Period | Class | None:
    written = line.make(value)
    found = parse(written)
    if found is None and written != FOR_EVER and not _is_name(written):
        value.expected(f"a class such as short, a period such as 7y, 6mo, 8w or 30d (at most 100y), or {FOR_EVER}")
    return Class(written) if _is_name(written) else found


_class_name = Kind(_read_class_name, str)
_kept: Kind[Period | Class | None] = Kind(_read_kept, lambda: None)
kept = placed(_kept)
"""A class, a period, or `forever`."""
