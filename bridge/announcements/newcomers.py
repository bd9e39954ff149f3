"""Newcomers: whoever begins to work here gets one digest of what everybody has to acknowledge, and has to as well.

It comes within the own hours, when rooms have been joined, and once: found again after they had left, they are new. All
of it is one database transaction for each; what is said is the postman's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.announcements import announcing_store, newcomer_store, outbox_store
from bridge.announcements.copies import copies
from bridge.announcements.digest import Current, digest
from bridge.announcements.hours import Hours, next_start
from bridge.announcements.hours_store import load_hours, load_persons
from bridge.announcements.newcomer_store import Asked
from bridge.announcements.reach import languages_of
from bridge.announcements.release import Release
from bridge.announcements.values import Act, Outgoing, Priority, Role
from bridge.announcements.wording import Body, Wording
from bridge.clock import Clock, system_clock
from bridge.database.turns import take_turns
from bridge.directory.local_day import LocalDays
from bridge.directory.person import attributes_of
from bridge.directory.selector import matches
from bridge.ids import RoomId, UserId, server_of
from bridge.patience import Wake, until
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

SETTLING = timedelta(minutes=10)
"""So long a new account gets to be in its rooms, before what stands there is looked up."""
_LATER = timedelta(days=1)
"""After so long whoever is on leave is looked at again."""
_LOOK_SECONDS = 60.0
"""After so long it looks by itself."""
_BREATH_SECONDS = 0.1


class Newcomers:
    """Welcomes whoever is new; any number of processes may do so at once."""

    def __init__(
        self,
        pool: Pool,
        *,
        bot: UserId,
        policy: Callable[[], Policy],
        clock: Clock = system_clock,
        timezone: str = "UTC",
    ) -> None:
        """Take the policy as a function, because a new one may be loaded at any time."""
        self._pool = pool
        self._bot = bot
        self._policy = policy
        self._clock = clock
        self._timezone = timezone

    async def run(self, wake: Wake) -> None:
        """Do what is due until cancelled; `wake` is set when somebody in the directory changed."""

        async def turn() -> float:
            return until(await self.turn(), self._clock(), _LOOK_SECONDS)

        await take_turns(turn, wake, what="welcoming newcomers", action="announce.newcomer", breath=_BREATH_SECONDS)

    async def turn(self) -> datetime | None:
        """Find who is new, give everybody the digest that is due, and return when the next is."""
        policy, now = self._policy(), self._clock()
        await newcomer_store.forget_leavers(self._pool)
        await self._note(policy, now)
        since = policy.newcomers
        if since is None or not await newcomer_store.is_anything_asked(self._pool, now - since):
            await newcomer_store.settle_due(self._pool, now)
        else:
            for user_id in await newcomer_store.load_due(self._pool, now):
                async with self._pool.acquire() as db, db.transaction():
                    await self._welcome(db, user_id, policy, now - since, now)
        return await newcomer_store.next_due(self._pool)

    async def _note(self, policy: Policy, now: datetime) -> None:
        found = await newcomer_store.find_new(self._pool)
        if not found:
            return
        if policy.newcomers is None:
            await newcomer_store.add(self._pool, dict.fromkeys(found), now)
            return
        hours = await load_hours(self._pool, found, policy.hours, self._timezone, now)
        moments = {user_id: _moment(hours.get(user_id), now + SETTLING) for user_id in found}
        await newcomer_store.add(self._pool, moments, now)

    async def _welcome(self, db: Connection, user_id: UserId, policy: Policy, since: datetime, now: datetime) -> None:
        seen_at = await newcomer_store.lock(db, user_id, now)
        if seen_at is None:
            return
        hours = (await load_hours(db, [user_id], policy.hours, self._timezone, now)).get(user_id)
        moment = _moment(hours, now)
        if moment > now:  # the hours, or a leave, have changed meanwhile
            await newcomer_store.put_due(db, user_id, moment)
            return
        found, rows = await self._collect(db, user_id, since, now)
        if found:
            first = Outgoing(
                key=f"welcome/{user_id}/{seen_at:%Y%m%dT%H%M%S}",
                act=Act.SEND,
                role=Role.NOTE,
                rank=Priority.NORMAL,
                due_at=now,
                user_id=user_id,
                content=digest(policy.company, found, server_of(self._bot)),
            )
            await outbox_store.put(db, [first, *rows])
            log.info("a newcomer has %d announcements to read", len(found), extra={"action": "announce.newcomer"})
        await newcomer_store.put_due(db, user_id, None)

    async def _collect(
        self, db: Connection, user_id: UserId, since: datetime, now: datetime
    ) -> tuple[list[Current], list[Outgoing]]:
        """Return what a newcomer has to acknowledge, having made it theirs, and the copies of what is for people."""
        person = (await load_persons(db, [user_id])).get(user_id)
        if person is None:
            return [], []
        attributes = attributes_of(person, LocalDays(now, self._timezone)(person))
        current: list[Current] = []
        rows: list[Outgoing] = []
        # In the order of their ids, as everybody locks them.
        for asked in sorted(await newcomer_store.load_asked(db, user_id, since), key=lambda each: each.id):
            announcement = await announcing_store.lock(db, asked.id)
            if announcement is None or announcement.state != "open":
                continue
            whom = announcement.whom.people
            if whom is not None and not matches(whom, attributes):
                continue
            texts = await announcing_store.load_texts(db, asked.id, announcement.version)
            readers = await languages_of(db, [user_id], texts)
            delivered_at = None if asked.for_people else now
            await newcomer_store.add_recipient(db, asked.id, user_id, now, delivered_at=delivered_at)
            current.append(_current(asked, announcement.author_name, texts[readers[user_id]]))
            if asked.for_people:
                rows += _copies(announcement, texts, readers, now)
        return sorted(current, key=lambda each: each.day, reverse=True), rows


def _moment(hours: Hours | None, earliest: datetime) -> datetime:
    """Return when somebody gets the digest: within the own hours; who has none is looked at again a day later."""
    begins = next_start(hours, earliest) if hours is not None else earliest
    return begins if begins is not None else earliest + _LATER


def _current(asked: Asked, author: str, body: Body) -> Current:
    text = str(body.get("body", ""))
    day = asked.opened_at.date()
    return Current(asked.id, text, author, day, asked.room_id, asked.room_name, asked.event_id)


def _copies(
    announcement: announcing_store.Announcement,
    texts: Mapping[str, Body],
    readers: Mapping[UserId, str],
    now: datetime,
) -> list[Outgoing]:
    wording = Wording(
        announcement.id,
        announcement.version,
        announcement.author_name,
        texts,
        announcement.form,
        announcement.priority,
        announcement.discussion,
    )
    releases: dict[RoomId | UserId, Release] = {user_id: Release(now) for user_id in readers}
    return copies(wording, (), readers, releases, pinned=announcement.lasts is not None, at=now)
