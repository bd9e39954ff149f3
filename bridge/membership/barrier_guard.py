"""Taking people out again who came too close, and telling them why.

`BarrierGuard` works off what `barrier_watch` has noted: whoever came later leaves as themselves, which is done in any
room, also in one that the bot is not in (somebody of another homeserver is removed by who may there); and is told in a
room of their own with the bot. The brake is not asked: what people did by themselves a moment ago is undone, nothing
that they were given. Each act is an entry of the audit log.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from bridge.clock import Clock
from bridge.database.turns import take_turns
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.ids import PersonId, RoomId, UserId
from bridge.membership import audit_store, barrier_store, direct_room, elsewhere, place_store, run_store, store
from bridge.membership.audit import Run
from bridge.membership.barrier_store import OpenBreach
from bridge.membership.barriers import BARRIERS
from bridge.membership.guests import is_outside
from bridge.membership.values import ACTIONS, Action, Change
from bridge.patience import Wake

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)


class Homeserver(direct_room.Homeserver, elsewhere.Rooms, Protocol):
    """What it takes to put a breach right."""

    async def invite(
        self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None
    ) -> None: ...
    async def leave(self, room_id: RoomId, *, as_user: UserId, reason: str = "") -> None: ...


class BarrierGuard:
    """Works off the breaches, one after the other."""

    def __init__(self, pool: Pool, homeserver: Homeserver, *, clock: Clock) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._clock = clock

    async def run(self, wake: Wake) -> None:
        """Put breaches right whenever there are some, until cancelled; wait while something is away."""

        async def turn() -> None:
            await self.catch_up()

        await take_turns(turn, wake, what="keeping barriers", action="barrier")

    async def catch_up(self) -> int:
        """Take out everybody who must go, then tell them; return how many there were.

        Raises `HomeserverUnavailableError` when the homeserver is away; what is left stays to be done.
        """
        found = await barrier_store.read_open(self._pool)
        for breach in found:
            if not breach.is_settled:
                await self._part(breach)
        for breach in found:
            await self._tell(breach)
        return len(found)

    async def _part(self, breach: OpenBreach) -> None:
        if breach.is_there:
            await self._take_out(breach)
        await barrier_store.settle(self._pool, breach.id, self._clock())

    async def _take_out(self, breach: OpenBreach) -> None:
        """Leave as the person, with an entry; a refusal is recorded and left at that: again it would be refused."""
        now = self._clock()
        change = await self._change(breach)
        cursor = await store.read_cursor(self._pool)
        version, digest = (cursor.directory_version, cursor.policy_digest) if cursor is not None else (0, "")
        run_id = await run_store.begin_run(self._pool, "barrier", "", now)
        run = Run(run_id, version, digest)
        entry = await audit_store.begin_entry(self._pool, run, change, breach.room_id, now)
        try:
            await self._part_from(breach)
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            await audit_store.settle_entries(self._pool, [entry], "failed", self._clock(), error=error.message)
            log.warning("a breach cannot be put right: %s", error.message, extra={"action": "barrier"})
        else:
            at = self._clock()
            await audit_store.settle_membership(self._pool, entry, breach.room_id, breach.user_id, "leave", at)
        await run_store.finish_run(self._pool, run_id, self._clock())

    async def _part_from(self, breach: OpenBreach) -> None:
        room_id, user_id, server_name = breach.room_id, breach.user_id, self._homeserver.server_name
        if is_outside(user_id, server_name):
            await elsewhere.expel(self._homeserver, room_id, user_id, server_name, breach.reason)
        else:
            await self._homeserver.leave(room_id, as_user=user_id, reason=breach.reason)

    async def _change(self, breach: OpenBreach) -> Change:
        places: Mapping[RoomId | None, str] = {
            place.room_id: place.key for place in (await place_store.read_places(self._pool)).values()
        }
        people = await store.people_of(self._pool, [breach.user_id])
        return Change(
            ACTIONS.index(Action.REMOVE),
            room=places.get(breach.room_id, breach.room_id),
            user_id=breach.user_id,
            person=next(iter(people), PersonId("")),
            rule=BARRIERS,
            reason=breach.reason,
        )

    async def _tell(self, breach: OpenBreach) -> None:
        body = (
            "Muster has taken you out of a room again, or declined an invitation for you: somebody there is on the"
            f" other side of an information barrier ({breach.reason}). Your administrators can say more."
        )
        try:
            await direct_room.tell(
                self._pool, self._homeserver, breach.user_id, body, transaction_id=f"breach-{breach.id}"
            )
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            log.warning("somebody cannot be told of a barrier: %s", error.message, extra={"action": "barrier"})
        await barrier_store.mark_told(self._pool, breach.id, self._clock())
