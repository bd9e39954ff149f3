"""`muster run` says in one message why it cannot start, waits for what may come, and ends when it is told to."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.database import open_database
from bridge.process import Process, child, free_port
from tests.waiting import wait_until

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def folder(tmp_path: Path, database_url: str) -> Path:
    """An installation whose Synapse is away."""
    files = {
        "registration.yaml": f"id: m\nurl: {NOWHERE}\nas_token: a\nhs_token: h\nsender_localpart: muster\n",
        "policy.yaml": "version: 1\ncompany: Company\n",
        "config.yaml": f"homeserver: {{url: '{NOWHERE}', server_name: example.org}}\n"
        f"appservice: {{listen: '127.0.0.1:{free_port()}'}}\ndatabase: {database_url}\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[Process]:
    argv = [sys.executable, "-m", "bridge", "run", "-c", str(folder / "config.yaml")]
    async with child(argv, log_path=folder / "muster.log") as process:
        yield process


async def _outcome(folder: Path) -> tuple[int, str]:
    async with _running(folder) as process:
        code = await process.wait()
    return code, (folder / "muster.log").read_text()


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def test_a_port_that_is_taken_is_told(folder: Path, taken_port: int) -> None:
    """Most often Muster is running already."""
    _change(folder / "config.yaml", "'127.0.0.1:", f"'127.0.0.1:{taken_port}' #")
    _change(folder / "config.yaml", "appservice: {", "appservice:\n  ")
    code, said = await _outcome(folder)
    assert code == 1
    assert f"muster: Muster cannot listen on 127.0.0.1:{taken_port}" in said
    assert "Warning" not in said
    assert "Is it running already?" in said
    assert "Traceback" not in said
    assert "defect" not in said


async def test_a_bad_policy_at_the_first_start_is_told(folder: Path) -> None:
    """As an editor understands it."""
    _change(folder / "policy.yaml", "version: 1", "version: 2")
    code, said = await _outcome(folder)
    assert code == 1
    assert f"{folder}/policy.yaml:1:10: error: expected 1" in said
    assert "Traceback" not in said


async def test_a_database_of_a_newer_muster_is_told(folder: Path, owner_url: str) -> None:
    """Nothing is waited for that does not pass."""
    async with open_database(owner_url) as pool:
        await pool.execute("UPDATE version SET version = version + 1")
    code, said = await _outcome(folder)
    assert code == 1
    assert "made by a newer Muster" in said


async def test_it_waits_for_a_database_and_ends_when_told_to(folder: Path) -> None:
    """The first start may be before PostgreSQL's; it says so once, without the address, and SIGTERM ends it with 0."""
    _change(folder / "config.yaml", "database: ", "database: postgresql://muster:sw0rdf1sh@127.0.0.1:9/m #")
    async with _running(folder) as process:
        await wait_until(lambda: "waiting for the database" in (folder / "muster.log").read_text())
        os.kill(process.pid, signal.SIGTERM)
        assert await process.wait() == 0
    said = (folder / "muster.log").read_text()
    assert said.count("waiting") == 1
    assert "sw0rdf1sh" not in said
    assert said.splitlines()[-1].endswith("ended")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_in_good_order(folder: Path, end: signal.Signals) -> None:
    """By the signals of systemd and of Ctrl-C, with the code 0, while it waits for Synapse."""
    async with _running(folder) as process:
        await wait_until(lambda: "waiting for the homeserver" in (folder / "muster.log").read_text())
        os.kill(process.pid, end)
        assert await process.wait() == 0
    said = (folder / "muster.log").read_text()
    assert "Traceback" not in said
    assert said.splitlines()[-1].endswith("ended")
