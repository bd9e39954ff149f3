"""Once a day: rows that only steered what Muster did are forgotten when nothing asks for them any more.

What is evidence stays: the archive, the audit log, the history of people, policies, approvals, requests, announcements
and their acknowledgements, breaches of barriers. How long what is kept is in `docs/operating.md`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.announcements import outbox_store
from bridge.announcements.sources import store as source_store
from bridge.clock import Clock
from bridge.database.turns import take_turns
from bridge.directory import door_store, hook_store, notice_store
from bridge.membership import audit_store, drift_store, lifecycle_store
from bridge.selfservice import store as selfservice_store

if TYPE_CHECKING:
    from bridge.database import Pool

EVERY = timedelta(days=1)

Forget = Callable[["Pool", datetime], Awaitable[None]]
"""Forgets what is older than the moment."""

SHORT = timedelta(days=7)
LONG = timedelta(days=90)
KEPT: tuple[tuple[timedelta, Forget], ...] = (
    (SHORT, hook_store.forget_handled),
    (SHORT, notice_store.forget_quiet),
    (SHORT, selfservice_store.forget_acts),
    (LONG, drift_store.forget_settled),
    (LONG, drift_store.forget_sent),
    (LONG, audit_store.forget_answers),
    (LONG, door_store.forget_removals),
    (LONG, lifecycle_store.forget_takeovers),
    (LONG, source_store.forget_items),
    (LONG, outbox_store.forget_content),
)
"""How long what is kept."""


async def keep_house(pool: Pool, clock: Clock) -> None:
    """Tidy up at once and every day, until cancelled; while PostgreSQL is away, try again with back-off."""

    async def turn() -> float:
        await tidy(pool, clock())
        return EVERY.total_seconds()

    await take_turns(turn, None, what="tidying up", action="tidy")


async def tidy(pool: Pool, now: datetime) -> None:
    """Forget everything that is too old; again it changes nothing."""
    for kept, forget in KEPT:
        await forget(pool, now - kept)
