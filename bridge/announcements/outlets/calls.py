"""Telling others of announcements by signed webhooks, each occurrence until it was taken or is given up.

What there is to tell is the difference between the announcements and the rows of what was told, so that nothing
depends on being awake when it happens. An attempt is counted before it is made; killed in between, it is made again
under the same `webhook-id`. Redirections are not followed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import aiohttp

from bridge.announcements.outlets import store
from bridge.announcements.outlets.call import (
    GONE,
    body_of_call,
    headers_of_call,
    id_of_call,
)
from bridge.announcements.outlets.said import Said
from bridge.announcements.outlets.store import Call
from bridge.clock import Clock
from bridge.config_announcements import OutboundConfig
from bridge.database.turns import take_turns
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.patience import Backoff, Wake, until

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

AT_ONCE: Final = 10
MOST_ATTEMPTS: Final = 12
"""With the pauses between them, some 20 hours."""
_BETWEEN: Final = Backoff(30.0, 6 * 3600.0)
LEASE: Final = timedelta(seconds=60)
"""So long nobody else takes a claimed call; longer than any takes."""
_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 60.0


class Calls:
    """Who tells; any number of processes may do so at once."""

    def __init__(
        self, pool: Pool, session: aiohttp.ClientSession, outlets: Mapping[str, OutboundConfig], *, clock: Clock
    ) -> None:
        """Take the outlets by the names that the configuration gives them."""
        self._pool = pool
        self._session = session
        self._outlets = outlets
        self._clock = clock

    async def run(self, wake: Wake) -> None:
        """Tell until cancelled; `wake` is set when something may have been announced (channel `ANNOUNCEMENTS`)."""

        async def turn() -> float:
            if await self.tell():
                return 0.0
            return until(await store.next_call(self._pool, [*self._outlets]), self._clock(), _LOOK_SECONDS)

        await take_turns(turn, wake, what="telling outlets", action="outlet.call")

    async def tell(self, limit: int = AT_ONCE) -> int:
        """Note what there is to tell, try at most so many calls that are due, and return how many were tried."""
        now = self._clock()
        for name, outlet in self._outlets.items():
            await store.add_outlet(self._pool, name, now)
            await store.add_calls(self._pool, name, outlet.desks, now)
        claimed = await store.claim_calls(self._pool, [*self._outlets], now, now + LEASE, limit)
        said = await store.load_said(self._pool, {call.announcement for call in claimed})
        async with asyncio.TaskGroup() as group:
            for call in claimed:
                group.create_task(self._tell(call, said[call.announcement]))
        return len(claimed)

    async def _tell(self, call: Call, said: Said) -> None:
        outlet, now = self._outlets[call.outlet], self._clock()
        body = body_of_call(said, call.happened, now)
        id_ = id_of_call(call.outlet, call.announcement, call.happened, call.version)
        problem, final = await self._post(outlet, body, headers_of_call(outlet.key, id_, now, body))
        if not problem:
            await store.finish_call(self._pool, call.id)
            return
        dead = final or call.attempts >= MOST_ATTEMPTS
        again_at = None if dead else now + timedelta(seconds=_BETWEEN.pause(call.attempts - 1))
        await store.fail_call(self._pool, call.id, problem, again_at)
        log.warning(
            "outlet %s was not told of %s: %s", call.outlet, call.announcement, problem, extra={"action": "outlet.call"}
        )
        if dead:
            await put_notice(self._pool, _given_up(call, problem))

    async def _post(self, outlet: OutboundConfig, body: bytes, headers: Mapping[str, str]) -> tuple[str, bool]:
        """Return why it was not taken, empty when it was, and whether trying again would be of no use."""
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with self._session.post(
                outlet.url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if 200 <= response.status < 300:
                    return "", False
                return f"it answers {response.status}", response.status == GONE
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return f"it does not answer ({type(error).__name__})", False


def _given_up(call: Call, problem: str) -> Notice:
    return Notice(
        f"outlet:{call.outlet}:dead",
        f"The outlet {call.outlet!r} was not told of announcement {call.announcement}, and perhaps of others: "
        f"{problem}. Muster has tried {call.attempts} times and gives up on it. To mend it: see `announcements: "
        "outbound:` in the configuration.",
    )
