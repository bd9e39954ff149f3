"""Exports, from the command to the checked folder, on a real PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.archive.export.order import Format
from bridge.archive.ingest import ingest
from tests.integration.archive.test_cli import muster
from tests.integration.archive.test_scope import member
from tests.integration.archive.test_search import edited, redacted, said
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

DAY = 1_700_000_000_000
HOSTILE = "=cmd|' /C calc'!A0 ]]> </script><script>alert(1)</script> \r\nBcc: all@x \x00\x1b[31m \ud800 ‮"


def reaction(event_id: str, target: str, key: str, **fields: Any) -> dict[str, Any]:
    """Return a reaction."""
    relation = {"rel_type": "m.annotation", "event_id": target, "key": key}
    return an_event(event_id, type="m.reaction", content={"m.relates_to": relation}, **fields)


STORY = [
    member("$in", "join", 0, user="@mari:x", room="!a"),
    said("$one", "the budget is 5 million", DAY + 10_000, room_id="!a", sender="@mari:x"),
    edited("$edit", "$one", "the budget is 6 million", room_id="!a", sender="@mari:x", origin_server_ts=DAY + 20_000),
    redacted("$del", "$one", room_id="!a", sender="@boss:x", origin_server_ts=DAY + 30_000),
    reaction("$like", "$one", "👍", room_id="!a", sender="@boss:x", origin_server_ts=DAY + 40_000),
    said("$evil", HOSTILE, DAY + 50_000, room_id="!a", sender="@mari:x"),
    an_event(
        "$file",
        room_id="!a",
        origin_server_ts=DAY + 60_000,
        content={
            "msgtype": "m.file",
            "body": "plan.pdf",
            "url": "mxc://x/abc",
            "info": {"mimetype": "application/pdf"},
        },
    ),
    an_event("$name", room_id="!a", type="m.room.name", state_key="", content={"name": "Sales\r\nBcc: x@y <b>"}),
    an_event("$nan", room_id="!a", origin_server_ts=DAY + 65_000, content={"body": "n", "x": float("nan")}),
    said("$next", "another day", DAY + 90_000_000, room_id="!a", sender="@mari:x"),
    said("$other", "elsewhere", DAY + 70_000, room_id="!b", sender="@boss:x"),
]


@pytest.fixture(autouse=True)
async def _filled(pool: Pool) -> None:
    await ingest(pool, STORY)


def records_of(folder: Path) -> list[dict[str, Any]]:
    """Return the records of an export."""
    paths = sorted((folder / "records").iterdir())
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("form", list(Format))
async def test_every_form_is_exported_and_verified(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: Format
) -> None:
    """Whatever the form: all events are there, their leaves lead to the signed root, and nothing else is."""
    folder = tmp_path / "export"
    assert await muster(pool, "export", str(folder), "--format", form, as_json=True, folder=tmp_path) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["events"], report["rooms"]) == (len(STORY), 2)
    assert [one["name"] for one in report["missing_files"]] == ["plan.pdf"]
    assert await muster(pool, "verify-export", str(folder), as_json=True) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["problems"], verdict["events"], verdict["missing_files"]) == ([], len(STORY), 1)
    assert {record["event_id"] for record in records_of(folder)} == {event["event_id"] for event in STORY}
    assert not (folder / "journal.jsonl").exists()
