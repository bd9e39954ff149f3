"""What a policy would have done to the changes that HR made: day by day, from the recorded states of the people.

Pure. Each day is one run: everybody whose state has changed, and everybody for whom the day itself means something, is
decided anew, as `desired` decides for some people alone. The brake judges each day by what this policy took away within
its window; what it stops counts as approved, so that the days after it are judged too.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise

from bridge.directory.census import Census
from bridge.directory.expression import fold
from bridge.directory.history import HistoryEntry
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Person
from bridge.directory.selector import any_of
from bridge.ids import PersonId, RoomKey, UserId
from bridge.membership.brake import Losses, brake, losses_of
from bridge.membership.desired import desired
from bridge.membership.plan import ACCOUNTS, plan_of
from bridge.membership.values import ACTIONS, Action, Change
from bridge.policy.schema import Policy

_Places = frozenset[RoomKey]


@dataclass(frozen=True, slots=True)
class Stop:
    """A day on which the brake would have stopped what takes away."""

    day: date
    people: int
    """Who would have lost something."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a policy would have done."""

    joins: Mapping[str, int]
    """Rule → places given; the rule of accounts too."""
    removals: Mapping[str, int]
    stops: tuple[Stop, ...]


def replay(
    policy: Policy,
    before: Sequence[Person],
    entries: Iterable[HistoryEntry],
    moments: Sequence[datetime],
    *,
    timezone: str = "UTC",
) -> Replay:
    """Run the policy over the recorded changes; `before` are the people as they were at the first of the moments.

    `moments` are the ends of the days, the first one that of the day before; `entries` are what was recorded after
    it, oldest first. What the policy would have made of `before` is the state from which it starts.
    """
    company = _Company(policy, timezone)
    company.take(before, moments[0])
    run = _Run(policy)
    waiting = deque(sorted(entries, key=lambda entry: entry.version))
    for since, until in pairwise(moments):
        changed: dict[PersonId, Person] = {}
        while waiting and waiting[0].recorded_at <= until:
            entry = waiting.popleft()
            changed[entry.person.id] = entry.person
        people = [*changed.values(), *company.turning(since, until, changed)]
        protected = company.protected(people, until)
        sizes, population = company.sizes(), len(company.working)
        run.judge(company.take(people, until), population, sizes, protected, until)
    return Replay(dict(run.joins), dict(run.removals), tuple(run.stops))


@dataclass(slots=True)
class _Company:
    """Who is where by one policy, as the days go by."""

    policy: Policy
    timezone: str
    people: dict[PersonId, Person] = field(default_factory=dict)
    dated: dict[PersonId, Person] = field(default_factory=dict)
    """Those of `people` to whom a day may mean something."""
    places: dict[PersonId, _Places] = field(default_factory=dict)
    working: set[PersonId] = field(default_factory=set)
    members: Counter[RoomKey] = field(default_factory=Counter)

    def take(self, people: Sequence[Person], moment: datetime) -> list[Change]:
        """Decide anew for these people, and return what that changes."""
        census = Census(people, LocalDays(moment, self.timezone))
        wanted: defaultdict[PersonId, set[RoomKey]] = defaultdict(set)
        for room in desired(self.policy, census).rooms.values():
            for row in room.members:
                wanted[census.person(row).id].add(RoomKey(fold(room.key)))
        changes: list[Change] = []
        for row, person in enumerate(census.people):
            changes += self._settle(person, frozenset(wanted[person.id]), works=row in census.active)
        return changes

    def turning(self, since: datetime, until: datetime, known: Mapping[PersonId, Person]) -> list[Person]:
        """Return for whom else an employment begins or ends on that day."""
        first, last = LocalDays(since, self.timezone), LocalDays(until, self.timezone)
        return [
            person
            for person in self.dated.values()
            if person.id not in known
            and any(job.covers(first(person)) != job.covers(last(person)) for job in person.employments)
        ]

    def protected(self, people: Iterable[Person], moment: datetime) -> frozenset[PersonId]:
        """Return which of these are protected, or were before the day."""
        if not self.policy.brake.protected:
            return frozenset()
        asked = any_of(self.policy.brake.protected)
        now = list(people)
        earlier = [self.people[person.id] for person in now if person.id in self.people]
        found = (Census(some, LocalDays(moment, self.timezone)) for some in (now, earlier))
        return frozenset(census.person(row).id for census in found for row in census.select(asked))

    def sizes(self) -> dict[RoomKey, int]:
        """Return how many are in each room."""
        return dict(self.members)

    def _settle(self, person: Person, places: _Places, *, works: bool) -> Iterable[Change]:
        had, worked = self.places.get(person.id, frozenset()), person.id in self.working
        self.people[person.id], self.places[person.id] = person, places
        self.dated.pop(person.id, None)
        if any(job.start is not None or job.end is not None for job in person.employments):
            self.dated[person.id] = person
        (self.working.add if works else self.working.discard)(person.id)
        self.members.update(places - had)
        self.members.subtract(had - places)
        if works != worked:
            yield _change(Action.ENABLE_ACCOUNT if works else Action.DISABLE_ACCOUNT, "", person)
        for key in places - had:
            yield _change(Action.JOIN, key, person)
        for key in had - places:
            yield _change(Action.REMOVE, key, person)


class _Run:
    """Counts what is done, and asks the brake."""

    def __init__(self, policy: Policy) -> None:
        self._limits = policy.brake
        self._recent: deque[tuple[datetime, Losses]] = deque()
        self.joins: Counter[str] = Counter()
        self.removals: Counter[str] = Counter()
        self.stops: list[Stop] = []

    def judge(
        self,
        changes: Sequence[Change],
        population: int,
        sizes: Mapping[RoomKey, int],
        protected: frozenset[PersonId],
        moment: datetime,
    ) -> None:
        """Take in the changes of one day."""
        for change in changes:
            gives = change.action in (Action.JOIN, Action.ENABLE_ACCOUNT)
            (self.joins if gives else self.removals)[change.rule] += 1
        while self._recent and self._recent[0][0] <= moment - self._limits.window:
            self._recent.popleft()
        plan = plan_of(changes, {})
        verdict = brake(plan, self._limits, population, sizes, self._lost(), protected, ())
        if verdict.held.changes:
            self.stops.append(Stop(moment.date(), len(losses_of(plan).people), verdict.reasons))
        else:  # what was approved does not use up the allowance
            self._recent.append((moment, losses_of(plan)))

    def _lost(self) -> Losses:
        rooms: defaultdict[RoomKey, frozenset[UserId]] = defaultdict(frozenset)
        people: frozenset[PersonId] = frozenset()
        for _, losses in self._recent:
            people |= losses.people
            for key, users in losses.rooms.items():
                rooms[key] |= users
        return Losses(people, rooms)


def ends_of_days(now: datetime, days: int) -> list[datetime]:
    """Return the moments at which so many days up to now ended, each 24 hours long, and the one before the first."""
    return [now - timedelta(days=back) for back in range(days, -1, -1)]


def _change(action: Action, key: str, person: Person) -> Change:
    rule = key.partition("/")[0] or ACCOUNTS
    return Change(ACTIONS.index(action), key, person.user_name, person=person.id, rule=rule)
