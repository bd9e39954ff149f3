"""Ingest beside the application service libraries of Node: `ingest.cpu.node`.

matrix-bot-sdk and matrix-appservice-bridge, each in a Node process with `pg` and one INSERT per event into the same
PostgreSQL, take the same transactions as our handler in `archive_ingest`. CPU is that of the process, by
`process.cpuUsage`, and PostgreSQL's, until the last event is inserted; the figure is against whichever spends less.
They answer before they have inserted. The libraries come by `npm ci`, without scripts, into a temporary folder.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.archive_ingest import ONE_BY_ONE, laboratory, our_handler
from bench.report import Figure

_SOURCE = Path(__file__).parent / "node"
_LIBRARIES = ("matrix-bot-sdk", "matrix-appservice-bridge")
_ROUNDS = 5
_TRANSACTIONS = 50
_EVENTS = _TRANSACTIONS * 100


class _Peer:
    """A Node process that takes transactions, and its meter."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    async def begin(self, events: int) -> None:
        """Tell it how many events will come."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{events}\n".encode())
        await self._process.stdin.drain()

    async def end(self) -> float:
        """Return the seconds that it has spent once these events were inserted."""
        return int(await _line(self._process)) / 1e6


async def measure_node() -> Figure:
    """Measure microseconds of CPU per event: ours, and those of the faster of the two Node libraries."""
    ours = list[float]()
    theirs: dict[str, list[float]] = {library: [] for library in _LIBRARIES}
    async with laboratory() as lab, AsyncExitStack() as stack:
        await lab.pool.execute(ONE_BY_ONE)
        folder = await stack.enter_async_context(_installed())
        peers = {
            library: await stack.enter_async_context(_serving(folder, library, lab.server.url))
            for library in _LIBRARIES
        }
        our_port = await stack.enter_async_context(our_handler(lab.pool))
        for _ in range(_ROUNDS):
            ours.append(await lab.answer(our_port, _TRANSACTIONS))
            for library, peer in peers.items():
                theirs[library].append(await lab.answer(peer.port, _TRANSACTIONS, peer))
    medians = {library: statistics.median(seconds) for library, seconds in theirs.items()}
    fastest = min(medians, key=medians.__getitem__)
    per_event = 1e6 / _EVENTS
    return Figure(
        "ingest.cpu.node", statistics.median(ours) * per_event, "µs/event", fastest, medians[fastest] * per_event
    )


@asynccontextmanager
async def _installed() -> AsyncIterator[Path]:
    """Install the libraries, of the versions that are locked, for the length of the block."""
    with TemporaryDirectory(prefix="muster-bench-") as name:
        folder = Path(name)
        for file in ("package.json", "package-lock.json", "peer.js"):
            shutil.copy(_SOURCE / file, folder)
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        process = await asyncio.create_subprocess_exec(*npm, cwd=folder, stdout=subprocess.DEVNULL)
        if await process.wait():
            raise RuntimeError(f"npm ended with {process.returncode}")
        yield folder


@asynccontextmanager
async def _serving(folder: Path, library: str, database_url: str) -> AsyncIterator[_Peer]:
    """Run the library in a process for the length of the block."""
    process = await asyncio.create_subprocess_exec(
        "node", "peer.js", library, database_url, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield _Peer(process, int((await _line(process)).removeprefix("ready ")))
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().strip()
    if not line:
        raise RuntimeError(f"the Node process ended with {await process.wait()}")
    return line


FIGURES: Mapping[str, Callable[[], Awaitable[Figure]]] = {"ingest.cpu.node": measure_node}
