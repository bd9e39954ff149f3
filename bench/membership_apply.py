"""How fast plans are carried out, on a real Synapse, beside the same requests sent by a bare loop.

Both send the same requests with the same concurrency: ten rooms at once, one request at a time in each, nobody into a
room before its space. What Muster does beside (deciding, the audit log, the current state) is what the ratio shows.
Measured in turns on one Synapse that delivers to nobody.
"""

from __future__ import annotations

import asyncio
import functools
import math
import statistics
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from mautrix.api import Method

from bench.report import Figure
from bridge.clock import system_clock
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.database.listen import DIRECTORY, Listener
from bridge.demo.synapse import LocalSynapse
from bridge.directory.history_store import lock_directory, next_version, wake
from bridge.directory.resource_store import insert_resources, update_resources
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.directory.selector import parse
from bridge.homeserver.accounts import SynapseAccounts
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration, document
from bridge.homeserver.transport import Transport
from bridge.ids import PersonId, RoomId, UserId
from bridge.membership import place_store, store
from bridge.membership.apply import AT_ONCE
from bridge.membership.reconcile import Reconciler
from bridge.membership.upkeep import Upkeep
from bridge.membership.values import CurrentAccount
from bridge.policy.schema import Accounts, Brake, Policy, Room, Space

if TYPE_CHECKING:
    from bridge.database import Pool

SERVER = "bench.example"
REGISTRATION = Registration("muster", "as-token", "hs-token", "muster")
TURNS = 3
PEOPLE = 30
LEAVERS = 12
OPEN_ROOMS = 7
"""Rooms that whoever is in the space may join."""
INVITE_ROOMS = 4
LEAVER_OPEN_ROOMS = 15
"""With the space and the rooms by invitation these make 20."""


@dataclass
class Scene:
    """A Synapse, a database, and a company whose people come and go."""

    pool: Pool
    database_url: str
    transport: Transport
    homeserver: StampedRooms
    accounts: Stamped
    ids: dict[str, PersonId] = field(default_factory=dict)

    def reconciler(self) -> Reconciler:
        return Reconciler(self.pool, self.homeserver, self.accounts, clock=system_clock)

    async def tell(self, names: Sequence[str], group: str, *, active: bool = True) -> None:
        """Have the directory say who belongs to a group, or has left, in one database transaction."""
        resources = [
            resource_of(
                {"userName": name, "displayName": name, "userType": group, "active": active},
                self.ids.setdefault(name, PersonId(str(uuid.uuid4()))),
                shapes_for()["User"],
            )
            for name in names
        ]
        async with self.pool.acquire() as connection, connection.transaction():
            await lock_directory(connection)
            version = await next_version(connection)
            await (insert_resources if active else update_resources)(connection, resources, version)
            await wake(connection, [resource.id for resource in resources])

    async def make_accounts(self, names: Sequence[str], *, known: bool) -> None:
        """Make accounts beforehand, so that joining alone is measured."""
        for name in names:
            await self.accounts.create(user_id(name), name)
            if known:
                self.ids.setdefault(name, PersonId(str(uuid.uuid4())))
                await store.put_account(self.pool, CurrentAccount(self.ids[name], user_id(name), name, True))

    def joined(self, user: UserId) -> asyncio.Event:
        """Return what is set when that user has joined some room."""
        joined = asyncio.Event()
        self.homeserver.awaited = (user, joined)
        return joined

    async def rooms(self, policy: Policy) -> list[RoomId]:
        """Return the rooms of a policy, the space first."""
        places = await place_store.read_places(self.pool)
        found = [places[key].room_id for key in places if key in policy.rooms or key in policy.spaces]
        space = places[next(iter(places.keys() & policy.spaces.keys()))].room_id
        assert space is not None
        return [space, *(room for room in found if room is not None and room != space)]


class Stamped(SynapseAccounts):
    """Accounts, and rooms through `homeserver`, that remember when something was taken away last."""

    last = 0.0

    async def end_sessions(self, user_id: UserId) -> int:
        ended = await super().end_sessions(user_id)
        self.last = time.perf_counter()
        return ended


class StampedRooms(Homeserver):
    """Rooms that remember when somebody was removed last, and tell of a join."""

    last = 0.0
    awaited: tuple[UserId, asyncio.Event] | None = None
    """Whose joining somebody waits for."""

    async def join(self, room_id: RoomId, *, as_user: UserId) -> None:
        await super().join(room_id, as_user=as_user)
        if self.awaited is not None and self.awaited[0] == as_user:
            self.awaited[1].set()

    async def kick(self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None) -> None:
        await super().kick(room_id, user_id, reason=reason, as_user=as_user)
        self.last = time.perf_counter()


def user_id(name: str) -> UserId:
    return UserId(f"@{name}:{SERVER}")


def policy_for(group: str, open_rooms: int) -> Policy:
    """Return a policy with a space, rooms open to it and rooms by invitation, all for the people of one group."""
    everybody, few = parse(f'userType eq "{group}"'), parse(f'userType eq "{group}" and active eq true')
    opened = {f"{group}-open-{number}": everybody for number in range(open_rooms)}
    invited = {f"{group}-invite-{number}": few for number in range(INVITE_ROOMS)}
    return Policy(
        company="Bench",
        accounts=Accounts(),
        spaces={f"{group}-space": Space(f"{group}-space", group, everybody, tuple(opened))},
        rooms={key: Room(key, key, members) for key, members in (opened | invited).items()},
        desks={},
        brake=Brake(removals=10_000, fraction=1.0),
        tests=(),
        digest=group,
    )


async def joins() -> Figure:
    """Measure joins per second of people who are new in a space and its rooms."""
    ours: list[float] = []
    bare: list[float] = []
    async with scene() as stage:
        for turn in range(TURNS + 1):  # the first warms everything up
            if turn % 2:
                by_muster, by_loop = await _joins_by_muster(stage, f"m{turn}"), await _joins_by_loop(stage, f"b{turn}")
            else:
                by_loop, by_muster = await _joins_by_loop(stage, f"b{turn}"), await _joins_by_muster(stage, f"m{turn}")
            if turn:
                ours.append(by_muster)
                bare.append(by_loop)
    return Figure("apply.joins", statistics.median(ours), "joins/s", "synapse.bare", statistics.median(bare))


def leaver_p50() -> Figure:
    """HR change → the last of 20 rooms and the last session, the median, beside the bare calls' own."""
    ours, bare = _leavers_measured()
    return Figure("apply.leaver.p50", statistics.median(ours), "s", "synapse.bare", statistics.median(bare))


def leaver_p95() -> Figure:
    """The same, of which one in twenty is slower."""
    ours, bare = _leavers_measured()
    return Figure("apply.leaver.p95", _p95(ours), "s", "synapse.bare", _p95(bare))


@functools.cache
def _leavers_measured() -> tuple[list[float], list[float]]:
    return asyncio.run(_leavers())


async def _leavers() -> tuple[list[float], list[float]]:
    """Return the seconds from each committed change in the directory to the last of 20 rooms and the last session,
    and those of the same requests alone."""
    ours: list[float] = []
    bare: list[float] = []
    async with scene() as stage:
        names = [f"leaver{number}" for number in range(2 * LEAVERS)]
        policy = policy_for("leavers", LEAVER_OPEN_ROOMS)
        await stage.make_accounts(names, known=True)
        await stage.tell(names, "leavers")
        await stage.reconciler().reconcile(policy, cause="bench")
        rooms = await stage.rooms(policy)
        for name in names:
            for _ in range(2):
                await _log_in(stage, name)
        async with _upkeep(stage, policy):
            for one, other in zip(names[::2], names[1::2], strict=True):
                ours.append(await _leave_by_muster(stage, one))
                bare.append(await _leave_by_loop(stage, other, rooms))
    return ours, bare


async def _joins_by_muster(stage: Scene, group: str) -> float:
    policy = policy_for(group, OPEN_ROOMS)
    await stage.reconciler().reconcile(policy, cause="bench")  # the rooms, empty
    names = [f"{group}-{number}" for number in range(PEOPLE)]
    await stage.make_accounts(names, known=True)
    await stage.tell(names, group)
    started = time.perf_counter()
    result = await stage.reconciler().reconcile(policy, cause="bench")
    assert result.applied.done == PEOPLE * (1 + OPEN_ROOMS + INVITE_ROOMS), result.applied
    return result.applied.done / (time.perf_counter() - started)


async def _joins_by_loop(stage: Scene, group: str) -> float:
    policy = policy_for(group, OPEN_ROOMS)
    await stage.reconciler().reconcile(policy, cause="bench")
    names = [f"{group}-{number}" for number in range(PEOPLE)]
    await stage.make_accounts(names, known=False)
    space, *others = await stage.rooms(policy)
    places = await place_store.read_places(stage.pool)
    by_invitation = {place.room_id for place in places.values() if place.open_to is None} - {space}
    in_space = {name: asyncio.Event() for name in names}
    turns = asyncio.Semaphore(AT_ONCE)

    async def fill(room_id: RoomId) -> None:
        for name in names:
            if room_id not in by_invitation and room_id != space:
                await in_space[name].wait()
            async with turns:
                if room_id in by_invitation or room_id == space:
                    await stage.homeserver.invite(room_id, user_id(name))
                await stage.homeserver.join(room_id, as_user=user_id(name))
            if room_id == space:
                in_space[name].set()

    started = time.perf_counter()
    await asyncio.gather(*(fill(room_id) for room_id in (space, *others)))
    return PEOPLE * (1 + len(others)) / (time.perf_counter() - started)


async def _leave_by_muster(stage: Scene, name: str) -> float:
    started = time.perf_counter()
    await stage.tell([name], "leavers", active=False)
    while await _acts_on(stage, name) < 2 + LEAVER_OPEN_ROOMS + INVITE_ROOMS:  # noqa: ASYNC110 - it works by itself
        await asyncio.sleep(0.02)
    return max(stage.homeserver.last, stage.accounts.last) - started


async def _acts_on(stage: Scene, name: str) -> int:
    count: int = await stage.pool.fetchval(
        "SELECT count(*) FROM entry WHERE user_id = $1 AND action IN ('remove', 'disable account') "
        "AND outcome = 'done'",
        user_id(name),
    )
    return count


async def _leave_by_loop(stage: Scene, name: str, rooms: Sequence[RoomId]) -> float:
    turns = asyncio.Semaphore(AT_ONCE)

    async def kick(room_id: RoomId) -> None:
        async with turns:
            await stage.homeserver.kick(room_id, user_id(name))

    started = time.perf_counter()
    await stage.accounts.lock(user_id(name))
    await stage.accounts.end_sessions(user_id(name))
    await asyncio.gather(*map(kick, rooms))
    return time.perf_counter() - started


async def _log_in(stage: Scene, name: str) -> None:
    content: Mapping[str, object] = {
        "type": "m.login.application_service",
        "identifier": {"type": "m.id.user", "user": user_id(name)},
    }
    await stage.transport.request(Method.POST, "_matrix/client/v3/login", content)


@asynccontextmanager
async def _upkeep(stage: Scene, policy: Policy) -> AsyncIterator[None]:
    """Run what the service runs, woken as the service is."""
    upkeep = Upkeep(stage.reconciler(), stage.pool, lambda: policy, clock=system_clock)
    await upkeep.catch_up()
    listener = Listener(stage.database_url)
    wakes = [listener.subscribe(DIRECTORY)]
    tasks = [asyncio.create_task(upkeep.run(wakes)), asyncio.create_task(listener.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def scene(*, heard_at: str | None = None) -> AsyncIterator[Scene]:
    """Yield a fresh Synapse on a fresh, durable PostgreSQL, with the bot as a server administrator.

    It delivers its events to `heard_at`, if anywhere.
    """
    registration = REGISTRATION
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        async with EmbeddedPostgres(Path(folder) / "postgres") as postgres:
            await postgres.create_database("synapse")
            shape = {**document(registration, url="", server_name=SERVER), "url": heard_at}
            async with (
                LocalSynapse(
                    Path(folder) / "synapse",
                    server_name=SERVER,
                    database_url=postgres.url_for("synapse"),
                    registration=shape,
                ) as synapse,
                open_database(postgres.url, max_connections=20) as pool,
                aiohttp.ClientSession() as session,
            ):
                transport = Transport(session, synapse.url, registration.as_token)
                homeserver = StampedRooms(
                    transport, bot=registration.bot(SERVER), server_name=SERVER, appservice_id=registration.id
                )
                await homeserver.register_bot()
                admin = Transport(session, synapse.url, await synapse.register_admin("admin", "admin"))
                path = f"_synapse/admin/v1/users/{homeserver.bot}/admin"
                await admin.request(Method.PUT, path, {"admin": True})
                yield Scene(pool, postgres.url, transport, homeserver, Stamped(transport))


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


FIGURES: Mapping[str, Callable[[], Awaitable[Figure] | Figure]] = {
    "apply.joins": joins,
    "apply.leaver.p50": leaver_p50,
    "apply.leaver.p95": leaver_p95,
}
