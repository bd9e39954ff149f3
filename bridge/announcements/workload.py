"""What is said and received out of people's hours, by department and week and never by person (pure).

Counted are messages: who sent them, where and when; what they say is not looked at. Departments of few people are
counted together, so that no figure is one person's. Hours and departments are today's, also for what is past.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from bridge.announcements.hours import Hours, is_within
from bridge.ids import RoomId, UserId

FLOOR = 5
"""Fewer people are never told apart."""
JOINED = "small departments together"
SLOT = timedelta(minutes=15)
"""Messages count by the quarter of an hour in which they were sent."""


@dataclass(frozen=True, slots=True)
class Worker:
    """Somebody who works here."""

    department: str
    hours: Hours


@dataclass(frozen=True, slots=True)
class Traffic:
    """So many messages of one sender in one room, within one `SLOT`."""

    room_id: RoomId
    sender: UserId
    begins: datetime
    messages: int


@dataclass(frozen=True, slots=True)
class Load:
    """The messages of one department in one week; one that twenty people get is twenty received."""

    sent: int = 0
    sent_outside: int = 0
    """Out of the sender's hours."""
    received: int = 0
    received_outside: int = 0
    """Out of the receiver's hours."""

    def __add__(self, other: Load) -> Load:
        return Load(
            self.sent + other.sent,
            self.sent_outside + other.sent_outside,
            self.received + other.received,
            self.received_outside + other.received_outside,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report."""

    week: date
    """Its Monday."""
    department: str
    people: int
    load: Load


@dataclass
class Tally:
    """Counts traffic as it is read, so that none of it has to be kept."""

    workers: Mapping[UserId, Worker]
    members: Mapping[RoomId, frozenset[UserId]]
    """Who is in which room today."""
    zone: ZoneInfo
    """In which weeks begin."""
    loads: dict[tuple[date, str], Load] = field(default_factory=lambda: defaultdict(Load))
    _within: dict[tuple[Hours, datetime], bool] = field(default_factory=dict)
    _alike: dict[RoomId, Counter[Worker]] = field(default_factory=dict)
    """Room → how many of the same department and the same hours are in it."""

    def add(self, traffic: Traffic) -> None:
        """Count messages for whoever sent them and whoever else is in the room."""
        day = traffic.begins.astimezone(self.zone).date()
        week = day - timedelta(days=day.weekday())
        sender, count = self.workers.get(traffic.sender), traffic.messages
        if sender is not None:
            outside = count * self._is_outside(sender, traffic.begins)
            self.loads[week, sender.department] += Load(sent=count, sent_outside=outside)
        there = traffic.sender in self.members.get(traffic.room_id, ())
        for worker, people in self._readers(traffic.room_id).items():
            received = count * (people - (there and worker == sender))
            outside = received * self._is_outside(worker, traffic.begins)
            self.loads[week, worker.department] += Load(received=received, received_outside=outside)

    def _readers(self, room_id: RoomId) -> Counter[Worker]:
        if room_id not in self._alike:
            here = self.members.get(room_id, frozenset())
            self._alike[room_id] = Counter(self.workers[user] for user in here if user in self.workers)
        return self._alike[room_id]

    def _is_outside(self, worker: Worker, moment: datetime) -> bool:
        key = worker.hours, moment
        if key not in self._within:
            self._within[key] = is_within(worker.hours, moment)
        return not self._within[key]


def report(tally: Tally) -> list[Row]:
    """Return the figures by week and department; none when fewer than `FLOOR` people work here."""
    people = Counter(worker.department for worker in tally.workers.values())
    names = joined(people)
    sizes: Counter[str] = Counter()
    for department, count in people.items():
        sizes[names[department]] += count
    if sum(sizes.values()) < FLOOR:
        return []
    found: dict[tuple[date, str], Load] = defaultdict(Load)
    for (week, department), load in tally.loads.items():
        found[week, names[department]] += load
    return [Row(week, department, sizes[department], load) for (week, department), load in sorted(found.items())]


def joined(people: Mapping[str, int]) -> dict[str, str]:
    """Return under which name each department is counted: its own, or `JOINED`.

    Small ones are joined, and where they are too few together, the smallest of the others with them.
    """
    by_size = sorted(people, key=lambda department: (people[department], department))
    together, count = set[str](), 0
    for department in by_size:
        if people[department] >= FLOOR and (not together or count >= FLOOR):
            break
        together.add(department)
        count += people[department]
    return {department: JOINED if department in together else department for department in people}


def total(rows: Iterable[Row]) -> Load:
    """Return all of it together."""
    return sum((row.load for row in rows), Load())
