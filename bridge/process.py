"""Child processes that never outlive us (Linux).

`child` runs one program in a session of its own, so that Ctrl-C reaches us and not it, with its output appended to a
log file, and ends it when the block ends: first politely, then by force. The kernel ends it when we are killed
(`prctl(2)`, PR_SET_PDEATHSIG), so even `kill -9` of us leaves nothing behind. What the program is, whether it is
ready and what its log means is left to the caller.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import pwd
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import Signals

from bridge.errors import MusterError

_LIBC = ctypes.CDLL(None)  # loaded here, because loading between fork and exec could deadlock
_PR_SET_PDEATHSIG = 1
_TAIL_BYTES = 8192


def free_port() -> int:
    """Return a TCP port on the loopback interface that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def last_line(log_path: Path, containing: str = "") -> str:
    """Return the last line of a log that is not blank and contains a word, or an empty string when there is none."""
    with suppress(FileNotFoundError), log_path.open("rb") as log:
        log.seek(max(0, log_path.stat().st_size - _TAIL_BYTES))
        lines = [line.strip() for line in log.read().decode(errors="replace").splitlines()]
        return next((line for line in reversed(lines) if line and containing in line), "")
    return ""


class Process:
    """A running child; `child` makes it."""

    def __init__(
        self, process: asyncio.subprocess.Process, log_path: Path, stop_signals: Sequence[Signals], grace: float
    ) -> None:
        self._process = process
        self._stop_signals = stop_signals
        self._grace = grace
        self.log_path = log_path

    @property
    def pid(self) -> int:
        """The process ID, which is the ID of its process group and session too."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal, None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for the end and return the exit status."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Send each stop signal in turn, with the grace after each, and then kill; idempotent."""
        try:
            for signal in self._stop_signals:
                if self.returncode is not None:
                    return
                await self._ask(signal)
        finally:
            await self.kill()

    async def kill(self) -> None:
        """Kill the process and its group at once; idempotent."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, Signals.SIGKILL)
        await self.wait()

    async def _ask(self, signal: Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace):
                await self.wait()


@asynccontextmanager
async def child(
    argv: Sequence[str | Path],
    *,
    log_path: Path,
    env: Mapping[str, str] | None = None,
    user: pwd.struct_passwd | None = None,
    cwd: Path | None = None,
    stop_signals: Sequence[Signals] = (Signals.SIGTERM,),
    death_signal: Signals = Signals.SIGKILL,
    grace: float = 10.0,
) -> AsyncIterator[Process]:
    """Run a program for the length of the block.

    `env` replaces our environment. As root, `user` is who it runs as, without root's groups; `cwd` is entered before
    that, so the user need not be able to reach it. `stop_signals` are sent at the end, `grace` seconds apart;
    `death_signal` is what the kernel sends when the thread that entered the block, or all of us, is gone. Raises
    `MusterError` when the program cannot be started or its log cannot be written.
    """
    descriptor = _opened(log_path)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=descriptor,
            stderr=asyncio.subprocess.STDOUT,
            env=env,
            start_new_session=True,
            preexec_fn=_prepared(cwd, user, os.getpid(), death_signal),
        )
    except OSError as error:
        raise MusterError(f"cannot start {argv[0]}: {error.strerror}") from error
    except subprocess.SubprocessError as error:
        who = user.pw_name if user else "ourselves"
        raise MusterError(f"cannot start {argv[0]}: expected a folder {cwd}, and to run as {who}") from error
    finally:
        os.close(descriptor)
    started = Process(process, log_path, stop_signals, grace)
    try:
        yield started
    finally:
        await started.stop()


def _opened(log_path: Path) -> int:
    try:
        return os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise MusterError(f"cannot write the log {log_path}: {error.strerror}") from error


def _prepared(cwd: Path | None, user: pwd.struct_passwd | None, parent: int, signal: Signals) -> Callable[[], None]:
    """Return what the child runs between fork and exec, in this order; uvloop takes no user, and enters `cwd` later."""

    def prepare() -> None:
        if cwd is not None:
            os.chdir(cwd)
        if user is not None:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        # After the change of user, which would undo it.
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal), 0, 0, 0)
        if os.getppid() != parent:  # killed between fork and prctl: the signal will never come
            os._exit(1)

    return prepare
