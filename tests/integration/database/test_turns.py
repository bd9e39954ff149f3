"""Whatever takes turns is on time, waits for what is away, says so once, and ends when it is told to."""

from __future__ import annotations

import asyncio
import logging
import selectors
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.database.turns import take_turns
from bridge.errors import HomeserverError, HomeserverUnavailableError, MusterError
from bridge.patience import Backoff

Turn = Callable[[], Awaitable[float | None]]
Outcome = float | None | Exception

BACKOFF = Backoff(1.0, 8.0)
AWAY = (
    OSError("no route"),
    asyncpg.PostgresConnectionError("lost"),
    HomeserverUnavailableError("Synapse is gone."),
    HomeserverError("Synapse refuses."),
    ExceptionGroup("several at once", [ExceptionGroup("", [OSError("no route")]), MusterError("Refused.")]),
)


class Skipping(asyncio.SelectorEventLoop):
    """An event loop on which time passes at once, and only while everybody waits."""

    def __init__(self) -> None:
        class Selector(selectors.DefaultSelector):
            def select(_, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:  # noqa: N805
                assert timeout is not None, "everybody waits for ever"
                self.now += timeout
                return super().select(0)

        self.now = 0.0
        super().__init__(Selector())

    def time(self) -> float:
        return self.now


class OverError(Exception):
    """There is no further turn in this test."""


def taken(outcomes: Sequence[Outcome], wakes: Sequence[float] | None = (), *, breath: float = 0.0) -> list[float]:
    """Take turns that come to these, woken at these moments, and return when each was, and when one more would be.

    With None there is no wake.
    """
    moments: list[float] = []

    async def turn() -> float | None:
        moments.append(asyncio.get_running_loop().time())
        if len(moments) > len(outcomes):
            raise OverError
        outcome = outcomes[len(moments) - 1]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def run() -> None:
        wake = None if wakes is None else asyncio.Event()
        for moment in wakes or ():
            assert wake is not None
            asyncio.get_running_loop().call_at(moment, wake.set)
        with suppress(OverError):
            await take_turns(turn, wake, what="counting", action="count", breath=breath, backoff=BACKOFF)

    with asyncio.Runner(loop_factory=Skipping) as runner:
        runner.run(run())
    return moments


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert {record.__dict__["action"] for record in caplog.records} <= {"count"}
    return [record.getMessage() for record in caplog.records]


@given(st.lists(st.floats(0, 100) | st.sampled_from(AWAY)), st.sampled_from((0.0, 0.5, 2.0)))
def test_a_turn_is_taken_when_it_is_due(outcomes: list[Outcome], breath: float) -> None:
    """At once when there is more to do, but for the breath; while something is away at growing intervals."""
    expected, failures = [0.0], 0
    for outcome in outcomes:
        if isinstance(outcome, float):
            pause, failures = max(outcome, breath), 0
        else:
            pause, failures = breath + BACKOFF.pause(failures), failures + 1
        expected.append(expected[-1] + pause)
    assert taken(outcomes, breath=breath) == pytest.approx(expected)


def test_a_turn_is_taken_when_there_is_something() -> None:
    """Before it is due, when nothing ever is, and before the next try of what was away, which may be back."""
    assert taken([60.0, None, OSError(), None], [3.0, 100.0, 100.5, 101.0]) == [0.0, 3.0, 100.0, 100.5, 101.0]
    assert taken([None, None], [3.0, 3.1, 3.2], breath=0.5) == [0.0, 3.0, 3.5]


def test_who_has_no_wake_is_on_time_all_the_same() -> None:
    """Some work comes with the clock alone."""
    assert taken([5.0, OSError(), OSError()], None) == [0.0, 5.0, 6.0, 8.0]


def test_what_comes_during_a_turn_is_not_forgotten() -> None:
    """It may have come after the turn had looked."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1
        if turns == 2:
            raise OverError
        wake.set()

    wake = asyncio.Event()
    with asyncio.Runner(loop_factory=Skipping) as runner, pytest.raises(OverError):
        runner.run(take_turns(turn, wake, what="counting", action="count"))


def test_an_absence_is_said_once_and_that_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    """Each problem once until it changes; nobody reads that what never waited goes on."""
    caplog.set_level(logging.INFO)
    taken([0.0, OSError("secret"), OSError(), AWAY[2], AWAY[2], 0.0, 0.0, AWAY[4], AWAY[3]])
    assert said(caplog) == [
        "counting waits: PostgreSQL does not answer (OSError).",
        "counting waits: Synapse is gone.",
        "counting goes on",
        "counting waits: PostgreSQL does not answer (OSError).",
        "counting waits: Synapse refuses.",
    ]


@pytest.mark.parametrize("error", [ValueError(), ExceptionGroup("", [OSError(), ValueError()])])
def test_a_defect_is_not_waited_for(error: Exception) -> None:
    """Nobody would hear of it."""
    with pytest.raises((ValueError, ExceptionGroup)):
        taken([error])


async def _idle() -> None:
    """Wait to be woken."""


async def _work() -> None:
    await asyncio.Event().wait()


async def _fail() -> None:
    raise OSError


async def _spin() -> float:
    return 0.0


async def _fail_together() -> None:
    """Be cancelled with a task that fails for it."""

    async def fail() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError

    async with asyncio.TaskGroup() as group:
        group.create_task(fail())


@pytest.mark.parametrize("turn", [_idle, _work, _fail, _spin, _fail_together])
async def test_who_is_cancelled_ends(turn: Turn) -> None:
    """Whatever it is at, also when that fails at the same moment."""
    running = asyncio.create_task(take_turns(turn, asyncio.Event(), what="counting", action="count"))
    for _ in range(10):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running], timeout=10)
    assert running.cancelled()
