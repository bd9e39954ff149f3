"""Reading what HR has changed, and running policies over it: `replay` with the database behind it.

Nothing is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.directory.past_store import load_recorded, load_states
from bridge.membership.replay import Replay, ends_of_days, replay
from bridge.policy.loader import load
from bridge.policy.schema import Policy
from bridge.policy.store import last_policy

if TYPE_CHECKING:
    from bridge.database import Pool


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the policy in force and another one would have done."""

    old: Replay | None
    """None when there is none in force, or it is the same."""
    new: Replay
    days: int
    changes: int
    """Recorded states."""


async def rehearse(
    pool: Pool, policy: Policy, days: int, now: datetime, *, timezone: str = "UTC", attributes: Sequence[str] = ()
) -> Rehearsal:
    """Return what both policies would have done to the changes recorded in so many days up to now.

    Raises `DocumentError` when the policy in force cannot be read any more.
    """
    moments = ends_of_days(now, days)
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        states = await load_states(connection, moments[0])
        entries = await load_recorded(connection, moments[0], now)
        text = await last_policy(connection)
    before = [state.person for state in states.values()]
    in_force = None if text is None else load(text, "the policy in force", attributes)
    old = None
    if in_force is not None and in_force.digest != policy.digest:
        old = await asyncio.to_thread(replay, in_force, before, entries, moments, timezone=timezone)
    new = await asyncio.to_thread(replay, policy, before, entries, moments, timezone=timezone)
    return Rehearsal(old, new, days, len(entries))
