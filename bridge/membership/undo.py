"""What it takes to undo a run: what comes back, what the policy would at once do again, and what stays.

Pure. The policy and the directory stay the truth: an undo never works against them, because the next look at
everything would undo the undo. What they ask for now is found by `plan`, as ever; beyond that only places come back in
which they have no say: those of guests whom an exclusive room has lost, when it is exclusive no more, and those in
rooms without a rule, also such as were closed, when the policy does not close them any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.ids import PersonId, RoomKey, UserId
from bridge.membership.audit import Entry
from bridge.membership.plan import ACCOUNTS, EXCLUSIVE
from bridge.membership.unmanaged import UNMANAGED
from bridge.membership.values import ACTIONS, Action, Change, Current, Desired, Plan

_OPPOSITE = {
    Action.JOIN: {Action.REMOVE},
    Action.REMOVE: {Action.JOIN},
    Action.RAISE_POWER: {Action.LOWER_POWER, Action.RAISE_POWER},
    Action.LOWER_POWER: {Action.RAISE_POWER, Action.LOWER_POWER},
    Action.CREATE_ACCOUNT: {Action.DISABLE_ACCOUNT},
    Action.ENABLE_ACCOUNT: {Action.DISABLE_ACCOUNT},
    Action.DISABLE_ACCOUNT: {Action.ENABLE_ACCOUNT},
}
"""What undoes each; all else follows policy and directory by itself."""
_OF_POWER = (Action.RAISE_POWER, Action.LOWER_POWER)


@dataclass(frozen=True, slots=True)
class Undoing:
    """A run's changes, each in one of the five."""

    given_back: tuple[Change, ...] = ()
    """Places in which policy and directory have no say: to be done beside the plan."""
    planned: tuple[Entry, ...] = ()
    """Undone by what policy and directory ask for now."""
    past: tuple[Entry, ...] = ()
    """Not so any more already."""
    again: tuple[Entry, ...] = ()
    """Policy or directory ask for these still: undone, they would at once be done again."""
    kept: tuple[Entry, ...] = ()
    """Rooms made stay, and names follow policy and directory; rooms that Muster does not manage are out of reach."""


def undo(
    run_id: int, entries: Iterable[Entry], plan: Plan, desired: Desired, current: Current, *, closing: bool = False
) -> Undoing:
    """Divide the changes that a run has done, by what is now; `plan` is that of everybody they concern, `closing`
    whether the policy closes rooms that people made."""
    asked = {(change.action, change.room, change.user_id) for change in plan.changes}
    disabled = {account.user_id for account in desired.accounts.values() if not account.enabled}
    given: dict[tuple[str, str], Change] = {}
    found: dict[str, list[Entry]] = {name: [] for name in ("planned", "past", "again", "kept")}
    for entry in entries:
        if entry.outcome != "done":
            continue
        if entry.rule == UNMANAGED and entry.action is Action.REMOVE:
            if closing or entry.user_id in disabled:
                found["again"].append(entry)
            else:
                given[entry.room_key, entry.user_id] = _place_of(entry, run_id)
        elif not isinstance(entry.action, Action) or entry.action not in _OPPOSITE or entry.room_key.startswith("!"):
            found["kept"].append(entry)
        elif any((action, entry.room_key, entry.user_id) in asked for action in _OPPOSITE[entry.action]):
            found["planned"].append(entry)
        elif not _holds(entry, current):
            found["past"].append(entry)
        elif entry.action is Action.REMOVE and entry.user_id not in disabled and _is_free(entry, desired, current):
            given[entry.room_key, entry.user_id] = _place_of(entry, run_id)
        else:
            found["again"].append(entry)
    return Undoing(tuple(given.values()), **{name: tuple(some) for name, some in found.items()})


def _holds(entry: Entry, current: Current) -> bool:
    """Tell whether what the entry did is so still."""
    if not entry.room_key:
        account = current.accounts.get(PersonId(entry.person_id))
        return account is not None and account.enabled is (entry.action is not Action.DISABLE_ACCOUNT)
    room = current.rooms.get(RoomKey(entry.room_key))
    if room is None:
        return False
    if entry.action in _OF_POWER:
        return room.power.get(UserId(entry.user_id), 0) == int(entry.value)
    return (entry.user_id in room.members) is (entry.action is Action.JOIN)


def _is_free(entry: Entry, desired: Desired, current: Current) -> bool:
    """Tell whether the policy has no say in whether somebody who lost this place has it."""
    key = RoomKey(entry.room_key)
    room = desired.rooms.get(key)
    if room is not None:
        return entry.reason == EXCLUSIVE and not room.exclusive
    return key in current.rooms and not desired.vacant.get(key.partition("/")[0], False)


def _place_of(entry: Entry, run_id: int) -> Change:
    return Change(
        ACTIONS.index(Action.JOIN),
        entry.room_key,
        entry.user_id,
        person=entry.person_id,
        rule=ACCOUNTS,
        reason=f"undo of run {run_id}",
    )
