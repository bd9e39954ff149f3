"""Telling people, in a room with the bot alone, why what they changed by hand did not last: what `drift_store` keeps.

A remark that was sent twice because of a crash is the same event on the homeserver.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from bridge.clock import Clock
from bridge.database.turns import take_turns
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.membership import drift_store
from bridge.membership.direct_room import Homeserver, tell
from bridge.patience import Wake

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)


class Remarks:
    """Who tells people; any number of them may run."""

    def __init__(self, pool: Pool, homeserver: Homeserver, *, clock: Clock) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._clock = clock

    async def run(self, wake: Wake) -> None:
        """Tell whatever comes until cancelled; while somebody is away, try again with back-off."""
        await take_turns(self.tell, wake, what="telling why changes by hand did not last", action="drift.remark")

    async def tell(self) -> None:
        """Tell everybody what waits; whom the homeserver refuses to reach is left out."""
        while unsent := await drift_store.read_unsent(self._pool):
            for number, user_id, body in unsent:
                try:
                    await tell(self._pool, self._homeserver, user_id, body, transaction_id=f"remark-{number}")
                except HomeserverUnavailableError:
                    raise
                except HomeserverError as error:
                    log.warning("%s cannot be told: %s", user_id, error.message, extra=_ACTION)
                await drift_store.mark_sent(self._pool, number, self._clock())


_ACTION = {"action": "drift.remark"}
