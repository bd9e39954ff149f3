"""A real Synapse on a loopback port, for the demo and for the acceptance tests.

`LocalSynapse` writes the configuration into a folder of its own, runs `synapse.app.homeserver` as a child that cannot
outlive us, and makes accounts with the registration shared secret. The same folder, port and database serve again
after `stop` or `kill`. The database is the caller's: empty or Synapse's own, UTF-8 with collation C.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import NewType, Self

import aiohttp
import asyncpg
from mautrix.api import Method

from bridge.demo.homeserver_config import HomeserverSettings, homeserver_config, log_config, signing_key
from bridge.errors import HomeserverError, HomeserverUnavailableError, MusterError
from bridge.homeserver.transport import Transport
from bridge.process import Process, child, free_port, last_line

AccessToken = NewType("AccessToken", str)
"""What a Matrix client or administrator authenticates with."""

_START_SECONDS = 120
_POLL_SECONDS = 0.05


class LocalSynapse:
    """A Synapse for the length of an `async with` block; it may be stopped, killed and started again inside."""

    def __init__(
        self,
        folder: Path,
        *,
        server_name: str,
        database_url: str,
        registration: Mapping[str, object],
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """Describe the server: `registration` is the application service's, `settings` go over `homeserver.yaml`."""
        self._folder = folder.absolute()
        self._registration = registration
        self._extra = settings or {}
        self._settings = HomeserverSettings(
            folder=self._folder,
            server_name=server_name,
            port=free_port(),
            database_url=database_url,
            secret=secrets.token_urlsafe(32),
            registration_path=self._folder / "registration.yaml",
        )
        self._process: Process | None = None
        self._running = AsyncExitStack()
        self._stack = AsyncExitStack()
        self.server_name = server_name
        self.url = f"http://127.0.0.1:{self._settings.port}"
        self.registration_shared_secret = self._settings.secret
        self.log_path = self._folder / "synapse.log"

    async def __aenter__(self) -> Self:
        """Write the files and start; errors as those of `start`."""
        if find_spec("synapse") is None:
            raise MusterError("the package matrix-synapse is not installed; run `uv sync --extra demo`")
        self._write_files()
        async with AsyncExitStack() as stack:
            self._session = await stack.enter_async_context(aiohttp.ClientSession())
            stack.push_async_callback(self.stop)
            await self.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def pid(self) -> int:
        """The process ID of the Synapse that runs, or ran last."""
        if self._process is None:
            raise MusterError("Synapse has not been started")
        return self._process.pid

    async def start(self) -> None:
        """Start and wait until `/health` answers and Synapse has finished its database.

        Before the latter, re-activating an account fails. Raises `HomeserverUnavailableError`, with the log's place
        and last error, when Synapse ends instead or is not up within two minutes.
        """
        self._process = await self._running.enter_async_context(
            child(
                [sys.executable, "-m", "synapse.app.homeserver", "-c", self._folder / "homeserver.yaml"],
                log_path=self.log_path,
                cwd=self._folder,
                grace=20.0,
            )
        )
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not (await self._is_healthy() and await self._is_upgraded()):
                    if self._process.returncode is not None:
                        raise self._unavailable(f"ended with status {self._process.returncode} while it started")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise self._unavailable(f"was not up within {_START_SECONDS} s") from error

    async def stop(self) -> None:
        """End Synapse in good order; idempotent."""
        await self._running.aclose()

    async def kill(self) -> None:
        """End Synapse as a power cut would; idempotent."""
        if self._process is not None:
            await self._process.kill()
        await self._running.aclose()

    async def register_admin(self, localpart: str, password: str) -> AccessToken:
        """Make a server administrator and return an access token; `HomeserverError` when the name is taken."""
        return await self._register(localpart, password, admin=True)

    async def register_user(self, localpart: str, password: str) -> AccessToken:
        """Make an ordinary account and return an access token; `HomeserverError` when the name is taken."""
        return await self._register(localpart, password, admin=False)

    async def _register(self, localpart: str, password: str, *, admin: bool) -> AccessToken:
        """Register with a MAC over the account (Synapse admin API, "Shared-Secret Registration")."""
        anonymous = Transport(self._session, self.url, "")
        nonce = (await anonymous.request(Method.GET, "_synapse/admin/v1/register"))["nonce"]
        fields = (nonce, localpart, password, "admin" if admin else "notadmin")
        content = {
            "nonce": nonce,
            "username": localpart,
            "password": password,
            "admin": admin,
            "mac": hmac.digest(self._settings.secret.encode(), "\0".join(fields).encode(), "sha1").hex(),
        }
        answer = await anonymous.request(Method.POST, "_synapse/admin/v1/register", content)
        token = answer.get("access_token")
        if not isinstance(token, str):
            raise HomeserverError("Synapse registered an account but gave no access token")
        return AccessToken(token)

    async def _is_healthy(self) -> bool:
        try:
            async with self._session.get(f"{self.url}/health") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def _is_upgraded(self) -> bool:
        """Ask the database itself: the admin API says that nothing is left between any two background updates."""
        connection = await asyncpg.connect(self._settings.database_url)
        try:
            return bool(await connection.fetchval("SELECT NOT EXISTS (SELECT FROM background_updates)"))
        finally:
            await connection.close()

    def _write_files(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = {**homeserver_config(self._settings), **self._extra}
        _write(self._folder / "homeserver.yaml", json.dumps(config, indent=2))
        _write(self._folder / "log.yaml", json.dumps(log_config(), indent=2))
        _write(self._settings.registration_path, json.dumps(self._registration, indent=2))
        key = self._folder / "signing.key"
        if not key.exists():
            _write(key, signing_key(secrets.token_bytes(32)))

    def _unavailable(self, what: str) -> HomeserverUnavailableError:
        said = last_line(self.log_path, "Error") or last_line(self.log_path)
        return HomeserverUnavailableError(f"Synapse {what}; see {self.log_path}" + (f": {said}" if said else ""))


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
