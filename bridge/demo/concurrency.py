"""Doing several things at once, and waiting for something to become true."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

_T = TypeVar("_T")
_POLL_SECONDS = 0.02


async def together(work: Iterable[Coroutine[Any, Any, _T]], *, at_once: int) -> list[_T]:
    """Do all of it, so much at once, and return the results in order; the first error ends the rest and is raised."""
    slots = asyncio.Semaphore(at_once)

    async def do(one: Coroutine[Any, Any, _T]) -> _T:
        async with slots:
            return await one

    tasks = [asyncio.create_task(do(one)) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def settled(read: Callable[[], Awaitable[_T]], wanted: Callable[[_T], bool], *, seconds: float) -> _T:
    """Read again and again until the value is as wanted or the time is over, and return the last value."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        value = await read()
        if wanted(value) or loop.time() > deadline:
            return value
        await asyncio.sleep(_POLL_SECONDS)
