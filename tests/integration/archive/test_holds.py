"""Legal holds: `muster archive hold`, and what retention asks of them, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.archive.hold_store import held_seqs, read_holds
from bridge.archive.holds import acknowledge
from bridge.archive.verify import verify
from bridge.errors import InputError, RefusedError, UnknownNameError
from bridge.ids import UserId
from tests.integration.archive.test_cases import DAY, MARI, OPEN, Terminal, terminal
from tests.integration.archive.test_search import archived, said

if TYPE_CHECKING:
    from bridge.database import Pool

__all__ = ["terminal"]

PLACE = ("hold", "place", "H-1", "--reason", "the leak of 2023", "--person", "m.tamm", "--as", "k.saar")


async def held(pool: Pool) -> set[str]:
    """Return the messages that are held."""
    seqs = {row["seq"]: row["event_id"] for row in await pool.fetch("SELECT seq, event_id FROM event")}
    names = {seqs[seq] for seq in await held_seqs(pool, list(seqs))}
    return names & {"$secret", "$late", "$later", "$theirs", "$open"}


async def test_hold_keeps_what_people_sent_and_heard(terminal: Terminal, pool: Pool) -> None:
    """Everything in the scope of a hold in force is held, also what comes later, until the hold is released."""
    await terminal.run(*PLACE)
    assert await held(pool) == {"$secret", "$late"}
    await archived(pool, said("$later", "more of it", DAY + 90_000_000, room_id="!two"))
    assert await held(pool) == {"$secret", "$late", "$later"}
    await terminal.run("hold", "place", "H-2", "--reason", "x", "--room", "!pair", "--as", "k.saar")
    assert await held(pool) == {"$secret", "$late", "$later", "$theirs"}
    assert [hold.number for hold in await read_holds(pool)] == ["H-1", "H-2"]
    await terminal.run("hold", "release", "H-1", "--as", "k.saar")
    assert await held(pool) == {"$theirs"}


async def test_hold_is_released_with_proof(terminal: Terminal, pool: Pool, tmp_path: Path) -> None:
    """The entries of placing and releasing are proven by files that the stand-alone program accepts."""
    await terminal.run(*PLACE)
    folder = tmp_path / "proofs"
    assert "released  2027-03-01" in await terminal.run("hold", "release", "H-1", "-o", str(folder), "--as", "k.saar")
    document = json.loads((folder / "hold.json").read_text())
    assert [proof["file"] for proof in document["proofs"]] == ["placed.json", "released.json"]
    program = Path(__file__).parents[3] / "bridge" / "archive" / "verifier.py"
    for proof in document["proofs"]:
        done = await asyncio.create_subprocess_exec(
            sys.executable, str(program), str(folder / proof["file"]), stdout=asyncio.subprocess.PIPE
        )
        said_so, _ = await done.communicate()
        assert done.returncode == 0
        assert b"PROVEN: it stands at position" in said_so
        assert b'"hold": "H-1"' in said_so
    assert (await verify(pool, lambda _done, _of: None)).ok
    with pytest.raises(InputError, match="name a new folder"):
        await terminal.run("hold", "proof", "H-1", "-o", str(folder))


async def test_hold_is_placed_and_released_once(terminal: Terminal, tmp_path: Path) -> None:
    """A number is taken once, a hold that is over stays so, and whoever answers for it says who they are."""
    await terminal.run(*PLACE)
    with pytest.raises(InputError, match="already"):
        await terminal.run(*PLACE)
    with pytest.raises(InputError, match="people or rooms"):
        await terminal.run("hold", "place", "H-2", "--reason", "x", "--as", "k.saar")
    with pytest.raises(RefusedError, match="say with --as"):
        await terminal.run("hold", "release", "H-1")
    with pytest.raises(UnknownNameError, match="no hold 'H-9'"):
        await terminal.run("hold", "release", "H-9", "--as", "k.saar")
    with pytest.raises(UnknownNameError, match="no case '1'"):
        await terminal.run("hold", "place", "H-3", "--reason", "x", "--room", "!two", "--case", "1", "--as", "k.saar")
    await terminal.run("hold", "release", "H-1", "--as", "k.saar")
    with pytest.raises(RefusedError, match="was released 2027-03-01"):
        await terminal.run("hold", "release", "H-1", "-o", str(tmp_path / "new"), "--as", "k.saar")
    assert not (tmp_path / "new").exists()


async def test_holds_are_entries_and_are_shown(terminal: Terminal, pool: Pool) -> None:
    """Placing, acknowledging and releasing stand in the log; `show` tells who has acknowledged."""
    await terminal.run(*OPEN)
    await terminal.run(*PLACE, "--case", "2027-014")
    shown = await terminal.run("hold", "show", "H-1")
    assert "reason    the leak of 2023\npeople    @m.tamm:x\ncase      2027-014\nkeeps     4 events\n" in shown
    assert f"acknowledged by 0 of 1\n  {MARI} is yet to be told\n" in shown
    await pool.execute("UPDATE archive_custodian SET told = 1")
    assert await acknowledge(pool, ["H-1"], UserId(MARI), terminal.services.clock()) == ["H-1"]
    assert await acknowledge(pool, ["H-1"], UserId(MARI), terminal.services.clock()) == []
    shown = await terminal.json("hold", "show", "H-1")
    assert shown["custodians"][0]["acknowledged"].startswith("2027-03-01")
    await terminal.run("hold", "release", "H-1", "--as", "k.saar")
    deeds = await terminal.deeds()
    assert [(deed, details.get("do")) for deed, details in deeds[1:]] == [
        ("hold", "place"),
        ("acknowledge", None),
        ("hold", "release"),
    ]
    assert "H-1  2027-03-01" in await terminal.run("hold", "list")
