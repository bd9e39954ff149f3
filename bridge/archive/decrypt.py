"""Reading what is said in encrypted rooms, with the keys that came to the archive's device.

`Decryptor` is a consumer of the feed. An event whose key is missing is counted with the reason and read when the key
comes (`read_late`). What is read is kept beside the event, which stays in the ledger as it came, and given to the
`readers`, such as search, in its place.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vodozemac import InboundGroupSession

from bridge.archive import crypto_store, store
from bridge.archive.canonical import encode
from bridge.archive.cipher import Opened, open_event, session_of
from bridge.archive.encrypted import Reason
from bridge.archive.feed import Consumer
from bridge.archive.residence import Guarded, bring_back, bring_in
from bridge.directory.notice import encrypted_room
from bridge.directory.notice_store import put_notice
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import archivist_of

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

_PORTION = 200


class Decryptor:
    """The consumer that reads encrypted rooms and keeps the archive's account in them."""

    name = "decrypt"

    def __init__(self, pool: Pool, homeserver: Guarded, secret: bytes, readers: Sequence[Consumer]) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._secret = secret
        self._readers = readers
        self._archivist = archivist_of(homeserver.bot)

    async def handle(self, events: Sequence[Event]) -> None:
        """Read the encrypted events; bring the archive's account into, or back into, the rooms that the policy
        encrypts, and tell of others."""
        await self._attend(events)
        if encrypted := [event for event in events if event.type == "m.room.encrypted"]:
            await self._read(encrypted)
            await self.read_late()

    async def read_late(self) -> None:
        """Read the events that could not be read and whose key has come since."""
        while True:
            with store.database_errors():
                rows = await crypto_store.read_openable(self._pool, _PORTION)
            if not rows:
                return
            await self._read([Event.of(wire.decode(row["body"]), row["seq"]) for row in rows])

    async def _attend(self, events: Sequence[Event]) -> None:
        begun = [event for event in events if event.type == "m.room.encryption" and event.state_key == ""]
        last = {event.room_id: event for event in events if self._is_ours(event)}
        removed = [event for event in last.values() if event.content.get("membership") in ("leave", "ban")]
        if not begun and not removed:
            return
        with store.database_errors():
            rooms = await crypto_store.read_encrypted_rooms(self._pool)
        for event in begun:
            if event.room_id in rooms:
                await bring_in(self._homeserver, event.room_id)
            else:
                with store.database_errors():
                    await put_notice(self._pool, encrypted_room(event.room_id, event.sender))
        for event in removed:
            if event.room_id in rooms:
                await bring_back(self._homeserver, event.room_id, event.content["membership"])

    def _is_ours(self, event: Event) -> bool:
        return event.type == "m.room.member" and event.state_key == self._archivist

    async def _read(self, events: Sequence[Event]) -> None:
        """Open the events and keep what they say, or why they do not, in one database transaction."""
        async with store.transaction(self._pool) as connection:
            found = [await self._open(connection, event) for event in events]
            clear = [event for event in found if event is not None]
            for reader in self._readers if clear else ():
                await reader.handle(clear)
        if len(clear) < len(events):
            unread = len(events) - len(clear)
            log.info("%d encrypted events cannot be read yet", unread, extra={"action": "decrypt"})

    async def _open(self, connection: Connection, event: Event) -> Event | None:
        session_id = session_of(event)
        if isinstance(session_id, Reason):
            await self._miss(connection, event, "", session_id, None)
            return None
        row = await crypto_store.read_room_key(connection, event.room_id, session_id, event.sender)
        if row is None:
            await self._miss(connection, event, session_id, Reason.NO_KEY, None)
            return None
        opened = open_event(event, InboundGroupSession.from_pickle(row["pickle"], self._secret))
        if isinstance(opened, Reason):
            await self._miss(connection, event, session_id, opened, row["first_index"])
            return None
        clear = as_meant(event, opened)
        kept = await crypto_store.put_plaintext(
            connection,
            event.seq,
            encode(clear),
            row["sender_key"],
            session_id,
            opened.message_index,
            row["trust"],
        )
        if not kept:
            await self._miss(connection, event, session_id, Reason.REPLAYED, row["first_index"])
            return None
        return Event.of(clear, event.seq)

    async def _miss(
        self, connection: Connection, event: Event, session_id: str, reason: Reason, first_index: int | None
    ) -> None:
        await crypto_store.put_undecrypted(
            connection, event.seq, event.room_id, session_id, event.sender, reason, first_index
        )


def as_meant(event: Event, opened: Opened) -> dict[str, object]:
    """Return the event as its sender wrote it: everything as it came but type and content."""
    return {
        "event_id": event.event_id,
        "room_id": event.room_id,
        "sender": event.sender,
        "origin_server_ts": event.timestamp,
        "type": opened.type,
        "content": opened.content,
    }
