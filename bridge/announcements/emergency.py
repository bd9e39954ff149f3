"""Beginning and ending a roll call: one database transaction each.

There is no draft, no waiting and no second person: what is written here goes out at once. What follows (the board, the
silent, the responders) is `roll_calls`', with what is written here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.announcements import emergency_store, outbox_store, store
from bridge.announcements.emergency_command import Start
from bridge.announcements.form import POLL_START, poll_of
from bridge.announcements.release import URGENT
from bridge.announcements.roll_call import Present, RollCall
from bridge.announcements.roll_call_text import LONGEST, SAFETY, Turn, alarm, content, poll_question
from bridge.announcements.tracking import announcement_id
from bridge.announcements.values import Act, Outgoing, Priority, Role, Whom, copy_key
from bridge.channels import store as channel_store
from bridge.directory.census import Census
from bridge.directory.local_day import LocalDays
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import Person, values_of
from bridge.directory.selector import Selector, all_of, parse
from bridge.directory.store import load_people
from bridge.errors import RefusedError, UnknownNameError
from bridge.ids import EventId, PersonId, RoomId, UserId, localpart_of
from bridge.policy.schema import Desk, Policy
from bridge.policy.vocabulary import EVERYONE

if TYPE_CHECKING:
    from bridge.database import Connection

log = logging.getLogger(__name__)

_AT_ONCE = 2000
"""Rows in one statement."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who starts a roll call, and by which message; none for the command line."""

    user_id: UserId
    name: str
    source_event_id: EventId | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A roll call that is on its way."""

    id: str
    people: int
    rooms: int
    drill: bool
    site: str | None


@dataclass(frozen=True, slots=True)
class _Company:
    """Everybody who can be told, as far as a roll call asks."""

    census: Census
    users: Mapping[UserId, Person]
    """Those who work here and have an account."""
    selected: frozenset[UserId]
    """Those of them whom the roll call is for."""


async def start(
    db: Connection,
    policy: Policy,
    desk: Desk,
    wanted: Start,
    author: Author,
    *,
    bot: UserId,
    seed: bytes,
    at: datetime,
    timezone: str,
    people: Selector | None = None,
) -> Started | None:
    """Start a roll call for everybody, for one site, or for people; None when its message has started one already.

    Everybody is told in a room of their own and in the desk's rooms; when it is for some, only in those rooms of the
    desk where nobody else is. Raises `RefusedError` or `UnknownNameError` when nobody would be told.
    """
    if len(wanted.text) > LONGEST:
        raise RefusedError(f"Nothing was started: the text has {len(wanted.text):,} characters, at most {LONGEST:,}.")
    census = Census(await load_people(db), LocalDays(at, timezone))
    site, chosen = _chosen(census, policy, wanted.site, people)
    company = _company(census, await emergency_store.load_accounts(db), chosen)
    call = RollCall(announcement_id(seed), desk.id, wanted.text, site, wanted.drill, at, author.name)
    everywhere = call.site is None and people is None
    members = await store.load_members(db, await store.load_rooms(db, desk.rooms))
    rooms = _rooms(members, bot, None if everywhere else company.selected)
    guests = {user for _, user in members if user != bot} - company.users.keys() if everywhere else set()
    counted = _people(company, guests, policy, LocalDays(at, timezone))
    if not counted:
        raise RefusedError("Nothing was started: there is nobody to tell. `muster plan` shows who has an account.")
    whom = Whom(people=_audience(policy, site, people))
    if not await emergency_store.add_announcement(db, call, author.user_id, whom, author.source_event_id):
        return None
    await emergency_store.add_call(db, call)
    await emergency_store.add_people(db, call, counted, company.selected)
    await emergency_store.add_recipients(db, call, [person.user_id for person in counted])
    await emergency_store.add_line(db, call.id, _line(company, policy))
    alarms = list(_alarms(call, policy, rooms, await _in_order(db, company.selected)))
    for first in range(0, len(alarms), _AT_ONCE):
        await outbox_store.put(db, alarms[first : first + _AT_ONCE])
    await emergency_store.wake(db)
    log.info(
        "roll call %s%s: people %d, rooms %d",
        call.id,
        " (drill)" if call.drill else "",
        len(counted),
        len(rooms),
        extra={"action": "emergency.start"},
    )
    return Started(call.id, len(counted), len(rooms), call.drill, call.site)


async def end(db: Connection, announcement: str | None, *, desk: Desk | None, by: str, at: datetime) -> RollCall:
    """End a roll call, or the one that goes on (of that desk): nothing that waits is said any more.

    Raises `UnknownNameError` when there is none, or several and none is named.
    """
    call = await find(db, announcement, desk=desk)
    if not await emergency_store.mark_ended(db, call.id, by, at):
        raise RefusedError(f"The roll call {call.id} is over already.")
    await outbox_store.cancel(db, call.id)
    await channel_store.cancel(db, call.id)
    await emergency_store.wake(db)
    log.info("roll call %s was ended", call.id, extra={"action": "emergency.end"})
    return call


async def find(db: Connection, announcement: str | None, *, desk: Desk | None = None) -> RollCall:
    """Return a roll call by its ID; without one that which goes on, and when none does, the newest.

    Raises `UnknownNameError`.
    """
    if announcement is not None:
        named = await emergency_store.load_call(db, announcement)
        if named is None:
            raise UnknownNameError(f"There is no roll call {announcement}; `muster emergency board` shows the newest.")
        return named
    calls = [call for call in await emergency_store.load_calls(db, limit=20) if desk is None or call.desk == desk.id]
    going_on = [call for call in calls if call.ended_at is None]
    if len(going_on) > 1:
        raise UnknownNameError(
            f"{len(going_on)} roll calls go on; say which: {', '.join(call.id for call in going_on)}."
        )
    if not calls:
        raise UnknownNameError("There has been no roll call yet.")
    return (going_on or calls)[0]


def _chosen(census: Census, policy: Policy, site: str | None, people: Selector | None) -> tuple[str | None, PeopleSet]:
    """Return the site as the directory spells it, and whom the roll call is for, with an account or not."""
    chosen = census.active if people is None else census.active & census.select(people)
    if site is None:
        return None, chosen
    attribute = policy.emergency.site
    if attribute is None:
        raise RefusedError("Nothing was started: the policy does not say what a site is (`emergency: {site: …}`).")
    sites = {name: rows & census.active for name, rows in census.by_value(attribute).items() if rows & census.active}
    for name, rows in sites.items():
        if name.casefold() == site.casefold():
            return name, chosen & rows
    known = ", ".join(sites) or "none"
    raise UnknownNameError(f"Nothing was started: nobody works at a site {site!r} (there are: {known}).")


def _audience(policy: Policy, site: str | None, people: Selector | None) -> Selector:
    """Return the selector of those whom the roll call is for."""
    at_site = [parse(f"{policy.emergency.site} eq {json.dumps(site)}")] if site is not None else []
    return all_of([EVERYONE, *([people] if people is not None else []), *at_site])


def _company(census: Census, accounts: Mapping[PersonId, UserId], chosen: PeopleSet) -> _Company:
    users = {accounts[person.id]: person for row in census.active if (person := census.person(row)).id in accounts}
    ids = {census.person(row).id for row in chosen}
    return _Company(census, users, frozenset(user for user, person in users.items() if person.id in ids))


def _rooms(members: Sequence[tuple[RoomId, UserId]], bot: UserId, only: frozenset[UserId] | None) -> tuple[RoomId, ...]:
    """Return the rooms to tell it in: all, or those in which there are some of these people and nobody else."""
    by_room: dict[RoomId, set[UserId]] = {}
    for room, user in members:
        by_room.setdefault(room, set()).update({user} - {bot})
    return tuple(sorted(room for room, users in by_room.items() if only is None or (users and users <= only)))


def _people(company: _Company, guests: set[UserId], policy: Policy, days: LocalDays) -> list[Present]:
    site = policy.emergency.site

    def belongs(person: Person, path: str | None) -> str:
        values = values_of(person, path, days(person)) if path else ()
        return str(values[0]) if values else ""

    told = [
        Present(user, person.display_name, belongs(person, site), belongs(person, "department"))
        for user in sorted(company.selected)
        for person in [company.users[user]]
    ]
    return told + [Present(user, localpart_of(user), "", "") for user in sorted(guests)]


def _line(company: _Company, policy: Policy) -> list[list[UserId]]:
    """Return who is called to help: of the line those whom the roll call is for; when none of it is, all of it."""
    users = {person.id: user for user, person in company.users.items()}
    line = []
    for selector in policy.emergency.line:
        rows = company.census.active & company.census.select(selector)
        found = (users.get(company.census.person(row).id) for row in rows)
        line.append([user for user in found if user is not None])
    near = [[user for user in group if user in company.selected] for group in line]
    return near if any(near) else line


async def _in_order(db: Connection, users: frozenset[UserId]) -> list[UserId]:
    """Return them so that those who have their room already come first: making a room takes time."""
    there = await emergency_store.load_personal_rooms(db)
    return sorted(users, key=lambda user: (user not in there, user))


def _alarms(call: RollCall, policy: Policy, rooms: Sequence[RoomId], users: Sequence[UserId]) -> Iterator[Outgoing]:
    """Yield what is said at once: the alarm in all rooms, then to everybody, then the polls."""
    said = content(alarm(call, policy.company))
    asked = {**(poll_of(SAFETY, poll_question(call)) or {}), URGENT: True}
    people = [(None, user) for user in users]
    places = [(room, None) for room in rooms]
    yield from (_alarm(call, Role.COPY, said, Turn.ROOMS, room, user) for room, user in places)
    yield from (_alarm(call, Role.COPY, said, Turn.PEOPLE, room, user) for room, user in people)
    yield from (_alarm(call, Role.POLL, asked, Turn.REST, room, user) for room, user in (*places, *people))


def _alarm(
    call: RollCall, role: Role, body: Mapping[str, Any], turn: Turn, room_id: RoomId | None, user_id: UserId | None
) -> Outgoing:
    place = room_id or user_id
    assert place is not None
    return Outgoing(
        key=copy_key(call.id, place) if role is Role.COPY else f"{call.id}/poll/{place}",
        act=Act.SEND,
        role=role,
        rank=Priority.EMERGENCY,
        due_at=call.started_at - turn.before,
        room_id=room_id,
        user_id=user_id,
        event_type="m.room.message" if role is Role.COPY else POLL_START,
        content=body,
        announcement=call.id,
        version=1,
    )
