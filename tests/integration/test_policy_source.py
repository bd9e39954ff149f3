"""The policy in force is always a good one: a bad file changes nothing, and is told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.errors import DocumentError
from bridge.policy import source as module
from bridge.policy.source import PolicySource
from bridge.policy.store import keep_policy, last_policy
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

GOOD = "version: 1\ncompany: Nordwind\n"
BETTER = "version: 1\ncompany: Nordwind Logistics\n"
BAD = "version: 1\ncompani: Nordwind\n"
FAILING = """\
version: 1
company: Nordwind
rooms: {news: {name: News, members: active eq true}}
tests: [{given: {active: true}, not_in: [news]}]
"""


class Clock:
    """Every question is a second later than the last."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


CLOCK = Clock()


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0.01)
    caplog.set_level("INFO", logger="bridge")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The policy file, which is good."""
    path = tmp_path / "policy.yaml"
    path.write_text(GOOD)
    return path


@asynccontextmanager
async def _opened(pool: Pool, file: Path, attributes: Sequence[str] = ()) -> AsyncIterator[PolicySource]:
    source = PolicySource(pool, file, attributes, clock=CLOCK)
    await source.open()
    source.changed.clear()
    watching = asyncio.create_task(source.watch())
    try:
        yield source
        assert not watching.done()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _replace(file: Path, text: str | None) -> None:
    """Write a file as editors do, under another name and then in its place; None takes it away."""
    if text is None:
        file.unlink()
        return
    scratch = file.with_suffix(".new")
    scratch.write_text(text)
    scratch.rename(file)


async def test_a_change_on_disk_comes_into_force(pool: Pool, file: Path) -> None:
    """Nobody restarts anything, and who waits for it is woken."""
    async with _opened(pool, file) as source:
        assert source.policy.company == "Nordwind"
        _replace(file, BETTER)
        await asyncio.wait_for(source.changed.wait(), 30)
        assert source.policy.company == "Nordwind Logistics"
    assert await last_policy(pool) == BETTER


async def test_a_bad_change_is_told_once_and_changes_nothing(
    pool: Pool, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With line and column; when the file is good again, that is told too."""
    async with _opened(pool, file) as source:
        before = source.policy
        _replace(file, BAD)
        await wait_until(lambda: "policy.yaml:2:1: error: unknown key `compani`" in caplog.text)
        _replace(file, GOOD)
        await wait_until(lambda: "the policy file is good again" in caplog.text)
        assert source.policy is before
        assert not source.changed.is_set()
    assert caplog.text.count("is bad") == 1
    assert await last_policy(pool) == GOOD


async def test_a_policy_that_fails_its_own_tests_is_bad(
    pool: Pool, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever wrote the test meant it."""
    async with _opened(pool, file) as source:
        _replace(file, FAILING)
        await wait_until(lambda: "expected not to be in news" in caplog.text)
        assert source.policy.rooms == {} or not source.policy.rooms


async def test_a_file_that_vanishes_is_told_and_may_come_back(
    pool: Pool, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Absence never acts: the last good policy stays in force."""
    async with _opened(pool, file) as source:
        _replace(file, None)
        await wait_until(lambda: "cannot be read" in caplog.text)
        assert source.policy.company == "Nordwind"
        _replace(file, BETTER)
        await asyncio.wait_for(source.changed.wait(), 30)
        assert source.policy.company == "Nordwind Logistics"
    assert caplog.text.count("is bad") == 1


async def test_a_first_start_needs_a_good_policy(pool: Pool, file: Path) -> None:
    """There is no last one to fall back to; the problems are told."""
    _replace(file, BAD)
    with pytest.raises(DocumentError, match="unknown key `compani`"):
        await PolicySource(pool, file, (), clock=CLOCK).open()
    assert await last_policy(pool) is None


@pytest.mark.parametrize("text", [BAD, FAILING, None])
async def test_a_start_with_a_bad_file_takes_the_last_good_policy(
    pool: Pool, file: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A restart of the machine at a bad moment does not take the service away."""
    async with _opened(pool, file):
        pass
    _replace(file, text)
    async with _opened(pool, file) as source:
        assert source.policy.company == "Nordwind"
    assert caplog.text.count("is bad; the last good policy stays in force") == 1


async def test_the_last_good_policy_is_the_one_in_force_last(pool: Pool, file: Path) -> None:
    """Not the newest text: going back to an older version is a change like others."""
    for text in (GOOD, BETTER, GOOD):
        _replace(file, text)
        async with _opened(pool, file):
            pass
    _replace(file, BAD)
    async with _opened(pool, file) as source:
        assert source.policy.company == "Nordwind"


async def test_a_last_policy_that_does_not_read_any_more_is_none(pool: Pool, file: Path) -> None:
    """It used an attribute that the configuration has no more: then the file's problems are told, not its."""
    _replace(file, GOOD + 'rooms: {night: {name: Night, members: shift eq "night"}}\n')
    async with _opened(pool, file, ["shift"]):
        pass
    _replace(file, BAD)
    with pytest.raises(DocumentError, match=r"policy\.yaml:2:1: error: unknown key `compani`"):
        await PolicySource(pool, file, (), clock=CLOCK).open()


async def test_a_change_while_the_database_is_away_is_taken_later(
    pool: Pool, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in force is always written down first, so it waits."""
    tries: list[str] = []

    async def refused(db: Pool, digest: str, text: str, at: datetime) -> None:
        tries.append(text)
        if len(tries) < 3:
            raise ConnectionRefusedError
        await keep_policy(db, digest, text, at)

    async with _opened(pool, file) as source:
        monkeypatch.setattr(module, "keep_policy", refused)
        _replace(file, BETTER)
        await asyncio.wait_for(source.changed.wait(), 30)
    assert tries == [BETTER] * 3
    assert await last_policy(pool) == BETTER
