"""What is said and received out of people's hours, by department and week and never by person (pure).

Counted are messages: who sent them, where and when; what they say is not looked at. Departments of few people are
counted together, so that no figure is one person's. Hours and departments are today's, also for what is past.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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


class Tally:
    """Counts traffic as it is read, so that none of it has to be kept."""

    def __init__(
        self, workers: Mapping[UserId, Worker], members: Mapping[RoomId, frozenset[UserId]], zone: ZoneInfo
    ) -> None:
        """Take who works here, who is in which room today, and the zone in which weeks begin."""
        self.people = Counter(worker.department for worker in workers.values())
        self._members = members
        self._zone = zone
        # People of the same department and hours are one kind, known by its number: millions of rows are counted.
        self._kinds = list(dict.fromkeys(workers.values()))
        numbers = {worker: number for number, worker in enumerate(self._kinds)}
        self._kind_of = {user: numbers[worker] for user, worker in workers.items()}
        self._hours = list(dict.fromkeys(kind.hours for kind in self._kinds))
        self._hours_of = [self._hours.index(kind.hours) for kind in self._kinds]
        self._rooms: dict[RoomId, tuple[tuple[int, int], ...]] = {}
        """Room → each kind in it, and of how many."""
        self._slots: dict[datetime, tuple[date, list[bool]]] = {}
        """Slot → its week, and which kinds it is out of hours for."""
        self._loads: dict[tuple[date, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        """Week and kind → as in `Load`."""

    def add(self, traffic: Traffic) -> None:
        """Count messages for whoever sent them and whoever else is in the room."""
        room_id, user, count = traffic.room_id, traffic.sender, traffic.messages
        week, outside = self._slot(traffic.begins)
        sender = self._kind_of.get(user)
        if sender is not None:
            load = self._loads[week, sender]
            load[0] += count
            load[1] += count * outside[sender]
        own = sender if user in self._members.get(room_id, ()) else None
        for kind, people in self._readers(room_id):
            received = count * (people - (kind == own))
            load = self._loads[week, kind]
            load[2] += received
            load[3] += received * outside[kind]

    def loads(self) -> Iterator[tuple[date, str, Load]]:
        """Yield what was counted, by week and department; each may come several times."""
        for (week, kind), load in self._loads.items():
            yield week, self._kinds[kind].department, Load(*load)

    def _readers(self, room_id: RoomId) -> tuple[tuple[int, int], ...]:
        if room_id not in self._rooms:
            here = self._members.get(room_id, frozenset())
            kinds = Counter(self._kind_of[user] for user in here if user in self._kind_of)
            self._rooms[room_id] = tuple(kinds.items())
        return self._rooms[room_id]

    def _slot(self, begins: datetime) -> tuple[date, list[bool]]:
        if begins not in self._slots:
            day = begins.astimezone(self._zone).date()
            outside = [not is_within(hours, begins) for hours in self._hours]
            self._slots[begins] = day - timedelta(days=day.weekday()), [outside[number] for number in self._hours_of]
        return self._slots[begins]


def report(tally: Tally) -> list[Row]:
    """Return the figures by week and department; none when fewer than `FLOOR` people work here."""
    names = joined(tally.people)
    sizes: Counter[str] = Counter()
    for department, count in tally.people.items():
        sizes[names[department]] += count
    if sum(sizes.values()) < FLOOR:
        return []
    found: dict[tuple[date, str], Load] = defaultdict(Load)
    for week, department, load in tally.loads():
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
