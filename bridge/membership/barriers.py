"""Information barriers: who may not be in a room together, and who of them stays.

Pure. A side is a selector's people who work here, and with them the guests they answer for. Spaces are no rooms in
this sense, because nothing can be said in them. In a managed room the side stays that is entitled and there already,
else the side that is there, else the first of the barrier; everybody else of the two sides is kept out. In any other
room whoever came last goes. Which users are on which side is kept by `barrier_store`; acting on it is left to `plan`
and `barrier_guard`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.directory.census import Census
from bridge.directory.notice import Notice
from bridge.directory.people_set import PeopleSet
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership.values import DesiredRoom
from bridge.policy.schema import Barrier, RoomKind

BARRIERS = "barriers"
"""The rule of everything that follows from a barrier."""
_NAMED = 10


@dataclass(frozen=True, slots=True, order=True)
class Seat:
    """A side of a barrier."""

    barrier: str
    """`Barrier.id`"""
    side: int
    """0: `between`, 1: `and`."""

    @property
    def opposite(self) -> Seat:
        return Seat(self.barrier, 1 - self.side)


Seats = Mapping[UserId, frozenset[Seat]]
"""Who is on which sides; whoever is on none is not in it."""
_NO_SEATS: frozenset[Seat] = frozenset()


@dataclass(frozen=True, slots=True)
class Sides:
    """What is known of who is on which sides while the database may not know it yet."""

    seats: Seats = field(default_factory=dict)
    known: frozenset[UserId] = frozenset()
    """Those whose seats are these, or who have none; everybody else's are in the database."""


@dataclass(frozen=True, slots=True)
class Wall:
    """A barrier, and who of a census is on its sides."""

    barrier: Barrier
    one: PeopleSet
    other: PeopleSet

    @property
    def both(self) -> PeopleSet:
        """Those on both sides at once, who can share a room with nobody of either."""
        return self.one & self.other


@dataclass(frozen=True, slots=True)
class Walls:
    """Everything a plan must know to keep the barriers."""

    walls: tuple[Wall, ...] = ()
    strangers: Seats = field(default_factory=dict)
    """Seats of users who are not in the census."""
    others: Mapping[RoomKey, frozenset[Seat]] = field(default_factory=dict)
    """Managed room → the seats taken there by those whom the plan does not look at."""


NO_WALLS = Walls()


@dataclass(frozen=True, slots=True)
class Party:
    """Those in a room, or about to enter it, whom a plan looks at: people by row, and strangers."""

    wanted: PeopleSet
    """Whom the rule entitles."""
    present: PeopleSet = PeopleSet.none
    """Joined or invited."""
    staying: PeopleSet = PeopleSet.none
    """Present, and but for barriers not to be removed."""
    returning: PeopleSet = PeopleSet.none
    """Former guests who would be let in again."""
    strangers: frozenset[UserId] = frozenset()
    """Present, returning or coming."""
    staying_strangers: frozenset[UserId] = frozenset()
    """Those of them who but for barriers would not be removed."""
    coming: frozenset[UserId] = frozenset()
    """Those of them who are guests, and not there yet."""

    @property
    def lasting(self) -> PeopleSet:
        """Whoever would be in the room if there were no barriers."""
        return self.wanted | self.staying | self.returning


@dataclass(frozen=True, slots=True)
class Division:
    """What barriers make of a room."""

    out: tuple[tuple[Barrier, PeopleSet], ...] = ()
    """Who must not be in it, by barrier."""
    strangers: Mapping[UserId, Barrier] = field(default_factory=dict)
    """The same of strangers."""
    kept: PeopleSet = PeopleSet.none
    """Who may be in it only once those of them who are there are gone."""

    @property
    def people(self) -> PeopleSet:
        return PeopleSet.union(people for _, people in self.out)

    def barrier_of(self, row: int) -> Barrier | None:
        """Return which barrier keeps somebody out."""
        return next((barrier for barrier, people in self.out if row in people), None)


NO_DIVISION = Division()


def walls_of(barriers: Sequence[Barrier], census: Census) -> tuple[Wall, ...]:
    """Return who of those who work here is on which side of each barrier."""
    active = census.active
    return tuple(Wall(each, census.select(each.one) & active, census.select(each.other) & active) for each in barriers)


def seats_of(walls: Iterable[Wall], users: Sequence[UserId]) -> dict[UserId, frozenset[Seat]]:
    """Return the seats of the people of a census; `users` are their user IDs by row, empty for those without one."""
    found: dict[UserId, frozenset[Seat]] = {}
    for wall in walls:
        for side, people in enumerate((wall.one, wall.other)):
            seat = frozenset([Seat(wall.barrier.id, side)])
            for user in filter(None, map(users.__getitem__, people)):
                found[user] = found.get(user, _NO_SEATS) | seat
    return found


def divide(room: DesiredRoom, party: Party, walls: Walls) -> Division:
    """Return whom barriers keep out of a managed room.

    Each barrier sees those whom the others leave in it: whoever one keeps out is no reason for another to keep
    somebody out. Where they never agree on that, who was kept out by any stays out.
    """
    if room.kind is RoomKind.SPACE:
        return NO_DIVISION
    concerned = [wall for wall in walls.walls if room.rule not in wall.barrier.exempt]
    taken = walls.others.get(room.key, _NO_SEATS)
    found = [_NOBODY] * len(concerned)
    for _ in range(len(concerned) + 1):
        before = list(found)
        for at, wall in enumerate(concerned):
            others = [losers for other, losers in enumerate(found) if other != at]
            missing = PeopleSet.union(losers.people for losers in others)
            gone = frozenset[UserId]().union(*(losers.strangers for losers in others))
            here = _Sides.of(wall, party, missing, party.strangers - gone, walls.strangers, taken)
            found[at] = _Losers(*here.losers(party))
        if found == before or len(concerned) == 1:
            break
    else:
        found = [one.also(other) for one, other in zip(found, before, strict=True)]
    lost = [
        (w.barrier, losers) for w, losers in zip(concerned, found, strict=True) if losers.people or losers.strangers
    ]
    if not lost:
        return NO_DIVISION
    out = PeopleSet.union(losers.people for _, losers in lost)
    strangers = {user: barrier for barrier, losers in reversed(lost) for user in losers.strangers}
    # Whichever barrier it is that takes somebody out: until then they are there, and on their sides of all of them.
    waiting = [_across(wall, out & party.present, strangers, walls.strangers) for wall in concerned]
    return Division(
        tuple((barrier, losers.people) for barrier, losers in lost), strangers, PeopleSet.union(waiting) - out
    )


@dataclass(frozen=True, slots=True)
class _Losers:
    """Those whom one barrier keeps out of a room."""

    people: PeopleSet
    strangers: frozenset[UserId]

    def also(self, other: _Losers) -> _Losers:
        return _Losers(self.people | other.people, self.strangers | other.strangers)


_NOBODY = _Losers(PeopleSet.none, frozenset())


@dataclass(frozen=True, slots=True)
class _Sides:
    """The two sides of a barrier in one room."""

    one: PeopleSet
    other: PeopleSet
    strangers: tuple[frozenset[UserId], frozenset[UserId]]
    taken: tuple[bool, bool]
    """Whether somebody whom the plan does not look at is there."""

    @staticmethod
    def of(
        wall: Wall,
        party: Party,
        missing: PeopleSet,
        strangers: Collection[UserId],
        seats: Seats,
        taken: Collection[Seat],
    ) -> _Sides:
        here = (party.wanted | party.present | party.returning) - missing
        one, other = Seat(wall.barrier.id, 0), Seat(wall.barrier.id, 1)
        return _Sides(
            wall.one & here,
            wall.other & here,
            (_on(one, strangers, seats), _on(other, strangers, seats)),
            (one in taken, other in taken),
        )

    def losers(self, party: Party) -> tuple[PeopleSet, frozenset[UserId]]:
        """Return who must go or stay out: nobody where only one side is, or where somebody is alone."""
        if not (self._is_there(0) and self._is_there(1)):
            return PeopleSet.none, frozenset()
        if all(self.taken):  # what others do here is for a plan that looks at them; nobody new comes in between
            coming = (self.strangers[0] | self.strangers[1]) & party.coming
            return (self.one | self.other) - party.present, coming
        concerned = self.one | self.other
        lasting = concerned & party.lasting
        guests = self.strangers[0] | self.strangers[1]
        alone = len(lasting) == 1 and not (guests & party.staying_strangers or any(self.taken))
        if alone and self.one & self.other & lasting:
            return concerned - lasting, guests
        if len(concerned) + len(guests) < 2 and not any(self.taken):
            return PeopleSet.none, frozenset()
        losing = 1 - self._staying(party)
        return (self.one, self.other)[losing] | (self.one & self.other), self.strangers[losing]

    def _is_there(self, side: int) -> bool:
        return bool((self.one, self.other)[side] or self.strangers[side] or self.taken[side])

    def _staying(self, party: Party) -> int:
        """Return the side that stays."""
        both = self.one & self.other
        one, other = self.one - both, self.other - both
        guests = [strangers & party.staying_strangers for strangers in self.strangers]
        claims: tuple[tuple[object, object], ...] = (
            self.taken,
            (one & party.wanted & party.staying, other & party.wanted & party.staying),
            (one & party.staying or guests[0], other & party.staying or guests[1]),
            (one & party.lasting or guests[0], other & party.lasting or guests[1]),
        )
        return next((0 if first else 1 for first, second in claims if bool(first) != bool(second)), 0)


def _across(wall: Wall, people: PeopleSet, strangers: Collection[UserId], seats: Seats) -> PeopleSet:
    """Return who must not be in a room with some of these because of one barrier."""
    one, other = Seat(wall.barrier.id, 0), Seat(wall.barrier.id, 1)
    return PeopleSet.union(
        opposite
        for side, seat, opposite in ((wall.one, one, wall.other), (wall.other, other, wall.one))
        if side & people or _on(seat, strangers, seats)
    )


def _on(seat: Seat, users: Collection[UserId], seats: Seats) -> frozenset[UserId]:
    return frozenset(user for user in users if seat in seats.get(user, _NO_SEATS))


def on_both_sides(barrier: Barrier, names: Sequence[str]) -> Notice:
    """Return what the administrators are told of people who are on both sides of a barrier at once."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    people = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    return Notice(
        f"barrier:{barrier.id}:{people}",
        f"On both sides of the barrier {barrier.reason!r}: {', '.join(names[:_NAMED])}{more}. They can share a room"
        " with nobody of either side.\nTo settle it: word `between` and `and` so that nobody matches both.",
    )


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who has joined or been invited."""

    room_id: RoomId
    user_id: UserId


@dataclass(frozen=True, slots=True)
class Breach:
    """Two people in one room who must not share one."""

    room_id: RoomId
    user_id: UserId
    """Who came later."""
    other: UserId
    barrier: str


def breaches(arrivals: Iterable[Arrival], there: Mapping[RoomId, Collection[UserId]], seats: Seats) -> list[Breach]:
    """Return who must go again of those who arrived, in the order in which they did; `there` were before them."""
    present = {room_id: list(users) for room_id, users in there.items()}
    found = []
    for arrival in arrivals:
        inside = present.setdefault(arrival.room_id, [])
        breach = _breach(arrival, inside, seats)
        if breach is None:
            inside.append(arrival.user_id)
        else:
            found.append(breach)
    return found


def _breach(arrival: Arrival, inside: Collection[UserId], seats: Seats) -> Breach | None:
    for seat in sorted(seats.get(arrival.user_id, _NO_SEATS)):
        for other in sorted(inside):
            if other != arrival.user_id and seat.opposite in seats.get(other, _NO_SEATS):
                return Breach(arrival.room_id, arrival.user_id, other, seat.barrier)
    return None
