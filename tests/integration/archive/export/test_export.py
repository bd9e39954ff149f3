"""Exports, from the command to the checked folder, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import sys
import tracemalloc
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyrage
import pytest

from bridge.archive import signing
from bridge.archive.checkpoint import origin_of
from bridge.archive.completeness import UNCOMPARED
from bridge.archive.entry import Actor
from bridge.archive.export import ordering
from bridge.archive.export.journal import NAME, Journal
from bridge.archive.export.order import Format
from bridge.archive.export.run import carry_out
from bridge.archive.export.values import Filed
from bridge.archive.export.verification import verify_export
from bridge.archive.ingest import ingest
from bridge.archive.log import entries
from bridge.archive.notary import Notary
from bridge.archive.scope import Scope
from bridge.clock import system_clock
from bridge.directory.intake import import_csv
from bridge.directory.store import load_person
from bridge.errors import InputError, MusterError, RefusedError
from bridge.homeserver import wire
from bridge.ids import RoomId, UserId
from bridge.membership.acquaintance import Acquaintance
from bridge.membership.store import put_account
from bridge.membership.values import CurrentAccount
from tests.gate import everything
from tests.integration.archive.test_cli import muster
from tests.integration.archive.test_scope import member
from tests.integration.archive.test_search import edited, redacted, said
from tests.unit.archive.test_batch import an_event
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

DAY = 1_700_000_000_000
NOW = datetime(2027, 2, 11, tzinfo=UTC)
HOSTILE = "=cmd|' /C calc'!A0 ]]> </script><script>alert(1)</script> \r\nBcc: all@x \x00\x1b[31m \ud800 ‮"


def reaction(event_id: str, target: str, key: str, **fields: Any) -> dict[str, Any]:
    """Return a reaction."""
    relation = {"rel_type": "m.annotation", "event_id": target, "key": key}
    return an_event(event_id, type="m.reaction", content={"m.relates_to": relation}, **fields)


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


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
    an_event("$deep", room_id="!a", origin_server_ts=DAY + 66_000, content={"x": nested(3000), "body": "w" * 60_000}),
    said("$next", "another day", DAY + 90_000_000, room_id="!a", sender="@mari:x"),
    an_event(
        "$hall",
        room_id="!b",
        type="m.room.name",
        state_key="",
        content={"name": "Hall"},
        origin_server_ts=DAY + 69_000,
    ),
    said("$other", "elsewhere", DAY + 70_000, room_id="!b", sender="@boss:x"),
]


@pytest.fixture(autouse=True)
async def _filled(pool: Pool) -> None:
    await ingest(pool, STORY)


def records_of(folder: Path) -> list[dict[str, Any]]:
    """Return the records of an export."""
    paths = sorted((folder / "records").iterdir())
    return [wire.decode(line) for path in paths for line in path.read_bytes().splitlines()]


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
    assert len(list((folder / "records").iterdir())) == (3 if form.is_by_conversation else 1)


async def run_json(pool: Pool, capsys: pytest.CaptureFixture[str], folder: Path, *words: str, code: int = 0) -> Any:
    """Return what a verb prints with `--json`."""
    assert await muster(pool, *words, as_json=True, folder=folder) == code
    return json.loads(capsys.readouterr().out)


async def test_records_are_what_the_schema_says(pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line is valid against the schema beside it, and tells of edits, deletions, people and files."""
    jsonschema = pytest.importorskip("jsonschema")
    await import_csv(pool, b"userName,displayName,department\nmari,Mari Tamm,Sales\n", "hr.csv")
    person = await load_person(pool, "mari")
    await put_account(pool, CurrentAccount(person.id, UserId("@mari:x"), "Mari", enabled=True))
    now = int(system_clock().timestamp() * 1000)
    await ingest(pool, [said("$known", "now", now, room_id="!a", sender="@mari:x")])
    folder = tmp_path / "export"
    await run_json(pool, capsys, tmp_path, "export", str(folder))
    check = jsonschema.Draft7Validator(json.loads((folder / "schema.json").read_text()))
    found = {record["event_id"]: record for record in records_of(folder)}
    for record in found.values():
        check.validate(record)
    assert (found["$edit"]["replaces"], found["$edit"]["previous"]) == ("$one", "$one")
    assert found["$one"]["redaction"] == {
        "event_id": "$del", "sender": "@boss:x", "origin_server_ts": DAY + 30_000, "reason": "typo"
    }  # fmt: skip
    assert found["$known"]["sender_person"] == {"user_name": "mari", "name": "Mari Tamm", "department": "Sales"}
    assert found["$one"]["sender_person"] is None  # the directory began later
    assert found["$file"]["media"][0]["problem"] == "not archived"
    assert found["$nan"]["event"] is None
    assert b"NaN" in base64.b64decode(found["$nan"]["event_base64"])
    assert found["$one"]["event"]["content"]["body"] == "the budget is 5 million"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--room", "!b"], {"$hall", "$other"}),
        (["--person", "@boss:x"], {"$del", "$like", "$other"}),
        (["--since", "2023-11-15"], {"$next"}),
        (["--room", "!a", "--until", "2023-11-14T22:13:35Z"], {"$in", "$one", "$name"}),
        (["--since", "2024-11-15"], set()),
    ],
)
async def test_only_what_was_asked_for_is_exported(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], expected: set[str]
) -> None:
    """Rooms, people and dates narrow an export, which still proves that it is of the archive."""
    folder = tmp_path / "export"
    await run_json(pool, capsys, tmp_path, "export", str(folder), "--format", "csv", *words)
    found = {record["event_id"] for record in records_of(folder)} if (folder / "records").exists() else set()
    assert found == expected
    assert (await run_json(pool, capsys, tmp_path, "verify-export", str(folder)))["ok"]


async def test_an_export_is_in_the_log(pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before it begins with what is asked for, and when it is whole with what it came to."""
    folder = tmp_path / "export"
    words = ["--format", "html", "--room", "!b"]
    report = await run_json(pool, capsys, tmp_path, "export", str(folder), *words)
    done, begun = await entries(pool, deed="export")
    assert begun.entry.details["scope"]["rooms"] == ["!b"]
    assert begun.entry.details["format"] == "html"
    assert done.entry.details["manifest_sha256"] == report["manifest_sha256"]
    assert done.entry.details["events"] == 2
    manifest = json.loads((folder / "manifest.json").read_text())
    (statement,) = manifest["completeness"]
    assert (statement["room_id"], statement["standing"], statement["seen_live"]) == ("!b", "uncompared", 2)
    assert statement["missing"][-1] == {"reason": UNCOMPARED, "events": None}
    assert begun.seq == manifest["size"]


async def test_what_is_there_is_not_touched(pool: Pool, tmp_path: Path) -> None:
    """A folder with anything in it is refused, and nothing is recorded; so is a recipient that is none."""
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(RefusedError, match="not empty"):
        await muster(pool, "export", str(tmp_path), folder=tmp_path)
    with pytest.raises(InputError, match="no public key of age"):
        await muster(pool, "export", str(tmp_path / "new"), "--encrypt-to", "age1nonsense", folder=tmp_path)
    with pytest.raises(InputError, match="no export that was cut off"):
        await muster(pool, "export", str(tmp_path), "--resume", folder=tmp_path)
    with pytest.raises(InputError, match="--room cannot be given with it"):
        await muster(pool, "export", str(tmp_path), "--resume", "--room", "!a", folder=tmp_path)
    assert await entries(pool) == []


def alter(folder: Path, path: str, old: bytes, new: bytes) -> None:
    """Change a file of an export."""
    content = (folder / path).read_bytes()
    assert old in content
    (folder / path).write_bytes(content.replace(old, new, 1))


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("records/000001.jsonl", b"5 million", b"9 million", "altered: the event and its salt do not give the leaf"),
        ("csv/000001.csv", b"5 million", b"9 million", "altered: it is not the file that the manifest lists"),
        ("manifest.json", b'"events": 13', b'"events": 10', "altered afterwards"),
        ("proof.json", b'"steps": [', b'"steps": ["AAAA", ', "does not lead from the records to the signed root"),
        (
            "records/000001.jsonl",
            b'"sender":"@boss:x","sender_p',
            b'"sender":"@mari:x","sender_p',
            "what stands beside the event",
        ),
    ],
)
async def test_an_altered_export_is_noticed(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str, old: bytes, new: bytes, said: str
) -> None:
    """Whatever is changed afterwards, checking says so and ends with 1."""
    folder = tmp_path / "export"
    await run_json(pool, capsys, tmp_path, "export", str(folder), "--format", "csv")
    alter(folder, path, old, new)
    verdict = await run_json(pool, capsys, tmp_path, "verify-export", str(folder), code=1)
    assert any(said in problem for problem in verdict["problems"])


async def test_another_key_is_not_believed(pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the company's key, an export that somebody else signed is none; added files are named."""
    folder, other = tmp_path / "export", tmp_path / "other"
    await run_json(pool, capsys, tmp_path, "export", str(folder))
    (folder / "added.txt").write_text("x")
    signing.open_key(other)
    good, bad = tmp_path / "data" / "archive-key.pub.pem", other / "archive-key.pub.pem"
    words = ["verify-export", str(folder), "--key"]
    verdict = await run_json(pool, capsys, tmp_path, *words, str(good), code=1)
    assert verdict["problems"] == ["added.txt: not of this export: the manifest does not list it"]
    assert len((await run_json(pool, capsys, tmp_path, *words, str(bad), code=1))["problems"]) > 1


async def test_an_encrypted_export_is_for_the_recipient(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file but a README is unreadable without the private key, and whole with it."""
    folder, key = tmp_path / "export", pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(f"# age\n{key}\n")
    words = ["export", str(folder), "--format", "html", "--encrypt-to", str(key.to_public())]
    await run_json(pool, capsys, tmp_path, *words)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if path.suffix != ".age"] == ["README.txt"]
    assert not any(b"budget" in path.read_bytes() for path in files)
    with pytest.raises(InputError, match="--identity"):
        await muster(pool, "verify-export", str(folder), folder=tmp_path)
    words = ["verify-export", str(folder), "--identity", str(tmp_path / "key.txt")]
    assert (await run_json(pool, capsys, tmp_path, *words))["events"] == len(STORY)
    altered = folder / "index.html.age"
    altered.write_bytes(altered.read_bytes()[:-1])
    (problem,) = (await run_json(pool, capsys, tmp_path, *words, code=1))["problems"]
    assert "index.html.age was not encrypted to this key, or was altered" in problem


@pytest.mark.parametrize("encrypted", [False, True])
async def test_files_may_be_larger_than_the_memory(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str], encrypted: bool
) -> None:
    """Checking holds a piece of a file at a time, encrypted or not."""
    folder, key, large = tmp_path / "export", pyrage.x25519.Identity.generate(), b"x" * (32 << 20)
    await run_json(pool, capsys, tmp_path, "export", str(folder))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"].append({"path": "large", "sha256": sha256(large).hexdigest(), "size": len(large)})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    if encrypted:
        (folder / "large.age").write_bytes(pyrage.encrypt(large, [key.to_public()]))
    else:
        (folder / "large").write_bytes(large)
    tracemalloc.start()
    verdict = verify_export(folder, identity=key)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    (problem,) = verdict.problems
    assert problem.startswith("manifest.json: ")
    assert peak < len(large) // 4


async def test_what_is_said_fits_the_terminal(pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exporting and checking say in words what they came to."""
    folder = tmp_path / "export"
    await muster(pool, "export", str(folder), "--format", "html", folder=tmp_path)
    said = capsys.readouterr().out
    assert "Exported 13 events of 2 rooms" in said
    assert "  plan.pdf (not archived) of $file" in said
    await muster(pool, "verify-export", str(folder), folder=tmp_path)
    said += capsys.readouterr().out
    assert "13 records stand, as they are, among the 14 of" in said
    alter(folder, "index.html", b"What", b"Who")
    assert await muster(pool, "verify-export", str(folder), folder=tmp_path) == 1
    said += capsys.readouterr().out
    assert "NOT what was exported: 1 problem" in said
    assert all(len(line) <= 80 for line in said.splitlines() if str(tmp_path) not in line)


async def test_a_loud_day_is_in_parts(pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file holds more than 5,000 events, and all of them are there."""
    name = {"name": "Loud"}
    hall = an_event("$h", room_id="!loud", type="m.room.name", state_key="", content=name, origin_server_ts=DAY)
    await ingest(pool, [hall, *(said(f"$l{n}", "loud", DAY, room_id="!loud") for n in range(10_999))])
    folder = tmp_path / "export"
    await run_json(pool, capsys, tmp_path, "export", str(folder), "--format", "rsmf", "--room", "!loud")
    assert len(list((folder / "rsmf").iterdir())) == 3
    counts = [path.read_bytes().count(b"\n") for path in (folder / "records").iterdir()]
    assert sorted(counts) == [1000, 5000, 5000]
    assert verify_export(folder).ok


class Shelf:
    """Files as the archive keeps them: one of them is gone, one is not what its hash says."""

    def __init__(self, content: Mapping[bytes, bytes], filed: Mapping[tuple[int, str], Filed]) -> None:
        self._content = content
        self._filed = filed

    async def find(self, seqs: Collection[int]) -> Mapping[tuple[int, str], Filed]:
        """Return what is known of the files of these events."""
        return {place: filed for place, filed in self._filed.items() if place[0] in seqs}

    async def read(self, sha256: bytes) -> AsyncIterator[bytes]:
        """Yield a file in pieces."""
        if sha256 not in self._content:
            raise MusterError("the file is gone")
        for place in range(0, len(self._content[sha256]), 4):
            yield self._content[sha256][place : place + 4]


@pytest.mark.parametrize("form", [Format.EML, Format.RSMF, Format.DAT, Format.HTML, Format.JSONL])
async def test_a_missing_file_is_said_and_stops_nothing(pool: Pool, tmp_path: Path, form: Format) -> None:
    """What is archived is written once; what is gone, altered or was never archived is named, in the manifest too."""
    links = ["mxc://x/1", "mxc://x/2", "mxc://x/3", "mxc://x/4", "mxc://x/5"]
    await ingest(
        pool,
        [an_event(f"$m{n}", room_id="!m", content={"body": f"{n}.png", "url": link}) for n, link in enumerate(links)],
    )
    content = b"a picture, said to be"
    good, gone, lie = sha256(content).digest(), bytes(32), b"\1" * 32
    filed = [Filed(good), Filed(good), Filed(gone), Filed(lie), Filed(None, "the homeserver answers 404")]
    first = await pool.fetchval("SELECT seq FROM event WHERE event_id = '$m0'")
    places = [(first + n, link) for n, link in enumerate(links)]
    shelf = Shelf({good: content, lie: b"something else"}, dict(zip(places, filed, strict=True)))
    folder = tmp_path / "export"
    key = signing.open_key(tmp_path)
    notary = Notary(pool, key, origin_of("x"))
    wish = ordering.Wish(form, Scope(rooms=frozenset({RoomId("!m")})))
    journal = await ordering.order(pool, notary, folder, wish, Actor("k", "k"), NOW)
    report = await carry_out(pool, journal, folder, key, Acquaintance(pool, "UTC"), everything, shelf)
    assert [(one.event_id, one.problem) for one in report.missing] == [
        ("$m2", "the file is gone"),
        ("$m3", "altered: it is not what its hash says"),
        ("$m4", "the homeserver answers 404"),
    ]
    assert (folder / "media" / good.hex()).read_bytes() == content
    assert len(list((folder / "media").iterdir())) == 1
    assert verify_export(folder).problems == ()
    assert len(json.loads((folder / "manifest.json").read_text())["missing_files"]) == 3


_CHILD = """
import asyncio, pathlib, sys
from bridge.archive import signing
from bridge.archive.export.journal import Journal
from bridge.archive.export.run import carry_out
from bridge.database import open_database
from bridge.membership.acquaintance import Acquaintance
from bridge.membership.store import put_account
from bridge.membership.values import CurrentAccount
from tests.gate import everything

async def main(url, data, folder):
    async with open_database(url) as pool:
        key = signing.open_key(pathlib.Path(data))
        folder = pathlib.Path(folder)
        await carry_out(pool, Journal.open(folder), folder, key, Acquaintance(pool, "UTC"), everything)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("form", [Format.HTML, Format.RSMF])
async def test_a_killed_export_goes_on_to_the_same_bytes(
    pool: Pool, database_url: str, tmp_path: Path, form: Format
) -> None:
    """After `kill -9` in the middle, going on ends with what an undisturbed export of the same order is."""
    await ingest(pool, [said(f"$d{n}", f"day {n}", DAY - n * 86_400_000, room_id="!d") for n in range(150)])
    key = signing.open_key(tmp_path)
    notary = Notary(pool, key, origin_of("x"))
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    journal = await ordering.order(pool, notary, killed, ordering.Wish(form, Scope()), Actor("k", "k"), NOW)
    whole.mkdir()
    shutil.copy(killed / NAME, whole / NAME)
    words = [sys.executable, "-c", _CHILD, database_url, str(tmp_path), str(killed)]
    process = await asyncio.create_subprocess_exec(*words)
    await wait_until(lambda: (killed / NAME).read_bytes().count(b'"slice"') >= 20)
    process.kill()
    await process.wait()
    (killed / NAME).write_bytes((killed / NAME).read_bytes()[:-7])  # the last line torn, as by a power cut
    (killed / "records" / ".000099.jsonl.new").write_bytes(b"half")
    people = Acquaintance(pool, "UTC")
    await ingest(pool, [said("$later", "after the order", DAY, room_id="!d")])
    journal = await ordering.resume(pool, notary, killed, Actor("k", "k"), NOW)
    assert 0 < len(journal.done) < 100
    with pytest.raises(InputError, match="not whole yet"):
        verify_export(killed)
    report = await carry_out(pool, journal, killed, key, people, everything)
    assert await carry_out(pool, Journal.open(whole), whole, key, people, everything) == report
    one, other = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (killed, whole)
    )
    assert one == other
    assert verify_export(killed).problems == ()


async def test_direct_rooms_are_left_out_without_a_case(
    pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was said between two people is counted, and in no file; the manifest says how much was left out."""
    await ingest(
        pool,
        [
            member("$d1", "join", 0, user="@mari:x", room="!d"),
            member("$d2", "join", 0, user="@boss:x", room="!d"),
            said("$secret", "hush", DAY + 80_000, room_id="!d", sender="@mari:x"),
        ],
    )
    folder = tmp_path / "export"
    report = await run_json(pool, capsys, tmp_path, "export", str(folder))
    assert (report["events"], report["closed_events"]) == (len(STORY), 3)
    assert "!d" not in {record["room_id"] for record in records_of(folder)}
    assert json.loads((folder / "manifest.json").read_text())["counts"]["closed_events"] == 3
    assert (await run_json(pool, capsys, tmp_path, "verify-export", str(folder)))["problems"] == []
