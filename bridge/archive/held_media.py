"""Keeping the homeserver from purging media that a legal hold is about.

Synapse's purges by age, those of its configuration (`media_retention`) and those that an administrator asks for, pass
over media that is protected (Synapse's admin API, "Protecting media from being quarantined"). Deleting one file by its
ID, or all files of one user, does not ask. What is found missing is counted. Media that is linked only within encrypted
messages cannot be seen. When the last hold on it is released it is protected no longer, unless somebody else had
protected it before.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from bridge.archive import hold_store, store
from bridge.archive.hold import Hold, media_ids
from bridge.archive.scope_store import read_bounds, read_portions
from bridge.database.turns import take_turns
from bridge.homeserver import wire
from bridge.homeserver.event import Event

if TYPE_CHECKING:
    from bridge.database import Pool

_PAUSE = 60.0
"""Seconds between two looks for new media."""


class MediaKeeper(Protocol):
    """Who can keep media from being purged."""

    server_name: str

    async def is_media_protected(self, media_id: str) -> bool | None: ...

    async def protect_media(self, media_id: str, *, protected: bool) -> None: ...


class HeldMedia:
    """Protects what is held, and lets go what is not any more; any number of processes may run it."""

    def __init__(self, pool: Pool, homeserver: MediaKeeper) -> None:
        self._pool = pool
        self._homeserver = homeserver

    async def run(self, wake: asyncio.Event) -> None:
        """Do so until cancelled; what is away is tried again."""

        async def turn() -> float:
            await self.keep()
            return _PAUSE

        await take_turns(turn, wake, what="protecting media of holds", action="hold.media")

    async def keep(self) -> None:
        """Protect the media of every hold in force that came since the last time, then let go that of others."""
        with store.database_errors():
            for hold in await hold_store.read_holds(self._pool):
                await self._protect(hold)
            for media_id, ours in await hold_store.read_free_media(self._pool):
                if ours:
                    await self._homeserver.protect_media(media_id, protected=False)
                await hold_store.drop_free_media(self._pool, media_id)

    async def _protect(self, hold: Hold) -> None:
        newest, found = await self._new_media(hold)
        for media_id in sorted(found):
            state = await self._homeserver.is_media_protected(media_id)
            said = {None: "missing", True: "was protected", False: "protected"}[state]
            # Before it is done: whoever comes after a crash would take our protection for somebody else's.
            await hold_store.put_media(self._pool, hold.number, media_id, said)
            if state is False:
                await self._homeserver.protect_media(media_id, protected=True)
        await hold_store.note_media_until(self._pool, hold.number, newest)

    async def _new_media(self, hold: Hold) -> tuple[int, set[str]]:
        """Return up to where the archive was looked through, and the media that was found there."""
        found: set[str] = set()
        async with store.snapshot(self._pool) as connection:
            newest, after = await hold_store.read_media_stretch(connection, hold.number)
            if newest > after:
                async for rows in read_portions(connection, await read_bounds(connection, hold.scope), after):
                    for row in rows:
                        if row["body"] is not None:
                            content = Event.of(wire.decode(row["body"])).content
                            found |= media_ids(content, self._homeserver.server_name)
        return newest, found
