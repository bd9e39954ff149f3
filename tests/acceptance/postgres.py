"""A PostgreSQL for one test, which may do to it what it likes."""

from __future__ import annotations

import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from bridge.database.embedded import EmbeddedPostgres


class OwnPostgres:
    """A PostgreSQL that can be killed and started again; what it has committed stays when it is `durable`."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._folder = folder
        self._durable = durable
        self._running = AsyncExitStack()
        self.url = ""

    async def start(self) -> None:
        """Start, at the address of the last time."""
        server = EmbeddedPostgres(self._folder, durable=self._durable)
        self._server = await self._running.enter_async_context(server)
        self.url = self._server.url

    async def kill(self) -> None:
        """End it as a power cut would."""
        os.kill(self._server.pid, signal.SIGKILL)
        await self._server.ended()
        await self._running.aclose()

    async def stop(self) -> None:
        """End it in good order."""
        await self._running.aclose()
