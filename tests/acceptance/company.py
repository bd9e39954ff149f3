"""A company whose chat is run by the real service: `muster run` as a process of its own, HR speaking SCIM to it."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from bridge.demo.synapse import LocalSynapse
from bridge.directory.token_store import create_token
from bridge.homeserver import registration as registration_file
from bridge.homeserver.accounts import SynapseAccounts
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration
from bridge.ids import RoomId, UserId
from bridge.process import Process, child, last_line
from tests.acceptance.client import MatrixClient
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
POLICY = """\
version: 1
company: Company
accounts:
  display_name: "{displayName}"
spaces:
  everybody: {name: Company, members: active eq true, rooms: [square, news, department]}
rooms:
  square: {name: Square, members: active eq true}
  news: {name: News, kind: announcement, members: active eq true, posters: department eq "Press"}
  department:
    for_each: department
    name: "{department}"
    members: active eq true
    moderators: title co "Head"
    exclusive: true
announcements:
  desk: {name: Desk, rooms: [news], undo: 0s}
brake: {removals: 25, fraction: 0.1, floor: 2, window: 24h, approvers: ['title eq "Chief Information Officer"']}
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command said."""

    code: int
    out: str
    err: str


@dataclass
class Company:
    """A running Muster and everybody who talks to it."""

    folder: Path
    url: str
    synapse: LocalSynapse
    http: aiohttp.ClientSession
    pool: Pool
    homeserver: Homeserver
    accounts: SynapseAccounts
    scim_token: str
    tag: str
    """Makes user names unique among the tests that share a Synapse."""
    _running: AsyncExitStack = field(default_factory=AsyncExitStack)
    _process: Process | None = None

    @property
    def policy(self) -> Path:
        return self.folder / "policy.yaml"

    @property
    def pid(self) -> int:
        """The process ID of the service."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start the service and wait until it answers."""
        self._running = AsyncExitStack()
        argv = [sys.executable, "-m", "bridge", "run", "-c", str(self.folder / "config.yaml")]
        self._process = await self._running.enter_async_context(
            child(argv, log_path=self.folder / "muster.log", env=dict(os.environ))
        )
        await wait_until(self._is_up)

    async def stop(self) -> None:
        """End the service as an administrator would."""
        await self._running.aclose()

    async def kill(self) -> None:
        """End the service as a power cut would."""
        assert self._process is not None
        await self._process.kill()
        await self._running.aclose()

    def log(self) -> str:
        """Return what the service has said."""
        return (self.folder / "muster.log").read_text()

    async def muster(self, *arguments: str) -> Ended:
        """Run a command beside the service."""
        argv = ["-m", "bridge", *arguments, "-c", str(self.folder / "config.yaml")]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        return Ended(process.returncode or 0, out.decode(), err.decode())

    # HR

    async def hire(self, name: str, *, title: str = "Clerk", department: str = "Sales") -> str:
        """Push a new person; return the id that SCIM gave."""
        answer = await self.scim(
            "POST",
            "/Users",
            {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
                "userName": self.user_name(name),
                "displayName": name.title(),
                "title": title,
                "active": True,
                ENTERPRISE: {"department": department},
            },
        )
        return str(answer["id"])

    async def change(self, person: str, attribute: str, value: object) -> None:
        """Push a change of one attribute."""
        operation = {"op": "replace", "path": attribute, "value": value}
        await self.scim(
            "PATCH",
            f"/Users/{person}",
            {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]},
        )

    async def scim(self, method: str, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Send a SCIM request as HR's system does; it must succeed."""
        headers = {"Authorization": f"Bearer {self.scim_token}", "Content-Type": "application/scim+json"}
        async with self.http.request(
            method, f"{self.url}/scim/v2{path}", data=json.dumps(body), headers=headers
        ) as response:
            text = await response.text()
            assert response.ok, f"{response.status}: {text}"
            return dict(json.loads(text)) if text else {}

    # Colleagues

    def user_name(self, name: str) -> str:
        return f"{name}.{self.tag}"

    def user_id(self, name: str) -> UserId:
        return UserId(f"@{self.user_name(name)}:{self.synapse.server_name}")

    async def client(self, name: str) -> MatrixClient:
        """Log a colleague in, as a client with a password does."""
        await self.accounts.set_password(self.user_id(name), "password")
        return await MatrixClient.login(self.http, self.synapse.url, self.user_id(name), "password")

    async def rooms_of(self, name: str) -> set[str]:
        """Return where the colleague is, by the rooms' keys, by Synapse itself."""
        if await self.accounts.get(self.user_id(name)) is None:
            return set()
        joined = set(await self.accounts.joined_rooms(self.user_id(name)))
        return {key for key, room_id in (await self.managed()).items() if room_id in joined}

    async def managed(self) -> dict[str, RoomId]:
        """Return the managed rooms' keys and ids."""
        rows = await self.pool.fetch("SELECT key, room_id FROM managed_room WHERE room_id IS NOT NULL")
        return {row["key"]: RoomId(row["room_id"]) for row in rows}

    async def is_in(self, name: str, rooms: set[str]) -> None:
        """Wait until the colleague is in exactly these rooms, beside the space of everybody."""

        async def settled() -> bool:
            return await self.rooms_of(name) == rooms | {"everybody"}

        try:
            await wait_until(settled)
        except AssertionError as error:
            found = await self.rooms_of(name)
            raise AssertionError(
                f"{name} is in {found}, expected {rooms}; {last_line(self.folder / 'muster.log')}"
            ) from error

    async def has_level(self, name: str, key: str, level: int) -> None:
        """Wait until the colleague has this power level in a managed room, by Synapse itself."""
        room_id = (await self.managed())[key]

        async def settled() -> bool:
            state = await self.homeserver.state(room_id)
            levels = next(event for event in state if event.type == "m.room.power_levels")
            return bool(levels.content.get("users", {}).get(self.user_id(name), 0) == level)

        await wait_until(settled)

    async def notice(self, name: str, words: str) -> str:
        """Wait until the colleague can read a message with these words in the administrators' room; return it."""
        reader = await self.client(name)
        room = (await self.managed())["administrators"]
        found: list[str] = []

        async def is_told() -> bool:
            bodies = [str(event["content"].get("body", "")) for event in await reader.messages(room)]
            found.extend(body for body in bodies if words in body)
            return bool(found)

        await wait_until(is_told)
        return found[0]

    async def has_settled(self) -> None:
        """Wait until there is nothing left to do."""

        async def settled() -> bool:
            ended = await self.muster("plan", "--json")
            return ended.code == 0 and json.loads(ended.out)["changes"] == []

        await wait_until(settled)

    async def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.log()
        try:
            async with self.http.get(f"{self.url}/healthz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def open_company(
    folder: Path,
    *,
    address: tuple[str, int],
    synapse: LocalSynapse,
    http: aiohttp.ClientSession,
    pool: Pool,
    database_url: str,
    homeserver: Homeserver,
    accounts: SynapseAccounts,
    registration: Registration,
    policy: str = POLICY,
    settings: Mapping[str, object] | None = None,
) -> AsyncIterator[Company]:
    """Write the files, start the service, and leave a Synapse on which the next company can make its rooms.

    `settings` go over those of the homeserver.
    """
    url = f"http://{address[0]}:{address[1]}"
    path = folder / "registration.yaml"
    path.write_text(registration_file.text(registration, url=url, server_name=synapse.server_name))
    config = {
        "homeserver": {"url": synapse.url, "server_name": synapse.server_name, **(settings or {})},
        "appservice": {"registration": str(path), "listen": f"{address[0]}:{address[1]}"},
        "database": database_url,
        "apply": "automatic",
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    (folder / "policy.yaml").write_text(policy)
    company = Company(
        folder=folder,
        url=url,
        synapse=synapse,
        http=http,
        pool=pool,
        homeserver=homeserver,
        accounts=accounts,
        scim_token=await create_token(pool, "hr"),
        tag=secrets.token_hex(3),
    )
    await company.start()
    try:
        yield company
    finally:
        await company.stop()
        for row in await pool.fetch("SELECT alias FROM managed_room"):
            await homeserver.delete_alias(row["alias"])
