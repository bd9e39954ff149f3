"""Telling custodians of legal holds, and taking their acknowledgements; telling when a held room is gone.

Who is to be told when stands in the database: whoever has not acknowledged is told again after the hold's time, and
after `MOST_TIMES` the administrators are. Acknowledged is by ✅ on such a message, or by `ack` to the bot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive import hold_store
from bridge.archive.gate_store import rooms_of
from bridge.archive.hold import Custodian, Hold
from bridge.archive.holds import acknowledge, known_hold
from bridge.archive.state_store import read_memberships
from bridge.clock import Clock, system_clock
from bridge.database.turns import take_turns
from bridge.directory.notice_store import put_notice
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from bridge.membership.presence import presences
from bridge.patience import until
from bridge.selfservice import hold_notice, replies, store
from bridge.selfservice.replies import Text
from bridge.selfservice.request import verdict_of
from bridge.selfservice.store import Act, Kind

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_PREFIX = "hold:"
_LONGEST_PAUSE = 600.0


class HoldNotices:
    """The consumer `holds` of the event feed, and who tells; any number of processes may run it."""

    name = "holds"

    def __init__(self, pool: Pool, *, bot: UserId, clock: Clock = system_clock) -> None:
        self._pool = pool
        self._bot = bot
        self._clock = clock

    async def run(self, wake: asyncio.Event) -> None:
        """Tell whoever is to be told, whenever it is due, until cancelled."""

        async def turn() -> float:
            await self.tell_due()
            return until(await hold_store.next_due(self._pool), self._clock(), _LONGEST_PAUSE)

        await take_turns(turn, wake, what="telling of holds", action="hold.notice", breath=1.0)

    async def tell_due(self) -> None:
        """Have everybody told who is to be told by now."""
        now = self._clock()
        while True:
            async with self._pool.acquire() as db, db.transaction():
                found = await hold_store.lock_due(db, now)
                if found is None:
                    return
                number, custodian = found
                await self._tell(db, await known_hold(db, number), custodian, now)

    async def handle(self, events: Sequence[Event]) -> None:
        """Take what custodians say to what they were told; the same events again change nothing."""
        for event in events:
            if event.sender == self._bot and event.type == "m.room.message":
                key = replies.answered(event.content)
                if key is not None and key.startswith(_PREFIX):
                    await hold_store.name_message(self._pool, key, event.event_id)
        agreed = [(event, target) for event in events if (target := _agreed_to(event)) is not None]
        told = await hold_store.find_messages(self._pool, [target for _, target in agreed]) if agreed else {}
        for event, target in agreed:
            if target in told and told[target][1] == event.sender:
                await acknowledge(self._pool, [told[target][0]], event.sender, self._clock())
        await self._watch_rooms({event.room_id for event in events if _is_leaving(event)})

    async def acknowledge_all(self, user_id: UserId) -> Text:
        """Take somebody's word that they have read of the holds they were told of, and return the answer."""
        numbers = await hold_store.unacknowledged(self._pool, user_id)
        return hold_notice.thanks(await acknowledge(self._pool, numbers, user_id, self._clock()))

    async def _tell(self, db: Connection, hold: Hold, custodian: Custodian, now: datetime) -> None:
        user_id, times = custodian.user_id, custodian.told
        if hold.release is not None:
            key = f"over:{hold.number}:{user_id}"
            await hold_store.silence(db, hold.number, user_id)
            await store.add_act(db, _say(key, user_id, hold_notice.over(hold)), now)
        elif await store.employee_of(db, user_id) is None:
            await hold_store.silence(db, hold.number, user_id)
            await put_notice(db, hold_notice.unreachable_custodian(hold.number, user_id))
        elif times == hold_notice.MOST_TIMES:
            await hold_store.silence(db, hold.number, user_id)
            await put_notice(db, hold_notice.silent_custodian(hold.number, user_id))
        else:
            key = f"{_PREFIX}{hold.number}:{times + 1}:{user_id}"
            await hold_store.note_told(db, key, hold.number, user_id, now + hold.remind)
            await store.add_act(db, _say(key, user_id, hold_notice.notice(hold, times)), now)

    async def _watch_rooms(self, left: set[RoomId]) -> None:
        """Tell the administrators of rooms that a hold is about and that nobody is in any more."""
        for hold in await hold_store.read_holds(self._pool) if left else ():
            about = left & (hold.scope.rooms | await rooms_of(self._pool, hold.scope.people))
            for room_id in sorted(about):
                memberships = await read_memberships(self._pool, self._clock(), room_id=room_id)
                there = [one for one in presences(memberships).values() if one.membership == "join"]
                if all(one.user_id == self._bot for one in there):
                    await put_notice(self._pool, hold_notice.emptied_room(hold.number, room_id))


def _agreed_to(event: Event) -> EventId | None:
    """Return what a reaction says yes to."""
    relation = event.content.get("m.relates_to") if event.type == "m.reaction" else None
    if not isinstance(relation, dict):
        return None
    target, sign = relation.get("event_id"), relation.get("key")
    agrees = isinstance(sign, str) and verdict_of(sign) is True
    return EventId(target) if agrees and isinstance(target, str) else None


def _is_leaving(event: Event) -> bool:
    return event.type == "m.room.member" and event.content.get("membership") in ("leave", "ban")


def _say(key: str, user_id: UserId, text: Text) -> Act:
    return Act(key, Kind.SAY, None, user_id, replies.content(text, key))
