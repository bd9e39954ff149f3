"""What somebody may ask of the archive about themselves, on a real PostgreSQL."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bridge.archive.disposal import nothing_held
from bridge.archive.erase import plan_erasure
from bridge.archive.ingest import ingest
from bridge.archive.log import entries
from bridge.archive.verify import verify
from bridge.cli.archive_person import add_person
from bridge.directory.intake import import_csv
from bridge.directory.store import load_person
from bridge.errors import InputError, RefusedError, UnknownNameError
from bridge.policy.loader import load
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

NOW = datetime(2027, 3, 31, 12, tzinfo=UTC)
POLICY = load(
    """
version: 1
company: Nordwind
rooms:
  board: {name: Board, members: active eq true}
archive:
  keep: {board: {until: 2030-01-01}}
""",
    "policy.yaml",
)


@pytest.fixture(autouse=True)
async def _mari(pool: Pool) -> None:
    """Mari has said things in a room of the policy and in one of people's own; Karl has answered."""
    await import_csv(pool, b"userName,externalId,title\nm.tamm,7,Driver\n", "hr.csv")
    await import_csv(pool, b"userName,externalId,title\nm.tamm,7,Chief\n", "hr.csv")
    mari = await load_person(pool, "m.tamm")
    await pool.execute("INSERT INTO account VALUES ($1, '@mari:x', 'Mari', false)", mari.id)
    await pool.execute(
        "INSERT INTO managed_room (key, rule, kind, name, topic, open_to, alias, room_id)"
        " VALUES ('board', 'board', 'room', 'Board', '', '{}', '#b:x', '!board')"
    )
    state = {"type": "m.room.member", "content": {"membership": "join"}}
    await ingest(
        pool,
        [
            an_event("$joined", room_id="!club", sender="@mari:x", state_key="@mari:x", **state),
            an_event("$invited", room_id="!club", sender="@karl:x", state_key="@mari:x", **state),
            an_event("$one", room_id="!club", sender="@mari:x"),
            an_event("$answer", room_id="!club", sender="@karl:x"),
            an_event("$two", room_id="!club", sender="@mari:x", content={"body": "\ud800"}),
            an_event("$board", room_id="!board", sender="@mari:x"),
        ],
    )


async def _run(pool: Pool, *words: str, as_json: bool = False) -> int:
    parser = argparse.ArgumentParser()
    add_person(parser.add_subparsers())
    args = parser.parse_args(words)
    args.json = as_json
    services = SimpleNamespace(pool=pool, clock=lambda: NOW, policy=lambda: POLICY)
    code: int = await args.handler.__wrapped__(args, services)
    return code


async def _gone(pool: Pool) -> set[str]:
    return {row["event_id"] for row in await pool.fetch("SELECT event_id FROM event WHERE body IS NULL")}


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_access_has_everything_of_one_person_and_nothing_of_others(pool: Pool, tmp_path: Path) -> None:
    """What they said, what is said of them, HR's history; an index with hashes; the ledger knows that it was given."""
    folder = tmp_path / "mari"
    assert await _run(pool, "access", "m.tamm", "-o", str(folder)) == 0
    assert [one["event_id"] for one in _lines(folder / "said.jsonl")] == ["$joined", "$one", "$two", "$board"]
    assert [one["event_id"] for one in _lines(folder / "about.jsonl")] == ["$invited"]
    titles = [one["document"]["title"] for one in _lines(folder / "directory.jsonl")]
    assert titles == ["Driver", "Chief"]
    index = (folder / "index.txt").read_text()
    for name in ("said", "about", "directory", "acknowledged"):
        assert sha256((folder / f"{name}.jsonl").read_bytes()).hexdigest() in index
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    (entry,) = await entries(pool, deed="access")
    assert entry.entry.details["person"] == (await load_person(pool, "m.tamm")).id


async def test_access_never_writes_over_anything(pool: Pool, tmp_path: Path) -> None:
    """A folder in which there is something is left alone."""
    (tmp_path / "said.jsonl").write_text("mine")
    with pytest.raises(RefusedError, match="not empty"):
        await _run(pool, "access", "m.tamm", "-o", str(tmp_path))
    assert (tmp_path / "said.jsonl").read_text() == "mine"


async def test_erasure_takes_what_was_shown_and_records_what_stays(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their messages go, in rooms that nothing keeps; the decision says where the ledger proves it."""
    ask = ("erase", "m.tamm", "--reason", "request 12/2027")
    assert await _run(pool, *ask) == 0
    shown = capsys.readouterr().out
    assert "the policy keeps board until 2030-01-01" in shown
    assert await _gone(pool) == set()
    assert await _run(pool, *ask, as_json=True) == 0
    digest = json.loads(capsys.readouterr().out)["digest"]

    assert await _run(pool, *ask, "--apply", digest[:12], "-o", str(tmp_path)) == 0

    assert await _gone(pool) == {"$one", "$two"}
    assert (await verify(pool)).ok
    decision = json.loads((tmp_path / "decision.json").read_text())
    assert (decision["going"], decision["reason"]) == (2, "request 12/2027")
    assert {one["count"] for one in decision["kept"]} == {1}
    (proof,) = decision["entries"]
    row = await pool.fetchrow("SELECT seq, event_id FROM event WHERE type = 'muster.dispose'")
    assert row is not None
    assert (proof["position"], proof["id"]) == (row["seq"], row["event_id"])
    text = (tmp_path / "decision.txt").read_text()
    assert proof["id"] in text
    assert "state of the room" in text
    (entry,) = await entries(pool, deed="erase")
    assert entry.entry.details["erased"] == 2
    assert "m.tamm" not in json.dumps(dict(entry.entry.details))


async def test_access_after_erasure_shows_what_is_left(pool: Pool, tmp_path: Path) -> None:
    """That there was something, and no word of it."""
    ask = ("erase", "m.tamm", "--reason", "x")
    with pytest.raises(InputError, match="-o DIR"):
        await _run(pool, *ask, "--apply", "0")
    digest = await _digest(pool)
    await _run(pool, *ask, "--apply", digest, "-o", str(tmp_path / "a"))
    await _run(pool, "access", "m.tamm", "-o", str(tmp_path / "b"))
    said = {one["event_id"]: one["event"] for one in _lines(tmp_path / "b" / "said.jsonl")}
    assert said["$one"] is None
    assert said["$board"] is not None


async def _digest(pool: Pool) -> str:
    person = await load_person(pool, "m.tamm")
    erasure, _ = await plan_erasure(pool, person.id, POLICY, NOW.date(), nothing_held, {})
    return erasure.digest


async def test_something_else_than_was_shown_is_not_erased(pool: Pool, tmp_path: Path) -> None:
    """Another message since, a room that is kept now, or a digest that names nothing."""
    ask = ("erase", "m.tamm", "--reason", "x", "-o", str(tmp_path))
    digest = await _digest(pool)
    for words in (["--apply", "0123456789"], ["--apply", digest[:4]], ["--apply", digest, "--keep", "!club=law"]):
        with pytest.raises(RefusedError, match="Nothing was erased"):
            await _run(pool, *ask, *words)
    await ingest(pool, [an_event("$more", room_id="!club", sender="@mari:x")])
    with pytest.raises(RefusedError, match="Nothing was erased"):
        await _run(pool, *ask, "--apply", digest)
    assert await _gone(pool) == set()


@pytest.mark.parametrize(("keep", "error"), [("!club", InputError), ("=law", UnknownNameError), ("!c= ", InputError)])
async def test_a_room_is_kept_with_a_reason_only(pool: Pool, keep: str, error: type[Exception]) -> None:
    """Nobody keeps what they cannot say why."""
    with pytest.raises(error):
        await _run(pool, "erase", "m.tamm", "--reason", "x", "--keep", keep)
