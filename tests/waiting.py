"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

_POLL_SECONDS = 0.02


async def wait_until(condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = 120.0) -> None:
    """Return as soon as `condition` holds; fail the test when it still does not after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while not await _holds(condition):  # noqa: ASYNC110 - what is waited for knows no event of ours
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        raise AssertionError(f"not within {seconds:g} s: {getattr(condition, '__name__', condition)}") from error


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    held = condition()
    return held if isinstance(held, bool) else await held
