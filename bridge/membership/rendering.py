"""A plan in words for people, and as JSON for programs.

Pure. What is taken away comes last, where the eye rests, and is named to the last item; what is added is counted and
its beginning shown.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from bridge.membership.values import ACTIONS, TAKES_AWAY, Action, Change, Plan

SHOWN = 10
"""So many of the additions of one kind are named, for joins and power in each room."""

_NOUNS = {
    Action.PREPARE_ACCOUNT: ("account prepared", "accounts prepared"),
    Action.CREATE_ACCOUNT: ("new account", "new accounts"),
    Action.ENABLE_ACCOUNT: ("account enabled again", "accounts enabled again"),
    Action.RENAME_ACCOUNT: ("account renamed", "accounts renamed"),
    Action.CREATE_ROOM: ("new room", "new rooms"),
    Action.CHANGE_ROOM: ("room changed", "rooms changed"),
    Action.JOIN: ("membership added", "memberships added"),
    Action.RAISE_POWER: ("power raised", "powers raised"),
    Action.DISABLE_ACCOUNT: ("account disabled", "accounts disabled"),
    Action.HAND_OVER: ("room handed over", "rooms handed over"),
    Action.REMOVE: ("membership removed", "memberships removed"),
    Action.LOWER_POWER: ("power lowered", "powers lowered"),
    Action.DEACTIVATE_ACCOUNT: ("account deactivated for good", "accounts deactivated for good"),
}
"""In the order of printing."""
_BY_ROOM = frozenset({Action.JOIN, Action.RAISE_POWER, Action.HAND_OVER, Action.REMOVE, Action.LOWER_POWER})


def as_text(plan: Plan, width: int = 80) -> str:
    """Return the plan as lines of at most `width` columns: counts, additions, then all that is taken away."""
    if not plan.changes:
        return "Nothing to do.\n"
    groups = _grouped(plan)
    counts = ", ".join(_counted(action, changes) for action, changes in groups)
    lines = [*textwrap.wrap(f"{counts}.", width)]
    for action, changes in groups:
        lines += ["", f"{_counted(action, changes).capitalize()}:", *_lines(action, changes, width)]
    return "\n".join([*lines, "", f"Digest: {plan.digest}", ""])


def as_json(plan: Plan) -> dict[str, object]:
    """Return the plan in values that `json.dumps` takes: digest, counts by action, and every change."""
    fields = ("room", "user_id", "value", "person", "rule", "reason")
    return {
        "digest": plan.digest,
        "counts": {action.value: len(changes) for action, changes in _grouped(plan)},
        "changes": [
            {"action": change.action.value, **{field: getattr(change, field) for field in fields}}
            for change in plan.changes
        ],
    }


def _grouped(plan: Plan) -> list[tuple[Action, list[Change]]]:
    """Return the changes by action, in the order of printing."""
    groups = {ACTIONS[order]: list(changes) for order, changes in groupby(plan.changes, attrgetter("order"))}
    return [(action, groups[action]) for action in _NOUNS if action in groups]


def _counted(action: Action, changes: Sequence[Change]) -> str:
    return f"{len(changes)} {_NOUNS[action][len(changes) != 1]}"


def _lines(action: Action, changes: Sequence[Change], width: int) -> Iterator[str]:
    if action not in _BY_ROOM:
        shown = changes if action in TAKES_AWAY else changes[:SHOWN]
        for change in shown:
            subject, detail = change.room or change.user_id, change.value or change.reason
            yield from _wrapped(f"{subject}  {detail}", width, "  ")
        if len(changes) > len(shown):
            yield f"  … and {len(changes) - len(shown)} more"
        return
    for room, of_room in groupby(changes, attrgetter("room")):
        members = list(of_room)
        if action in TAKES_AWAY:
            yield from _wrapped(f"{room}", width, "  ")
            for change in members:
                yield from _wrapped(_person(change, with_reason=True), width, "    ")
        else:
            named = ", ".join(_person(change) for change in members[:SHOWN])
            more = f" … and {len(members) - SHOWN} more" if len(members) > SHOWN else ""
            yield from _wrapped(f"{room} ({len(members)}): {named}{more}", width, "  ")


def _person(change: Change, *, with_reason: bool = False) -> str:
    level = f" to {change.value}" if change.value else ""
    return f"{change.user_id}{level}" + (f"  {change.reason}" if with_reason else "")


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    """Return the text in lines; what would move a terminal's cursor is shown as a replacement character."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return textwrap.wrap(
        shown, width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    ) or [indent]
