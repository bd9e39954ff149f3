"""What the demo does at once ends as one thing would: with its results, or with the first error."""

from __future__ import annotations

import asyncio

import pytest

from bridge.demo.concurrency import settled, together
from bridge.errors import MusterError


async def test_results_come_in_the_order_of_the_work_and_never_too_many_at_once() -> None:
    """Whoever finishes first, results stand where their work stood, and the limit holds."""
    under_way = most = 0

    async def work(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(10 - number):
            await asyncio.sleep(0)
        under_way -= 1
        return number

    assert await together(map(work, range(10)), at_once=3) == list(range(10))
    assert most == 3


async def test_the_first_error_is_raised_as_itself_and_ends_the_rest() -> None:
    """A person reads one message, not a group of errors, and nothing goes on in the background."""
    ended: list[str] = []

    async def patient() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("patient")

    async def failing() -> None:
        raise MusterError("the SCIM endpoint refused")

    with pytest.raises(MusterError, match="the SCIM endpoint refused"):
        await together([patient(), failing()], at_once=2)
    assert ended == ["patient"]


async def test_waiting_ends_with_the_wanted_value_or_with_the_last_one() -> None:
    """A check that does not hold in time says what was found instead of failing without a word."""
    values = iter([1, 2, 3])

    async def read() -> int:
        return next(values)

    assert await settled(read, lambda value: value == 2, seconds=60) == 2
    assert await settled(read, lambda value: value == 2, seconds=-1) == 3
