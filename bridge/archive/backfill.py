"""Completeness: what the homeserver has and the archive has not.

Synapse loses what it has queued for us whenever it restarts, so every room is compared with the archive: at the start
and after each absence (`backfill`), and between them one after another (`audit`). A comparison walks back the timeline
from the newest event to the one where the last whole comparison began, so every event is compared once, and one that
was interrupted is done again; where something is new it looks at the state too, part of which is not in the timeline
when a room began on another server. Rooms that cannot be compared are noted with the reason, and those of which the
homeserver has nothing any more are left as they are. When it runs is left to the caller, and what it amounts to, to
`completeness`.

An event that was redacted before we got it has lost its content; the original is fetched while Synapse retains it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from bridge.archive import completeness_store, store
from bridge.archive.batch import is_redacted, room_columns
from bridge.archive.completeness import EXPIRED
from bridge.archive.ingest import ingest
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

Raw = Mapping[str, Any]
_PORTION = 2000
"""Events of a room that are held before they are archived; up to here, oldest first."""
_BATCH = 500
"""Events of a database transaction; each may have 64 KiB."""
_GONE = "the homeserver has nothing of this room"


class Homeserver(Protocol):
    """The requests that this needs, through the admin API."""

    async def room_ids(self) -> list[RoomId]:
        """Return every room."""
        ...

    async def messages(self, room_id: RoomId, *, before: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of a room's timeline, newest first, and the token of the next older page or None."""
        ...

    async def raw_state(self, room_id: RoomId) -> list[dict[str, Any]]:
        """Return a room's present state."""
        ...

    async def fetch_event(self, event_id: EventId) -> dict[str, Any] | None:
        """Return an event, unredacted if that is still known, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Completeness:
    """What a comparison found."""

    rooms: int
    """Rooms that were compared."""
    failed: int
    """Rooms that the homeserver did not let us compare."""
    compared: int
    """Events that were looked up."""
    missing: int
    """Events that the archive had not."""


class OriginalsConsumer:
    """The consumer of the feed that fetches the originals of what was delivered redacted.

    Synapse delivers a redaction behind the event that it empties, so each one is the occasion to look.
    """

    name = "originals"

    def __init__(self, pool: Pool, homeserver: Homeserver) -> None:
        self._pool = pool
        self._homeserver = homeserver

    async def handle(self, events: Sequence[Event]) -> None:
        """Archive the originals of redacted events that wait for theirs."""
        targets = [event.redacts for event in events if event.redacts]
        if targets:
            await recover(self._homeserver, self._pool, targets)


async def recover(homeserver: Homeserver, pool: Pool, event_ids: Sequence[EventId] | None = None) -> int:
    """Archive events that were delivered redacted, these or all, as they were if that is known; return how many.

    An event about which the homeserver refuses to answer goes on waiting.
    """
    with store.database_errors():
        rows = await store.read_redacted(pool, event_ids)
    done = 0
    for row in rows:
        try:
            await _archive(homeserver, pool, [wire.decode(row["body"])])
        except HomeserverError as error:
            _let_pass(error, row["event_id"])
            continue
        with store.database_errors():
            await store.drop_redacted(pool, row["event_id"])
        done += 1
    return done


async def backfill(homeserver: Homeserver, pool: Pool) -> Completeness:
    """Compare every room with the archive and archive what is missing.

    `missing` is what was missing before. Raises `HomeserverUnavailableError` or `DatabaseUnavailableError`; what was
    archived until then stays, and the next time goes on.
    """
    await recover(homeserver, pool)
    with store.database_errors():
        archived = await completeness_store.read_archived_rooms(pool)
        gone = await completeness_store.read_gone_rooms(pool)
    listed = await homeserver.room_ids()
    rooms = failed = compared = missing = 0
    # Synapse lists a new room late, and one that was deleted never again: what is not listed is asked for, once.
    unlisted = archived - gone - set(listed)
    for room_id in [*listed, *sorted(unlisted)]:
        found = await _look_at(homeserver, pool, room_id, is_listed=room_id not in unlisted)
        if found is None:
            failed += 1
        else:
            rooms += 1
            compared += found.compared
            missing += found.missing
    return Completeness(rooms, failed, compared, missing)


async def audit(homeserver: Homeserver, pool: Pool, before: datetime) -> RoomId | None:
    """Compare the room that waits longest, of those that were not compared since `before`; return which, or None.

    Between two whole comparisons this finds what got lost unnoticed, and rooms that are new. Errors as of `backfill`.
    """
    with store.database_errors():
        room_id = await completeness_store.oldest_compared(pool, before)
    if room_id is not None:
        await _look_at(homeserver, pool, room_id, is_listed=False)
    return room_id


async def count_missing(homeserver: Homeserver, pool: Pool) -> Completeness:
    """Compare every room's whole timeline and state with the archive, and change nothing."""
    rooms = failed = compared = 0
    missing: set[str] = set()
    for room_id in await homeserver.room_ids():
        try:
            async for page in _pages(homeserver, room_id):
                compared += len(page)
                missing |= {event["event_id"] for event in await _unknown(pool, page)}
            missing |= {event["event_id"] for event in await _unknown(pool, await homeserver.raw_state(room_id))}
        except HomeserverError as error:
            _let_pass(error, room_id)
            failed += 1
        else:
            rooms += 1
    return Completeness(rooms, failed, compared, len(missing))


async def _look_at(homeserver: Homeserver, pool: Pool, room_id: RoomId, *, is_listed: bool) -> Completeness | None:
    """Compare one room; note why when that is not possible, and return None. A room that is not listed may be gone."""
    reason, is_gone = "", False
    try:
        found = await _complete(homeserver, pool, room_id)
    except HomeserverError as error:
        if error.status in (
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
        ):  # not about the room: we are no administrator
            raise
        _let_pass(error, room_id)
        reason, is_gone = error.message, error.status == HTTPStatus.NOT_FOUND
    else:
        if not found.compared and not is_listed:
            reason, is_gone = _GONE, True
    with store.database_errors():
        if reason:
            await completeness_store.note_obstacle(pool, room_id, reason, is_gone=is_gone)
            return None
        await completeness_store.clear_obstacle(pool, room_id)
    return found


async def _complete(homeserver: Homeserver, pool: Pool, room_id: RoomId) -> Completeness:
    """Compare one room back to where the last comparison began."""
    with store.database_errors():
        reached = await store.newest_compared(pool, room_id)
    newest: str | None = None
    waiting: list[Raw] = []
    compared = missing = 0
    async for page in _pages(homeserver, room_id):
        ids = [str(event.get("event_id", "")) for event in page]
        newest = newest or next(iter(ids), None)
        compared += len(page)
        waiting += await _unknown(pool, page)
        if len(waiting) >= _PORTION:
            missing += await _archive(homeserver, pool, waiting)
            waiting = []
        if reached in ids:
            break
    missing += await _archive(homeserver, pool, waiting)
    if newest:
        if newest != reached:
            missing += await _complete_state(homeserver, pool, room_id)
        with store.database_errors():
            await store.note_room(pool, room_id, newest, compared, missing)
    return Completeness(1, 0, compared, missing)


async def _complete_state(homeserver: Homeserver, pool: Pool, room_id: RoomId) -> int:
    """Archive what is missing of the room's state; return how many events that were."""
    unknown = await _unknown(pool, await homeserver.raw_state(room_id))
    unknown.sort(key=lambda event: Event.of(event).timestamp, reverse=True)
    return await _archive(homeserver, pool, unknown)


async def _pages(homeserver: Homeserver, room_id: RoomId) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the room's timeline, newest first, to its beginning."""
    before: str | None = None
    while True:
        page, older = await homeserver.messages(room_id, before=before)
        yield page
        if not page or not older or older == before:
            return
        before = older


async def _unknown(pool: Pool, page: Sequence[Raw]) -> list[Raw]:
    ids = [event_id for event in page if isinstance(event_id := event.get("event_id"), str)]
    with store.database_errors():
        known = await store.known_events(pool, ids)
    return [event for event in page if event.get("event_id") not in known]


async def _archive(homeserver: Homeserver, pool: Pool, newest_first: Sequence[Raw]) -> int:
    """Archive events oldest first, in their original form where that is known; return how many were new."""
    stored = 0
    for place in range(len(newest_first), 0, -_BATCH):
        batch: list[Raw] = []
        lost: list[Raw] = []
        for event in reversed(newest_first[max(place - _BATCH, 0) : place]):
            original = await _original(homeserver, event) if is_redacted(event) else event
            batch.append(original or event)
            lost += [event] if original is None else []
        if lost:
            with store.database_errors():
                ids = [str(event.get("event_id")) for event in lost]
                await store.note_lost(pool, ids, room_columns(lost), EXPIRED)
        stored += await ingest(pool, batch, "backfill")
    return stored


async def _original(homeserver: Homeserver, event: Raw) -> Raw | None:
    """Return the event with the content that it was sent with, or None when nobody knows that any more."""
    fetched = await homeserver.fetch_event(EventId(str(event.get("event_id"))))
    content = fetched.get("content") if fetched else None
    return {**event, "content": content} if isinstance(content, dict) and content != event.get("content") else None


def _let_pass(error: HomeserverError, what: str) -> None:
    """Raise when the homeserver is away; a refusal concerns one room or event, which may just have been deleted."""
    if isinstance(error, HomeserverUnavailableError):
        raise error
    log.warning("%s cannot be compared: %s", what, error.message, extra={"action": "archive.backfill"})
