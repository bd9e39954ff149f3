"""Telling people, in a room with the bot alone, why what they changed by hand did not last: what `drift_store` keeps.

A remark that was sent twice because of a crash is the same event on the homeserver. A room of two has an alias of ours,
so it is made once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

from bridge.clock import Clock
from bridge.database import AWAY
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver.registration import ALIAS_PREFIX
from bridge.ids import EventId, RoomId, UserId
from bridge.membership import drift_store

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
"""Seconds between tries while somebody is away."""


class Homeserver(Protocol):
    """Who can make a room and say something in it."""

    server_name: str

    async def create_room(self, content: Mapping[str, object]) -> RoomId: ...
    async def resolve_alias(self, alias: str) -> RoomId | None: ...
    async def delete_alias(self, alias: str) -> None: ...
    async def join(self, room_id: RoomId, *, as_user: UserId) -> None: ...
    async def send(
        self,
        room_id: RoomId,
        event_type: str,
        content: Mapping[str, object],
        *,
        transaction_id: str,
        as_user: UserId | None = None,
    ) -> EventId: ...


class Remarks:
    """Who tells people; any number of them may run."""

    def __init__(self, pool: Pool, homeserver: Homeserver, *, clock: Clock) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._clock = clock

    async def run(self, wake: asyncio.Event) -> None:
        """Tell whatever comes until cancelled; while somebody is away, try again with back-off."""
        pause = _FIRST_PAUSE
        while True:
            wake.clear()
            try:
                await self.tell()
            except (HomeserverUnavailableError, *AWAY) as error:
                if pause == _FIRST_PAUSE:
                    log.warning("remarks wait: %s", type(error).__name__, extra=_ACTION)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                pause = _FIRST_PAUSE
                await wake.wait()

    async def tell(self) -> None:
        """Tell everybody what waits; whom the homeserver refuses to reach is left out."""
        while unsent := await drift_store.read_unsent(self._pool):
            for number, user_id, body in unsent:
                try:
                    await self._send(number, user_id, body)
                except HomeserverUnavailableError:
                    raise
                except HomeserverError as error:
                    log.warning("%s cannot be told: %s", user_id, error.message, extra=_ACTION)
                await drift_store.mark_sent(self._pool, number, self._clock())

    async def _send(self, number: int, user_id: UserId, body: str) -> None:
        room_id = await drift_store.direct_room(self._pool, user_id) or await self._open(user_id)
        content = {"msgtype": "m.text", "body": body}
        await self._homeserver.send(room_id, "m.room.message", content, transaction_id=f"remark-{number}")

    async def _open(self, user_id: UserId) -> RoomId:
        """Make a room with somebody, or find the one whose making was interrupted."""
        localpart = f"{ALIAS_PREFIX}direct-{hashlib.sha256(user_id.encode()).hexdigest()[:16]}"
        alias = f"#{localpart}:{self._homeserver.server_name}"
        if await self._homeserver.resolve_alias(alias) is not None:
            await self._homeserver.delete_alias(alias)  # of a room that was left, or never got so far
        room_id = await self._homeserver.create_room(
            {
                "preset": "private_chat",  # trusted_private_chat would make the other a creator for ever
                "is_direct": True,
                "invite": [user_id],
                "room_alias_name": localpart,
            }
        )
        await drift_store.put_direct_room(self._pool, user_id, room_id)
        try:
            await self._homeserver.join(room_id, as_user=user_id)
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:  # nobody of ours; the invitation stands
            log.info("%s is invited to a room with the bot: %s", user_id, error.message, extra=_ACTION)
        return room_id


_ACTION = {"action": "drift.remark"}
