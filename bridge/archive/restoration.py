"""Giving a lost message, or the messages of a purged room, back from the archive.

    what is lost      what the homeserver does not have any more; in another room than its own, everything
    where to          its own room, a given one, or, when its own is gone, a new one for those who were in it last

Each message is sent once to a room, also when Muster is killed in between: its transaction ID is made from both, what
was sent is noted, and what was sent and not noted is found in the archive. What it reads like is left to `lost`.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from bridge.archive import restoration_store, store
from bridge.archive.access import Access
from bridge.archive.lost import MESSAGE, Lost, content_of, has_file, lost_of, restored_by, transaction_of
from bridge.archive.scope import stays_of
from bridge.archive.state_store import EVER, read_memberships, read_rooms_state
from bridge.archive.values import edited_by
from bridge.errors import HomeserverError, InputError, RefusedError, UnknownNameError
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.homeserver.own_room import RoomMaker, own_room
from bridge.homeserver.registration import ALIAS_PREFIX
from bridge.homeserver.voice import Voice
from bridge.ids import EventId, RoomId, UserId

if TYPE_CHECKING:
    from bridge.clock import Clock
    from bridge.database import Pool

_PORTION = 200
_NAME_LENGTH = 200


class Homeserver(RoomMaker, Voice, Protocol):
    """What it takes to give something back."""

    async def state(self, room_id: RoomId) -> list[Event]: ...
    async def fetch_event(self, event_id: EventId) -> dict[str, Any] | None: ...
    async def invite(self, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants to have back."""

    what: str
    """A room's ID, or an event's."""
    to: RoomId | None = None
    """None for where it was, or for a new room when that is gone."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of it."""

    room_id: RoomId
    positions: Sequence[int]
    encrypted: int
    target: RoomId | None
    """None for a room that is yet to be made."""


@dataclass(slots=True)
class Tally:
    """What became of the messages."""

    restored: int = 0
    before: int = 0
    """Given back to this room before."""
    there: int = 0
    """Not lost: the homeserver has them."""
    deleted: int = 0
    """Left out because they were deleted."""


async def find(pool: Pool, homeserver: Homeserver, request: Request, access: Access) -> Found:
    """Return what is archived of it, and where it goes.

    Raises `UnknownNameError`, `InputError` for what is no message, `RefusedError` for what the gate closes.
    """
    room_id, positions = await (_event if request.what.startswith("$") else _room)(pool, request.what)
    passed = await access.passing(pool, positions)
    if not passed:
        await access.refuse(
            "It was said in a direct room, which only a case opens: --case NUMBER.", {"what": request.what}
        )
    positions = [position for position in positions if position in passed]
    encrypted = await restoration_store.count_encrypted(pool, room_id)
    target = request.to or (room_id if await _is_there(homeserver, room_id) else None)
    return Found(room_id, positions, encrypted, target)


async def make_room(
    pool: Pool, homeserver: Homeserver, room_id: RoomId, allowed: Callable[[Collection[UserId]], Awaitable[set[UserId]]]
) -> tuple[RoomId, int]:
    """Return the new room for what was said in a room that is gone, and how many people are invited.

    Invited is whoever was in the old one when the last message was sent, as far as `allowed`. Its alias, which nobody
    else can take, keeps it one room also when Muster is stopped in between.
    """
    alias = f"{ALIAS_PREFIX}restored-{hashlib.sha256(room_id.encode()).hexdigest()[:24]}"
    target = await own_room(homeserver, _room_content(alias, await _name(pool, room_id)))
    invited = await allowed(await _last_members(pool, room_id, homeserver.bot))
    for user in sorted(invited):
        try:
            await homeserver.invite(target, user, reason="messages were restored from the archive")
        except HomeserverError as error:
            if error.status != HTTPStatus.FORBIDDEN:  # in it already, or nobody may invite them
                raise
    return target, len(invited)


async def give_back(
    pool: Pool,
    homeserver: Homeserver,
    found: Found,
    target: RoomId,
    *,
    deleted: bool,
    named: Callable[[Collection[UserId], datetime], Awaitable[Mapping[UserId, str]]],
    filed: Callable[[Event], Awaitable[str]],
    clock: Clock,
    progress: Callable[[int, int], None],
) -> Tally:
    """Send to a room what is lost and has not been given back there, the oldest first; again sends nothing twice.

    `named` tells what people were called at a moment, `filed` uploads the file of a message and returns its address, or
    nothing when there is none. Raises `RefusedError` when the bot may not speak there.
    """
    tally = Tally()
    known = await _given_back(pool, homeserver.bot, target)
    done = 0
    async for portion in _portions(pool, found.positions):
        names = await named({lost.original.sender for lost in portion}, _latest(portion, clock()))
        for lost in portion:
            event = lost.original
            if event.event_id in known:
                tally.before += 1
            elif lost.redaction and not deleted:
                tally.deleted += 1
            elif target == found.room_id and not lost.redaction and await homeserver.fetch_event(event.event_id):
                tally.there += 1
            else:
                file = await filed(lost.said) if has_file(lost) else ""
                content = content_of(lost, names.get(event.sender, event.sender), file)
                restored = await _say(homeserver, event.event_id, target, content)
                await restoration_store.put_restored(pool, event.event_id, target, restored, clock())
                tally.restored += 1
        done = min(done + _PORTION, len(found.positions))
        progress(done, len(found.positions))
    return tally


async def _event(pool: Pool, event_id: str) -> tuple[RoomId, list[int]]:
    row = await store.read_record(pool, event_id)
    if row is None or row["body"] is None:
        raise UnknownNameError(f"there is no event {event_id} in the archive")
    event = Event.of(wire.decode(row["body"]), row["seq"])
    if target := edited_by(event):
        raise InputError(f"{event_id} is an edit. Restore the message that it edits: {target}")
    if event.type != MESSAGE:
        raise InputError(f"Expected a message, came an event of type {event.type}. Only messages are restored.")
    return event.room_id, [event.seq]


async def _room(pool: Pool, room_id: str) -> tuple[RoomId, list[int]]:
    positions = await restoration_store.message_positions(pool, RoomId(room_id))
    if not positions:
        raise UnknownNameError(f"there is no message of a room {room_id} in the archive; a room ID begins with !")
    return RoomId(room_id), positions


async def _is_there(homeserver: Homeserver, room_id: RoomId) -> bool:
    try:
        state = await homeserver.state(room_id)
    except HomeserverError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return False
        raise
    return any(event.type == "m.room.member" and event.content.get("membership") == "join" for event in state)


async def _given_back(pool: Pool, bot: UserId, room_id: RoomId) -> set[str]:
    """Return what was given back to a room: what is noted, and what was sent and not noted any more."""
    said = await restoration_store.read_said_by(pool, room_id, bot)
    return set(await restoration_store.read_restored(pool, room_id)) | set(filter(None, map(restored_by, said)))


async def _portions(pool: Pool, positions: Sequence[int]) -> AsyncIterator[list[Lost]]:
    for start in range(0, len(positions), _PORTION):
        seqs = positions[start : start + _PORTION]
        events = await restoration_store.read_events(pool, seqs)
        related = await _related(pool, [event.event_id for event, _ in events.values()])
        related += await _related(pool, [event.event_id for event in related])
        found = (lost_of(*events[seq], related) for seq in seqs if seq in events)
        yield [lost for lost in found if lost]


def _latest(portion: Sequence[Lost], now: datetime) -> datetime:
    """Return when the last of the messages was sent; a sender's clock may be ahead, at most to now."""
    latest = max((lost.original.timestamp for lost in portion), default=0)
    return datetime.fromtimestamp(min(latest / 1000, now.timestamp()), UTC)


async def _related(pool: Pool, event_ids: Sequence[EventId]) -> list[Event]:
    rows = await store.read_related(pool, event_ids)
    return [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows if row["body"] is not None]


async def _say(homeserver: Homeserver, event_id: EventId, target: RoomId, content: Mapping[str, object]) -> EventId:
    try:
        return await homeserver.send(target, MESSAGE, content, transaction_id=transaction_of(event_id, target))
    except HomeserverError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        raise RefusedError(
            f"{homeserver.bot} may not speak in {target}. Invite it and let it in, or name another room with --to."
        ) from error


async def _last_members(pool: Pool, room_id: RoomId, bot: UserId) -> set[UserId]:
    """Return who was in the room when the last message was sent."""
    last = await restoration_store.last_message(pool, room_id)
    stays = stays_of(await read_memberships(pool, EVER, room_id=room_id))
    return {stay.user_id for stay in stays if stay.begins <= last and (stay.ends is None or last <= stay.ends)} - {bot}


async def _name(pool: Pool, room_id: RoomId) -> str:
    named = await read_rooms_state(pool, ["m.room.name"], EVER, [room_id])
    names = [name for each in named if isinstance(name := each.event.content.get("name"), str) and name]
    return names[-1][:_NAME_LENGTH] if names else room_id


def _room_content(alias: str, name: str) -> dict[str, object]:
    return {
        "preset": "private_chat",
        "visibility": "private",
        "room_alias_name": alias,
        "name": f"{name} (restored)",
        "initial_state": [
            {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "forbidden"}},
        ],
    }
