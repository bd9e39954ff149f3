"""Every night: what is over is disposed of by the service itself, unless it is too much at once.

Then nothing goes, and the administrators are told what to look at: a slip of the hand in the policy must not cost the
archive. A night that was missed is made up for by the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.archive import store
from bridge.archive.disposal import Held
from bridge.archive.entry import Actor
from bridge.archive.retention import carry_out, preview
from bridge.archive.schedule import seconds_to_night
from bridge.clock import Clock
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.errors import DatabaseError, MusterError
from bridge.ids import UserId
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

SERVICE = Actor("muster", "service")
_TOPIC = "archive.dispose"
_RETRY_SECONDS = 600.0


class Nightly:
    """Who disposes of what is over."""

    def __init__(
        self,
        pool: Pool,
        policy: Callable[[], Policy],
        bot: UserId,
        held: Held,
        *,
        clock: Clock,
        timezone: str,
        at_most: float,
    ) -> None:
        """Take the policy in force, who knows what is on hold, and the fraction that may go at once."""
        self._pool = pool
        self._policy = policy
        self._bot = bot
        self._held = held
        self._clock = clock
        self._timezone = timezone
        self._at_most = at_most

    async def run(self) -> None:
        """Dispose every night, until cancelled; what fails is tried again the same night."""
        while True:
            await asyncio.sleep(seconds_to_night(self._clock(), self._timezone))
            while not await self._succeeds():  # noqa: ASYNC110 - PostgreSQL does not say when it is back
                await asyncio.sleep(_RETRY_SECONDS)

    async def _succeeds(self) -> bool:
        try:
            await self.dispose()
        except MusterError as error:
            log.warning("disposing waits: %s", error.message, extra={"action": "archive.dispose"})
            return not isinstance(error, DatabaseError)
        return True

    async def dispose(self) -> int:
        """Dispose of what is over today, and return how many records that were; tell when it is too much."""
        found = await preview(self._pool, self._policy(), self._bot, self._clock().date(), self._held)
        if found.is_too_much(self._at_most):
            said = (
                f"{found.going:,} of {found.there:,} archived records are over by the policy, more than the service "
                "disposes of in one night (`archive.dispose_at_most`). Nothing went. `muster archive dispose` shows "
                "them; with --apply they go."
            )
            async with store.connection_of(self._pool) as connection:
                await put_notice(connection, Notice(_TOPIC, said))
            return 0
        outcome = await carry_out(self._pool, found, SERVICE, self._held, self._clock)
        log.info(
            "records disposed of: %d; held back: %d",
            outcome.disposed,
            len(outcome.held),
            extra={"action": "archive.dispose"},
        )
        return outcome.disposed
