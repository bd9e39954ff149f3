"""The phone book is there before anybody asks."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bridge.selfservice import look_up
from tests.integration.selfservice.office import PEOPLE, Office
from tests.waiting import wait_until


async def test_the_phone_book_is_made_at_the_start_and_follows_the_directory(office: Office) -> None:
    """No question waits for it; what HR says later comes in by the notification."""

    async def has(count: int) -> bool:
        return bool(await office.pool.fetchval("SELECT count(*) = $1 FROM phone_book", count))

    wake = asyncio.Event()
    keeping = asyncio.create_task(look_up.keep(office.pool, wake))
    try:
        await wait_until(lambda: has(len(PEOPLE)))
        await office.company.say("zoe", department="Sales")
        wake.set()
        await wait_until(lambda: has(len(PEOPLE) + 1))
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
