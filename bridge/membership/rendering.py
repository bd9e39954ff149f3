"""A plan in words for people, as Markdown for a ticket, and as JSON for programs.

Pure. Counts come first, then what is added, by room or by person, then what is taken away: last, where the eye rests,
and named to the last item. What is added is counted and its beginning shown.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from operator import attrgetter

from bridge.membership.values import ACTIONS, TAKES_AWAY, Action, Change, Plan

SHOWN = 10
"""So many of the additions of one kind are named in each room, or for each person."""
LISTED = 40
"""So many rooms or people are listed of those who only get something."""


class By(StrEnum):
    """What a plan is grouped by."""

    ROOM = "room"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Group:
    """What happens in one room, to one person, or to accounts and rooms as such."""

    title: str
    items: tuple[str, ...]


_NOUNS = {
    Action.PREPARE_ACCOUNT: ("account prepared", "accounts prepared"),
    Action.CREATE_ACCOUNT: ("new account", "new accounts"),
    Action.ENABLE_ACCOUNT: ("account enabled again", "accounts enabled again"),
    Action.RENAME_ACCOUNT: ("account renamed", "accounts renamed"),
    Action.CHANGE_PROFILE: ("profile field changed", "profile fields changed"),
    Action.CREATE_ROOM: ("new room", "new rooms"),
    Action.CHANGE_ROOM: ("room changed", "rooms changed"),
    Action.ADOPT_ROOM: ("room adopted", "rooms adopted"),
    Action.JOIN: ("membership added", "memberships added"),
    Action.RAISE_POWER: ("power raised", "powers raised"),
    Action.DISABLE_ACCOUNT: ("account disabled", "accounts disabled"),
    Action.HAND_OVER: ("room handed over", "rooms handed over"),
    Action.CLOSE_ROOM: ("room closed", "rooms closed"),
    Action.REMOVE: ("membership removed", "memberships removed"),
    Action.LOWER_POWER: ("power lowered", "powers lowered"),
    Action.DEACTIVATE_ACCOUNT: ("account deactivated for good", "accounts deactivated for good"),
}
"""In the order of printing."""
_LABELS = {
    Action.PREPARE_ACCOUNT: "account prepared",
    Action.CREATE_ACCOUNT: "new account",
    Action.ENABLE_ACCOUNT: "enabled again",
    Action.RENAME_ACCOUNT: "renamed",
    Action.CHANGE_PROFILE: "profile changed",
    Action.CREATE_ROOM: "new room",
    Action.CHANGE_ROOM: "changed",
    Action.ADOPT_ROOM: "adopted by",
    Action.JOIN: "joins",
    Action.RAISE_POWER: "power raised",
    Action.DISABLE_ACCOUNT: "account disabled",
    Action.HAND_OVER: "handed over by",
    Action.CLOSE_ROOM: "closed",
    Action.REMOVE: "removed",
    Action.LOWER_POWER: "power lowered",
    Action.DEACTIVATE_ACCOUNT: "account deactivated for good",
}
_OF_POWER = (Action.RAISE_POWER, Action.LOWER_POWER)
_RESTING = "Left as it is, because somebody undoes it again and again (`muster drift list`)"
_WAITING = "Waits for those to leave who are kept apart from them by a barrier, and whose removal is held"
_ACCOUNTS = "Accounts"
_ROOMS = "Rooms"


def as_text(plan: Plan, width: int = 80, by: By = By.ROOM) -> str:
    """Return the plan as lines of at most `width` columns: counts, additions, then all that is taken away."""
    if not plan.changes:
        return "\n".join(["Nothing to do.", *_beside(plan, width, by), ""])
    given, taken = given_by(plan, by), taken_by(plan, by)
    lines = [*textwrap.wrap(f"{counts_of(plan)}.", width)]
    if given:
        lines += ["", "Added and changed:", *_text_of(given[:LISTED], width), *_wrapped(_more(given, by), width, "  ")]
    if taken:
        lines += ["", "Taken away:", *_text_of(taken, width)]
    return "\n".join([*lines, *_beside(plan, width, by), "", f"Digest: {plan.digest}", ""])


def _beside(plan: Plan, width: int, by: By) -> Iterator[str]:
    """Yield what is not done: whom barriers keep out of what rules ask for, and what rules in shadow would do."""
    if plan.kept_out:
        yield from ("", "Kept out by barriers:")
    for each in plan.kept_out:
        more = f" … and {len(each.users) - SHOWN} more" if len(each.users) > SHOWN else ""
        named = ", ".join(each.users[:SHOWN])
        yield from _wrapped(f"{each.room} ({len(each.users)}, {each.rule}; {each.reason}): {named}{more}", width, "  ")
    if plan.shadowed:
        shadow = replace(plan, changes=plan.shadowed)
        told = f"Only told, and not done, because the rule is in shadow: {counts_of(shadow)}."
        yield from _told_besides(told, shadow, width, by)
    if plan.resting:
        rested = replace(plan, changes=plan.resting)
        yield from _told_besides(f"{_RESTING}: {counts_of(rested)}.", rested, width, by)


def waiting_as_text(waiting: Sequence[Change], width: int, by: By) -> list[str]:
    """Return who waits for somebody to leave whose removal the brake holds, as lines of at most `width` columns."""
    if not waiting:
        return []
    plan = Plan(tuple(waiting))
    return list(_told_besides(f"{_WAITING}: {counts_of(plan)}.", plan, width, by))


def waiting_as_markdown(waiting: Sequence[Change], by: By) -> list[str]:
    """Return the same as lines of Markdown."""
    return ["", f"{_WAITING}:", "", *_markdown_of(given_by(Plan(tuple(waiting)), by))] if waiting else []


def _told_besides(told: str, plan: Plan, width: int, by: By) -> Iterator[str]:
    yield from ("", *textwrap.wrap(told, width))
    yield from _text_of([*given_by(plan, by)[:LISTED], *taken_by(plan, by)], width)


def as_markdown(plan: Plan, by: By = By.ROOM) -> str:
    """Return the same as Markdown; what the directory says is escaped."""
    if not plan.changes:
        return "\n".join(["Nothing to do.", *_resting_as_markdown(plan, by), ""])
    given, taken = given_by(plan, by), taken_by(plan, by)
    lines = [f"# Plan {plan.digest[:12]}", "", f"{counts_of(plan)}."]
    if given:
        lines += ["", "## Added and changed", "", *_markdown_of(given[:LISTED])]
        lines += [f"- {more}" for more in [_more(given, by)] if more]
    if taken:
        lines += ["", "## Taken away", "", *_markdown_of(taken)]
    return "\n".join([*lines, *_resting_as_markdown(plan, by), "", f"Digest: `{plan.digest}`", ""])


def _resting_as_markdown(plan: Plan, by: By) -> list[str]:
    rested = replace(plan, changes=plan.resting)
    groups = [*given_by(rested, by), *taken_by(rested, by)]
    return ["", "## Left as it is", "", f"{_RESTING}:", "", *_markdown_of(groups)] if groups else []


def as_json(plan: Plan) -> dict[str, object]:
    """Return the plan in values that `json.dumps` takes: digest, counts by action, and every change."""
    return {
        "digest": plan.digest,
        "counts": {action.value: len(changes) for action, changes in _by_action(plan.changes)},
        "changes": [change_as_json(change) for change in plan.changes],
        "kept_out": [
            {"room": each.room, "rule": each.rule, "reason": each.reason, "users": list(each.users)}
            for each in plan.kept_out
        ],
        "shadow": [change_as_json(change) for change in plan.shadowed],
        "resting": [change_as_json(change) for change in plan.resting],
    }


def change_as_json(change: Change) -> dict[str, object]:
    """Return one change in values that `json.dumps` takes."""
    fields = ("room", "user_id", "value", "person", "rule", "reason")
    return {"action": change.action.value, **{field: getattr(change, field) for field in fields}}


def counts_of(plan: Plan) -> str:
    """Return how many changes of each kind there are, in words."""
    return ", ".join(
        f"{len(changes)} {_NOUNS[action][len(changes) != 1]}" for action, changes in _by_action(plan.changes)
    )


def given_by(plan: Plan, by: By) -> list[Group]:
    """Return what is added and changed, by room or person; accounts or rooms as such come first."""
    changes = [change for change in plan.changes if change.action not in TAKES_AWAY]
    return [Group(title, tuple(_given(of_one, by))) for title, of_one in _grouped(changes, by)]


def taken_by(plan: Plan, by: By) -> list[Group]:
    """Return everything that is taken away, by room or person, each item with its reason."""
    changes = [change for change in plan.changes if change.action in TAKES_AWAY]
    return [Group(title, tuple(_taken(of_one, by))) for title, of_one in _grouped(changes, by)]


def _grouped(changes: Iterable[Change], by: By) -> Iterator[tuple[str, list[Change]]]:
    """Yield the changes by what they are about, those about no room (or about no person) first."""
    of: Callable[[Change], str] = attrgetter("room" if by is By.ROOM else "user_id")
    for title, found in groupby(sorted(changes, key=lambda change: (of(change), change)), of):
        yield title or (_ACCOUNTS if by is By.ROOM else _ROOMS), list(found)


def _given(changes: Sequence[Change], by: By) -> Iterator[str]:
    for action, found in _by_action(changes):
        named = ", ".join(filter(None, (_subject(change, by) for change in found[:SHOWN])))
        more = f" … and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        count = f" ({len(found)})" if len(found) > 1 else ""
        yield f"{_LABELS[action]}{count}: {named}{more}"


def _taken(changes: Sequence[Change], by: By) -> Iterator[str]:
    for change in changes:
        subject = _subject(change, by)
        yield (
            f"{_LABELS[change.action]}: {subject}  {change.reason}"
            if subject
            else (f"{_LABELS[change.action]}: {change.reason}")
        )


def _subject(change: Change, by: By) -> str:
    """Return what a line of a room, or of a person, names: the other one of the two, and the new value."""
    other = change.user_id if by is By.ROOM else change.room
    if change.action in _OF_POWER:
        return f"{other} to {change.value}"
    if change.action is Action.CREATE_ROOM:
        return change.value if by is By.ROOM else f"{change.room} {change.value}"
    return " ".join(filter(None, (other, change.value)))


def _by_action(changes: Iterable[Change]) -> list[tuple[Action, list[Change]]]:
    """Return the changes by action, in the order of printing."""
    ordered = sorted(changes, key=attrgetter("order"))
    groups = {ACTIONS[order]: list(found) for order, found in groupby(ordered, attrgetter("order"))}
    return [(action, groups[action]) for action in _NOUNS if action in groups]


def _more(groups: Sequence[Group], by: By) -> str:
    what = "rooms" if by is By.ROOM else "people"
    return f"… and {len(groups) - LISTED} more {what}; --format json names all" if len(groups) > LISTED else ""


def _text_of(groups: Iterable[Group], width: int) -> Iterator[str]:
    for group in groups:
        yield from _wrapped(group.title, width, "  ")
        for item in group.items:
            yield from _wrapped(item, width, "    ")


def _markdown_of(groups: Iterable[Group]) -> Iterator[str]:
    for group in groups:
        yield f"- **{_escaped(group.title)}**"
        for item in group.items:
            yield f"  - {_escaped(item)}"


def _escaped(text: str) -> str:
    """Return the text as Markdown shows it unchanged, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&])", r"\\\1", " ".join(printable(text).split()))


def printable(text: str) -> str:
    """Return the text with a replacement character for what would move a terminal's cursor."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        printable(text), width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )
