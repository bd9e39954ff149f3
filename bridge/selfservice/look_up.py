"""Asking the phone book: keeps its words up with the directory, and reads who may be shown.

The words only find people. Whether somebody works here, and what everybody may know of them, is read from the
directory at the moment of the question, so nobody is shown a day too long.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from bridge.directory.local_day import LocalDays, place_of
from bridge.directory.person import Person, values_of, works_here
from bridge.directory.store import changed_since, load_people
from bridge.ids import PersonId, UserId
from bridge.selfservice import store
from bridge.selfservice.phone_book import Found, Listing, job_of, job_words, name_of, ranked, words_of

if TYPE_CHECKING:
    from bridge.database import Pool

MOST_LOOKED_AT = 500
_AT_ONCE = 5000


async def look_up(pool: Pool, text: str, now: datetime, timezone: str) -> Found:
    """Return who is found by the words of a text; `timezone` is that of people without one of their own."""
    asked = words_of(text)
    if not asked:
        return Found((), 0, complete=True)
    await refresh(pool)
    ids = await store.find_entries(pool, asked, MOST_LOOKED_AT)
    days = LocalDays(now, timezone)
    people = [person for person in await load_people(pool, ids) if works_here(person, days(person))]
    accounts = await store.accounts_of(pool, ids)
    managers = await _managers(pool, people, days)
    listings = [
        _listing(person, accounts[person.id], managers, now, timezone, days)
        for person in people
        if person.id in accounts
    ]
    return ranked(asked, listings, complete=len(ids) < MOST_LOOKED_AT)


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


async def _managers(pool: Pool, people: Iterable[Person], days: LocalDays) -> dict[PersonId, str]:
    """Return what the managers of these people are called, of those who work here."""
    ids = {PersonId(str(boss)) for person in people for boss in values_of(person, "manager", days(person))}
    found = await load_people(pool, ids) if ids else []
    return {boss.id: name_of(boss) for boss in found if works_here(boss, days(boss))}


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
