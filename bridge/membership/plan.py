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
from bridge.membership import profile
from bridge.membership.alignment import aligned, renamed
from bridge.membership.barriers import BARRIERS, NO_DIVISION, NO_WALLS, Division, Party, Walls, divide
from bridge.membership.values import (
    ACTIONS,
    FIELDS,
    Action,
    Change,
    Current,
    CurrentRoom,
    Departures,
    Desired,
    DesiredAccount,
    DesiredRoom,
    KeptOut,
    Plan,
)
from bridge.policy.schema import Barrier, RoomKind, RuleId
from bridge.policy.settings import NAMES, as_json, differing

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
    walls: Walls = NO_WALLS,
    bot: UserId,
    departures: Departures | None = None,
) -> Plan:
    """Return the changes that make the current state the desired one; an empty plan when it is.

    `census` is the one `desired` was made of. With `touched` only accounts and memberships of these users are
    compared and rooms only created; everybody else, and how rooms are called and listed, is left alone. What rules
    ask for and `walls` forbid is not done, and named. `departures` says what the stages of leaving make of leavers;
    without it they leave everything and keep a locked account.
    """
    scope = _scope(desired, current, census, touched, bot, departures or Departures())
    rooms = _managed(desired, current, scope)
    changes = [
        *_account_changes(scope, current),
        *_departures(scope, current, rooms.keys()),
        *_returns(scope, current),
    ]
    divisions: dict[RoomKey, Division] = {}
    ruled = dict(rooms)
    shadowed: list[Change] = []
    for key, room in ruled.items():
        there = current.rooms.get(key)
        if walls.walls:
            divisions[key] = divide(room, _party(room, there, scope), walls)
            rooms[key] = _divided(room, divisions[key])
        found = chain(
            _room_change(rooms[key], there, current.served.get(key), whole=touched is None),
            _membership_changes(rooms[key], there, scope, divisions.get(key, NO_DIVISION)),
            _power_changes(rooms[key], there, scope),
        )
        if room.shadow:
            for change in found:  # whoever leaves the company, or is kept out by a barrier, leaves these rooms too
                (changes if change.rule in (ACCOUNTS, BARRIERS) else shadowed).append(change)
        else:
            changes += found
    made = plan_of(changes, rooms)
    if shadowed:
        made = replace(made, shadowed=_sorted(shadowed))
    if not divisions:
        return made
    kept_out = (each for key, division in divisions.items() for each in _kept_out(ruled[key], division, scope))
    return replace(made, kept_out=tuple(kept_out), divided=_entering(made, divisions, scope))


def plan_of(changes: Iterable[Change], rooms: Mapping[RoomKey, DesiredRoom]) -> Plan:
    """Return the changes as a plan: sorted, with the rooms they name and the digest of what they do."""
    ordered = _sorted(changes)
    named = {RoomKey(change.room) for change in ordered}
    known = {key: rooms[key] for key in sorted(named) if key in rooms}
    digest = hashlib.sha256()
    for change in ordered:
        digest.update(_line_of(change, known).encode())
    return Plan(ordered, known, digest.hexdigest())


def _party(room: DesiredRoom, there: CurrentRoom | None, scope: _Scope) -> Party:
    """Return who is in the room, or would be, of those whom the plan is about."""
    wanted = scope.of(room.members)
    if there is None:
        return Party(wanted)
    present = scope.among(there.members | there.invited)
    returning = _Users() if room.exclusive or not there.guests else scope.among(there.guests)
    leavers = PeopleSet.of([scope.row_of[user] for user in scope.leavers if user in scope.row_of])
    granted = scope.among(there.granted)
    leaving = present if room.exclusive else _Users(granted.people, granted.strangers)
    return Party(
        wanted,
        present.people,
        present.people - leavers - (leaving.people - wanted),
        returning.people - leavers,
        present.strangers | returning.strangers,
        (present.strangers - leaving.strangers) | returning.strangers,
    )


def _divided(room: DesiredRoom, division: Division) -> DesiredRoom:
    """Return the room without those whom barriers keep out; nor may they enter it from the space by themselves."""
    if not division.out:
        return room
    out = division.people
    power = {level: people - out for level, people in room.power.items()}
    return replace(
        room,
        members=room.members - out,
        power={level: people for level, people in power.items() if people},
        open_to=None,
    )


def _kept_out(room: DesiredRoom, division: Division, scope: _Scope) -> Iterator[KeptOut]:
    """Yield whom the room's rule asks for and a barrier forbids."""
    for barrier, people in division.out:
        if users := tuple(sorted(scope.named(people & scope.of(room.members)))):
            yield KeptOut(room.key, _rule_of(room), barrier.reason, users)


def _entering(whole: Plan, divisions: Mapping[RoomKey, Division], scope: _Scope) -> dict[RoomKey, frozenset[UserId]]:
    """Return who joins which room beside somebody who is to leave it because of a barrier."""
    emptied = {change.room for change in whole.changes if change.rule == BARRIERS}
    found: dict[RoomKey, frozenset[UserId]] = {}
    for change in whole.changes:
        if change.action is Action.JOIN and change.room in emptied:
            key, user = RoomKey(change.room), UserId(change.user_id)
            row = scope.row_of.get(user)
            if row is None or row in divisions[key].kept:
                found[key] = found.get(key, frozenset()) | {user}
    return found


def _sorted(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=attrgetter("order", "room", "user_id", "value", "person", "rule")))


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


def _managed(desired: Desired, current: Current, scope: _Scope) -> dict[RoomKey, DesiredRoom]:
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
    inhabited = [room for room in current.rooms.values() if room.members or room.invited or room.power or room.altered]
    return {
        room.key: room
        for room in inhabited
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


def _account_changes(scope: _Scope, current: Current) -> Iterator[Change]:
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
            yield _account_change(Action.DISABLE_ACCOUNT, account, BARRED if account.barred else LEAVER)
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


def _room_change(room: DesiredRoom, there: CurrentRoom | None, served: str | None, *, whole: bool) -> Iterator[Change]:
    order, rule = _ORDER[Action.CREATE_ROOM], _rule_of(room)
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
    return ", ".join(field for field in (*FIELDS, "value", *NAMES) if field in changed)


def _membership_changes(
    room: DesiredRoom, there: CurrentRoom | None, scope: _Scope, division: Division
) -> Iterator[Change]:
    wanted = scope.of(room.members)
    members = scope.among(there.members) if there else _Users()
    if missing := wanted - members.people:
        for row in missing:
            reason = room.exempt.get(row) or room.because.get(0, "")
            yield _change(Action.JOIN, scope, room.key, scope.users[row], rule=_rule_of(room), reason=reason)
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
            if user in scope.departures.staying:
                continue
            rule, reason = _why_remove(user, room, there, scope, division)
            if reason:
                yield _change(Action.REMOVE, scope, room.key, user, rule=rule, reason=reason)


def _why_remove(
    user: UserId, room: DesiredRoom, there: CurrentRoom, scope: _Scope, division: Division
) -> tuple[str, str]:
    """Return by which rule and why somebody not entitled must leave; no reason for those who were invited by hand and
    may stay."""
    if user in scope.leavers:
        return ACCOUNTS, scope.leavers[user]
    if division.out and (barrier := _barrier_of(user, scope, division)) is not None:
        return BARRIERS, barrier.reason
    if exempt := room.exempt.get(scope.row_of.get(user, -1)):
        return _rule_of(room), exempt
    if user in there.granted:
        return _rule_of(room), NOT_ANY_MORE
    return _rule_of(room), EXCLUSIVE if room.exclusive else ""


def _barrier_of(user: UserId, scope: _Scope, division: Division) -> Barrier | None:
    row = scope.row_of.get(user)
    return division.strangers.get(user) if row is None else division.barrier_of(row)


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
        fields += [room.kind, room.name, room.topic, room.parents, room.order, room.open_to, room.exclusive]
        fields += [as_json(room.settings)]
    return json.dumps(fields, separators=(",", ":")) + "\n"
