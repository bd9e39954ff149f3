"""Asking the phone book: keeps its words up with the directory, and reads who may be shown.

The words only find people. Whether somebody works here, and what everybody may know of them, is read from the
directory at the moment of the question, so nobody is shown a day too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from bridge.database.turns import take_turns
from bridge.directory.census import Census
from bridge.directory.local_day import LocalDays, place_of
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import Person, values_of, works_here
from bridge.directory.store import changed_since, load_people
from bridge.ids import PersonId, UserId
from bridge.membership.barriers import walls_of
from bridge.policy.schema import Barrier
from bridge.selfservice import store
from bridge.selfservice.phone_book import Found, Listing, job_of, job_words, name_of, ranked, words_of

if TYPE_CHECKING:
    from bridge.database import Pool

MOST_LOOKED_AT = 500
_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class View:
    """Who asks, and the barriers that keep people apart."""

    person: Person
    barriers: Sequence[Barrier] = ()


async def look_up(pool: Pool, text: str, now: datetime, timezone: str, view: View) -> Found:
    """Return who is found by the words of a text, without those from whom a barrier keeps whoever asks.

    `timezone` is that of people without one of their own.
    """
    asked = words_of(text)
    if not asked:
        return Found((), 0, complete=True)
    await refresh(pool)
    ids = await store.find_entries(pool, asked, MOST_LOOKED_AT)
    days = LocalDays(now, timezone)
    people = [person for person in await load_people(pool, ids) if works_here(person, days(person))]
    people = _in_sight(people, view, days)
    accounts = await store.accounts_of(pool, ids)
    managers = await _managers(pool, people, days, view)
    listings = [
        _listing(person, accounts[person.id], managers, now, timezone, days)
        for person in people
        if person.id in accounts
    ]
    return ranked(asked, listings, complete=len(ids) < MOST_LOOKED_AT)


async def keep(pool: Pool, wake: asyncio.Event) -> None:
    """Keep the phone book up with the directory until cancelled, so that no question waits for its first making."""
    await take_turns(lambda: refresh(pool), wake, what="keeping the phone book", action="selfservice.phone_book")


async def refresh(pool: Pool) -> None:
    """Take what has changed in the directory into the phone book, in one database transaction."""
    async with pool.acquire() as db, db.transaction():
        version = await store.lock_phone_book(db)
        changes = await changed_since(db, version)
        if changes.version == version:
            return
        waiting = iter(sorted(changes.ids))
        while some := list(islice(waiting, _AT_ONCE)):
            people = await load_people(db, some)
            await store.remove_entries(db, some)
            await store.put_entries(db, [_entry(person) for person in people if person.active])
        await store.move_phone_book(db, changes.version)


def _in_sight(people: Iterable[Person], view: View, days: LocalDays) -> list[Person]:
    """Return those of the people from whom no barrier keeps whoever asks. Pure."""
    everyone = {person.id: person for person in people}
    if not view.barriers:
        return list(everyone.values())
    census = Census([*(everyone | {view.person.id: view.person}).values()], days)
    own = census.row(view.person.id)
    assert own is not None
    hidden = PeopleSet.none
    for wall in walls_of(view.barriers, census):
        for side, other in ((wall.one, wall.other), (wall.other, wall.one)):
            hidden |= other if own in side else PeopleSet.none
    unseen = {census.person(row).id for row in hidden} - {view.person.id}
    return [person for person in everyone.values() if person.id not in unseen]


async def _managers(pool: Pool, people: Iterable[Person], days: LocalDays, view: View) -> dict[PersonId, str]:
    """Return what the managers of these people are called, of those who work here and may be seen."""
    ids = {PersonId(str(boss)) for person in people for boss in values_of(person, "manager", days(person))}
    found = await load_people(pool, ids) if ids else []
    there = [boss for boss in found if works_here(boss, days(boss))]
    return {boss.id: name_of(boss) for boss in _in_sight(there, view, days)}


def _entry(person: Person) -> store.Entry:
    names = words_of(name_of(person))
    return store.Entry(person.id, names, tuple(dict.fromkeys((*names, *job_words(person)))))


def _listing(
    person: Person, user_id: UserId, managers: dict[PersonId, str], now: datetime, timezone: str, days: LocalDays
) -> Listing:
    day = days(person)
    bosses = [managers.get(PersonId(str(boss)), "") for boss in values_of(person, "manager", day)]
    emails = values_of(person, "emails", day)
    return Listing(
        user_id=user_id,
        name=name_of(person),
        title=job_of(person, "title", day),
        department=job_of(person, "department", day),
        email=str(emails[0]) if emails else "",
        manager=" / ".join(filter(None, bosses)),
        local_time=f"{now.astimezone(place_of(person, timezone)):%H:%M}",
    )
