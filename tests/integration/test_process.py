"""Children really run, really end, and never outlive us."""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from pathlib import Path
from signal import Signals

import psutil
import pytest

from bridge.errors import MusterError
from bridge.process import child
from tests.waiting import wait_until

_STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)
_OWNER = """
import pathlib, sys
from bridge import event_loop
from bridge.process import child

async def main() -> None:
    async with child(["sleep", "600"], log_path=pathlib.Path(sys.argv[1])) as process:
        print(process.pid, flush=True)
        await process.wait()

event_loop.run(main())
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


async def test_the_output_goes_to_the_log(tmp_path: Path) -> None:
    """Standard output and standard error are appended to the log, which only we can read."""
    log = tmp_path / "program.log"
    for word in ("one", "two"):
        async with child(["sh", "-c", f"echo {word}; echo {word} >&2"], log_path=log) as process:
            assert await process.wait() == 0
    assert log.read_text() == "one\none\ntwo\ntwo\n"
    assert log.stat().st_mode & 0o777 == 0o600


async def test_the_child_ends_with_the_block(tmp_path: Path) -> None:
    """Leaving the block ends the program with the first stop signal."""
    async with child(["sleep", "600"], log_path=tmp_path / "log") as process:
        assert process.returncode is None
    assert process.returncode == -Signals.SIGTERM
    assert not psutil.pid_exists(process.pid)


async def test_a_child_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    """A program that does not end within the grace is killed."""
    log = tmp_path / "log"
    async with child([sys.executable, "-c", _STUBBORN], log_path=log, grace=0.05) as process:
        await wait_until(lambda: "ready" in log.read_text())
    assert process.returncode == -Signals.SIGKILL


async def test_the_child_ends_when_we_are_cancelled(tmp_path: Path) -> None:
    """Cancelling the task that holds the block ends the program too."""
    log = tmp_path / "log"

    async def hold() -> None:
        async with child(["sh", "-c", "echo $$; exec sleep 600"], log_path=log) as process:
            await process.wait()

    task = asyncio.create_task(hold())
    await wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.pid_exists(int(log.read_text()))


async def test_the_child_dies_with_us(tmp_path: Path) -> None:
    """After `kill -9` of the process that started it, the program is gone."""
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _OWNER, str(tmp_path / "log"), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    orphan = int(await owner.stdout.readline())
    assert psutil.pid_exists(orphan)
    owner.kill()
    await owner.wait()
    await wait_until(lambda: not psutil.pid_exists(orphan))


async def test_a_program_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """The message says which program could not be started, and why."""
    with pytest.raises(MusterError, match="cannot start /no/such/program: No such file"):
        async with child(["/no/such/program"], log_path=tmp_path / "log"):
            pass


async def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """The message says which folder could not be entered."""
    with pytest.raises(MusterError, match=r"cannot start true: expected a folder .*/absent"):
        async with child(["true"], log_path=tmp_path / "log", cwd=tmp_path / "absent"):
            pass


async def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The message says which log could not be written, and why."""
    with pytest.raises(MusterError, match=r"cannot write the log .*/absent/log: No such file"):
        async with child(["true"], log_path=tmp_path / "absent" / "log"):
            pass


@needs_root
async def test_root_becomes_the_user_and_keeps_the_folder(tmp_path: Path) -> None:
    """The program runs as the user, in no group of root's, in a folder that the user could not reach."""
    log = tmp_path / "log"
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    nobody = pwd.getpwnam("nobody")
    groups = os.getgroups()
    os.setgroups([0, 4])
    try:
        async with child(["sh", "-c", "id -u; id -G; pwd -P"], log_path=log, user=nobody, cwd=private) as process:
            assert await process.wait() == 0
    finally:
        os.setgroups(groups)
    assert log.read_text().split() == [str(nobody.pw_uid), str(nobody.pw_gid), str(private)]


@needs_root
async def test_a_child_of_another_user_dies_with_us(tmp_path: Path) -> None:
    """Folder first, then the user, whose change clears the kernel's promise, then the promise."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    owned = _OWNER.replace("log_path=", f"user=__import__('pwd').getpwnam('nobody'), cwd={str(private)!r}, log_path=")
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", owned, str(tmp_path / "log"), stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    orphan = int(await owner.stdout.readline())
    assert psutil.Process(orphan).cwd() == str(private)
    assert psutil.Process(orphan).uids().real == pwd.getpwnam("nobody").pw_uid
    owner.kill()
    await owner.wait()
    await wait_until(lambda: not psutil.pid_exists(orphan))
