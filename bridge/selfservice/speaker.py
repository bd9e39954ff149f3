"""From acts to Matrix: does what waits for the bot in the database, each act once and in order in each room.

An attempt is counted and committed before the act. Whoever finds a counted attempt without an outcome looks into the
room first: Synapse knows an application service's transaction IDs only until it restarts. What the bot is to do is
decided by `conversation`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from bridge.clock import Clock, system_clock
from bridge.database.turns import take_turns
from bridge.errors import HomeserverError, MusterError
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId
from bridge.membership import direct_room
from bridge.patience import Wake
from bridge.selfservice import replies, request_store, store
from bridge.selfservice.store import Act, Kind

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 10
"""An act that is refused with a 5xx so often is given up; a 4xx is final at once."""
_LOOK_SECONDS = 60.0
"""After so long it looks by itself."""


class Homeserver(direct_room.Homeserver, Protocol):
    """What talking asks of the homeserver."""

    bot: UserId

    async def leave(self, room_id: RoomId, *, as_user: UserId, reason: str = "") -> None: ...

    async def messages(self, room_id: RoomId, *, before: str | None) -> tuple[list[dict[str, Any]], str | None]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of one act."""

    settled: bool
    """Done, or refused for good; False also when nothing waits."""
    problem: str = ""
    """Why it waits; empty when nothing does."""


class Speaker:
    """Does what waits; any number of processes may do so at once."""

    def __init__(self, pool: Pool, homeserver: Homeserver, *, clock: Clock = system_clock) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._clock = clock

    async def run(self, wake: Wake) -> None:
        """Do what comes until cancelled; while something is away or refused, try again with back-off."""

        async def turn() -> float:
            progress = await self.act()
            if progress.problem:
                raise MusterError(progress.problem)
            return 0.0 if progress.settled else _LOOK_SECONDS

        await take_turns(turn, wake, what="answering", action="selfservice.wait")

    async def act(self) -> Progress:
        """Do the first act that waits, and record what came of it."""
        async with self._pool.acquire() as db:
            key = await store.claim_act(db)
            if key is None:
                return Progress(settled=False)
            async with db.transaction():
                act = await store.lock_act(db, key)
                return await self._settle(db, act) if act is not None else Progress(settled=False)

    async def _settle(self, db: Connection, act: Act) -> Progress:
        try:
            await self._do(act)
        except HomeserverError as error:
            if not _is_final(error, act):
                await store.postpone_act(db, act.key, error.message)
                return Progress(settled=False, problem=error.message)
            log.warning("the bot cannot %s: %s", act.kind, error.message, extra={"action": "selfservice.refused"})
            await store.settle_act(db, act.key, error=error.message)
        else:
            await store.settle_act(db, act.key)
        return Progress(settled=True)

    async def _do(self, act: Act) -> None:
        """Do an act; joining and leaving again change nothing."""
        bot = self._homeserver.bot
        room_id = act.room_id or await self._direct_room(act.user_id)
        if act.kind is Kind.JOIN:
            await self._homeserver.join(room_id, as_user=bot)
        elif act.kind is Kind.DECLINE:
            await self._homeserver.leave(room_id, as_user=bot, reason=str(act.content.get("reason", "")))
        elif not act.attempts or not await self._is_said(room_id, act.key):
            await self._homeserver.send(room_id, "m.room.message", act.content, transaction_id=f"muster-{act.key}")

    async def _is_said(self, room_id: RoomId, key: str) -> bool:
        """Look for the message among the newest events of the room."""
        events, _ = await self._homeserver.messages(room_id, before=None)
        return any(
            event.sender == self._homeserver.bot and replies.answered(event.content) == key
            for event in map(Event.of, events)
        )

    async def _direct_room(self, user_id: UserId) -> RoomId:
        """Return a room of somebody and the bot alone, whoever made it; there is one afterwards."""
        found = await request_store.direct_room(self._pool, self._homeserver.bot, user_id)
        return found if found is not None else await direct_room.room_with(self._pool, self._homeserver, user_id)


def _is_final(error: HomeserverError, act: Act) -> bool:
    """Tell whether trying again would be of no use."""
    return error.is_final or (not error.is_away and act.attempts + 1 >= MOST_ATTEMPTS)
