"""What the administrators ought to know is said in their room, once."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bridge.database.listen import NOTICES, Listener
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice, read_untold
from bridge.errors import HomeserverUnavailableError
from bridge.membership.noticeboard import Noticeboard
from tests.integration.membership.conftest import Company
from tests.integration.membership.test_held import notices
from tests.waiting import wait_until

NEWS = Notice("hook:bamboo:refused:1", "bamboo: an event was refused")


async def test_a_notice_is_said_once(company: Company) -> None:
    """However often there is reason for it, and after a crash between saying and remembering."""
    await company.settle()
    board = Noticeboard(company.pool, company.homeserver)
    for _ in range(3):
        await put_notice(company.pool, NEWS)
        assert await board.tell()
    await company.pool.execute("UPDATE notice SET told_at = NULL")
    assert await board.tell()
    assert notices(company) == [NEWS.body]


async def test_a_notice_waits_for_the_room(company: Company) -> None:
    """There is none before the first reconciliation."""
    await put_notice(company.pool, NEWS)
    board = Noticeboard(company.pool, company.homeserver)
    assert not await board.tell()
    await company.settle()
    assert await board.tell()
    assert notices(company) == [NEWS.body]


async def test_a_notice_wakes_who_tells_it(company: Company, database_url: str) -> None:
    """Also when the homeserver was away at first."""
    await company.settle()
    failures = iter([HomeserverUnavailableError("away")])
    company.homeserver.before = lambda _number, name: next(failures, None) if name == "send" else None
    listener = Listener(database_url)
    tasks = [
        asyncio.create_task(Noticeboard(company.pool, company.homeserver).run(listener.subscribe(NOTICES))),
        asyncio.create_task(listener.run()),
    ]
    try:
        await put_notice(company.pool, NEWS)

        async def is_told() -> bool:
            return not await read_untold(company.pool)

        await wait_until(is_told)
        assert notices(company) == [NEWS.body]
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
