"""What is due for announcements: scheduled ones are opened, open ones are over, drafts that nobody confirmed lapse.

Each is done in one database transaction, whoever of several processes comes first; what was due while nobody ran is
done at the start. When something goes from where it is queued is the postman's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements import announcing, announcing_store
from bridge.announcements.values import State
from bridge.clock import Clock, system_clock
from bridge.database.turns import take_turns
from bridge.ids import UserId
from bridge.patience import Wake, until
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

_LOOK_SECONDS = 60.0
"""After so long it looks by itself."""


class Calendar:
    """Does what is due; any number of processes may do so at once."""

    def __init__(self, pool: Pool, *, bot: UserId, policy: Callable[[], Policy], clock: Clock = system_clock) -> None:
        """Take the policy as a function, because a new one may be loaded at any time."""
        self._pool = pool
        self._bot = bot
        self._policy = policy
        self._clock = clock

    async def run(self, wake: Wake) -> None:
        """Do what is due until cancelled; `wake` is set when a moment may have changed (channel `ANNOUNCEMENTS`)."""

        async def turn() -> float:
            return until(await self.turn(), self._clock(), _LOOK_SECONDS)

        await take_turns(turn, wake, what="keeping the calendar of announcements", action="announce.calendar")

    async def turn(self) -> datetime | None:
        """Do everything that is due now; return the next moment at which something is."""
        now = self._clock()
        moments = await announcing_store.load_moments(self._pool)
        for announcement, moment in moments:
            if moment <= now:
                await self._settle(announcement, now)
        return next((moment for _, moment in moments if moment > now), None)

    async def _settle(self, announcement: str, now: datetime) -> None:
        async with self._pool.acquire() as db, db.transaction():
            row = await announcing_store.lock(db, announcement)
            if row is None:
                return
            match row.state:
                case State.SCHEDULED if row.due_at is not None and row.due_at <= now:
                    await announcing.open_due(db, self._policy(), row, bot=self._bot, at=now)
                case State.OPEN if row.ends_at is not None and row.ends_at <= now:
                    await announcing.end(db, row.id, at=now)
                case State.DRAFT if row.lapses_at is not None and row.lapses_at <= now:
                    await announcing.lapse(db, row, now)
