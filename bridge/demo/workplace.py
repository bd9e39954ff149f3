"""Everything that runs in the demo: PostgreSQL, Synapse and Muster itself, on loopback ports, in one folder.

Muster is started as it ships, as the process `muster run -c config.yaml`. Nothing outlives the block: the processes
end with it, also when we are killed, and the folder is the caller's to remove.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import aiohttp
from mautrix.api import Method

from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.demo.synapse import AccessToken, LocalSynapse
from bridge.directory.token_store import create_token
from bridge.errors import MusterError
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration, document
from bridge.homeserver.transport import Transport, path
from bridge.ids import UserId
from bridge.process import Process, child, free_port, last_line

SERVER_NAME = "nordwind.example"
_START_SECONDS = 60
_POLL_SECONDS = 0.05


class RunningMuster:
    """`muster run` as a process that can be stopped and started again."""

    def __init__(self, config: Path, url: str, session: aiohttp.ClientSession) -> None:
        self._config = config
        self._session = session
        self._running = AsyncExitStack()
        self._process: Process | None = None
        self.url = url
        self.log_path = config.with_name("muster.log")

    @property
    def pid(self) -> int:
        """The process ID of the Muster that runs, or ran last."""
        if self._process is None:
            raise MusterError("Muster has not been started")
        return self._process.pid

    async def start(self) -> None:
        """Start, and wait until `/healthz` answers; `MusterError` with the log's last line when it does not."""
        argv: list[str | Path] = [sys.executable, "-m", "bridge", "run", "-c", self._config]
        process = await self._running.enter_async_context(child(argv, log_path=self.log_path))
        self._process = process
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not await self._is_healthy():
                    if process.returncode is not None:
                        raise self._failure(f"ended with status {process.returncode} while it started")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as error:
            raise self._failure(f"did not answer within {_START_SECONDS} s") from error

    async def stop(self) -> None:
        """End it in good order; idempotent."""
        await self._running.aclose()

    async def ended(self) -> MusterError:
        """Wait until it ends by itself and return what to say about that."""
        if self._process is None:
            raise MusterError("Muster has not been started")
        return self._failure(f"ended with status {await self._process.wait()}")

    async def _is_healthy(self) -> bool:
        try:
            async with self._session.get(f"{self.url}/healthz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def _failure(self, what: str) -> MusterError:
        said = last_line(self.log_path)
        return MusterError(f"`muster run` {what}; see {self.log_path}" + (f": {said}" if said else ""))


@dataclass(frozen=True, slots=True)
class Workplace:
    """What runs, and how to get in."""

    session: aiohttp.ClientSession
    synapse: LocalSynapse
    muster: RunningMuster
    postgres: EmbeddedPostgres
    config: Path
    scim_token: str
    admin_user_id: UserId
    admin_token: AccessToken

    @property
    def scim_url(self) -> str:
        return f"{self.muster.url}/scim/v2"

    def write_config(self, *, apply: str) -> None:
        """Write `config.yaml` with `apply` as given: `manual` or `automatic`."""
        _write_config(self.config, self.synapse, self.muster.url, self.postgres, apply)

    def described(self) -> dict[str, object]:
        """Return what a script needs to use all this."""
        return {
            "homeserver_url": self.synapse.url,
            "server_name": self.synapse.server_name,
            "muster_url": self.muster.url,
            "scim_url": self.scim_url,
            "scim_token": self.scim_token,
            "admin_user_id": self.admin_user_id,
            "admin_access_token": self.admin_token,
            "config": str(self.config),
            "database_url": self.postgres.url,
            "pids": {
                "demo": os.getpid(),
                "muster": self.muster.pid,
                "synapse": self.synapse.pid,
                "postgres": self.postgres.pid,
            },
        }


@asynccontextmanager
async def open_workplace(folder: Path) -> AsyncIterator[Workplace]:
    """Start everything in an empty folder of ours; Muster is attached to Synapse and applies nothing by itself yet."""
    registration = Registration(
        id="muster",
        as_token=secrets.token_urlsafe(48),
        hs_token=secrets.token_urlsafe(48),
        sender_localpart="muster",
    )
    muster_url = f"http://127.0.0.1:{free_port()}"
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        postgres = await stack.enter_async_context(EmbeddedPostgres(folder / "postgres"))
        await postgres.create_database("synapse")
        synapse = await stack.enter_async_context(
            LocalSynapse(
                folder / "synapse",
                server_name=SERVER_NAME,
                database_url=postgres.url_for("synapse"),
                registration=document(registration, url=muster_url, server_name=SERVER_NAME),
            )
        )
        admin_token = await _install_bot(synapse, session, registration)
        async with open_database(postgres.service_url, owner=postgres.url, max_connections=2) as pool:
            scim_token = await create_token(pool, "demo")
        muster = RunningMuster(folder / "config.yaml", muster_url, session)
        stack.push_async_callback(muster.stop)
        workplace = Workplace(
            session=session,
            synapse=synapse,
            muster=muster,
            postgres=postgres,
            config=folder / "config.yaml",
            scim_token=scim_token,
            admin_user_id=UserId(f"@admin:{SERVER_NAME}"),
            admin_token=admin_token,
        )
        (folder / "policy.yaml").write_bytes(files("bridge.demo").joinpath("policy.yaml").read_bytes())
        workplace.write_config(apply="manual")
        await muster.start()
        yield workplace


async def _install_bot(
    synapse: LocalSynapse, session: aiohttp.ClientSession, registration: Registration
) -> AccessToken:
    """Do what the README asks of an administrator: make the bot a server administrator."""
    admin_token = await synapse.register_admin("admin", secrets.token_urlsafe(16))
    homeserver = Homeserver(
        Transport(session, synapse.url, registration.as_token),
        bot=registration.bot(SERVER_NAME),
        server_name=SERVER_NAME,
        appservice_id=registration.id,
    )
    await homeserver.register_bot()
    promotion = f"_synapse/admin/v1/{path('users', homeserver.bot, 'admin')}"
    await Transport(session, synapse.url, admin_token).request(Method.PUT, promotion, {"admin": True})
    return admin_token


def _write_config(config: Path, synapse: LocalSynapse, muster_url: str, postgres: EmbeddedPostgres, apply: str) -> None:
    """Write the configuration, readable by us alone."""
    content: Mapping[str, object] = {
        "homeserver": {"url": synapse.url, "server_name": synapse.server_name},
        "appservice": {
            "registration": str(config.with_name("synapse") / "registration.yaml"),
            "listen": muster_url.removeprefix("http://"),
        },
        "database": postgres.service_url,
        "database_owner": postgres.url,
        "data": "data",
        "policy": "policy.yaml",
        "apply": apply,
        "scim": {"requests_per_second": 1000},
    }
    config.touch(mode=0o600)
    config.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in content.items()))
