"""The embedded PostgreSQL starts anywhere, is shared, loses nothing and leaves nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from bridge.database.embedded import EmbeddedPostgres
from bridge.errors import DatabaseError, DatabaseUnavailableError
from tests.waiting import wait_until

_OTHER_PROCESS = """
import asyncio, pathlib, sys
from bridge.database.embedded import EmbeddedPostgres

async def main() -> None:
    async with EmbeddedPostgres(pathlib.Path(sys.argv[1]), durable=sys.argv[2] == "True") as server:
        print(server.pid, flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
async def made_cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a cluster that was stopped in good order, to be copied."""
    folder = tmp_path_factory.mktemp("made")
    async with EmbeddedPostgres(folder, durable=False):
        return folder


@pytest.fixture
def data_dir(made_cluster: Path, tmp_path: Path) -> Path:
    """A data folder of one's own with a cluster."""
    copy = tmp_path / "data"
    shutil.copytree(made_cluster, copy)
    for path in (made_cluster / "cluster", *(made_cluster / "cluster").rglob("*")):
        owner = path.stat()
        os.chown(copy / path.relative_to(made_cluster), owner.st_uid, owner.st_gid)
    return copy


async def _value(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def _other_process(
    data_dir: Path, *, durable: bool = False
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run another process with the server on the folder; yield it and the server's process ID."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _OTHER_PROCESS, str(data_dir), str(durable), stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    try:
        yield process, int(await process.stdout.readline())
    finally:
        await process.communicate(b"\n")


async def test_a_new_folder_becomes_a_database(tmp_path: Path) -> None:
    """A folder that does not exist yet is enough: UTF-8, order by code point, letters of every script."""
    async with EmbeddedPostgres(tmp_path / "new" / "folder", durable=False) as server:
        assert await _value(server.url, "SHOW server_encoding") == "UTF8"
        assert await _value(server.url, "SELECT 'Z' < 'a'") is True
        assert await _value(server.url, "SELECT lower('ÄÖŽΣЖ')") == "äöžσж"
        assert str(await _value(server.url, "SHOW server_version")).startswith("18.")


async def test_it_listens_on_a_private_socket_only(data_dir: Path) -> None:
    """No TCP port is open, and only the server's user, and root, can reach the socket."""
    async with EmbeddedPostgres(data_dir) as server:
        assert await _value(server.url, "SHOW listen_addresses") == ""
        folder = data_dir / "cluster"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.stat().st_uid == psutil.Process(server.pid).uids().effective != 0
        assert psutil.Process(server.pid).net_connections("inet") == []


async def test_it_is_durable_unless_told_otherwise(data_dir: Path) -> None:
    """What is committed survives a power cut by default; a test may trade that for speed."""
    for durable, expected in ((True, "on"), (False, "off")):
        async with EmbeddedPostgres(data_dir, durable=durable) as server:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                assert await _value(server.url, f"SHOW {setting}") == expected


async def test_data_outlives_the_server(data_dir: Path) -> None:
    """What one run wrote, the next one reads."""
    async with EmbeddedPostgres(data_dir) as server:
        await _execute(server.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    async with EmbeddedPostgres(data_dir) as server:
        assert await _value(server.url, "SELECT answer FROM kept") == 42


async def test_nothing_is_left_after_the_block(data_dir: Path) -> None:
    """No process and no socket remain, even with a client connected."""
    async with EmbeddedPostgres(data_dir) as server:
        pid = server.pid
        assert any(path.is_socket() for path in (data_dir / "cluster").iterdir())
        client = await asyncpg.connect(server.url)
    assert not psutil.pid_exists(pid)
    assert not any(path.is_socket() for path in (data_dir / "cluster").iterdir())
    client.terminate()


async def test_a_second_process_shares_the_server(data_dir: Path) -> None:
    """Whoever comes second uses the server that runs, and leaves it running."""
    async with EmbeddedPostgres(data_dir, durable=False) as server:
        async with _other_process(data_dir) as (_, pid):
            assert pid == server.pid
        assert await _value(server.url, "SELECT 1") == 1


async def test_two_that_start_at_once_share_one_server(data_dir: Path) -> None:
    """Of two processes that start together one runs the server and the other uses it."""
    async with _other_process(data_dir) as (_, one), _other_process(data_dir) as (_, other):
        assert one == other


async def test_two_that_start_at_once_make_one_cluster(tmp_path: Path) -> None:
    """Also on a folder that does not exist yet."""
    first, second = (
        EmbeddedPostgres(tmp_path / "data", durable=False),
        EmbeddedPostgres(tmp_path / "data", durable=False),
    )
    async with asyncio.TaskGroup() as starts:
        starts.create_task(first.__aenter__())
        starts.create_task(second.__aenter__())
    assert first.pid == second.pid
    assert first.url == second.url
    await first.__aexit__(None, None, None)
    await second.__aexit__(None, None, None)


async def test_the_server_dies_with_its_owner(data_dir: Path) -> None:
    """After `kill -9` of the process that runs the server, no process of it is left, and the next one starts."""
    async with _other_process(data_dir) as (owner, pid):
        family = [psutil.Process(pid), *psutil.Process(pid).children()]
        await _execute(_url(data_dir), "CREATE TABLE kept AS SELECT 42 AS answer")
        owner.kill()
        await wait_until(lambda: not any(process.is_running() for process in family))
    async with EmbeddedPostgres(data_dir) as server:
        assert await _value(server.url, "SELECT answer FROM kept") == 42


async def test_the_next_owner_waits_for_the_last_ones_server(data_dir: Path) -> None:
    """A process that starts right after the owner was killed gets a server of its own, not the dying one."""
    for _ in range(5):
        async with _other_process(data_dir) as (owner, pid):
            owner.kill()
            await owner.wait()
            async with EmbeddedPostgres(data_dir, durable=False) as server:
                assert server.pid != pid
                assert await _value(server.url, "SELECT 1") == 1


async def test_it_recovers_when_everything_was_killed(data_dir: Path) -> None:
    """After a crash of owner and server at once, everything that was committed is there."""
    async with _other_process(data_dir, durable=True) as (owner, pid):
        url = _url(data_dir)
        await _execute(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        for victim in (owner.pid, pid):
            os.kill(victim, signal.SIGSTOP)
        for victim in (pid, owner.pid):
            os.kill(victim, signal.SIGKILL)
    assert (data_dir / "cluster" / "postmaster.pid").exists()
    async with EmbeddedPostgres(data_dir) as server:
        assert await _value(server.url, "SELECT answer FROM kept") == 42


async def test_a_process_id_that_was_given_away_is_no_obstacle(data_dir: Path) -> None:
    """A stale `postmaster.pid` that names a living program, as after a restart of a container, does no harm."""
    stale = data_dir / "cluster" / "postmaster.pid"
    stale.write_text(f"{os.getppid()}\n/proc/self/cwd\n1\n5432\n.\n\n  1 1\nready\n")
    async with EmbeddedPostgres(data_dir) as server:
        assert server.pid != os.getppid()


async def test_an_interrupted_creation_is_begun_again(tmp_path: Path) -> None:
    """A cluster that a crash left half made is not used."""
    half = tmp_path / "cluster.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    async with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert await _value(server.url, "SELECT 1") == 1
    assert not half.exists()


async def test_a_deep_folder_is_fine(tmp_path: Path) -> None:
    """The data folder may be deeper than a Unix socket's path may be long, for us and for who comes second."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    async with EmbeddedPostgres(deep, durable=False) as server, EmbeddedPostgres(deep) as second:
        assert await _value(server.url, "SELECT 1") == 1
        assert second.url == server.url


async def test_databases_are_copied_and_dropped(data_dir: Path) -> None:
    """A database is a copy of its template; dropping ends its connections, and dropping it again is fine."""
    async with EmbeddedPostgres(data_dir, durable=False) as server:
        await server.create_database("model")
        await _execute(server.url_for("model"), "CREATE TABLE kept AS SELECT 42 AS answer")
        await server.create_database('odd "name" / ü', template="model")
        url = server.url_for('odd "name" / ü')
        assert await _value(url, "SELECT answer FROM kept") == 42
        with pytest.raises(DatabaseError, match="already exists"):
            await server.create_database("model")
        client = await asyncpg.connect(url)
        for _ in range(2):
            await server.drop_database('odd "name" / ü')
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await asyncpg.connect(url)
        client.terminate()


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """The message names the folder and the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnavailableError, match=r"/file .*cannot be used: File exists"):
        async with EmbeddedPostgres(tmp_path / "file"):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize(("owner", "reason"), [(0, "may not run PostgreSQL"), (4_000_000, "does not know")])
async def test_a_cluster_of_an_impossible_owner_says_what_to_do(data_dir: Path, owner: int, reason: str) -> None:
    """A cluster that was copied by root, or from another machine, is not run, and the message has the remedy."""
    os.chown(data_dir / "cluster", owner, 0)
    with pytest.raises(DatabaseUnavailableError, match=rf"ID {owner}, which .*{reason}; chown -R nobody it"):
        async with EmbeddedPostgres(data_dir):
            pass


async def test_variables_of_the_environment_change_nothing(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that lead other programs to another PostgreSQL do not mislead Muster."""
    for name, value in (("PGPORT", "1"), ("PGHOST", "/nowhere"), ("PGDATABASE", "other"), ("PGUSER", "other")):
        monkeypatch.setenv(name, value)
    async with EmbeddedPostgres(data_dir, durable=False) as server:
        assert await _value(server.url, "SELECT current_user") == "muster"


async def test_a_cluster_that_does_not_start_says_why(data_dir: Path) -> None:
    """The message names the log and quotes its last line, and nothing is left running or locked."""
    version = data_dir / "cluster" / "PG_VERSION"
    version.write_text("9.6\n")
    with pytest.raises(DatabaseUnavailableError, match=r"ended with status 1.*postgres\.log: .*version 9\.6"):
        async with EmbeddedPostgres(data_dir):
            pass
    version.write_text("18\n")
    async with EmbeddedPostgres(data_dir) as server:
        assert await _value(server.url, "SELECT 1") == 1


async def test_a_server_that_went_away_is_unavailable(data_dir: Path) -> None:
    """Using a server that somebody killed says so, and does not show a library's error."""
    async with EmbeddedPostgres(data_dir, durable=False) as server:
        killed = psutil.Process(server.pid)
        killed.kill()
        await wait_until(lambda: not killed.is_running())
        with pytest.raises(DatabaseUnavailableError, match="does not answer"):
            await server.create_database("late")


def _url(data_dir: Path) -> str:
    return f"postgresql://muster@/muster?host={data_dir / 'cluster'}&port=5432"
