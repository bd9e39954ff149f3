"""A loop that waits says what for, once, and goes on."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from bridge.database import silent
from bridge.errors import HomeserverUnavailableError, MusterError
from bridge.patience import Backoff, Patience, woken


def told(pause: float = 0.0) -> tuple[Patience, list[str]]:
    """Return somebody patient, and what they say."""
    said: list[str] = []
    return Patience(Backoff(pause, pause), said.append, lambda: said.append("on")), said


async def test_each_problem_is_said_once_until_it_changes_or_is_over() -> None:
    """Nobody reads the same line every minute; that things go on is said when it was said that they do not."""
    patience, said = told()
    away, refused = MusterError("away"), MusterError("refused")
    for error in (away, away, refused, None, away, None):
        await patience.wait_out(error)
    assert said == ["away", "refused", "on", "away", "on"]
    patience.recover()
    await patience.wait_out(away)
    patience.recover()
    patience.recover()
    assert said[5:] == ["away", "on"]


async def test_an_absence_is_one_problem_however_it_shows() -> None:
    """First connections break, then they are refused; what is in front of a homeserver names each request."""
    patience, said = told()
    for error in (
        HomeserverUnavailableError("It does not answer (Server disconnected)."),
        HomeserverUnavailableError("It does not answer (Connect call failed)."),
        HomeserverUnavailableError("The homeserver is away (502 at PUT /a)"),
        silent(ConnectionResetError("reset by peer")),
        silent(ConnectionRefusedError()),
        silent(asyncpg.CannotConnectNowError("the database system is starting up")),
        HomeserverUnavailableError("It does not answer (Connect call failed)."),
    ):
        await patience.wait_out(error)
    assert said == [
        "It does not answer (Server disconnected).",
        "PostgreSQL does not answer (reset by peer).",
        "It does not answer (Connect call failed).",
    ]


async def test_who_is_woken_waits_no_longer() -> None:
    """New work may find what was away back."""
    patience, _ = told(3600)
    wake = asyncio.Event()
    wake.set()
    await asyncio.wait_for(patience.wait_out(MusterError("away"), wake), 10)
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
