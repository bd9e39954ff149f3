"""What the story asks afterwards: of Synapse where Synapse can say it, of Muster's tables where only Muster can."""

from __future__ import annotations

from collections.abc import Callable, Collection

from mautrix.api import Method

from bridge.announcements import store as announcements
from bridge.announcements.tracking import Summary
from bridge.app import Services
from bridge.archive.backfill import count_missing
from bridge.archive.store import known_events
from bridge.demo.concurrency import settled, together
from bridge.demo.workplace import Workplace
from bridge.errors import MusterError
from bridge.homeserver.transport import Transport, path
from bridge.ids import EventId, RoomId, RoomKey, UserId
from bridge.membership.rooms import alias_of
from bridge.membership.store import read_places

PATIENCE = 30.0
"""Seconds that anything may take that ought to take one."""
_AT_ONCE = 6


class Observer:
    """Looks, and waits where something is under way."""

    def __init__(self, workplace: Workplace, services: Services) -> None:
        self._services = services
        self._server_name = workplace.synapse.server_name
        self._admin = Transport(workplace.session, workplace.synapse.url, workplace.admin_token)

    async def room(self, key: RoomKey) -> RoomId:
        """Return the room that Muster made for a key."""
        room_id = await self._services.homeserver.resolve_alias(alias_of(key, self._server_name))
        if room_id is None:
            raise MusterError(f"the room {key} is not there; it was in the plan, and the log of Muster says why")
        return room_id

    async def members(self) -> dict[RoomId, list[str]]:
        """Return who is in each managed room, without Muster's bot, by Synapse's admin API."""
        places = [place.room_id for place in (await read_places(self._services.pool)).values()]
        rooms = [room_id for room_id in places if room_id is not None]
        return dict(zip(rooms, await together(map(self._members, rooms), at_once=_AT_ONCE), strict=True))

    async def joined(self, user_id: UserId) -> Collection[RoomId]:
        """Return the rooms that somebody is in, by Synapse's admin API."""
        return await self._services.accounts.joined_rooms(user_id)

    async def devices(self, user_id: UserId) -> Collection[str]:
        """Return the sessions that somebody has, by Synapse's admin API."""
        return await self._services.accounts.devices(user_id)

    async def archived(self, events: Collection[EventId]) -> int:
        """Wait until all these events are in the archive, and return how many are."""

        async def count() -> int:
            return len(await known_events(self._services.pool, events))

        return await settled(count, lambda known: known == len(events), seconds=PATIENCE)

    async def missing(self) -> int:
        """Wait until the archive has every event of every room of Synapse, and return how many it lacks."""

        async def count() -> int:
            return (await count_missing(self._services.homeserver, self._services.pool)).missing

        return await settled(count, lambda lacking: lacking == 0, seconds=PATIENCE)

    async def announcement(self, wanted: Callable[[Summary], bool]) -> Summary:
        """Wait until the newest announcement fares as wanted, and return how it does."""

        async def newest() -> list[Summary]:
            return await announcements.load_summaries(self._services.pool, 1)

        found = await settled(newest, lambda now: bool(now) and wanted(now[0]), seconds=PATIENCE)
        if not found:
            raise MusterError("the message in the announcement desk was not announced; the log of Muster says why")
        return found[0]

    async def deliveries(self, announcement: str) -> list[tuple[RoomId, EventId]]:
        """Return where an announcement was posted, and as which event."""
        found = await announcements.load_deliveries(self._services.pool, announcement)
        return [(one.room_id, one.event_id) for one in found if one.room_id is not None and one.event_id is not None]

    async def _members(self, room_id: RoomId) -> list[str]:
        answer = await self._admin.request(Method.GET, f"_synapse/admin/v1/{path('rooms', room_id, 'members')}")
        return [member for member in answer["members"] if member != self._services.homeserver.bot]
