"""The live status of an announcement in its desk: one message, edited at most three times a second.

`refresh` writes what it is to say and leaves the saying to the postman; `Boards` brings what nobody brought: a new
announcement, deliveries, the end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.announcements import heard_store, outbox_store, progress_store
from bridge.announcements.progress import Progress, board_of
from bridge.announcements.progress_store import Posted
from bridge.announcements.values import Act, Outgoing, Priority, Role
from bridge.clock import Clock, system_clock
from bridge.database.turns import take_turns
from bridge.directory.local_day import LocalDays
from bridge.directory.person import values_of
from bridge.directory.store import load_people
from bridge.patience import Wake

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

APART = timedelta(milliseconds=300)
"""Between two edits of one board."""
_RANK = Priority.IMPORTANT
"""A board does not wait for a queue of normal announcements."""
_AT_ONCE = 2_000
_LOOK_SECONDS = 60.0


async def refresh(db: Connection, announcements: Collection[str], now: datetime, *, apart: timedelta = APART) -> None:
    """Let the boards of these announcements say how far they have come; in a database transaction.

    One that was refreshed less than `apart` ago is left to `Boards`, which is woken.
    """
    taken, stale = await progress_store.touch_boards(db, announcements, now, apart)
    if stale:
        await outbox_store.wake(db)
    if not taken:
        return
    posted = await progress_store.load_posted(db, [key for one in taken for key in (_key(one), _live(one))])
    found = await progress_store.load_progress(db, taken)
    await outbox_store.put(db, [_outgoing(progress, posted, now) for progress in found])


class Boards:
    """Keeps every board current, and notes the departments of those an announcement is for."""

    def __init__(self, pool: Pool, *, clock: Clock = system_clock, timezone: str = "UTC") -> None:
        """`timezone` is that of people without their own."""
        self._pool = pool
        self._clock = clock
        self._timezone = timezone

    async def run(self, wake: Wake) -> None:
        """Look until cancelled, at most three times a second; `wake` is set when something may have changed."""

        async def turn() -> float:
            return 0.0 if await self.look() else _LOOK_SECONDS

        breath = APART.total_seconds()
        await take_turns(turn, wake, what="keeping boards current", action="announcements.board", breath=breath)

    async def look(self) -> bool:
        """Note departments, let new texts count, refresh what is not current; tell whether there is more to do."""
        more = await self._place()
        async with self._pool.acquire() as db, db.transaction():
            renewed = await heard_store.outdated(db)
            for announcement in renewed:
                await heard_store.settle_everybody(db, announcement)
            stale = sorted({*renewed, *await progress_store.stale_boards(db)})
            await refresh(db, stale, self._clock(), apart=timedelta(0))
        return more or bool(stale)

    async def _place(self) -> bool:
        unplaced = await progress_store.unplaced(self._pool, _AT_ONCE)
        if not unplaced:
            return False
        days = LocalDays(self._clock(), self._timezone)
        known = [person for _, person in unplaced if person is not None]
        people = {person.id: person for person in await load_people(self._pool, known)}
        departments = {
            user: ", ".join(str(each) for each in values_of(people[person], "department", days(people[person])))
            if person in people
            else ""
            for user, person in unplaced
        }
        await progress_store.place(self._pool, departments)
        return len(unplaced) == _AT_ONCE


def _outgoing(progress: Progress, posted: Mapping[str, Posted], now: datetime) -> Outgoing:
    first, live = posted.get(_key(progress.id)), posted.get(_live(progress.id))
    latest = max((row.done_at for row in (first, live) if row is not None and row.done_at is not None), default=None)
    return Outgoing(
        key=_key(progress.id) if first is None else _live(progress.id),
        act=Act.SEND if first is None else Act.EDIT,
        role=Role.BOARD,
        rank=_RANK,
        due_at=now if latest is None else max(now, latest + APART),
        room_id=progress.room_id,
        content=board_of(progress),
        target=None if first is None else _key(progress.id),
        announcement=progress.id,
    )


def _key(announcement: str) -> str:
    return f"{announcement}/board"


def _live(announcement: str) -> str:
    return f"{announcement}/board/live"
