"""A loop that waits says what for, once, and goes on."""

from __future__ import annotations

import asyncio

import pytest

from bridge.patience import Backoff, Patience, woken


def told(pause: float = 0.0) -> tuple[Patience, list[str]]:
    """Return somebody patient, and what they say."""
    said: list[str] = []
    return Patience(Backoff(pause, pause), said.append, lambda: said.append("on")), said


async def test_each_problem_is_said_once_until_it_changes_or_is_over() -> None:
    """Nobody reads the same line every minute; that things go on is said when it was said that they do not."""
    patience, said = told()
    for problem in ("away", "away", "refused", "", "away", ""):
        await patience.wait_out(problem)
    assert said == ["away", "refused", "on", "away", "on"]
    patience.recover()
    await patience.wait_out("away")
    patience.recover()
    patience.recover()
    assert said[5:] == ["away", "on"]


async def test_who_is_woken_waits_no_longer() -> None:
    """New work may find what was away back."""
    patience, _ = told(3600)
    wake = asyncio.Event()
    wake.set()
    await asyncio.wait_for(patience.wait_out("away", wake), 10)
    await asyncio.wait_for(woken(wake, 3600), 10)
    await woken(asyncio.Event(), 0)


@pytest.mark.parametrize("turns", range(4))
async def test_who_is_woken_and_stopped_at_once_stops(turns: int) -> None:
    """However closely work and the end of the service come one after the other, the loop does not go on for ever."""
    wake = asyncio.Event()
    waiting = asyncio.create_task(woken(wake, 3600))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    wake.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    is_told_to_stop = waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.cancelled() == is_told_to_stop
