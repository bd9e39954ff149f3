"""Where a file went and who could see it, on a real PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bridge.archive import media_store, store
from bridge.archive.ingest import ingest
from bridge.archive.media_fetch import MediaConsumer
from bridge.archive.sighting import Target
from bridge.archive.trace import target_of, trace
from bridge.archive.trace_text import trace_as_text
from bridge.errors import InputError
from bridge.homeserver.event import Event
from tests.gate import everything
from tests.integration.archive.test_cli import muster
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

PDF = b"%PDF budget"
HASH = hashlib.sha256(PDF).digest()
START = 1700000000000
"""Milliseconds; what follows is counted in seconds from here."""


def at(second: int) -> datetime:
    """Return the moment."""
    return datetime.fromtimestamp(START / 1000 + second, UTC)


def member(user: str, membership: str, second: int, room: str = "!r") -> dict[str, Any]:
    """Return somebody's coming or going."""
    return _event(
        f"${user}{membership}{second}{room}", second, room, "m.room.member", user, {"membership": membership}
    ) | {"state_key": user}


def visibility(value: str, second: int, room: str = "!r") -> dict[str, Any]:
    """Return who may read a room's past."""
    return _event(
        f"$v{second}{room}", second, room, "m.room.history_visibility", "@a:x", {"history_visibility": value}
    ) | {"state_key": ""}


def shared(event_id: str, mxc: str, second: int, room: str = "!r", sender: str = "@a:x") -> dict[str, Any]:
    """Return the event of somebody who sends a file."""
    return _event(
        event_id, second, room, "m.room.message", sender, {"msgtype": "m.file", "body": "budget.pdf", "url": mxc}
    )


def _event(event_id: str, second: int, room: str, kind: str, sender: str, content: dict[str, Any]) -> dict[str, Any]:
    return an_event(
        event_id, room_id=room, type=kind, sender=sender, content=content, origin_server_ts=START + second * 1000
    )


async def archived(pool: Pool, *events: dict[str, Any], stored: Sequence[str] = ()) -> None:
    """Archive events and note their files; those behind `stored` have been fetched, and all are the same."""
    await ingest(pool, events)
    rows = await pool.fetch("SELECT seq, body FROM event ORDER BY seq")
    await MediaConsumer(pool, "x").handle([Event.of(json.loads(row["body"]), row["seq"]) for row in rows])
    async with store.transaction(pool) as connection:
        for mxc in stored:
            await media_store.put_file(connection, mxc, HASH, len(PDF), "application/pdf")


async def test_every_event_room_and_person_of_a_file_is_found(pool: Pool) -> None:
    """Also when the same bytes were uploaded again by somebody else; not what else is in these rooms."""
    await archived(
        pool,
        member("@a:x", "join", 0),
        member("@b:x", "join", 1),
        shared("$first", "mxc://x/1", 10),
        shared("$other", "mxc://x/other", 11),
        member("@b:x", "join", 20, "!other"),
        member("@c:x", "join", 21, "!other"),
        shared("$second", "mxc://x/2", 30, "!other", "@b:x"),
        member("@d:x", "join", 40, "!third"),
        stored=["mxc://x/1", "mxc://x/2"],
    )
    for target in (Target(sha256=HASH), Target(mxc="mxc://x/1"), Target(mxc="mxc://x/2")):
        found = await trace(pool, target, everything)
        assert [one.mention.event_id for one in found.sightings] == ["$first", "$second"]
        assert [(one.mention.sender, one.mention.name, one.mention.at) for one in found.sightings] == [
            ("@a:x", "budget.pdf", at(10)),
            ("@b:x", "budget.pdf", at(30)),
        ]
        assert found.rooms == {"!r", "!other"}
        assert [(one.user_id, one.since, one.rooms) for one in found.viewers] == [
            ("@a:x", at(10), ("!r",)),
            ("@b:x", at(10), ("!other", "!r")),
            ("@c:x", at(30), ("!other",)),
        ]
        assert list(found.links) == ["mxc://x/1", "mxc://x/2"]
        assert found.file is not None
        assert (found.file.sha256, found.file.size) == (HASH, len(PDF))


@pytest.mark.parametrize(
    ("history", "people"),
    [("joined", {"@a:x", "@there:x"}), ("shared", {"@a:x", "@there:x", "@late:x"})],
)
async def test_who_could_see_it_follows_the_rooms_history(pool: Pool, history: str, people: set[str]) -> None:
    """Who had left before could not; who came later could where the past is shown to them."""
    await archived(
        pool,
        visibility(history, 0),
        member("@a:x", "join", 1),
        member("@gone:x", "join", 2),
        member("@there:x", "join", 3),
        member("@gone:x", "leave", 4),
        shared("$file", "mxc://x/1", 10),
        member("@there:x", "leave", 20),
        member("@late:x", "join", 30),
        stored=["mxc://x/1"],
    )
    assert set((await trace(pool, Target(sha256=HASH), everything)).people) == people


async def test_a_link_that_was_not_fetched_is_traced_too(pool: Pool) -> None:
    """By the link alone, with the reason why its file is not there."""
    await archived(pool, member("@a:x", "join", 0), shared("$file", "mxc://x/1", 10))
    async with store.transaction(pool) as connection:
        await media_store.put_failure(connection, "mxc://x/1", "gone", "404 M_NOT_FOUND: Not found")
    found = await trace(pool, Target(mxc="mxc://x/1"), everything)
    assert (found.file, found.links) == (None, {"mxc://x/1": "404 M_NOT_FOUND: Not found"})
    assert [one.mention.event_id for one in found.sightings] == ["$file"]
    nothing = await trace(pool, Target(sha256=HASH), everything)
    assert (nothing.sightings, nothing.unknown) == ((), 1)


async def test_what_is_to_be_traced_is_a_file_a_hash_or_a_link(tmp_path: Path) -> None:
    """A file is hashed where it is; what is none of the three is one message."""
    file = tmp_path / "budget.pdf"
    file.write_bytes(PDF)
    assert await target_of(str(file)) == Target(sha256=HASH)
    assert await target_of(HASH.hex().upper()) == Target(sha256=HASH)
    assert await target_of("mxc://x/1") == Target(mxc="mxc://x/1")
    for wrong in ("nonesuch.pdf", str(tmp_path), "mxc://x", "a\0b", HASH.hex()[1:]):
        with pytest.raises(InputError, match="expected a"):
            await target_of(wrong)


async def test_trace_says_where_a_file_went_and_leaves_an_entry(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """On terminals within 80 columns and for scripts; who asked is in the log."""
    named = an_event("$n", type="m.room.name", state_key="", content={"name": "Hall"}, origin_server_ts=1, room_id="!r")
    await archived(
        pool,
        named,
        member("@a:x", "join", 0),
        member("@b:x", "join", 30),
        shared("$file", "mxc://x/1", 10),
        stored=["mxc://x/1"],
    )
    assert await muster(pool, "trace", HASH.hex()) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "2023-11-14 22:13:30Z @a:x sent it: budget.pdf\n  $file\n  in !r\n  visible to 1 then, 1 since" in printed
    assert (
        "visible in 1 room to 2, each from when on\n  2023-11-14 22:13:30Z @a:x\n  2023-11-14 22:13:50Z @b:x" in printed
    )
    assert await muster(pool, "trace", "mxc://x/1", as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sha256"], found["rooms"], [one["user_id"] for one in found["people"]]) == (
        HASH.hex(),
        ["!r"],
        ["@a:x", "@b:x"],
    )
    assert await muster(pool, "log", "--deed", "trace", as_json=True) == 0
    assert [entry["details"]["file"] for entry in json.loads(capsys.readouterr().out)] == ["mxc://x/1", HASH.hex()]


async def test_a_file_that_is_nowhere_is_said(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """And how many links could still be it."""
    await archived(pool, shared("$file", "mxc://x/1", 10))
    assert await muster(pool, "trace", HASH.hex()) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{HASH.hex()}:",
        "  the archive does not hold this file",
        "No event in the archive refers to it.",
        "1 other link was not fetched (yet); what is behind it is unknown.",
    ]


async def test_what_may_not_be_seen_is_only_counted(pool: Pool) -> None:
    """An event that the gate closes is neither shown nor tells who could see it."""
    await archived(
        pool,
        member("@a:x", "join", 0),
        member("@b:x", "join", 1, "!other"),
        shared("$first", "mxc://x/1", 10),
        shared("$second", "mxc://x/1", 30, "!other", "@b:x"),
        stored=["mxc://x/1"],
    )
    first = await pool.fetchval("SELECT seq FROM event WHERE event_id = '$first'")

    async def only_first(_db: object, seqs: Collection[int]) -> frozenset[int]:
        return frozenset(seqs) & {first}

    found = await trace(pool, Target(sha256=HASH), only_first)
    assert [one.mention.event_id for one in found.sightings] == ["$first"]
    assert (found.people, found.closed) == (("@a:x",), 1)
    assert "1 more in direct rooms, which only a case opens." in trace_as_text(found, {}, 80, everybody=False)
