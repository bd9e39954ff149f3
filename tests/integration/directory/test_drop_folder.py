"""The drop folder: files come in whole and once, and are put away with a word on what happened."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bridge.clock import system_clock
from bridge.database import AWAY
from bridge.directory import drop_folder
from bridge.directory.drop_folder import DropFolder
from bridge.directory.file_mapping import FileMapping
from bridge.directory.store import load_people
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

MAPPING = FileMapping(columns={"Nr": ("externalId",), "Login": ("userName",)}, delimiter=";", encoding="cp1252")
GOOD = "Nr;Login;Geburtstag\n1;jürgen;1990-05-04\n".encode("cp1252")


def watcher(pool: Pool, folder: Path) -> DropFolder:
    return DropFolder(pool, folder, MAPPING, every=timedelta(milliseconds=10), clock=system_clock)


def names(folder: Path) -> list[str]:
    """The files in the folder, without the time and number at their beginning."""
    return sorted(entry.name.split("-", 2)[-1] for entry in folder.iterdir())


async def test_file_is_imported_and_put_away(pool: Pool, tmp_path: Path) -> None:
    """At the second look, by the mapping; its neighbour says what changed; what is not mapped is nowhere."""
    drop = watcher(pool, tmp_path)
    (tmp_path / "hr.csv").write_bytes(GOOD)
    await drop.look()
    assert await load_people(pool) == []
    await drop.look()

    assert [each.user_name for each in await load_people(pool)] == ["jürgen"]
    assert names(tmp_path / "done") == ["hr.csv", "hr.csv.txt"]
    (words,) = (tmp_path / "done").glob("*.txt")
    assert words.read_text() == "People added: 1, changed: 0, no longer working here: 0, unchanged: 0.\n"
    assert names(tmp_path) == ["done", "failed", "working"]
    documents = await pool.fetch("SELECT document::text AS document FROM person_history")
    assert "1990" not in documents[0]["document"]


async def test_bad_file_is_put_aside_with_its_reason_and_changes_nothing(pool: Pool, tmp_path: Path) -> None:
    """All or nothing, and the next file goes on."""
    drop = watcher(pool, tmp_path)
    (tmp_path / "bad\udcff.csv").write_bytes(b"Nr;Login\n1;a\n2\n")
    (tmp_path / "good.csv").write_bytes(GOOD)
    await drop.look()
    await drop.look()

    assert names(tmp_path / "failed") == ["bad_.csv", "bad_.csv.txt"]
    (words,) = (tmp_path / "failed").glob("*.txt")
    assert ":3: error: expected 2 fields as in the header, came 1" in words.read_text()
    assert [each.user_name for each in await load_people(pool)] == ["jürgen"]


async def test_file_that_was_renamed_into_place_comes_in_at_once(pool: Pool, tmp_path: Path) -> None:
    """It was seen whole under its temporary name."""
    drop = watcher(pool, tmp_path)
    (tmp_path / "hr.csv.part").write_bytes(GOOD)
    await drop.look()
    (tmp_path / "hr.csv.part").rename(tmp_path / "hr.csv")
    await drop.look()
    assert len(await load_people(pool)) == 1


async def test_file_is_not_imported_twice_when_muster_is_killed_before_putting_it_away(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run finds it in `working`, knows that it is in, and only puts it away."""

    class KilledError(BaseException):
        pass

    def die(*_: object) -> None:
        raise KilledError

    (tmp_path / "hr.csv").write_bytes(GOOD)
    with monkeypatch.context() as patch:
        patch.setattr(drop_folder, "_put_away", die)
        drop = watcher(pool, tmp_path)
        await drop.look()
        with pytest.raises(KilledError):
            await drop.look()
    assert names(tmp_path / "working") == ["hr.csv"]
    await pool.execute("DELETE FROM person_history")  # an import would write it again
    await pool.execute('UPDATE scim_resource SET document = document || \'{"externalId": "2"}\'')

    await watcher(pool, tmp_path).look()
    assert names(tmp_path / "done") == ["hr.csv", "hr.csv.txt"]
    assert "People added: 1," in next((tmp_path / "done").glob("*.txt")).read_text()
    assert await pool.fetchval("SELECT count(*) FROM person_history") == 0


async def test_file_is_imported_when_muster_was_killed_before_that(pool: Pool, tmp_path: Path) -> None:
    """What was taken and is not in the directory is done by the next run."""
    (tmp_path / "working").mkdir()
    (tmp_path / "working" / "20261121T120000Z-01234567-hr.csv").write_bytes(GOOD)
    await watcher(pool, tmp_path).look()
    assert len(await load_people(pool)) == 1
    assert names(tmp_path / "done") == ["hr.csv", "hr.csv.txt"]


async def test_same_content_dropped_again_is_imported_again(pool: Pool, tmp_path: Path) -> None:
    """A file is itself, not what it says: yesterday's state may be today's again."""
    drop = watcher(pool, tmp_path)
    for _ in range(2):
        (tmp_path / "hr.csv").write_bytes(GOOD)
        await drop.look()
        await drop.look()
    assert len(names(tmp_path / "done")) == 4
    assert await pool.fetchval("SELECT count(*) FROM file_import") == 2


async def test_digest_goes_with_its_file(pool: Pool, tmp_path: Path) -> None:
    """A right one proves the file whole, any other refuses it; each is put away beside the file."""
    drop = watcher(pool, tmp_path)
    for words in (f"{hashlib.sha256(GOOD).hexdigest()}  hr.csv\n", "0" * 64, "?"):
        (tmp_path / "hr.csv").write_bytes(GOOD)
        (tmp_path / "hr.csv.sha256").write_text(words)
        await drop.look()
        await drop.look()

    assert names(tmp_path / "done") == ["hr.csv", "hr.csv.sha256", "hr.csv.txt"]
    assert names(tmp_path / "failed") == sorted(2 * ["hr.csv", "hr.csv.sha256", "hr.csv.txt"])
    assert names(tmp_path) == ["done", "failed", "working"]
    assert names(tmp_path / "working") == []
    reasons = "".join(sorted(each.read_text() for each in (tmp_path / "failed").glob("*.txt")))
    assert "expected the SHA-256 0000" in reasons
    assert "expected a SHA-256 of 64 hexadecimal digits" in reasons


async def test_digest_is_not_lost_when_muster_is_killed_while_taking_its_file(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file stays where it was with its digest; a copy that was taken before it is cleared away."""

    class KilledError(BaseException):
        pass

    def die(*_: object) -> None:
        raise KilledError

    drop = watcher(pool, tmp_path)
    (tmp_path / "hr.csv").write_bytes(GOOD)
    (tmp_path / "hr.csv.sha256").write_text("0" * 64)
    await drop.look()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", die)
        with pytest.raises(KilledError):
            await drop.look()
    again = watcher(pool, tmp_path)
    await again.look()
    assert names(tmp_path / "working") == []
    await again.look()
    assert names(tmp_path / "failed") == ["hr.csv", "hr.csv.sha256", "hr.csv.txt"]


async def test_file_waits_while_the_database_is_away(pool: Pool, tmp_path: Path) -> None:
    """It is neither lost nor failed."""
    drop = watcher(pool, tmp_path)
    (tmp_path / "hr.csv").write_bytes(GOOD)
    await drop.look()
    async with pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("SELECT FROM directory_version FOR UPDATE")
        looking = asyncio.create_task(drop.look())
        waiting = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

        async def is_blocked() -> bool:
            found: bool = await pool.fetchval(f"SELECT EXISTS (SELECT {waiting})")
            return found

        await wait_until(is_blocked)
        await pool.execute(f"SELECT pg_terminate_backend(pid) {waiting}")
        with pytest.raises(AWAY):
            await looking
    assert names(tmp_path / "working") == ["hr.csv"]
    await drop.look()
    assert len(await load_people(pool)) == 1


async def test_running_watcher_takes_what_comes(pool: Pool, tmp_path: Path) -> None:
    """By itself, also into a folder that was not there."""
    task = asyncio.create_task(watcher(pool, tmp_path / "drop").run())
    try:
        await wait_until((tmp_path / "drop" / "failed").is_dir)
        (tmp_path / "drop" / "hr.csv").write_bytes(GOOD)
        await wait_until(lambda: len(names(tmp_path / "drop" / "done")) == 2)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
