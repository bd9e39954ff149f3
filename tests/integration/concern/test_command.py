"""`muster reports` lists what is open and never what it says; what is urgent goes first."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.cli import reports
from bridge.config import read_config
from bridge.selfservice.store import Act, Kind, add_act, claim_act
from tests.integration.concern.office import Watch, furnished
from tests.integration.membership.conftest import user

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.app import Services
    from bridge.database import Pool


class _Services:
    def __init__(self, pool: Pool, folder: Path) -> None:
        self.pool = pool
        self.config = read_config("homeserver: {url: 'http://localhost:8008', server_name: x}\n", folder / "c.yaml")


@pytest.fixture
async def watch(pool: Pool) -> Watch:
    """The office whose employees may report."""
    return await furnished(pool)


async def test_reports_are_listed_without_words_and_names(
    watch: Watch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Number, kind and moments, as text and as JSON; `--open` leaves out what is closed."""

    async def run(*words: str) -> str:
        parser = argparse.ArgumentParser()
        reports.add_parser(parser.add_subparsers())
        args = parser.parse_args(["reports", *words])
        args.json = "--limit" in words
        handler: Any = args.handler
        assert await handler.__wrapped__(args, cast("Services", _Services(watch.pool, tmp_path))) == 0
        return capsys.readouterr().out

    assert await run() == "Nothing has been reported yet.\n"
    room_id = await watch.office.direct("bob")
    await watch.ask("bob", "report accident the secret ramp", room_id)
    listed = await run()
    assert "accident" in listed
    assert "0 of 1" in listed
    assert "ramp" not in listed
    assert "bob" not in listed.lower()
    assert max(map(len, listed.splitlines())) <= 80
    (line,) = json.loads(await run("--limit", "5"))
    assert (line["number"], line["kind"], line["asked"], line["taken"]) == (1, "accident", 1, 0)
    await watch.react("cid", await watch.message("words"), "✅")
    await watch.react("cid", await watch.message("status"), "✅")
    assert await run("--open") == "No report is open.\n"


async def test_what_is_urgent_does_not_wait_behind_what_many_are_told(watch: Watch) -> None:
    """A report is passed on while thousands are told of a legal hold."""
    now = watch.office.company.clock()
    for number in range(3):
        await add_act(watch.pool, Act(f"hold:{number}", Kind.SAY, None, user("ann"), {"body": "x"}), now)
    await add_act(watch.pool, Act("told:words", Kind.SAY, None, user("bob"), {"body": "x"}, urgent=True), now)
    assert await claim_act(watch.pool) == "told:words"
