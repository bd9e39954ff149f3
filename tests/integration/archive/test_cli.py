"""`muster archive`, on a real PostgreSQL."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.cli import archive
from bridge.clock import Clock, system_clock
from bridge.config import Config, read_config
from bridge.directory.intake import import_csv
from bridge.errors import InputError, UnknownNameError
from tests.integration.archive.test_search import archived, redacted, said
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.database import Pool


@dataclass
class FewServices:
    """What these verbs use of the services."""

    pool: Pool
    config: Config
    clock: Clock = system_clock


async def muster(pool: Pool, *words: str, as_json: bool = False, folder: Path = Path("/nonexistent")) -> int:
    """Run a verb as a person types it and return the exit code."""
    parser = argparse.ArgumentParser()
    archive.add_parser(parser.add_subparsers())
    args = parser.parse_args(["archive", *words])
    args.json = as_json
    config = read_config("homeserver: {url: 'http://localhost:8008', server_name: x}\n", folder / "config.yaml")
    handler = getattr(args.handler, "__wrapped__", None)
    code: int = await (handler(args, cast("Services", FewServices(pool, config))) if handler else args.handler(args))
    return code


@pytest.fixture(autouse=True)
async def _filled(pool: Pool) -> None:
    """Archive a message that was deleted, and one that stands."""
    names = [
        an_event(
            f"$n{room}", type="m.room.name", state_key="", content={"name": room}, origin_server_ts=1, room_id=room
        )
        for room in ("!r", "!other")
    ]
    await archived(
        pool,
        *names,
        said("$gone", "the budget is 5 million", 1700000000000),
        redacted("$r", "$gone", sender="@boss:x", origin_server_ts=1700000001000),
        said("$here", "which budget?", 1700000002000, room_id="!other", sender="@b:x"),
    )


async def run_json(pool: Pool, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Return what a verb prints with `--json`."""
    assert await muster(pool, *words, as_json=True) == 0
    return json.loads(capsys.readouterr().out)


async def test_deleted_messages_are_found_and_shown(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """Search marks what was deleted; show gives its text and who deleted it."""
    assert await muster(pool, "search", "budget") == 0
    printed = capsys.readouterr().out
    assert printed.index("which **budget**?") < printed.index("the **budget** is 5 million")
    assert printed.count("[deleted]") == 1
    assert await muster(pool, "show", "$gone") == 0
    printed = capsys.readouterr().out
    assert "the budget is 5 million" in printed
    assert "deleted 2023-11-14 22:13:21Z by @boss:x: typo" in printed


async def test_search_is_narrowed(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """Filters among the words and options do the same, pages go on, and nothing found is said."""
    for words in (["budget", "--room", "!other", "--sender", "@b:x"], ["budget", "room:!other", "from:@b:x"]):
        found = await run_json(pool, capsys, "search", *words)
        assert [hit["event_id"] for hit in found["hits"]] == ["$here"]
    assert [hit["event_id"] for hit in (await run_json(pool, capsys, "search", "--deleted"))["hits"]] == ["$gone"]
    assert (await run_json(pool, capsys, "search", "--phrase", "budget the"))["hits"] == []
    first = await run_json(pool, capsys, "search", "budget", "--limit", "1")
    second = await run_json(pool, capsys, "search", "budget", "--limit", "1", "--page", first["next_page"])
    assert [[hit["event_id"] for hit in page["hits"]] for page in (first, second)] == [["$here"], ["$gone"]]
    assert await muster(pool, "search", "nonesuch") == 0
    assert capsys.readouterr().out == "Nothing was found.\n"


async def test_direct_rooms_are_counted_only(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """What two people said to each other is not shown, but said to be there."""
    await archived(pool, said("$d", "budget for two", room_id="!direct"))
    assert await muster(pool, "search", "budget", "two") == 0
    printed = capsys.readouterr().out
    assert printed == "Nothing was found.\n\n1 more in direct rooms, which only a case opens.\n"


@pytest.mark.parametrize("limit", ["0", "-1", "many", "10001"])
async def test_impossible_limit_is_wrong_usage(pool: Pool, limit: str) -> None:
    """A limit that makes no sense ends with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        await muster(pool, "search", "x", f"--limit={limit}")
    assert ended.value.code == 2


async def test_what_cannot_be_found_is_one_message(pool: Pool) -> None:
    """An unknown event and a search without words say what was expected."""
    with pytest.raises(UnknownNameError, match=r"\$none"):
        await muster(pool, "show", "$none")
    with pytest.raises(InputError, match="at least one word"):
        await muster(pool, "search", "!?")


async def test_verify_tells_by_its_exit_code(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """0 while everything agrees, 1 with the position once it does not."""
    assert await muster(pool, "verify") == 0
    assert "5 events: every event and the root agree." in capsys.readouterr().out
    await pool.execute("UPDATE event SET body = body || ' ' WHERE seq = 2")
    assert await muster(pool, "verify", as_json=True) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["ok"], verdict["problem"], verdict["first_bad"]) == (False, "altered", 2)
    assert await muster(pool, "verify") == 1
    assert "position 2 was altered" in capsys.readouterr().out


async def test_status_shows_the_figures(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """Status counts what there is, on terminals and for scripts."""
    assert await muster(pool, "status") == 0
    assert "events      5" in capsys.readouterr().out
    assert (await run_json(pool, capsys, "status"))["events"] == 5


async def test_whoever_looks_leaves_an_entry(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """Each search, view and proof is an entry of the ledger before its answer is seen, newest first in the log."""
    await muster(pool, "search", "budget", "--room", "!other")
    await muster(pool, "show", "$gone")
    found = await run_json_after(pool, capsys, "log")
    assert [entry["deed"] for entry in found] == ["view", "search"]
    assert found[0]["details"] == {"event": "$gone"}
    asked = {"words": "budget", "filters": {"room": ["!other"]}, "hits": 1}
    assert found[1]["details"] == asked
    assert found[0]["by"] == found[0]["os_user"] != ""
    assert await muster(pool, "verify") == 0
    assert "7 events" in capsys.readouterr().out


async def test_who_looks_is_named(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """`--as` names a person, whom the log shows and is searched for; nobody of that name may look."""
    await import_csv(pool, b"userName\nk.saar\n", "hr.csv")
    await muster(pool, "show", "$gone", "--as", "k.saar")
    await muster(pool, "show", "$here")
    found = await run_json_after(pool, capsys, "log", "--by", "k.saar")
    assert [entry["details"]["event"] for entry in found] == ["$gone"]
    assert found[0]["by"] == "k.saar"
    with pytest.raises(UnknownNameError):
        await muster(pool, "show", "$here", "--as", "nobody")
    assert capsys.readouterr().out == ""


async def test_log_is_narrowed(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """Deed, times and limit narrow the log."""
    await muster(pool, "search", "budget")
    await muster(pool, "show", "$gone")
    await muster(pool, "show", "$here")
    assert len(await run_json_after(pool, capsys, "log", "--deed", "view")) == 2
    assert len(await run_json_after(pool, capsys, "log", "--limit", "1")) == 1
    assert len(await run_json_after(pool, capsys, "log", "--since", "2020-01-01")) == 3
    assert await run_json_after(pool, capsys, "log", "--until", "2020-01-01") == []
    await muster(pool, "log")
    assert "view\n  event $here\n" in capsys.readouterr().out


async def run_json_after(pool: Pool, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Return what a verb prints with `--json`, whatever was printed before."""
    capsys.readouterr()
    return await run_json(pool, capsys, *words)
