"""Reading everything a plan needs, at one moment, and deciding.

What is read is one snapshot of the database, and of the homeserver the rooms of those who are about to be shut out,
because deliveries may have been lost. The decisions are those of `desired`, `plan` and `brake`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bridge.archive.store import read_redacted
from bridge.directory.census import Census
from bridge.directory.door_store import load_pardons
from bridge.directory.local_day import SPREAD, LocalDays
from bridge.directory.past_store import load_states_since
from bridge.directory.person import attributes_of
from bridge.directory.relation_store import people_above, people_below
from bridge.directory.selector import any_of, matches
from bridge.directory.store import directory_version, load_people
from bridge.errors import HomeserverError
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import PersonId, RoomId, RoomKey, UserId, archivist_of, localpart_of
from bridge.membership import (
    adopting,
    audit_store,
    barrier_store,
    current_store,
    drift_store,
    face_store,
    guest_store,
    store,
)
from bridge.membership.alignment import aligned
from bridge.membership.audit import Held, Loss
from bridge.membership.barriers import NO_WALLS, Seats, Sides, Walls, seats_of, walls_of
from bridge.membership.brake import Losses, Verdict, brake, losses_of
from bridge.membership.desired import desired
from bridge.membership.desired_accounts import DesiredAccounts
from bridge.membership.elsewhere import Rooms
from bridge.membership.exemption_store import read_exemptions
from bridge.membership.fighting import Intervention, Rest, without_resting
from bridge.membership.guests import NO_GUESTS, Guest, Guesthood, guest_seats, guesthood
from bridge.membership.leaving import Abandoned, Asked, Due, due, read_hand_overs, read_returns
from bridge.membership.localpart import USER_ID_MAX
from bridge.membership.plan import plan
from bridge.membership.values import Current, CurrentAccount, Departures, Desired, Plan
from bridge.policy.pictures import with_addresses
from bridge.policy.schema import Brake, Exemption, LeaverStep, Policy

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


_NUMBER = 12
"""So many characters at the end of a localpart at most give way to a number, where it would be too long."""


class Bot(Rooms, Protocol):
    """Who we are on which homeserver, and the rooms there."""

    bot: UserId
    server_name: str


class JoinedRooms(Protocol):
    """Where somebody is, by the homeserver itself."""

    async def joined_rooms(self, user_id: UserId) -> list[RoomId]: ...


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom to look at: people of the directory, and users who may be strangers to it."""

    people: frozenset[PersonId] = frozenset()
    users: frozenset[UserId] = frozenset()


@dataclass(frozen=True, slots=True)
class Survey:
    """What was read and what it comes to."""

    policy: Policy
    directory_version: int
    census: Census
    desired: Desired
    current: Current
    plan: Plan
    verdict: Verdict
    held: tuple[Held, ...]
    """What waited for approval already."""
    concerned: tuple[Held, ...]
    """Those of `held` that this survey looks at again, whole."""
    interventions: tuple[Intervention, ...] = ()
    """What others did by hand and this survey has looked at."""
    rests: tuple[Rest, ...] = ()
    """What the plan leaves out because of a fight."""
    abandoned: tuple[Abandoned, ...] = ()
    """The rooms that nobody is in any more once the plan is carried out."""
    pardons: Mapping[PersonId, str] = field(default_factory=dict)
    """Who loses something because a second person has let them go at the door → the digest of that list."""
    walls: Walls = NO_WALLS
    touched: frozenset[UserId] | None = None
    """Whom the plan is about; None: everybody."""
    exemptions: tuple[Exemption, ...] = ()
    """Those that do not stand in the policy."""
    staying: frozenset[UserId] = frozenset()
    """Leavers who do not leave their rooms yet."""
    guests: tuple[Guest, ...] = ()
    """Those who are or were guests and this survey has looked at."""
    guesthood: Guesthood = NO_GUESTS

    @property
    def seats(self) -> Seats:
        """The sides on which the people surveyed are, and their guests, by user ID."""
        return {**self.walls.strangers, **_sides(self.walls, self.desired, self.census).seats}


async def survey(
    pool: Pool,
    bot: Bot,
    accounts: JoinedRooms,
    policy: Policy,
    now: datetime,
    scope: Scope | None = None,
    *,
    timezone: str = "UTC",
) -> Survey:
    """Look at everybody, or at those in scope, and decide what is to be done.

    Whoever shares a held plan with somebody in scope is looked at too, so that what is held is always whole.
    `timezone` is that of people without one of their own. Raises `HomeserverUnavailableError` when somebody is to be
    shut out and the homeserver is away.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        return await survey_in(connection, bot, accounts, policy, now, scope, timezone=timezone)


async def survey_in(
    connection: Connection,
    bot: Bot,
    accounts: JoinedRooms,
    policy: Policy,
    now: datetime,
    scope: Scope | None = None,
    *,
    timezone: str = "UTC",
) -> Survey:
    """Do what `survey` does within a database transaction of somebody else's."""
    version = await directory_version(connection)
    held = tuple(await audit_store.read_held(connection, now - policy.brake.approval))
    people, touched, concerned = await _reach(connection, policy, held, scope)
    looked_at = people and people | await people_below(connection, people, policy.levels_of_managers)
    known = await store.read_accounts(connection, looked_at)
    census = Census(await load_people(connection, looked_at), LocalDays(now, timezone))
    taken = {localpart_of(user) for user in (bot.bot, archivist_of(bot.bot))}
    taken |= await _taken(connection, policy, census, known, bot.server_name, looked_at)
    exemptions = await read_exemptions(connection, (now - SPREAD).date())
    pictured = with_addresses(policy, await face_store.read_room_pictures(connection))
    wanted = desired(pictured, census, known, server_name=bot.server_name, taken=taken, exemptions=exemptions)
    if touched is not None and people is not None:
        touched |= {account.user_id for account in wanted.accounts.values() if account.person in people}
    leaving = {account.user_id for account in wanted.accounts.values() if not account.enabled}
    current = await current_store.read_current(connection, bot=bot.bot, touched=touched, leaving=leaving)
    disabled = [account for account in wanted.accounts.values() if not account.enabled]
    steps = due(disabled, known, policy.accounts.leavers, census, now, timezone)
    ending = await _ending(connection, steps, known.values())
    going = [account.user_id for account in current.accounts.values() if account.enabled]
    for user_id in sorted(leaving.intersection(going) | ending):
        current = with_rooms(current, user_id, await _joined_rooms(accounts, user_id))
    returning = {
        account.user_id for account in known.values() if not account.enabled and account.user_id not in leaving
    }
    guests = await guest_store.read_guests(connection)
    hood = guesthood(policy.guests, guests, census, bot.server_name)
    walls = await _walls(connection, policy, census, hood, touched)
    asked = Asked(policy.accounts.successors, policy.barriers, _sides(walls, wanted, census))
    former, closed = await read_returns(connection, bot, returning, touched, asked)
    current = replace(current, former=former)
    overs, abandoned = await read_hand_overs(connection, bot, current, census, steps, asked)
    staying = frozenset(user for user, due_now in steps.items() if LeaverStep.LEAVE_ROOMS not in due_now)
    departures = Departures(staying, ending, overs)
    wanted = replace(wanted, rooms=aligned(wanted.rooms, current))
    pending = await drift_store.read_pending(connection)
    rests = tuple(await drift_store.read_rests(connection))
    unmanaged = await adopting.read_changes(connection, policy.unmanaged_rooms, bot.bot, now, touched)
    room_ids = {room.key: room.room_id for room in current.rooms.values()} if rests else {}
    found = plan(
        wanted,
        current,
        census,
        touched=touched,
        walls=walls,
        bot=bot.bot,
        departures=departures,
        guests=hood,
        unmanaged=unmanaged,
    )
    found = replace(found, kept_out=(*found.kept_out, *closed))
    changes = without_resting(found, rests, room_ids)
    pardons = await load_pardons(connection, losses_of(changes).people)
    verdict = await _brake(connection, policy, changes, census, held, pardons, now, timezone)
    return Survey(
        policy,
        version,
        census,
        wanted,
        current,
        changes,
        verdict,
        held,
        concerned,
        interventions=tuple(one for one in pending if touched is None or not one.subject or one.subject in touched),
        rests=rests,
        abandoned=abandoned,
        pardons=pardons,
        walls=walls,
        touched=touched,
        exemptions=tuple(exemptions),
        staying=staying,
        guests=tuple(guest for guest in guests if touched is None or guest.user_id in touched),
        guesthood=hood,
    )


def _sides(walls: Walls, wanted: Desired, census: Census) -> Sides:
    """Return the sides on which the people of a census are. Pure."""
    accounts = wanted.accounts
    users = [accounts[each.id].user_id if each.id in accounts else UserId("") for each in census.people]
    return Sides(seats_of(walls.walls, users), frozenset(filter(None, users)))


def with_rooms(current: Current, user_id: UserId, joined: Collection[RoomId]) -> Current:
    """Return the current state with what the homeserver says of where one user is. Pure."""
    managed = {room.room_id: key for key, room in current.rooms.items()}
    inhabited = current.inhabited
    if inhabited is not None:
        inhabited = inhabited.union(managed[each] for each in joined if each in managed)
    rooms = dict(current.rooms)
    elsewhere = dict(current.elsewhere)
    for room_id in joined:
        if room_id in managed:
            room = rooms[managed[room_id]]
            rooms[room.key] = replace(room, members=room.members | {user_id})
        else:
            elsewhere[room_id] = elsewhere.get(room_id, frozenset()) | {user_id}
    return replace(current, rooms=rooms, elsewhere=elsewhere, inhabited=inhabited)


def losses(found: Collection[Loss]) -> Losses:
    """Return lines of the audit log as the brake counts them. Pure."""
    rooms: dict[RoomKey, set[UserId]] = {}
    for loss in found:
        if loss.room and not loss.room.startswith("!"):
            rooms.setdefault(RoomKey(loss.room), set()).add(loss.user_id)
    return Losses(
        frozenset(loss.person for loss in found if loss.person),
        {key: frozenset(users) for key, users in rooms.items()},
    )


def users_of(held: Held) -> frozenset[UserId]:
    """Return who would lose something. Pure."""
    return frozenset(UserId(change.user_id) for change in held.changes)


async def _reach(
    connection: Connection, policy: Policy, held: tuple[Held, ...], scope: Scope | None
) -> tuple[frozenset[PersonId] | None, frozenset[UserId] | None, tuple[Held, ...]]:
    """Return the people and users to look at (None: everybody), and the held plans that this looks at whole.

    Where the manager relation gives power, also who stands above them now, and who has it beside them: was above them.
    Who answers for a guest is looked at together with the guest.
    """
    if scope is None:
        return None, None, held
    people, users = scope.people, scope.users | await store.users_of(connection, scope.people)
    if levels := policy.levels_of_managers:
        people |= await people_above(connection, people | await store.people_of(connection, users), levels)
        people |= await store.ranked_beside(connection, users)
        users |= await store.users_of(connection, people)
    concerned = tuple(plan for plan in held if users & users_of(plan))
    users = users.union(*map(users_of, concerned))
    people |= await store.people_of(connection, users) | await guest_store.sponsors_of(connection, users)
    return people, users | await guest_store.guests_of(connection, people), concerned


async def _taken(
    connection: Connection,
    policy: Policy,
    census: Census,
    known: Mapping[PersonId, CurrentAccount],
    server_name: str,
    people: frozenset[PersonId] | None,
) -> set[str]:
    """Return the localparts of others that newcomers among these people might choose; of everybody, they are `known`.

    Whoever finds a localpart taken gets it with a number at the end.
    """
    if people is None:
        return set()
    choices = DesiredAccounts(policy.accounts, census, known, server_name, ()).first_choices()
    longest = USER_ID_MAX - len(f"@:{server_name}") - _NUMBER
    beginnings = {f"@{choice[:longest]}" for choice in choices}
    return {localpart_of(user) for user in await store.user_ids_like(connection, beginnings)} if choices else set()


async def _walls(
    connection: Connection, policy: Policy, census: Census, guests: Guesthood, touched: frozenset[UserId] | None
) -> Walls:
    """Return the barriers, and what the plan must know of those whom it does not look at."""
    walls = walls_of(policy.barriers, census)
    strangers = guest_seats(guests, walls)
    if not walls or touched is None:
        return Walls(walls, strangers)
    concerned = {wall.barrier.id for wall in walls if wall.one or wall.other}
    return Walls(
        walls, strangers, others=await barrier_store.read_taken(connection, concerned, touched) if concerned else {}
    )


async def _lately_protected(
    connection: Connection, limits: Brake, people: frozenset[PersonId], now: datetime, timezone: str
) -> frozenset[PersonId]:
    """Return which of these were protected at any time within the window, or when all was last carried out.

    Somebody who has just left the board must not lose the protection by the very change that takes everything away.
    """
    if not (limits.protected and people):
        return frozenset()
    cursor = await store.read_cursor(connection)
    since = now - limits.window
    states = await load_states_since(connection, people, cursor.directory_version if cursor else 0, since)
    asked = any_of(limits.protected)
    days = LocalDays(since, timezone), LocalDays(now, timezone)
    return frozenset(
        state.person.id
        for state in states
        if any(matches(asked, attributes_of(state.person, day(state.person))) for day in days)
    )


async def _ending(connection: Connection, steps: Due, known: Collection[CurrentAccount]) -> frozenset[UserId]:
    """Return whose account is to be deactivated now: not before the archive has all that they have said."""
    active = {account.user_id for account in known if not account.deactivated}
    ending = {user for user, due_now in steps.items() if LeaverStep.DEACTIVATE in due_now and user in active}
    if not ending:
        return frozenset()
    awaited = [Event.of(wire.decode(row["body"])) for row in await read_redacted(connection)]
    return frozenset(ending - {event.sender for event in awaited})


async def _joined_rooms(accounts: JoinedRooms, user_id: UserId) -> list[RoomId]:
    try:
        return await accounts.joined_rooms(user_id)
    except HomeserverError as error:
        if error.status != 404:  # an account that is not there is nowhere
            raise
        return []


async def _brake(
    connection: Connection,
    policy: Policy,
    changes: Plan,
    census: Census,
    held: tuple[Held, ...],
    pardons: Mapping[PersonId, str],
    now: datetime,
    timezone: str,
) -> Verdict:
    limits = policy.brake
    protected = census.select(any_of(limits.protected)) if limits.protected else ()
    lost = losses_of(changes)
    lately = await _lately_protected(connection, limits, lost.people, now, timezone)
    waiting = {person for plan in held for person in plan.protected}
    sizes: Mapping[RoomKey, int] = await current_store.room_sizes(connection, lost.rooms.keys()) if lost.rooms else {}
    return brake(
        changes,
        limits,
        await store.count_enabled(connection) if lost.people else 0,
        sizes,
        losses(await audit_store.read_losses(connection, now - limits.window)),
        lately.union(waiting, (census.person(row).id for row in protected)),
        frozenset(plan.digest for plan in held if plan.approved_by is not None),
        pardons.keys(),
    )
