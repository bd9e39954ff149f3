"""What is to be done: desired against current, as changes in the order of applying.

Pure. It takes both as they are: nothing here asks whether so much may be taken away (`brake`) or how a change is
carried out (`apply`).
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from operator import attrgetter

from bridge.directory.census import Census
from bridge.directory.expression import fold
from bridge.directory.people_set import PeopleSet
from bridge.ids import RoomKey, UserId
from bridge.membership import profile
from bridge.membership.alignment import aligned, renamed
from bridge.membership.barriers import BARRIERS, NO_DIVISION, NO_WALLS, Division, Walls
from bridge.membership.guests import GUESTS, NO_GUESTS, OUTSIDE, Guesthood, with_guests
from bridge.membership.plan_barriers import barrier_of, entering, kept_out_of, settled
from bridge.membership.plan_scope import Scope, Users, rule_of, scope_of
from bridge.membership.values import (
    ACTIONS,
    BY_HAND,
    FIELDS,
    Action,
    Change,
    Current,
    CurrentRoom,
    Departures,
    Desired,
    DesiredAccount,
    DesiredRoom,
    Plan,
)
from bridge.policy.schema import RoomKind, RuleId
from bridge.policy.settings import NAMES, as_json, differing

ACCOUNTS = "accounts"
"""The rule of everything that follows from working here or not."""
GUEST = "was here before"
AWAITED = "begins to work here soon"
LEFT_FOR_GOOD = "left, and the time to come back is over"
LAST_ADMINISTRATOR = "the last administrator leaves"
NOT_ANY_MORE = "not in the policy's rule any more"
EXCLUSIVE = "exclusive room"
POWERLESS = "the policy gives no power here"

_ORDER = {action: order for order, action in enumerate(ACTIONS)}


def plan(
    desired: Desired,
    current: Current,
    census: Census,
    *,
    touched: frozenset[UserId] | None = None,
    walls: Walls = NO_WALLS,
    bot: UserId,
    departures: Departures | None = None,
    guests: Guesthood = NO_GUESTS,
    unmanaged: Sequence[Change] = (),
) -> Plan:
    """Return the changes that make the current state the desired one; an empty plan when it is.

    `census` is the one `desired` was made of. With `touched` only accounts and memberships of these users are
    compared and rooms only created; everybody else, and how rooms are called and listed, is left alone. What rules
    ask for and `walls` forbid is not done, and named. `departures` says what the stages of leaving make of leavers;
    without it they leave everything and keep a locked account. `guests` are put into the rooms of their sponsors,
    `unmanaged` is what is to be done about rooms that people made.
    """
    scope = scope_of(desired, current, census, touched, bot, departures or Departures(), guests)
    rooms = _managed(desired, current, scope)
    if guests.living:
        rooms = {key: with_guests(room, guests, census) for key, room in rooms.items()}
    changes = [
        *_account_changes(scope, current),
        *_departures(scope, current, rooms.keys()),
        *_returns(scope, current),
    ]
    leaving = {(change.room, change.user_id) for change in changes if change.action is Action.REMOVE}
    changes += [change for change in unmanaged if (change.room, change.user_id) not in leaving]
    divisions: dict[RoomKey, Division] = {}
    ruled = dict(rooms)
    shadowed: list[Change] = []
    for key, room in ruled.items():
        there = current.rooms.get(key)
        if walls.walls:
            rooms[key], divisions[key] = settled(room, there, scope, walls)
        found = chain(
            _room_change(rooms[key], there, current.served.get(key), whole=touched is None),
            _membership_changes(rooms[key], there, scope, divisions.get(key, NO_DIVISION)),
            _power_changes(rooms[key], there, scope),
        )
        if room.shadow:
            for change in found:  # whoever leaves the company, or is kept out by a barrier, leaves these rooms too
                (changes if _is_real(change) else shadowed).append(change)
        else:
            changes += found
    made = plan_of(changes, rooms)
    if shadowed:
        made = replace(made, shadowed=_sorted(shadowed))
    if not divisions:
        return made
    kept_out = (each for key, division in divisions.items() for each in kept_out_of(ruled[key], division, scope))
    return replace(made, kept_out=tuple(kept_out), divided=entering(made, divisions, scope))


def _is_real(change: Change) -> bool:
    """Tell whether a change in a room of a rule in shadow is done all the same."""
    return change.rule in (ACCOUNTS, BARRIERS) or (change.rule == GUESTS and change.action is Action.REMOVE)


def plan_of(changes: Iterable[Change], rooms: Mapping[RoomKey, DesiredRoom]) -> Plan:
    """Return the changes as a plan: sorted, with the rooms they name and the digest of what they do."""
    ordered = _sorted(changes)
    named = {RoomKey(change.room) for change in ordered}
    known = {key: rooms[key] for key in sorted(named) if key in rooms}
    digest = hashlib.sha256()
    for change in ordered:
        digest.update(_line_of(change, known).encode())
    return Plan(ordered, known, digest.hexdigest())


def _sorted(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=attrgetter("order", "room", "user_id", "value", "person", "rule")))


def _managed(desired: Desired, current: Current, scope: Scope) -> dict[RoomKey, DesiredRoom]:
    """Return the rooms that the policy has a say in, under the keys they have already; with `touched` only those that
    are to be made, that somebody ought to be in, or that one of these is in.

    A value of `for_each` that nobody has any more leaves its room to nobody, unless its people have a new one.
    """
    concerned = current.rooms if scope.touched is None else _held_by(scope.touched, current)
    known = aligned(desired.rooms, current)
    if scope.touched is None:
        known = renamed(known, current, lambda users: scope.among(users).people)
    rooms: dict[RoomKey, DesiredRoom] = {}
    for key, room in known.items():
        if key in concerned or room.members or key not in current.rooms:
            there = current.rooms.get(key)
            rooms[key] = room if there is None or scope.touched is None else _described(room, there)
    for key, there in concerned.items():
        rule, slash, _ = key.partition("/")
        if slash and key not in rooms and rule in desired.vacant:
            value = current.served.get(key, "")
            rooms[key] = _emptied(there, rule, desired.vacant[rule], value, shadow=rule in desired.shadow)
    return rooms


def _held_by(touched: frozenset[UserId], current: Current) -> dict[RoomKey, CurrentRoom]:
    """Return the rooms that one of those touched is in, or is invited to, or has power in, and those whose settings
    somebody else has changed."""
    return {
        room.key: room
        for room in current.inhabited_rooms()
        if room.altered or any(not touched.isdisjoint(users) for users in (room.members, room.invited, room.power))
    }


def _described(room: DesiredRoom, there: CurrentRoom) -> DesiredRoom:
    """Return the room called and listed as Muster has made it: some of the people alone do not tell otherwise."""
    return replace(
        room,
        key=there.key,
        kind=there.kind,
        name=there.name,
        topic=there.topic,
        parents=there.parents,
        order=there.order,
        open_to=there.open_to,
        settings=there.settings,
        value="",
    )


def _emptied(room: CurrentRoom, rule: RuleId, exclusive: bool, value: str, *, shadow: bool) -> DesiredRoom:
    return DesiredRoom(
        key=room.key,
        rule=rule,
        kind=room.kind,
        name=room.name,
        topic=room.topic,
        parents=room.parents,
        order=room.order,
        open_to=room.open_to,
        exclusive=exclusive,
        members=PeopleSet.none,
        power={},
        settings=room.settings,
        shadow=shadow,
        value=value,
    )


def _account_changes(scope: Scope, current: Current) -> Iterator[Change]:
    for account in scope.accounts:
        known = current.accounts.get(account.person)
        name = account.display_name
        if known is None:
            if account.enabled:
                yield _account_change(Action.CREATE_ACCOUNT, account, "works here", name)
                yield from _profile_changes(account, {})
            elif account.awaited:
                yield _account_change(Action.PREPARE_ACCOUNT, account, AWAITED, name)
        elif known.enabled and not account.enabled:
            yield _account_change(Action.DISABLE_ACCOUNT, account, scope.leavers[account.user_id])
        elif account.enabled:
            if not known.enabled:
                yield _account_change(Action.ENABLE_ACCOUNT, account, "works here again")
            if known.display_name != name:
                yield _account_change(Action.RENAME_ACCOUNT, account, "the directory says so", name)
            yield from _profile_changes(account, known.profile)
        elif account.user_id in scope.departures.ending:
            yield _account_change(Action.DEACTIVATE_ACCOUNT, account, LEFT_FOR_GOOD)


def _profile_changes(account: DesiredAccount, known: Mapping[str, str]) -> Iterator[Change]:
    for value in profile.differing(account.profile, known):
        yield _account_change(Action.CHANGE_PROFILE, account, "the directory says so", value)


def _departures(scope: Scope, current: Current, managed: Collection[RoomKey]) -> Iterator[Change]:
    """Yield the removals of leavers from the rooms in which the policy has no say, and who takes these over."""
    for over in scope.departures.hand_overs:
        yield _change(
            Action.HAND_OVER, scope, over.room_id, over.giver, value=over.heir, rule=ACCOUNTS, reason=LAST_ADMINISTRATOR
        )
    leaving = scope.leavers.keys() - scope.departures.staying
    if not leaving:
        return
    unruled = ((room.key, room.members | room.invited) for room in current.inhabited_rooms() if room.key not in managed)
    for room, users in chain[tuple[str, frozenset[UserId]]](unruled, current.elsewhere.items()):
        for user in leaving & users:
            yield _change(Action.REMOVE, scope, room, user, rule=ACCOUNTS, reason=scope.leavers[user])


def _returns(scope: Scope, current: Current) -> Iterator[Change]:
    """Yield who goes back into rooms in which the policy has no say, having left them with the account."""
    for room, users in current.former.items():
        for user in users - scope.leavers.keys():
            yield _change(Action.JOIN, scope, room, user, rule=ACCOUNTS, reason=GUEST)


def _room_change(room: DesiredRoom, there: CurrentRoom | None, served: str | None, *, whole: bool) -> Iterator[Change]:
    order, rule = _ORDER[Action.CREATE_ROOM], rule_of(room)
    if there is None:
        yield Change(order, room.key, value=room.name, rule=rule, reason="the policy has it")
    elif (whole or there.altered) and (changed := _differing(room, there, served)):
        yield Change(_ORDER[Action.CHANGE_ROOM], room.key, value=changed, rule=rule, reason="the policy says so")


def _differing(room: DesiredRoom, there: CurrentRoom, served: str | None) -> str:
    """Name what a room is to have changed. A space stays a space: its kind is settled for life when it is made."""
    fixed = RoomKind.SPACE in (room.kind, there.kind)
    changed = {field for field in FIELDS if getattr(room, field) != getattr(there, field)}
    if fixed:
        changed.discard("kind")
    own = there.key.partition("/")[2] if served is None else served
    if room.value and fold(own) != fold(room.value):
        changed.add("value")
    changed |= there.altered | set(differing(room.settings, there.settings))
    return ", ".join(field for field in (*FIELDS, "value", *NAMES, *BY_HAND) if field in changed)


def _membership_changes(
    room: DesiredRoom, there: CurrentRoom | None, scope: Scope, division: Division
) -> Iterator[Change]:
    wanted = scope.of(room.members)
    members = scope.among(there.members) if there else Users()
    if missing := wanted - members.people:
        for row in missing:
            reason = room.exempt.get(row) or room.because.get(0, "")
            yield _change(Action.JOIN, scope, room.key, scope.users[row], rule=rule_of(room), reason=reason)
    guests_here = scope.sponsored(room)
    yield from _guest_changes(room, there, guests_here, scope)
    if there is not None:
        if there.guests and not room.exclusive:
            guests = scope.among(there.guests)
            returning = chain(
                scope.named(guests.people - members.people - wanted - division.people),
                guests.strangers - members.strangers - division.strangers.keys(),
            )
            for user in returning:
                if user not in scope.leavers and scope.row_of.get(user, -1) not in room.exempt:
                    yield _change(Action.JOIN, scope, room.key, user, rule=ACCOUNTS, reason=GUEST)
        invited = scope.among(there.invited)
        excess = (members.people | invited.people) - wanted
        for user in chain(scope.named(excess), members.strangers | invited.strangers):
            if user in scope.departures.staying or user in guests_here:
                continue
            rule, reason = _why_remove(user, room, there, scope, division)
            if reason:
                yield _change(Action.REMOVE, scope, room.key, user, rule=rule, reason=reason)


def _guest_changes(
    room: DesiredRoom, there: CurrentRoom | None, guests: Collection[UserId], scope: Scope
) -> Iterator[Change]:
    """Yield the arrivals of guests; one of another homeserver has to accept the invitation, and is waited for."""
    members, invited = (there.members, there.invited) if there else (frozenset[UserId](), frozenset[UserId]())
    for user in guests:
        if user not in members and not (user in invited and scope.is_outside(user)):
            yield _change(Action.JOIN, scope, room.key, user, rule=GUESTS, reason=room.sponsored[user])


def _why_remove(
    user: UserId, room: DesiredRoom, there: CurrentRoom, scope: Scope, division: Division
) -> tuple[str, str]:
    """Return by which rule and why somebody not entitled must leave; no reason for those who were invited by hand and
    may stay."""
    if user in scope.leavers:
        return ACCOUNTS, scope.leavers[user]
    if division.out and (barrier := barrier_of(user, scope, division)) is not None:
        return BARRIERS, barrier.reason
    if exempt := room.exempt.get(scope.row_of.get(user, -1)):
        return rule_of(room), exempt
    if user in there.granted:
        why = scope.guests.why_not(user)
        return (GUESTS, why) if why and not scope.person(user) else (rule_of(room), NOT_ANY_MORE)
    if room.exclusive:
        return rule_of(room), EXCLUSIVE
    if scope.guests.ruled and scope.is_outside(user):
        return GUESTS, scope.guests.why_not(user) or OUTSIDE
    return rule_of(room), ""


def _power_changes(room: DesiredRoom, there: CurrentRoom | None, scope: Scope) -> Iterator[Change]:
    """Yield what makes the room's power the policy's, also for those who are not, or no longer, in it."""
    actual: Mapping[UserId, int] = there.power if there else {}
    for user, level in _differently_ranked(room, actual, scope):
        if user in scope.departures.staying:
            continue
        action = Action.RAISE_POWER if level > actual.get(user, 0) else Action.LOWER_POWER
        leaver = user in scope.leavers
        reason = scope.leavers[user] if leaver else room.because.get(level, "") if level else POWERLESS
        rule = ACCOUNTS if leaver else rule_of(room)
        yield _change(action, scope, room.key, user, value=str(level), rule=rule, reason=reason)


def _differently_ranked(room: DesiredRoom, actual: Mapping[UserId, int], scope: Scope) -> Iterator[tuple[UserId, int]]:
    """Yield who has another level than the room is to give, and the level it is to give."""
    held: defaultdict[int, list[UserId]] = defaultdict(list)
    for user, level in actual.items():
        held[level].append(user)
    ranked = {level: scope.of(people) for level, people in room.power.items()}
    differing, strangers = PeopleSet.none, frozenset[UserId]()
    for level in {*ranked, *held} - {0}:
        users = scope.among(held.get(level, ()))
        differing |= users.people ^ ranked.get(level, PeopleSet.none)
        strangers |= users.strangers
    for row in differing:
        yield scope.users[row], next((level for level, people in ranked.items() if row in people), 0)
    for user in strangers:
        yield user, 0


def _account_change(action: Action, account: DesiredAccount, reason: str, value: str = "") -> Change:
    return Change(
        _ORDER[action], user_id=account.user_id, value=value, person=account.person, rule=ACCOUNTS, reason=reason
    )


def _change(
    action: Action, scope: Scope, room: str, user: UserId, *, value: str = "", rule: str, reason: str
) -> Change:
    return Change(_ORDER[action], room, user, value, scope.person(user), rule, reason)


def _line_of(change: Change, rooms: Mapping[RoomKey, DesiredRoom]) -> str:
    """Return what the change does as one line of JSON; of a room to be made or changed also its new form."""
    fields: list[object] = [change.action, change.room, change.user_id, change.value, change.person, change.rule]
    if change.action in (Action.CREATE_ROOM, Action.CHANGE_ROOM):
        room = rooms[RoomKey(change.room)]
        fields += [room.kind, room.name, room.topic, room.parents, room.order, room.open_to, room.exclusive]
        fields += [as_json(room.settings)]
    return json.dumps(fields, separators=(",", ":")) + "\n"
