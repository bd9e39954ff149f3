"""What is to be done: desired against current, as changes in the order of applying.

Pure. It takes both as they are: nothing here asks whether so much may be taken away (`brake`) or how a change is
carried out (`apply`).
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, repeat
from operator import attrgetter

from bridge.directory.census import Census
from bridge.directory.expression import fold
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import Person
from bridge.ids import PersonId, RoomKey, UserId
from bridge.membership.values import (
    ACTIONS,
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

ACCOUNTS = "accounts"
"""The rule of everything that follows from working here or not."""
LEAVER = "no longer works here"
BARRED = "is barred, and employed still"
GUEST = "was here before"
AWAITED = "begins to work here soon"
LEFT_FOR_GOOD = "left, and the time to come back is over"
LAST_ADMINISTRATOR = "the last administrator leaves"
NOT_ANY_MORE = "not in the policy's rule any more"
EXCLUSIVE = "exclusive room"
POWERLESS = "the policy gives no power here"

_ORDER = {action: order for order, action in enumerate(ACTIONS)}
_SECTIONS = {RoomKind.SPACE: "spaces", RoomKind.DESK: "announcements"}


def plan(
    desired: Desired,
    current: Current,
    census: Census,
    *,
    touched: frozenset[UserId] | None = None,
    bot: UserId,
    departures: Departures | None = None,
) -> Plan:
    """Return the changes that make the current state the desired one; an empty plan when it is.

    `census` is the one `desired` was made of. With `touched` only accounts and memberships of these users are
    compared and rooms only created; everybody else, and how rooms are called and listed, is left alone. `departures`
    says what the stages of leaving make of leavers; without it they leave everything and keep a locked account.
    """
    rooms = _managed(desired, current, touched)
    scope = _scope(desired, current, census, touched, bot, departures or Departures())
    changes = [
        *_account_changes(scope, current),
        *_departures(scope, current, rooms.keys()),
        *_returns(scope, current),
    ]
    for key, room in rooms.items():
        there = current.rooms.get(key)
        changes += _room_change(room, there, whole=touched is None)
        changes += _membership_changes(room, there, scope)
        changes += _power_changes(room, there, scope)
    return plan_of(changes, rooms)


def plan_of(changes: Iterable[Change], rooms: Mapping[RoomKey, DesiredRoom]) -> Plan:
    """Return the changes as a plan: sorted, with the rooms they name and the digest of what they do."""
    ordered = tuple(sorted(changes, key=attrgetter("order", "room", "user_id", "value", "person", "rule")))
    named = {RoomKey(change.room) for change in ordered}
    known = {key: rooms[key] for key in sorted(named) if key in rooms}
    digest = hashlib.sha256()
    for change in ordered:
        digest.update(_line_of(change, known).encode())
    return Plan(ordered, known, digest.hexdigest())


@dataclass(frozen=True, slots=True)
class _Scope:
    """Whom a plan is about."""

    accounts: Sequence[DesiredAccount]
    users: Sequence[UserId]
    """By row of the census; empty for those who neither have nor need an account, and so are in no room."""
    row_of: Mapping[UserId, int]
    rows: PeopleSet | None
    """None: everybody."""
    touched: frozenset[UserId] | None
    people: Sequence[Person]
    """By row."""
    others: Mapping[UserId, PersonId]
    """People with an account who are not in the census."""
    leavers: Mapping[UserId, str]
    """Those whose account is to be disabled, with why."""
    bot: UserId
    departures: Departures

    def of(self, people: PeopleSet) -> PeopleSet:
        """Return those of the people whom the plan is about."""
        return people if self.rows is None else people & self.rows

    def among(self, users: Collection[UserId]) -> _Users:
        """Return those of the users whom the plan is about, the people by row; never the bot."""
        if self.touched is not None:
            users = self.touched.intersection(users)
        nobody = len(self.users)
        rows = list(map(self.row_of.get, users, repeat(nobody)))
        people = PeopleSet.of(rows)
        if nobody not in people:
            return _Users(people)
        strangers = frozenset(user for user, row in zip(users, rows, strict=True) if row == nobody)
        return _Users(people - PeopleSet.of([nobody]), strangers - {self.bot})

    def person(self, user: UserId) -> str:
        """Return the id of the person whose account it is, empty for strangers."""
        row = self.row_of.get(user)
        return self.others.get(user, "") if row is None else self.people[row].id

    def named(self, people: PeopleSet) -> Iterator[UserId]:
        """Yield the user IDs of the people."""
        return map(self.users.__getitem__, people)


@dataclass(frozen=True, slots=True)
class _Users:
    """Users of the homeserver: people of the census, and others."""

    people: PeopleSet = PeopleSet.none
    strangers: frozenset[UserId] = frozenset()


def _scope(
    desired: Desired,
    current: Current,
    census: Census,
    touched: frozenset[UserId] | None,
    bot: UserId,
    departures: Departures,
) -> _Scope:
    everyone = {account.person: account for account in desired.accounts.values()}
    users = [everyone[person.id].user_id if person.id in everyone else UserId("") for person in census.people]
    row_of = {user: row for row, user in enumerate(users) if user and user != bot}
    rows = None if touched is None else PeopleSet.of([row_of[user] for user in touched if user in row_of])
    accounts = [account for account in everyone.values() if touched is None or account.user_id in touched]
    unseen = current.accounts.keys() - everyone.keys()
    others = {current.accounts[person].user_id: person for person in unseen}
    leavers = {account.user_id: BARRED if account.barred else LEAVER for account in accounts if not account.enabled}
    return _Scope(accounts, users, row_of, rows, touched, census.people, others, leavers, bot, departures)


def _managed(desired: Desired, current: Current, touched: frozenset[UserId] | None) -> dict[RoomKey, DesiredRoom]:
    """Return the rooms that the policy has a say in, under the keys they have already; with `touched` only those that
    are to be made, that somebody ought to be in, or that one of these is in.

    A value of `for_each` may be spelled otherwise than when its room was made; it is the same room. A value that
    nobody has any more leaves its room to nobody.
    """
    concerned = current.rooms if touched is None else _held_by(touched, current)
    known = _spellings(desired, current)
    rooms: dict[RoomKey, DesiredRoom] = {}
    for key, room in desired.rooms.items():
        own = key if key in current.rooms or "/" not in key else known.get(fold(key), key)
        if own in concerned or room.members or own not in current.rooms:
            rooms[own] = room if own == key else replace(room, key=own)
    for key, there in concerned.items():
        rule, slash, _ = key.partition("/")
        if slash and key not in rooms and rule in desired.vacant:
            rooms[key] = _emptied(there, rule, desired.vacant[rule])
    return rooms


def _held_by(touched: frozenset[UserId], current: Current) -> dict[RoomKey, CurrentRoom]:
    """Return the rooms that one of those touched is in, or is invited to, or has power in."""
    inhabited = [room for room in current.rooms.values() if room.members or room.invited or room.power]
    return {
        room.key: room
        for room in inhabited
        if any(not touched.isdisjoint(users) for users in (room.members, room.invited, room.power.keys()))
    }


def _spellings(desired: Desired, current: Current) -> dict[str, RoomKey]:
    """Return the rooms there are for values, by what their keys are compared by, as far as that is asked."""
    rules = {key.partition("/")[0] for key in desired.rooms if "/" in key and key not in current.rooms}
    keys = [key for key in current.rooms if "/" in key and key.partition("/")[0] in rules] if rules else []
    return {fold(key): key for key in sorted(keys, reverse=True)}


def _emptied(room: CurrentRoom, rule: RuleId, exclusive: bool) -> DesiredRoom:
    return DesiredRoom(
        key=room.key,
        rule=rule,
        kind=room.kind,
        name=room.name,
        topic=room.topic,
        parents=room.parents,
        open_to=room.open_to,
        exclusive=exclusive,
        members=PeopleSet.none,
        power={},
    )


def _account_changes(scope: _Scope, current: Current) -> Iterator[Change]:
    for account in scope.accounts:
        known = current.accounts.get(account.person)
        name = account.display_name
        if known is None:
            if account.enabled:
                yield _account_change(Action.CREATE_ACCOUNT, account, "works here", name)
            elif account.awaited:
                yield _account_change(Action.PREPARE_ACCOUNT, account, AWAITED, name)
        elif known.enabled and not account.enabled:
            yield _account_change(Action.DISABLE_ACCOUNT, account, BARRED if account.barred else LEAVER)
        elif account.enabled:
            if not known.enabled:
                yield _account_change(Action.ENABLE_ACCOUNT, account, "works here again")
            if known.display_name != name:
                yield _account_change(Action.RENAME_ACCOUNT, account, "the directory says so", name)
        elif account.user_id in scope.departures.ending:
            yield _account_change(Action.DEACTIVATE_ACCOUNT, account, LEFT_FOR_GOOD)


def _departures(scope: _Scope, current: Current, managed: Collection[RoomKey]) -> Iterator[Change]:
    """Yield the removals of leavers from the rooms in which the policy has no say, and who takes these over."""
    for over in scope.departures.hand_overs:
        yield _change(
            Action.HAND_OVER, scope, over.room_id, over.giver, value=over.heir, rule=ACCOUNTS, reason=LAST_ADMINISTRATOR
        )
    leaving = scope.leavers.keys() - scope.departures.staying
    if not leaving:
        return
    unruled = ((key, room.members | room.invited) for key, room in current.rooms.items() if key not in managed)
    for room, users in chain[tuple[str, frozenset[UserId]]](unruled, current.elsewhere.items()):
        for user in leaving & users:
            yield _change(Action.REMOVE, scope, room, user, rule=ACCOUNTS, reason=scope.leavers[user])


def _returns(scope: _Scope, current: Current) -> Iterator[Change]:
    """Yield who goes back into rooms in which the policy has no say, having left them with the account."""
    for room, users in current.former.items():
        for user in users - scope.leavers.keys():
            yield _change(Action.JOIN, scope, room, user, rule=ACCOUNTS, reason=GUEST)


def _room_change(room: DesiredRoom, there: CurrentRoom | None, *, whole: bool) -> Iterator[Change]:
    order, rule = _ORDER[Action.CREATE_ROOM], _rule_of(room)
    if there is None:
        yield Change(order, room.key, value=room.name, rule=rule, reason="the policy has it")
    elif whole and (differing := _differing(room, there)):
        yield Change(_ORDER[Action.CHANGE_ROOM], room.key, value=differing, rule=rule, reason="the policy says so")


def _differing(room: DesiredRoom, there: CurrentRoom) -> str:
    """Name what a room is to have changed. A space stays a space: its kind is settled for life when it is made."""
    fixed = RoomKind.SPACE in (room.kind, there.kind)
    fields = ("name", "topic", "parents", "open_to") if fixed else ("name", "topic", "kind", "parents", "open_to")
    return ", ".join(field for field in fields if getattr(room, field) != getattr(there, field))


def _membership_changes(room: DesiredRoom, there: CurrentRoom | None, scope: _Scope) -> Iterator[Change]:
    wanted = scope.of(room.members)
    members = scope.among(there.members) if there else _Users()
    if missing := wanted - members.people:
        for user in scope.named(missing):
            yield _change(Action.JOIN, scope, room.key, user, rule=_rule_of(room), reason=room.because.get(0, ""))
    if there is not None:
        if there.guests and not room.exclusive:
            guests = scope.among(there.guests)
            returning = chain(
                scope.named(guests.people - members.people - wanted), guests.strangers - members.strangers
            )
            for user in returning:
                if user not in scope.leavers:
                    yield _change(Action.JOIN, scope, room.key, user, rule=ACCOUNTS, reason=GUEST)
        invited = scope.among(there.invited)
        excess = (members.people | invited.people) - wanted
        for user in chain(scope.named(excess), members.strangers | invited.strangers):
            if user in scope.departures.staying:
                continue
            reason = _why_remove(user, room, there, scope)
            if reason:
                rule = ACCOUNTS if user in scope.leavers else _rule_of(room)
                yield _change(Action.REMOVE, scope, room.key, user, rule=rule, reason=reason)


def _why_remove(user: UserId, room: DesiredRoom, there: CurrentRoom, scope: _Scope) -> str:
    """Return why somebody not entitled must leave; empty for those who were invited by hand and may stay."""
    if user in scope.leavers:
        return scope.leavers[user]
    if user in there.granted:
        return NOT_ANY_MORE
    return EXCLUSIVE if room.exclusive else ""


def _power_changes(room: DesiredRoom, there: CurrentRoom | None, scope: _Scope) -> Iterator[Change]:
    """Yield what makes the room's power the policy's, also for those who are not, or no longer, in it."""
    actual: Mapping[UserId, int] = there.power if there else {}
    for user, level in _differently_ranked(room, actual, scope):
        if user in scope.departures.staying:
            continue
        action = Action.RAISE_POWER if level > actual.get(user, 0) else Action.LOWER_POWER
        leaver = user in scope.leavers
        reason = scope.leavers[user] if leaver else room.because.get(level, "") if level else POWERLESS
        rule = ACCOUNTS if leaver else _rule_of(room)
        yield _change(action, scope, room.key, user, value=str(level), rule=rule, reason=reason)


def _differently_ranked(room: DesiredRoom, actual: Mapping[UserId, int], scope: _Scope) -> Iterator[tuple[UserId, int]]:
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


def _rule_of(room: DesiredRoom) -> str:
    """Return where the policy asks for the room: `rooms.department`."""
    if room.kind is RoomKind.ADMINISTRATORS:
        return "brake.approvers"
    return f"{_SECTIONS.get(room.kind, 'rooms')}.{room.rule}"


def _account_change(action: Action, account: DesiredAccount, reason: str, value: str = "") -> Change:
    return Change(
        _ORDER[action], user_id=account.user_id, value=value, person=account.person, rule=ACCOUNTS, reason=reason
    )


def _change(
    action: Action, scope: _Scope, room: str, user: UserId, *, value: str = "", rule: str, reason: str
) -> Change:
    return Change(_ORDER[action], room, user, value, scope.person(user), rule, reason)


def _line_of(change: Change, rooms: Mapping[RoomKey, DesiredRoom]) -> str:
    """Return what the change does as one line of JSON; of a room to be made or changed also its new form."""
    fields: list[object] = [change.action, change.room, change.user_id, change.value, change.person, change.rule]
    if change.action in (Action.CREATE_ROOM, Action.CHANGE_ROOM):
        room = rooms[RoomKey(change.room)]
        fields += [room.kind, room.name, room.topic, room.parents, room.open_to, room.exclusive]
    return json.dumps(fields, separators=(",", ":")) + "\n"
