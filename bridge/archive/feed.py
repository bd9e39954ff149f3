"""The events, in the order of the archive, to those who act on them.

A consumer reads from its cursor in the database and not from memory: what was archived while it was away, or before
it existed, it is given when it comes back. The cursor moves after `handle` has returned, so an event may be given
again, never left out, unless the consumer cannot handle it: then it is set aside with its error, and the rest goes
on. What waits for something that is away (homeserver, database) waits.
"""

from __future__ import annotations

import logging
from asyncio import sleep
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from bridge.archive import store
from bridge.archive.batch import storable
from bridge.archive.newest import Given, Newest
from bridge.errors import DatabaseUnavailableError, HomeserverUnavailableError
from bridge.homeserver.event import Event
from bridge.patience import Backoff, Patience, Wake

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

_BACKOFF = Backoff(0.25, 30.0)
_LONGEST_ERROR = 2000


class Consumer(Protocol):
    """Somebody who acts on events."""

    name: str
    """Of its cursor; for ever."""

    async def handle(self, events: Sequence[Event]) -> None:
        """Act on the events, in their order; the same events may come again."""
        ...


async def run_consumer(
    pool: Pool, consumer: Consumer, wake: Wake, *, batch: int = 500, rest: float = 0.0, newest: Newest | None = None
) -> None:
    """Give the consumer every event after its cursor, at most `batch` at a time, until cancelled.

    After it was given all there were it rests so many seconds, so that more come together.

    A batch that fails is given again in halves until the events that fail alone are found and set aside. Consumers
    that share `newest` have events read once.
    """
    newest = newest or Newest(pool)
    size = batch
    patience = Patience(
        _BACKOFF,
        lambda problem: log.warning("%s waits: %s", consumer.name, problem, extra={"action": "feed.wait"}),
        lambda: log.info("%s goes on", consumer.name, extra={"action": "feed.go_on"}),
    )
    while True:
        wake.clear()
        try:
            given, handled = await _give(pool, newest, consumer, size)
        except (HomeserverUnavailableError, DatabaseUnavailableError) as error:
            await patience.wait_out(error)
            continue
        patience.recover()
        if not handled:
            size = max(len(given.events) // 2, 1)
        elif given.is_all:
            size = batch
            await sleep(rest)
            await wake.wait()
        else:
            size = min(size * 2, batch)


async def _give(pool: Pool, newest: Newest, consumer: Consumer, limit: int) -> tuple[Given, bool]:
    """Give the next events; return which they were, and whether they are done with."""
    with store.database_errors():
        given = await newest.read(consumer.name, limit)
    if not given.events:
        return given, True
    last = given.events[-1].seq
    try:
        with store.database_errors():
            await consumer.handle(given.events)
    except (HomeserverUnavailableError, DatabaseUnavailableError):
        raise
    except Exception as error:
        if len(given.events) > 1:
            return given, False
        await _set_aside(pool, consumer, last, error)
    else:
        with store.database_errors():
            await store.move_cursor(pool, consumer.name, last)
    return given, True


async def _set_aside(pool: Pool, consumer: Consumer, seq: int, error: Exception) -> None:
    """Leave the event out for this consumer; the kind of error is logged, its words, which may quote, only stored."""
    words = storable(f"{type(error).__name__}: {error}", _LONGEST_ERROR)
    async with store.transaction(pool) as connection:
        await store.set_aside_event(connection, consumer.name, seq, words)
        await store.move_cursor(connection, consumer.name, seq)
    log.error(
        "%s cannot handle event %d (%s); it is set aside",
        consumer.name,
        seq,
        type(error).__name__,
        extra={"action": "feed.set_aside"},
    )
