"""The statements that read a part of the archive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.archive.scope import Scope, Stay, stays_of
from bridge.archive.search.segment import folded
from bridge.archive.state_store import EVER, read_people_memberships
from bridge.archive.store import MOMENT
from bridge.ids import RoomId, UserId

if TYPE_CHECKING:
    from bridge.archive.store import Row
    from bridge.database import Connection, Pool

_PORTION = 1000

MATCHES = f"""event.room_id <> ''
    AND ($1 OR event.room_id = ANY($2) OR event.sender = ANY($3) OR EXISTS (
        SELECT FROM unnest($4::text[], $5::timestamptz[], $6::timestamptz[]) AS stay (room_id, begins, ends)
        WHERE stay.room_id = event.room_id AND {MOMENT} BETWEEN stay.begins AND stay.ends))
    AND ($7::timestamptz IS NULL OR {MOMENT} >= $7) AND ($8::timestamptz IS NULL OR {MOMENT} < $8)"""
"""Of an `event`, with the values that `Bounds.values` gives."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A scope with the stays of its people, as they were archived when it was read."""

    scope: Scope
    stays: tuple[Stay, ...]

    def values(self) -> tuple[object, ...]:
        """Return the values $1 to $8 of the condition."""
        scope = self.scope
        return (
            not scope.rooms and not scope.people,
            list(scope.rooms),
            list(scope.people),
            [stay.room_id for stay in self.stays],
            [stay.begins for stay in self.stays],
            [stay.ends or EVER for stay in self.stays],
            scope.since,
            scope.until,
        )


async def read_bounds(db: Connection | Pool, scope: Scope) -> Bounds:
    """Return the scope with the stays of its people."""
    return Bounds(scope, tuple(await read_stays(db, scope.people)))


async def read_stays(db: Connection | Pool, people: Collection[UserId]) -> list[Stay]:
    """Return when these people were joined to which rooms."""
    return list(stays_of(await read_people_memberships(db, people))) if people else []


async def read_portions(connection: Connection, bounds: Bounds, after: int = 0) -> AsyncIterator[list[Row]]:
    """Yield (seq, event_id, room_id, origin_ts, received_at, backfilled, salt, leaf, body) in the ledger's order.

    A thousand at a time, behind position `after`; the caller's transaction may be a snapshot.
    """
    while True:
        rows = await connection.fetch(
            f"SELECT seq, event_id, room_id, origin_ts, received_at, backfilled, salt, leaf, body FROM event"  # noqa: S608
            f" WHERE {MATCHES} AND seq > $9 ORDER BY seq LIMIT {_PORTION}",
            *bounds.values(),
            after,
        )
        if not rows:
            return
        yield rows
        after = rows[-1]["seq"]


async def count_events(db: Connection | Pool, bounds: Bounds) -> int:
    """Return how many events the scope holds."""
    found: int = await db.fetchval(f"SELECT count(*) FROM event WHERE {MATCHES}", *bounds.values())  # noqa: S608
    return found


async def matching(db: Connection | Pool, bounds: Bounds, seqs: Collection[int]) -> frozenset[int]:
    """Return which of the events at these positions are in the scope."""
    rows = await db.fetch(
        f"SELECT seq FROM event WHERE {MATCHES} AND seq = ANY($9)",  # noqa: S608 - our own condition
        *bounds.values(),
        list(seqs),
    )
    return frozenset(row["seq"] for row in rows)


async def rooms_called(db: Connection | Pool, name: str) -> list[RoomId]:
    """Return the archived rooms with this ID, or with this name in the form in which search compares names."""
    rows = await db.fetch(
        "SELECT room_id FROM search_room WHERE room_id = $1 OR (name = $2 AND name <> '')"
        " UNION SELECT $1 WHERE $1 <> '' AND EXISTS (SELECT FROM event WHERE room_id = $1)",
        name,
        folded(name).strip(),
    )
    return [RoomId(row["room_id"]) for row in rows]
