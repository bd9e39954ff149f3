"""Why somebody is in a room, or not: which rule asks what, what the directory answers, and what was done when.

Pure. It explains what a survey of that one person has found, together with the audit log's last entry for each room.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

from bridge.directory.expression import Node, compared, joined, leaves
from bridge.directory.person import Attributes, Person, attributes_of, is_employed, works_here
from bridge.directory.selector import Selector, any_of, matches
from bridge.errors import UnknownNameError
from bridge.ids import RoomKey, UserId
from bridge.membership.audit import Entry
from bridge.membership.desired import ADMINISTRATORS
from bridge.membership.values import Current, CurrentRoom, Desired, DesiredRoom
from bridge.policy.schema import Policy

_RANKS = {50: "moderator", 20: "poster"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One comparison of a selector, and what the directory says to it."""

    asked: str
    holds: bool
    attribute: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Since:
    """The last entry of the audit log about this person in this room."""

    entry: int
    at: str
    """ISO 8601, UTC."""
    action: str
    outcome: str
    error: str | None
    reason: str
    run: int
    cause: str
    directory_version: int
    policy_digest: str


@dataclass(frozen=True, slots=True)
class RoomReason:
    """One room: whether the person is in it, ought to be, and why."""

    room: str
    name: str
    rule: str
    there: str
    """`in`, `invited` or `not in`."""
    wanted: bool
    selector: str
    """The whole question of the rule, empty for a room of no rule."""
    answers: tuple[Answer, ...]
    level: int
    wanted_level: int
    remark: str
    """What the question alone does not explain, such as a guest or a change that waits."""
    since: Since | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one person, or about one room of theirs."""

    person: str
    user_name: str
    user_id: str
    """Empty while there is no account."""
    works_here: bool
    barred: bool
    """Employed, and to have no access."""
    enabled: bool
    directory_version: int
    rooms: tuple[RoomReason, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the person: by the survey, and by the audit log (room key → last entry)."""

    policy: Policy
    desired: Desired
    current: Current
    arrivals: Mapping[str, Entry]
    day: date


def explain(person: Person, known: Known, room: str | None = None) -> Explanation:
    """Explain one room by its key or name, or else every room that the person is in or that has a say about it.

    Raises `UnknownNameError`, naming the nearest, when there is no such room.
    """
    user_id = _user_id(person, known)
    account = known.current.accounts.get(person.id)
    keys = _rooms_of(known) if room is None else [_find(room, known)]
    return Explanation(
        person=person.display_name,
        user_name=person.user_name,
        user_id=user_id or "",
        works_here=works_here(person, known.day),
        barred=is_employed(person, known.day) and not works_here(person, known.day),
        enabled=account is not None and account.enabled,
        directory_version=person.version,
        rooms=tuple(_reason(key, person, user_id, known) for key in keys),
    )


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation in values that `json.dumps` takes."""
    return asdict(explanation)


def as_text(explanation: Explanation, width: int = 80) -> str:
    """Return the explanation as lines of at most `width` columns: first the rooms the person is in."""
    state = "is barred" if explanation.barred else "works here" if explanation.works_here else "does not work here"
    account = "account enabled" if explanation.enabled else "account disabled" if explanation.user_id else "no account"
    head = f"{explanation.person} ({explanation.user_name})"
    lines = [head, f"  {explanation.user_id or '-'}  {state}, {account}"]
    for reason in sorted(explanation.rooms, key=lambda reason: (reason.there == "not in", reason.room)):
        lines += ["", *_reason_lines(reason)]
    return "".join(f"{line}\n" for text in lines for line in _wrapped(text, width))


def _user_id(person: Person, known: Known) -> UserId | None:
    if (account := known.current.accounts.get(person.id)) is not None:
        return account.user_id
    wanted = known.desired.accounts.get(person.id)
    return wanted.user_id if wanted else None


def _rooms_of(known: Known) -> list[RoomKey]:
    """Return the rooms of the policy for this person, and the ones the person is in besides."""
    inside = {key for key, room in known.current.rooms.items() if room.members or room.invited}
    return sorted(known.desired.rooms.keys() | inside)


def _find(name: str, known: Known) -> RoomKey:
    keys = known.desired.rooms.keys() | known.current.rooms.keys()
    names: dict[str, list[RoomKey]] = {}
    for key in sorted(keys):
        room = known.current.rooms.get(key) or known.desired.rooms[key]
        names.setdefault(room.name.casefold(), []).append(key)
    by_key = {key.casefold(): key for key in keys}
    if (found := by_key.get(name.casefold())) is not None:
        return found
    called = names.get(name.casefold(), [])
    if len(called) == 1:
        return called[0]
    near = called or [by_key[key] for key in get_close_matches(name.casefold(), by_key, n=3, cutoff=0.5)]
    hint = f" Did you mean {' or '.join(near)}?" if near else " `muster why PERSON` lists the rooms."
    raise UnknownNameError(f"There is no room {name!r}.{hint}")


def _reason(key: RoomKey, person: Person, user_id: UserId | None, known: Known) -> RoomReason:
    room, wanted_room = known.current.rooms.get(key), known.desired.rooms.get(key)
    attributes = attributes_of(person, known.day)
    asked = _question(key, known.policy)
    wanted = works_here(person, known.day) and asked is not None and matches(asked[1], attributes)
    there = _there(user_id, room)
    named = room or wanted_room
    return RoomReason(
        room=key,
        name=named.name if named else key,
        rule=asked[0] if asked else "",
        there=there,
        wanted=wanted,
        selector=asked[1].text if asked else "",
        answers=tuple(_answers(asked[1].root, attributes)) if asked else (),
        level=room.power.get(user_id, 0) if room and user_id else 0,
        wanted_level=_wanted_level(wanted_room) if wanted else 0,
        remark=_remark(there, wanted, user_id, room, known, ruled=asked is not None),
        since=_since(known.arrivals.get(key)),
    )


def _there(user_id: UserId | None, room: CurrentRoom | None) -> str:
    if room is None or user_id is None:
        return "not in"
    return "in" if user_id in room.members else "invited" if user_id in room.invited else "not in"


def _wanted_level(room: DesiredRoom | None) -> int:
    """Return the level of the one person whom the survey is about."""
    return max((level for level, people in room.power.items() if people), default=0) if room else 0


def _question(key: RoomKey, policy: Policy) -> tuple[str, Selector] | None:
    """Return where the policy asks who is in the room, and what; None when no rule makes it (any more)."""
    rule, slash, value = key.partition("/")
    if slash and (room := policy.rooms.get(rule)) is not None and room.for_each is not None:
        node = joined("and", (compared(room.for_each, "eq", value), room.members.root))
        return f"rooms.{rule}", Selector(node.normal, node)
    if rule in policy.rooms:
        return f"rooms.{rule}", policy.rooms[rule].members
    if rule in policy.spaces:
        return f"spaces.{rule}", policy.spaces[rule].members
    if rule in policy.desks:
        return f"announcements.{rule}", policy.desks[rule].posters
    if key == ADMINISTRATORS and policy.brake.approvers:
        return "brake.approvers", any_of(policy.brake.approvers)
    return None


def _answers(root: Node, attributes: Attributes) -> Iterator[Answer]:
    for leaf in leaves(root):
        values = tuple(str(value) for value in attributes.get(leaf.path, ()))
        yield Answer(leaf.normal, matches(Selector(leaf.normal, leaf), attributes), leaf.path, values)


def _remark(
    there: str, wanted: bool, user_id: UserId | None, room: CurrentRoom | None, known: Known, *, ruled: bool
) -> str:
    if room is None:
        return "The room has not been made yet." if wanted else ""
    if not ruled:
        return "No rule of the policy makes this room any more, so Muster leaves it alone."
    if there == "not in":
        return "Muster has yet to put this person in." if wanted else ""
    if wanted:
        return "" if there == "in" else "Muster has yet to put this person in."
    if user_id in room.granted:
        return "Muster put this person in and has yet to take them out, or a second person must approve it."
    return "Somebody invited this person by hand."


def _since(entry: Entry | None) -> Since | None:
    if entry is None:
        return None
    return Since(
        entry=entry.id,
        at=entry.at.isoformat(timespec="seconds"),
        action=entry.action.value,
        outcome=entry.outcome,
        error=entry.error,
        reason=entry.reason,
        run=entry.run_id,
        cause=entry.cause,
        directory_version=entry.directory_version,
        policy_digest=entry.policy_digest,
    )


def _reason_lines(reason: RoomReason) -> Iterator[str]:
    agrees = reason.wanted == (reason.there == "in")
    verdict = "as the policy says" if agrees else f"the policy says {'in' if reason.wanted else 'not in'}"
    named = f" ({reason.name})" if reason.name != reason.room else ""
    yield f"{reason.room}{named}: {reason.there}, {verdict}"
    if reason.rule:
        yield f"  {reason.rule} asks: {reason.selector}"
    for answer in reason.answers:
        has = ", ".join(answer.values) if answer.values else "nothing"
        yield f"    {'yes' if answer.holds else 'no '}  {answer.asked}: {answer.attribute} is {has}"
    if reason.level or reason.wanted_level:
        yield f"  power {_rank(reason.level)}, by the policy {_rank(reason.wanted_level)}"
    if reason.remark:
        yield f"  {reason.remark}"
    if reason.since is not None:
        yield from _since_lines(reason.since)


def _rank(level: int) -> str:
    return f"{level} ({_RANKS[level]})" if level in _RANKS else str(level)


def _since_lines(since: Since) -> Iterator[str]:
    why = f": {since.error}" if since.error else f": {since.reason}" if since.reason else ""
    yield f"  {since.at[:19].replace('T', ' ')} UTC  {since.action}, {since.outcome}{why}"
    yield (
        f"  entry {since.entry} of run {since.run} ({since.cause}), directory version {since.directory_version},"
        f" policy {since.policy_digest[:12]}"
    )


def _wrapped(text: str, width: int) -> Sequence[str]:
    """Return the text in lines; what would move a terminal's cursor is shown as a replacement character."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    indent = " " * (len(shown) - len(shown.lstrip()) + 2)
    return textwrap.wrap(shown, width, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True) or [""]
