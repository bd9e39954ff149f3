"""Erasure carried out: what a person said is disposed of, a batch at a time, and the decision is recorded.

`plan_erasure` only reads; what goes and what stays is left to `erasure`. `carry_out` can be interrupted: what is done
is in the ledger, and doing it again does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from bridge.archive import person_store, store
from bridge.archive.disposal import BATCH, Held, Outcome, dispose
from bridge.archive.disposition import Order
from bridge.archive.entry import Actor, Entry, Recorded
from bridge.archive.erasure import Erasure, decide, required_by_policy
from bridge.archive.erasure_text import is_about
from bridge.archive.log import entries, record
from bridge.archive.search.forget import sweep
from bridge.clock import Clock
from bridge.ids import PersonId, RoomId, RoomKey
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

REASON = "erasure"
_EVERY = 10_000_000


async def plan_erasure(
    pool: Pool, person: PersonId, policy: Policy, today: date, held: Held, required: Mapping[RoomId, str]
) -> tuple[Erasure, dict[RoomId, RoomKey]]:
    """Return the decision on a request as of one moment, and what managed rooms are called.

    `required` are rooms that the law keeps, with the reason, beside those that the policy keeps until a day.
    """
    async with store.snapshot(pool) as connection:
        accounts = await person_store.read_accounts(connection, person)
        said = await person_store.read_said(connection, accounts)
        on_hold: set[int] = set()
        for place in range(0, len(said), BATCH):
            on_hold |= await held(connection, [one.seq for one in said[place : place + BATCH]])
        keys = await person_store.read_keys(connection)
    by_law = {**required_by_policy(keys, policy.retention.keep, today), **required}
    return decide(person, accounts, said, on_hold, by_law), keys


async def carry_out(
    pool: Pool, erasure: Erasure, request: str, actor: Actor, held: Held, clock: Clock
) -> tuple[Outcome, list[Recorded]]:
    """Dispose of what the decision names, record it, and return the outcome with every disposition of this person's.

    `request` is why. Raises `DatabaseUnavailableError`; batches that are done stay done.
    """
    outcome = Outcome()
    order = Order(actor, REASON, {"person": erasure.person, "request": request})
    for place in range(0, len(erasure.going), BATCH):
        outcome += await dispose(pool, erasure.going[place : place + BATCH], order, held, clock())
    if outcome.disposed:
        await sweep(pool)
    details = {
        "person": erasure.person,
        "request": request,
        "erased": outcome.disposed,
        "kept": [[one.room_id, one.reason, one.count] for one in erasure.kept],
        "held_since": len(outcome.held),
    }
    await record(pool, Entry("erase", actor, details), clock())
    found = await entries(pool, deed="dispose", limit=_EVERY)
    return outcome, [one for one in reversed(found) if is_about(one, erasure)]
