"""Whom an announcement reaches at a moment: who is in its rooms, or those who work here and are selected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements import announcing_store, store
from bridge.announcements.audience import audience
from bridge.announcements.hours_store import load_hours, load_persons
from bridge.announcements.language import readable
from bridge.announcements.release import Release, released
from bridge.announcements.values import Priority, Whom
from bridge.directory.census import Census
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Person, values_of
from bridge.directory.store import load_people
from bridge.errors import RefusedError
from bridge.ids import RoomId, UserId
from bridge.policy.schema import Policy, RuleId

if TYPE_CHECKING:
    from bridge.database import Connection


@dataclass(frozen=True, slots=True)
class Reached:
    """Rooms that all read, or, when there are none, people who each read it in a room of their own."""

    rooms: Mapping[RoomId, Collection[UserId]]
    """Who reads which room."""
    people: tuple[UserId, ...]
    """Each once, sorted."""

    @property
    def readers(self) -> Mapping[RoomId | UserId, Collection[UserId]]:
        """Who reads it where."""
        found: dict[RoomId | UserId, Collection[UserId]] = {}
        found.update(self.rooms.items())
        return found or {user: (user,) for user in self.people}


async def reach(db: Connection, whom: Whom, desk: RuleId, bot: UserId, at: datetime) -> Reached:
    """Return whom an announcement of a desk reaches; raises `RefusedError`, with the reason, when that is nobody."""
    return await _selected(db, whom, at) if whom.people is not None else await _in_rooms(db, whom, desk, bot)


async def releases(
    db: Connection, policy: Policy, priority: Priority, reached: Reached, at: datetime
) -> dict[RoomId | UserId, Release]:
    """Return how each copy goes out that is opened then, by the hours of those who read it."""
    hours = await load_hours(db, reached.people, policy.hours, await announcing_store.load_timezone(db), at)
    return released(priority, reached.readers, hours, at)


def count_held_up(reached: Reached, found: Mapping[RoomId | UserId, Release], at: datetime) -> tuple[int, int]:
    """Return how many get it later than then, and how many at once but without ringing."""
    now = {user for place, users in reached.readers.items() if found[place].due_at <= at for user in users}
    loud = {user for place, users in reached.readers.items() if not found[place].silent for user in users}
    later = set(reached.people) - now
    return len(later), len(now - loud)


async def count_departments(db: Connection, users: Collection[UserId], at: datetime) -> dict[str, int]:
    """Return how many of these are in which department, by its name; those of none under the empty one."""
    days = LocalDays(at, await announcing_store.load_timezone(db))
    people = await load_persons(db, users)
    found = Counter(str(next(iter(values_of(each, "department", days(each))), "")) for each in people.values())
    strangers = len(users) - len(people)
    return dict(found + Counter({"": strangers}))


async def languages_of(db: Connection, users: Collection[UserId], languages: Collection[str]) -> dict[UserId, str]:
    """Return which of the languages each of these gets."""
    known, usual = tuple(languages), next(iter(languages))
    if len(known) == 1:
        return dict.fromkeys(users, usual)
    people = await load_persons(db, users)
    return {user: readable(_wishes(people[user]), known) if user in people else usual for user in users}


async def _in_rooms(db: Connection, whom: Whom, desk: RuleId, bot: UserId) -> Reached:
    rooms = await store.load_rooms(db, whom.rooms)
    named = ", ".join(whom.rooms)
    if not rooms:
        raise RefusedError(
            f"There is no room yet to announce this in (desk {desk!r} announces in: {named}); nothing was announced. "
            "Apply the policy first."
        )
    members = await store.load_members(db, rooms)
    found = audience(rooms, members, bot)
    if not found.people:
        raise RefusedError(f"Nobody is in the rooms of {named}; nothing was announced.")
    readers: dict[RoomId, list[UserId]] = {room_id: [] for room_id in found.rooms}
    for room_id, user_id in members:
        if user_id != bot:
            readers[room_id].append(user_id)
    return Reached(readers, found.people)


async def _selected(db: Connection, whom: Whom, at: datetime) -> Reached:
    assert whom.people is not None, "asked for people"
    census = Census(await load_people(db), LocalDays(at, await announcing_store.load_timezone(db)))
    selected = census.select(whom.people) & census.active
    people = [census.person(row).id for row in selected]
    if not people:
        raise RefusedError(f"Nobody who works here is meant by {whom.people.text}; nothing was announced.")
    accounts = await announcing_store.load_accounts(db, people)
    if not accounts:
        raise RefusedError(
            f"Nobody of the {len(people):,} who are meant by {whom.people.text} has an account; nothing was announced."
        )
    return Reached({}, tuple(sorted(accounts.values())))


def _wishes(person: Person) -> list[str]:
    found = (person.other.get("preferredlanguage", ()), person.other.get("locale", ()))
    return [str(value) for values in found for value in values]
