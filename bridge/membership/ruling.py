"""What the policy makes of one person and one room, and by what: rule, exception, manager relation or barrier. Pure.

Nothing is decided here. Who is to be in a room and with which power is read off what `desired` has decided and what
barriers leave of it (`plan_barriers.settled`), as a plan does; so no explanation can differ from the decision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import islice

from bridge.directory.census import Census
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import attributes_of, is_employed
from bridge.directory.selector import Selector, matches
from bridge.ids import PersonId, RoomKey, UserId
from bridge.membership.barriers import NO_WALLS, Division, Walls
from bridge.membership.exemptions import Exempt, Exemptions
from bridge.membership.guests import NO_GUESTS, Guest, Guesthood, with_guests
from bridge.membership.patterns import patterns_of
from bridge.membership.plan_barriers import settled
from bridge.membership.plan_scope import Scope, scope_of
from bridge.membership.question import Question, question_of
from bridge.membership.values import Current, CurrentRoom, Departures, Desired, DesiredRoom
from bridge.policy.schema import Barrier, Exemption, Policy
from bridge.policy.settings import LEVELS, Rank

_NAMED = 3


class Ground(StrEnum):
    """By what somebody is to be in a room, or not."""

    RULE = "rule"
    EXCEPTION = "exception"
    RELATION = "manager relation"
    """Above the people of a manager's room."""
    BARRIER = "barrier"
    NOT_WORKING = "does not work here"
    BARRED = "barred"
    """Employed, and to have no access, as on garden leave."""
    NONE = "no rule"


@dataclass(frozen=True, slots=True)
class Power:
    """What gives somebody power in a room."""

    level: int
    rank: Rank
    selector: Selector | None
    """None: by the manager relation."""
    above: int = 0
    """How many levels above somebody the rule asks for."""
    reports: tuple[PersonId, ...] = ()
    """Some of those below, in the order of the census; a barrier may keep them out."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the policy makes of one person and one room."""

    room: RoomKey
    question: Question | None
    """What the rule asks; None: no rule makes the room."""
    wanted: bool
    """Whether the person is to be in it, when all is said."""
    asked: bool
    """Whether the rule would have it so, with its exceptions and before barriers."""
    ground: Ground
    shadow: bool = False
    """Whether nothing of this is carried out."""
    exception: Exemption | None = None
    barrier: Barrier | None = None
    """The one that keeps the person out."""
    side: int = 0
    """On which side of it: 0 is `between`, 1 is `and`."""
    power: Power | None = None
    reports: tuple[PersonId, ...] = ()
    """Of whom the person is the manager, where that is the ground."""

    @property
    def level(self) -> int:
        """The power that the policy gives."""
        return self.power.level if self.power is not None else 0


@dataclass(frozen=True, slots=True)
class Hospitality:
    """As whose guest somebody is to be in a room."""

    guest: Guest
    sponsor: str
    """userName of who answers for the guest."""
    barrier: Barrier | None
    """The one that keeps the guest out all the same."""


@dataclass(frozen=True)
class Rulings:
    """The decision about a company at a moment, to be asked about one person and room at a time."""

    policy: Policy
    census: Census
    desired: Desired
    """Under the keys that rooms have; see `alignment`."""
    current: Current
    """What barriers look at: who is in the rooms that are asked about."""
    scope: Scope
    walls: Walls = NO_WALLS
    exemptions: tuple[Exemption, ...] = ()
    """Those that do not stand in the policy."""
    _settled: dict[RoomKey, tuple[DesiredRoom, Division]] = field(default_factory=dict, repr=False, compare=False)
    _reporting: dict[tuple[RoomKey, int], dict[int, list[int]]] = field(default_factory=dict, repr=False, compare=False)

    def seeing(self, room: CurrentRoom) -> Rulings:
        """Return the same decision, with those in one room known."""
        current = replace(self.current, rooms={**self.current.rooms, room.key: room})
        return replace(self, current=current, _settled={}, _reporting={})

    def of(self, person: PersonId, key: RoomKey) -> Ruling:
        """Return what comes of somebody and a room; of who is not in the census nothing is asked."""
        ruled, question, row = self.desired.rooms.get(key), self.question(key), self.census.row(person)
        if ruled is None or row is None:
            return Ruling(key, question, False, False, self._away(row) or Ground.NONE)
        room, division = self._settle(key, ruled)
        asked, wanted = row in ruled.members, row in room.members
        exception = self._exempt(key).deciding.get(row)
        barrier = None if wanted else division.barrier_of(row)
        by_question = question is not None and self._matches(row, question.selector)
        as_manager = asked and exception is None and not by_question
        return Ruling(
            room=key,
            question=question,
            wanted=wanted,
            asked=asked,
            ground=self._ground(row, exception, barrier, asked=asked, by_question=by_question),
            shadow=ruled.shadow,
            exception=exception,
            barrier=barrier,
            side=0 if barrier is not None and self._matches(row, barrier.one) else 1,
            power=self._power(room, row, ruled),
            reports=self._reports(ruled, row, self._levels(key).values()) if as_manager else (),
        )

    def guest(self, user_id: UserId, key: RoomKey) -> Hospitality | None:
        """Return as whose guest somebody whom HR does not know is to be in a room, or is kept out of it."""
        ruled = self.desired.rooms.get(key)
        found = self.scope.guests.guest(user_id)
        if ruled is None or found is None:
            return None
        room, division = self._settle(key, ruled)
        barrier = division.strangers.get(user_id)
        if user_id not in room.sponsored and barrier is None:
            return None
        row = self.census.row(found.sponsor)
        assert row is not None  # whoever is a guest has a sponsor who works here
        return Hospitality(found, self.census.person(row).user_name, barrier)

    def question(self, key: RoomKey) -> Question | None:
        """Return what the rule of a room asks, of the value that the room is for now."""
        ruled = self.desired.rooms.get(key)
        value = (ruled.value if ruled is not None else "") or self.current.served.get(key)
        return question_of(key, self.policy, value)

    def concerning(self, person: PersonId) -> list[RoomKey]:
        """Return the rooms whose rules ask for somebody, or would but for an exception, sorted."""
        row = self.census.row(person)
        if row is None:
            return []
        rooms = self.desired.rooms.items()
        return sorted(key for key, room in rooms if row in room.members or row in room.exempt)

    def expected(self, key: RoomKey) -> Iterator[PersonId]:
        """Yield whom the room's rule asks for or exempts, by name: those whom somebody could miss in it."""
        if (ruled := self.desired.rooms.get(key)) is not None:
            people = [self.census.person(row) for row in ruled.members | PeopleSet.of(ruled.exempt)]
            yield from (each.id for each in sorted(people, key=lambda one: (one.display_name.casefold(), one.id)))

    def _settle(self, key: RoomKey, ruled: DesiredRoom) -> tuple[DesiredRoom, Division]:
        if key not in self._settled:
            asked = with_guests(ruled, self.scope.guests, self.census)
            self._settled[key] = settled(asked, self.current.rooms.get(key), self.scope, self.walls)
        return self._settled[key]

    def _ground(
        self, row: int, exception: Exemption | None, barrier: Barrier | None, *, asked: bool, by_question: bool
    ) -> Ground:
        if (away := self._away(row)) is not None:
            return away
        if barrier is not None:
            return Ground.BARRIER
        if exception is not None:
            return Ground.EXCEPTION
        if not asked:
            return Ground.NONE
        return Ground.RULE if by_question else Ground.RELATION

    def _away(self, row: int | None) -> Ground | None:
        """Return why somebody is in no room at all; None for whoever works here."""
        if row is None or row in self.census.active:
            return None
        person = self.census.person(row)
        return Ground.BARRED if is_employed(person, self.census.day_of(person)) else Ground.NOT_WORKING

    def _matches(self, row: int, selector: Selector) -> bool:
        person = self.census.person(row)
        return matches(selector, attributes_of(person, self.census.day_of(person)))

    def _exempt(self, key: RoomKey) -> Exempt:
        ruled = self.desired.rooms[key]
        rule = self.policy.rooms.get(ruled.rule)
        if rule is None or not ruled.exempt:
            return Exempt()
        return self._exemptions[rule.id].of(ruled.value)

    @cached_property
    def _exemptions(self) -> Mapping[str, Exemptions]:
        further = self.exemptions
        return {
            rule.id: Exemptions((*rule.exceptions, *(each for each in further if each.rule == rule.id)), self.census)
            for rule in self.policy.rooms.values()
        }

    def _levels(self, key: RoomKey) -> Mapping[Rank, int]:
        rule = self.policy.rooms.get(self.desired.rooms[key].rule)
        return rule.managers if rule is not None else {}

    def _power(self, room: DesiredRoom, row: int, ruled: DesiredRoom) -> Power | None:
        """Return what gives the power that barriers leave; who is above whom is by the rule alone."""
        level = max((level for level, people in room.power.items() if row in people), default=0)
        rule = self.policy.rooms.get(room.rule)
        if not level or rule is None:
            return None
        rank, selector, above = next(
            each for each in patterns_of(self.policy).rooms[rule.id].ranks if LEVELS[each[0]] == level
        )
        reports = self._reports(ruled, row, [above]) if selector is None else ()
        return Power(level, rank, selector, above, reports)

    def _reports(self, room: DesiredRoom, row: int, levels: Collection[int]) -> tuple[PersonId, ...]:
        """Return some of those the rule asks for, so many levels below somebody."""
        found = (each for above in levels for each in self._below(room, above).get(row, ()))
        return tuple(self.census.person(each).id for each in islice(dict.fromkeys(found), _NAMED))

    def _below(self, room: DesiredRoom, above: int) -> Mapping[int, Sequence[int]]:
        """Return some of those the rule asks for, by the row of who stands so many levels above them."""
        if (room.key, above) not in self._reporting:
            found: dict[int, list[int]] = {}
            for row in room.members:
                for manager in self.census.managers(PeopleSet.of([row]), above):
                    if len(below := found.setdefault(manager, [])) < _NAMED:
                        below.append(row)
            self._reporting[room.key, above] = found
        return self._reporting[room.key, above]


def rulings(
    policy: Policy,
    census: Census,
    desired: Desired,
    current: Current,
    *,
    bot: UserId,
    touched: frozenset[UserId] | None = None,
    walls: Walls = NO_WALLS,
    exemptions: Sequence[Exemption] = (),
    guests: Guesthood = NO_GUESTS,
) -> Rulings:
    """Return the decision about the people of the census; the arguments are those of `plan`."""
    scope = scope_of(desired, current, census, touched, bot, Departures(), guests)
    return Rulings(policy, census, desired, current, scope, walls, tuple(exemptions))
