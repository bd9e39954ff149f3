"""Seeing who comes too close: the memberships that a batch of events tells, judged by the barriers.

It runs within the database transaction that takes the memberships in, so that none is overlooked; taking people out
again is left to `barrier_guard`. Whom Muster itself has put in is left to the next plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.ids import RoomId, UserId
from bridge.membership import barrier_store, member_store
from bridge.membership.barriers import Arrival, breaches

if TYPE_CHECKING:
    from bridge.database import Connection

PRESENT = ("join", "invite")


async def read_before(
    connection: Connection, members: Sequence[member_store.Membership]
) -> dict[tuple[RoomId, UserId], str]:
    """Return what those who arrive, and are on a side of a barrier, were to the rooms until now."""
    seated = await barrier_store.read_seats(
        connection, [each.user_id for each in members if each.membership in PRESENT]
    )
    if not seated:
        return {}
    coming = [each for each in members if each.user_id in seated and each.membership in PRESENT]
    known = await member_store.read_memberships(connection, [(each.room_id, each.user_id) for each in coming])
    return {(each.room_id, each.user_id): known.get((each.room_id, each.user_id), "") for each in coming}


async def watch(
    connection: Connection,
    members: Sequence[member_store.Membership],
    before: Mapping[tuple[RoomId, UserId], str],
    at: datetime,
) -> None:
    """Note who has come to share a room with somebody of the other side; `members` come in the order in which they
    happened, and have been taken in."""
    arrived = await member_store.read_arrived(
        connection,
        [
            each.event_id
            for each in members
            if before.get((each.room_id, each.user_id), each.membership) != each.membership
        ],
    )
    arrivals = [Arrival(each.room_id, each.user_id) for each in members if each.event_id in arrived]
    if not arrivals:
        return
    by_room: defaultdict[RoomId, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        by_room[arrival.room_id].append(arrival)
    found = []
    seats = await barrier_store.read_opposed(connection, list(by_room), [each.user_id for each in arrivals])
    for room_id, seated in seats.items():
        new = {arrival.user_id for arrival in by_room[room_id]}
        found += breaches(by_room[room_id], {room_id: seated.keys() - new}, seated)
    if found:
        await barrier_store.note_breaches(connection, found, at)
