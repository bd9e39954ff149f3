"""Retention carried out: what is over is looked up, shown, and disposed of, by hand or every night.

`preview` only reads. `carry_out` disposes of exactly what a preview names: what has come or was put on hold since, and
what another policy would add, stays. What is over is left to `schedule`, disposing to `disposal`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from bridge.archive import disposal_store, store
from bridge.archive.disposal import BATCH, Held, Outcome, dispose
from bridge.archive.disposition import Order
from bridge.archive.entry import Actor
from bridge.archive.schedule import Limit, Preview, Share, limits
from bridge.archive.search.forget import sweep
from bridge.clock import Clock
from bridge.errors import RefusedError
from bridge.ids import UserId
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

REASON = "retention"


async def preview(pool: Pool, policy: Policy, bot: UserId, today: date, held: Held) -> Preview:
    """Return what would go on that day, as of one moment; raises `DatabaseUnavailableError`."""
    async with store.snapshot(pool) as connection:
        rooms = {room.room_id: room for room in await disposal_store.read_rooms(connection, bot)}
        over = {limit.room_id: (rule, limit) for rule, limit in limits(policy, rooms.values(), today)}
        upto, _ = await store.read_head(connection)
        bounds = [limit for _, limit in over.values()]
        rows = await disposal_store.read_due(connection, bounds, upto) if bounds else []
        on_hold = await _count_held(connection, bounds, upto, held) if rows else Counter[str]()
        shares = [
            Share(
                *over[row["room_id"]],
                name=rooms[row["room_id"]].key or row["room_id"],
                count=row["count"],
                held=on_hold[row["room_id"]],
                oldest=row["oldest"],
                newest=row["newest"],
                size=row["bytes"],
                positions=row["digest"],
            )
            for row in rows
        ]
        return Preview(today, upto, await disposal_store.count_payloads(connection), shares)


async def find_preview(pool: Pool, policy: Policy, bot: UserId, today: date, held: Held, digest: str) -> Preview:
    """Return the preview of today or yesterday that the digest, or its beginning, names.

    Raises `RefusedError` when what would go is something else by now.
    """
    for day in (today, today - timedelta(days=1)):
        found = await preview(pool, policy, bot, day, held)
        if len(digest) >= _SHORTEST and found.digest.startswith(digest.lower()):
            return found
    raise RefusedError(
        f"{digest} is not what would go now: something came or went, a hold or the policy changed, or it is older than "
        "a day. Nothing was disposed of. Look again with `muster archive dispose`."
    )


_SHORTEST = 8
"""Characters of a digest that name a preview."""


async def carry_out(
    pool: Pool,
    planned: Preview,
    actor: Actor,
    held: Held,
    clock: Clock,
    progress: Callable[[int], None] = lambda _done: None,
) -> Outcome:
    """Dispose of what the preview names, rule by rule, a batch at a time; again disposes of the rest.

    `progress` is called with the records looked at. Raises `DatabaseUnavailableError`; batches that are done stay done.
    """
    outcome, looked_at = Outcome(), 0
    for rule, shares in planned.by_rule().items():
        order = Order(actor, REASON, {"rule": str(rule)})
        bounds, after = [share.limit for share in shares], 0
        while batch := await _positions(pool, bounds, after, planned.upto):
            outcome += await dispose(pool, batch, order, held, clock())
            after, looked_at = batch[-1], looked_at + len(batch)
            progress(looked_at)
    if outcome.disposed:
        await sweep(pool)
    return outcome


async def _positions(pool: Pool, bounds: Sequence[Limit], after: int, upto: int) -> list[int]:
    with store.database_errors():
        return [seq for seq, _ in await disposal_store.read_due_positions(pool, bounds, after, upto, BATCH)]


async def _count_held(connection: Connection, bounds: Sequence[Limit], upto: int, held: Held) -> Counter[str]:
    """Return how many of what is over are on hold, by room."""
    found, after = Counter[str](), 0
    while batch := await disposal_store.read_due_positions(connection, bounds, after, upto, BATCH):
        kept = await held(connection, [seq for seq, _ in batch])
        found.update(room_id for seq, room_id in batch if seq in kept)
        after = batch[-1][0]
    return found
