"""A PostgreSQL of our own: no installation, no port, no password, nothing left behind (Linux).

`EmbeddedPostgres` keeps a cluster in a data folder and runs `postgres` in the foreground as our child, on a Unix
socket that only the server's user and root can reach. The data folder holds

    cluster/        PostgreSQL's own files and the socket, 0700, owned by the server's user
    lock            held by the process that runs the server, as long as it lives
    postgres.log    what initdb and postgres said

The first process on a data folder owns the server and stops it on exit; the others connect to it. Root may not run
PostgreSQL: then the server's user is the owner of the cluster, `nobody` for a new one. That user need not be able to
reach the data folder: the server enters the cluster before it gives up root, and calls it `/proc/self/cwd` from then
on. A socket's path has at most 107 bytes; clients of a deeper cluster reach it as `/proc/PID/cwd`. Tables, upgrades
and pools are left to `bridge.database`.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import Self
from urllib.parse import quote

import asyncpg

from bridge.database.binaries import find_binaries
from bridge.errors import DatabaseError, DatabaseUnavailableError
from bridge.process import Process, child, last_line

_ROLE = "muster"
_SERVICE = "muster_service"
"""The role of the running service, which owns nothing."""
_DATABASE = "muster"
_MAINTENANCE_DATABASE = "postgres"
_UNPRIVILEGED = "nobody"
_PORT = "5432"  # names the socket; there is no TCP port
_START_SECONDS = 300  # crash recovery of a large cluster takes minutes; it answers as soon as it can
_POLL_SECONDS = 0.02
_MAKE_SERVICE = f"DO $$ BEGIN IF to_regrole('{_SERVICE}') IS NULL THEN CREATE ROLE {_SERVICE} LOGIN; END IF; END $$"
_WATCH_SECONDS = 0.5
_LONGEST_SOCKET_PATH = 107
_SOCKET = f".s.PGSQL.{_PORT}"
_DURABLE = {"log_checkpoints": "off"}
_DISPOSABLE = _DURABLE | {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class EmbeddedPostgres:
    """A running PostgreSQL for the length of an `async with` block."""

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        """Take the data folder, made when absent; `durable=False` trades safety from power cuts for speed in tests."""
        self._data = data_dir.absolute()
        self._cluster = self._data / "cluster"
        self._durable = durable
        self._user: pwd.struct_passwd | None = None
        self._socket_folder = Path()
        self._pid = 0
        self._stack = AsyncExitStack()
        self.log_path = self._data / "postgres.log"

    async def __aenter__(self) -> Self:
        """Start the server, or connect to the one that another process runs on this data folder.

        Raises `DatabaseUnavailableError`, with the log's place and last line, when neither works.
        """
        try:
            async with AsyncExitStack() as stack:
                self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._user = self._server_user()
                if await self._is_ours(stack):
                    await self._start(stack)
                self._stack = stack.pop_all()
        except OSError as error:
            raise DatabaseUnavailableError(
                f"the folder {self._data} of the embedded PostgreSQL cannot be used: {error.strerror}"
            ) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """The address of the database `muster`, for its owner, as asyncpg and libpq read it."""
        return self.url_for(_DATABASE)

    @property
    def service_url(self) -> str:
        """The address of the database `muster`, for the role of the running service."""
        return self.service_url_for(_DATABASE)

    def service_url_for(self, name: str) -> str:
        """Return the address of the database `name`, for the role of the running service."""
        return self._url_for(name, _SERVICE)

    def url_for(self, name: str) -> str:
        """Return the address of the database `name`, for the owner of all of them."""
        return self._url_for(name, _ROLE)

    def _url_for(self, name: str, role: str) -> str:
        return f"postgresql://{role}@/{quote(name, safe='')}?host={quote(str(self._socket_folder))}&port={_PORT}"

    @property
    def pid(self) -> int:
        """The process ID of the server, whoever runs it."""
        try:
            return int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError) as error:
            raise self._unavailable("does not run any more") from error

    async def ended(self) -> None:
        """Return when the server has ended, whoever ran it; then only a new `EmbeddedPostgres` starts it again."""
        while _runs(self._pid):  # noqa: ASYNC110 - nobody tells us when another's child has ended
            await asyncio.sleep(_WATCH_SECONDS)

    async def create_database(self, name: str, template: str | None = None) -> None:
        """Create a database: UTF-8, collated by code point, a copy of `template` when one is given.

        Raises `DatabaseError` when it exists or the template is in use.
        """
        copied = f"TEMPLATE {_quoted(template)} STRATEGY FILE_COPY" if template else "TEMPLATE template0"
        await self._maintain(f"CREATE DATABASE {_quoted(name)} {copied}")

    async def drop_database(self, name: str) -> None:
        """Remove a database and end the connections to it; a database that does not exist is fine."""
        await self._maintain(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    async def _maintain(self, statement: str) -> None:
        try:
            connection = await asyncpg.connect(self.url_for(_MAINTENANCE_DATABASE))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()
        except asyncpg.PostgresError as error:
            raise DatabaseError(f"the embedded PostgreSQL refused: {error}") from error
        except OSError as error:
            raise self._unavailable(f"does not answer: {error}") from error

    def _server_user(self) -> pwd.struct_passwd | None:
        """Return who the server runs as when that is not us: root hands over to the cluster's owner."""
        owner = self._cluster.stat().st_uid if self._cluster.exists() else None
        if os.geteuid() != 0:
            if owner not in (None, os.geteuid()):
                raise self._foreign(owner, "but Muster does not; run Muster as that user or as root")
            return None
        try:
            user = pwd.getpwnam(_UNPRIVILEGED) if owner is None else pwd.getpwuid(owner)
        except KeyError as error:
            raise self._foreign(owner, f"which this machine does not know; chown -R {_UNPRIVILEGED} it") from error
        if user.pw_uid == 0:
            raise self._foreign(owner, f"which may not run PostgreSQL; chown -R {_UNPRIVILEGED} it")
        return user

    def _foreign(self, owner: int | None, remedy: str) -> DatabaseUnavailableError:
        return DatabaseUnavailableError(f"{self._cluster} belongs to the user with the ID {owner}, {remedy}")

    async def _is_ours(self, stack: AsyncExitStack) -> bool:
        """Wait until we hold the lock (True) or the server of the process that holds it answers (False)."""
        lock = os.open(self._data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        stack.callback(os.close, lock)
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not _acquired(lock):
                    if await self._is_answering():
                        return False
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise self._unavailable("belongs to another process but does not answer") from error
        return True

    async def _is_answering(self) -> bool:
        with suppress(DatabaseUnavailableError):
            self._reach(self.pid)
            return await _answers(self.url)
        return False

    def _reach(self, pid: int) -> None:
        """Take `pid` for the server, and find the folder under which clients reach its socket."""
        self._pid = pid
        fits = len(os.fsencode(self._cluster / _SOCKET)) <= _LONGEST_SOCKET_PATH
        self._socket_folder = self._cluster if fits else Path(f"/proc/{pid}/cwd")

    async def _start(self, stack: AsyncExitStack) -> None:
        binaries = find_binaries(self._user)
        if not self._cluster.exists():
            await self._initialise(binaries)
        await self._outwait_predecessor()
        process = await stack.enter_async_context(
            child(
                [binaries / "postgres", "-D", self._as_server_sees(self._cluster), *self._options()],
                log_path=self.log_path,
                env=_environment(),
                user=self._user,
                cwd=self._cluster,
                stop_signals=(Signals.SIGINT, Signals.SIGQUIT),  # fast shutdown, then immediate
                death_signal=Signals.SIGINT,
                grace=30.0,
            )
        )
        self._reach(process.pid)
        await self._ready(process)

    async def _initialise(self, binaries: Path) -> None:
        """Make the cluster under another name and rename it, so that a crash leaves none or a whole one."""
        fresh = self._data / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._user:
            os.chown(fresh, self._user.pw_uid, self._user.pw_gid)
        argv: list[str | Path] = [binaries / "initdb", "-D", self._as_server_sees(fresh), "-U", _ROLE]
        argv += [
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        argv += [] if self._durable else ["--no-sync"]
        async with child(argv, log_path=self.log_path, env=_environment(), user=self._user, cwd=fresh) as initdb:
            if await initdb.wait() != 0:
                raise self._unavailable("could not be initialised")
        fresh.rename(self._cluster)
        _sync(self._data)

    async def _outwait_predecessor(self) -> None:
        """Wait until the server of an owner that was killed is gone, and remove the process IDs that it left.

        A process ID that still belongs to a zombie, or to another program by now, would keep PostgreSQL from starting.
        """
        try:
            async with asyncio.timeout(_START_SECONDS):
                while any(_servers_in(self._cluster)):  # noqa: ASYNC110 - nobody tells us when they are gone
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            left = ", ".join(map(str, _servers_in(self._cluster)))
            raise self._unavailable(f"is still used by a server that nobody owns; end process {left}") from error
        for name in ("postmaster.pid", _SOCKET, f"{_SOCKET}.lock"):
            (self._cluster / name).unlink(missing_ok=True)

    async def _ready(self, process: Process) -> None:
        """Wait until the server answers, and create our database when the cluster is new."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await _answers(self.url_for(_MAINTENANCE_DATABASE)):
                    if process.returncode is not None:
                        raise self._unavailable(f"ended with status {process.returncode} while it started")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise self._unavailable(f"did not answer within {_START_SECONDS} s") from error
        if not await _answers(self.url):
            await self.create_database(_DATABASE)
        await self._maintain(_MAKE_SERVICE)

    def _options(self) -> Iterator[str]:
        yield from ("-k", ".", "-p", _PORT, "-c", "listen_addresses=")
        for name, value in (_DURABLE if self._durable else _DISPOSABLE).items():
            yield from ("-c", f"{name}={value}")

    def _as_server_sees(self, folder: Path) -> str:
        return "/proc/self/cwd" if self._user else str(folder)

    def _unavailable(self, what: str) -> DatabaseUnavailableError:
        said = last_line(self.log_path)
        quoted = f": {said}" if said else ""
        return DatabaseUnavailableError(f"the embedded PostgreSQL in {self._data} {what}; see {self.log_path}{quoted}")


def _environment() -> dict[str, str]:
    """Return an environment without the PG* variables, which would change the server's settings."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


async def _answers(url: str) -> bool:
    try:
        await (await asyncpg.connect(url)).close()
    except (OSError, asyncpg.PostgresError):  # not there, still starting, or no such database yet
        return False
    return True


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _acquired(lock: int) -> bool:
    """Take the lock if it is free; the kernel frees it when we die."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _servers_in(cluster: Path) -> Iterator[int]:
    """Yield the process IDs of PostgreSQL's processes that work in the cluster: the server and its backends."""
    folder = cluster.stat()
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            is_server = process.name.isdigit() and (process / "comm").read_text() == "postgres\n"
            if is_server and os.path.samestat((process / "cwd").stat(), folder):
                yield int(process.name)


def _sync(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
