"""Telling the administrators in their room what they ought to know, once each: what `notice_store` keeps.

A notice that was sent twice because of a crash is the same event on the homeserver. What waits for approval has words
of its own, in `held`.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Final

from bridge.database.turns import take_turns
from bridge.directory.notice_store import mark_told, read_untold
from bridge.homeserver.voice import Voice
from bridge.membership import place_store
from bridge.membership.desired import ADMINISTRATORS
from bridge.patience import Wake

if TYPE_CHECKING:
    from bridge.database import Pool

_LOOK_SECONDS: Final = 10.0
"""After so long it looks whether there is a room by now."""


class Noticeboard:
    """Who tells the administrators; any number of them may run."""

    def __init__(self, pool: Pool, homeserver: Voice) -> None:
        self._pool = pool
        self._homeserver = homeserver

    async def run(self, wake: Wake) -> None:
        """Tell whatever comes until cancelled; while nobody can be told, try again with back-off."""

        async def turn() -> float | None:
            return None if await self.tell() else _LOOK_SECONDS

        await take_turns(turn, wake, what="telling the administrators", action="notice")

    async def tell(self) -> bool:
        """Say what nobody has said yet; return whether all is said, which it cannot be before there is a room."""
        untold = await read_untold(self._pool)
        if not untold:
            return True
        room = (await place_store.read_places(self._pool)).get(ADMINISTRATORS)
        if room is None or room.room_id is None:
            return False
        for notice, raised_at in untold:
            await self._homeserver.send(
                room.room_id,
                "m.room.message",
                {"msgtype": "m.text", "body": notice.body},
                transaction_id=_transaction_id(notice.topic, raised_at),
            )
            await mark_told(self._pool, notice.topic)
        return True


def _transaction_id(topic: str, raised_at: datetime) -> str:
    digest = hashlib.sha256(topic.encode()).hexdigest()[:32]
    return f"notice-{digest}-{int(raised_at.timestamp() * 1000)}"
