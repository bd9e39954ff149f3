"""The demo keeps its promises: it ends as it says, can be used while it is up, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from rich.cells import cell_len

from tests.waiting import wait_until

_START_SECONDS = 240.0
Start = Callable[..., Awaitable[Process]]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The folder that the demo takes for its temporary files, so that what is left is found."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
async def start(temporary: Path) -> AsyncIterator[Start]:
    """A function that starts `muster demo` with these arguments; what still runs at the end is killed."""
    started: list[Process] = []

    async def run(*arguments: str) -> Process:
        environment = {**os.environ, "TMPDIR": str(temporary)}
        argv = (sys.executable, "-m", "bridge", "demo", *arguments)
        started.append(await asyncio.create_subprocess_exec(*argv, stdout=PIPE, stderr=PIPE, env=environment))
        return started[-1]

    yield run
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def processes_of(temporary: Path) -> Iterator[int]:
    """Yield the processes that work for a demo with these temporary files."""
    place = str(temporary).encode()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            cwd = os.fsencode((process / "cwd").readlink())
            if cwd.startswith(place) or b"TMPDIR=" + place in (process / "environ").read_bytes():
                yield int(process.name)


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def content_of(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


async def ready(process: Process, path: Path) -> dict[str, Any]:
    """Wait for the ready file and return what it says."""
    await wait_until(lambda: path.exists() or process.returncode is not None, seconds=_START_SECONDS)
    assert process.returncode is None, (await process.communicate())[1].decode()
    return content_of(path)


async def test_once_shows_a_company_and_ends_with_one_line_of_json(start: Start, temporary: Path) -> None:
    """`muster demo --once` exits with 0 when every check held, prints the figures last, and leaves nothing behind."""
    process = await start("--once", "--people", "12")
    stdout, stderr = await process.communicate()
    assert process.returncode == 0, stdout.decode() + stderr.decode()
    *story, line = stdout.decode().splitlines()
    figures = json.loads(line)
    assert (figures["people"], figures["announcement"]) == (12, {"delivered": 12, "acknowledged": 12})
    assert figures["leaver"]["sessions_ended"] == 2
    assert figures["leaver"]["rooms_left"] >= 5
    assert figures["archive"]["verified"] is True
    assert figures["archive"]["missing"] == 0
    assert figures["archive"]["events"] == figures["archive"]["leaves"] > figures["memberships"] > 12
    assert figures["joins_per_second"] > 0
    assert figures["seconds"] > figures["leaver"]["seconds_to_no_access"] > 0
    assert max(map(cell_len, story)) <= 80
    assert list(processes_of(temporary)) == []
    assert files_in(temporary) == []


async def test_while_it_is_up_scripts_find_everything_in_the_ready_file(
    start: Start, temporary: Path, tmp_path: Path
) -> None:
    """Every address and token works; SIGTERM ends all of it, removes every file and is no failure."""
    path = tmp_path / "ready.json"
    process = await start("--people", "0", "--ready-file", str(path))
    found = await ready(process, path)
    assert path.stat().st_mode & 0o777 == 0o600
    async with aiohttp.ClientSession() as http:
        admin = {"Authorization": f"Bearer {found['admin_access_token']}"}
        async with http.get(f"{found['homeserver_url']}/_matrix/client/v3/account/whoami", headers=admin) as answer:
            assert (await answer.json())["user_id"] == found["admin_user_id"]
        async with http.get(f"{found['muster_url']}/healthz") as answer:
            assert answer.status == 200
        hr = {"Authorization": f"Bearer {found['scim_token']}"}
        async with http.get(f"{found['scim_url']}/Users", headers=hr) as answer:
            assert (await answer.json())["totalResults"] == 0
    database = await asyncpg.connect(found["database_url"])
    assert await database.fetchval("SELECT count(*) FROM event") > 0
    await database.close()
    assert "config.yaml" in files_in(Path(found["config"]).parent)
    assert found["admin_user_id"].endswith(f":{found['server_name']}")
    assert sorted(found["pids"]) == ["demo", "muster", "postgres", "synapse"]
    assert set(found["pids"].values()) <= set(processes_of(temporary))
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 0
    assert list(processes_of(temporary)) == []
    assert files_in(temporary) == []
    assert not path.exists()


async def test_nothing_outlives_a_demo_that_is_killed(start: Start, temporary: Path, tmp_path: Path) -> None:
    """After `kill -9` the kernel ends Muster, Synapse and PostgreSQL."""
    path = tmp_path / "ready.json"
    process = await start("--people", "0", "--ready-file", str(path))
    await ready(process, path)
    process.kill()
    await process.communicate()
    await wait_until(lambda: not any(processes_of(temporary)))


async def test_an_interrupted_demo_tidies_up_and_says_so(start: Start, temporary: Path) -> None:
    """Ctrl-C in the middle of the story leaves no process and no file either."""
    process = await start("--people", "5")
    await wait_until(lambda: any(temporary.glob("muster-demo-*/synapse")))
    process.send_signal(signal.SIGINT)
    _, stderr = await process.communicate()
    assert process.returncode == 130
    assert "interrupted; nothing is left behind" in stderr.decode()
    assert list(processes_of(temporary)) == []
    assert files_in(temporary) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--people", "many"), 2, "expected a number from 0 upwards, came 'many'"),
        (("--people", "-1"), 2, "--people"),
        (("--ready-file", "/nowhere/ready.json"), 1, "/nowhere/ready.json cannot be written"),
    ],
)
async def test_wrong_arguments_are_refused_at_once(
    start: Start, temporary: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """Nothing is started for arguments that cannot be meant."""
    process = await start(*arguments)
    _, stderr = await process.communicate()
    assert process.returncode == code
    assert message in stderr.decode()
    assert files_in(temporary) == []
