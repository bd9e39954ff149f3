"""A PostgreSQL of our own: no installation, no port, no password, nothing left behind (Linux).

`EmbeddedPostgres` keeps a cluster in a data folder and runs `postgres` in the foreground as our child, on a Unix
socket in a private folder. The data folder holds

    cluster/        PostgreSQL's own files, 0700, owned by the server's user
    lock            held by the process that runs the server, as long as it lives
    postgres.log    what initdb and postgres said
    socket          a symbolic link to the folder of the Unix socket

The first process on a data folder owns the server and stops it on exit; the others connect to it. Root may not run
PostgreSQL: then the server's user is the owner of the cluster, `nobody` for a new one. That user need not be able to
reach the data folder: the server enters the cluster before it gives up root, and calls it `/proc/self/cwd` from then
on. Tables, upgrades and pools are left to `bridge.database`.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from signal import Signals
from types import TracebackType
from typing import Self
from urllib.parse import quote

import asyncpg

from bridge.database.binaries import find_binaries, is_reachable
from bridge.errors import DatabaseError, DatabaseUnavailableError
from bridge.process import Process, child, last_line

_ROLE = "muster"
_DATABASE = "muster"
_MAINTENANCE_DATABASE = "postgres"
_START_SECONDS = 300  # crash recovery of a large cluster takes minutes; it answers as soon as it can
_POLL_SECONDS = 0.02
_LONGEST_PARENT = 70  # a socket's path has at most 107 bytes, and ours adds /muster-xxxxxxxx/.s.PGSQL.5432
_DURABLE = {"log_checkpoints": "off"}
_DISPOSABLE = _DURABLE | {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "1h",
}


class EmbeddedPostgres:
    """A running PostgreSQL for the length of an `async with` block."""

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        """Take the data folder, made when absent; `durable=False` trades safety from power cuts for speed in tests."""
        self._data = data_dir.absolute()
        self._cluster = self._data / "cluster"
        self._link = self._data / "socket"
        self._settings = _DURABLE if durable else _DISPOSABLE
        self._user: pwd.struct_passwd | None = None
        self._socket_folder = Path()
        self._stack = AsyncExitStack()
        self.log_path = self._data / "postgres.log"

    async def __aenter__(self) -> Self:
        """Start the server, or connect to the one that another process runs on this data folder.

        Raises `DatabaseUnavailableError`, with the log's place and last line, when neither works.
        """
        async with AsyncExitStack() as stack:
            self._prepare()
            if await self._is_ours(stack):
                await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """The address of the database `muster`, for asyncpg and libpq."""
        return self.url_for(_DATABASE)

    def url_for(self, name: str) -> str:
        """Return the address of the database `name`."""
        return f"postgresql://{_ROLE}@/{quote(name, safe='')}?host={quote(str(self._socket_folder))}"

    @property
    def pid(self) -> int:
        """The process ID of the server, whoever runs it."""
        try:
            return int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except OSError as error:
            raise self._unavailable("does not run any more") from error

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

    def _prepare(self) -> None:
        """Make the data folder and find out whose server this will be."""
        try:
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self._cluster.stat().st_uid if self._cluster.exists() else None
        except OSError as error:
            raise DatabaseUnavailableError(
                f"the folder {self._data} of the embedded PostgreSQL cannot be used: {error.strerror}"
            ) from error
        if os.geteuid() == 0:
            self._user = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
        elif owner not in (None, os.geteuid()):
            raise DatabaseUnavailableError(
                f"{self._cluster} belongs to user {owner}, but Muster runs as user {os.geteuid()};"
                f" run Muster as its owner or as root"
            )

    async def _is_ours(self, stack: AsyncExitStack) -> bool:
        """Wait until we hold the lock (True) or the server of the process that holds it answers (False)."""
        lock = self._open_lock()
        stack.callback(os.close, lock)
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not _acquired(lock):
                    if await self._is_answering(_DATABASE):
                        return False
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise self._unavailable("belongs to another process but does not answer") from error
        return True

    def _open_lock(self) -> int:
        try:
            return os.open(self._data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DatabaseUnavailableError(
                f"the folder {self._data} of the embedded PostgreSQL cannot be used: {error.strerror}"
            ) from error

    async def _is_answering(self, database: str) -> bool:
        with suppress(OSError):
            self._socket_folder = self._link.readlink()
            return await _answers(self.url_for(database))
        return False

    async def _start(self, stack: AsyncExitStack) -> None:
        binaries = find_binaries(self._user)
        if not self._cluster.exists():
            await self._initialise(binaries)
        await self._outwait_predecessor()
        self._socket_folder = self._make_socket_folder()
        stack.callback(self._remove_socket_folder)
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
        argv += ["--no-sync"] if "fsync" in self._settings else []
        async with child(argv, log_path=self.log_path, env=_environment(), user=self._user, cwd=fresh) as initdb:
            if await initdb.wait() != 0:
                raise self._unavailable("could not be initialised")
        fresh.rename(self._cluster)
        _sync(self._data)

    async def _outwait_predecessor(self) -> None:
        """Wait until the server of an owner that was killed is gone, and remove the process ID that it left.

        A process ID that another program has been given meanwhile would keep PostgreSQL from starting.
        """
        try:
            async with asyncio.timeout(_START_SECONDS):
                while any(_servers_in(self._cluster)):  # noqa: ASYNC110 - nobody tells us when they are gone
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            left = ", ".join(map(str, _servers_in(self._cluster)))
            raise self._unavailable(f"is still used by a server that nobody owns; end process {left}") from error
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

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

    def _options(self) -> Iterator[str]:
        yield from ("-k", str(self._socket_folder), "-p", "5432", "-c", "listen_addresses=")
        for name, value in self._settings.items():
            yield from ("-c", f"{name}={value}")

    def _as_server_sees(self, folder: Path) -> str:
        return "/proc/self/cwd" if self._user else str(folder)

    def _make_socket_folder(self) -> Path:
        """Return the remembered folder of the socket when it is still ours, or a new one, remembered."""
        uid = self._user.pw_uid if self._user else os.geteuid()
        with suppress(OSError):
            remembered = self._link.readlink()
            found = remembered.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077:
                return remembered
        folder = Path(tempfile.mkdtemp(prefix="muster-", dir=self._socket_parent()))
        if self._user:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(folder)
        return folder

    def _socket_parent(self) -> Path:
        runtime = "/run" if self._user else os.environ.get("XDG_RUNTIME_DIR", "")
        candidates = [Path(place) for place in (runtime, tempfile.gettempdir(), "/tmp") if place]  # noqa: S108 - 0700 below
        for place in candidates:
            if len(os.fsencode(place)) > _LONGEST_PARENT or not os.access(place, os.W_OK | os.X_OK):
                continue
            if self._user is None or is_reachable(place):
                return place
        raise self._unavailable(
            f"has no place for its socket: none of {', '.join(map(str, candidates))} is a writable folder"
            f" with a path of at most {_LONGEST_PARENT} bytes; set TMPDIR to one"
        )

    def _remove_socket_folder(self) -> None:
        shutil.rmtree(self._socket_folder, ignore_errors=True)
        self._link.unlink(missing_ok=True)

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
