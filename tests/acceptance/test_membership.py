"""Reconciling against a real Synapse, without the service around it: what it answers is what `acts` counts on."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import pytest

from bridge.clock import system_clock
from bridge.demo.synapse import LocalSynapse
from bridge.directory.history_store import lock_directory, next_version
from bridge.directory.resource_store import insert_resources
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import ENTERPRISE
from bridge.homeserver.accounts import SynapseAccounts
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration
from bridge.homeserver.transport import Transport
from bridge.ids import RoomId, RoomKey, UserId
from bridge.membership import place_store, rooms
from bridge.membership.reconcile import Reconciled, Reconciler
from bridge.membership.values import Action
from bridge.policy.schema import Policy
from tests.acceptance.conftest import SERVER_NAME
from tests.unit.membership import notation

if TYPE_CHECKING:
    from bridge.database import Pool


@dataclass
class Scene:
    """A database, a policy whose rules no other test has, and the session's Synapse."""

    pool: Pool
    homeserver: Homeserver
    accounts: SynapseAccounts
    url: str
    token: str
    tag: str
    policy: Policy

    async def hire(self, *names: str, **said: Any) -> None:
        enterprise = {"department": said.pop("department", "Sales")}
        resources = [
            resource_of(
                {"userName": f"{name}.{self.tag}", "displayName": name, **said, ENTERPRISE: enterprise},
                str(uuid.uuid4()),
                shapes_for()["User"],
            )
            for name in names
        ]
        async with self.pool.acquire() as connection, connection.transaction():
            await lock_directory(connection)
            await insert_resources(connection, resources, await next_version(connection))

    async def reconcile(self) -> Reconciled:
        reconciler = Reconciler(self.pool, self.homeserver, self.accounts, clock=system_clock)
        return await reconciler.reconcile(self.policy, cause="test")

    def through(self, session: aiohttp.ClientSession) -> Scene:
        """Return the same scene with another HTTP session."""
        transport = Transport(session, self.url, self.token)
        homeserver = Homeserver(transport, bot=self.homeserver.bot, server_name=SERVER_NAME, appservice_id="muster")
        return replace(self, homeserver=homeserver, accounts=SynapseAccounts(transport))

    def user(self, name: str) -> UserId:
        return UserId(f"@{name}.{self.tag}:{SERVER_NAME}")

    async def room(self, rule: str) -> RoomId:
        room_id = (await place_store.read_places(self.pool))[RoomKey(f"{rule}-{self.tag}")].room_id
        assert room_id is not None
        return room_id

    async def members(self, rule: str) -> set[str]:
        state = await self.homeserver.state(await self.room(rule))
        joined = {
            event.state_key
            for event in state
            if event.type == "m.room.member" and event.content["membership"] == "join"
        }
        return {(user or "")[1:].split(".")[0] for user in joined - {self.homeserver.bot}}


@pytest.fixture
async def scene(
    synapse: LocalSynapse, pool: Pool, homeserver: Homeserver, accounts: SynapseAccounts, registration: Registration
) -> Scene:
    """A company of its own; the bot is a server administrator."""
    tag = secrets.token_hex(3)
    said = {
        "spaces": {f"all-{tag}": {"members": "active eq true", "rooms": [f"lounge-{tag}", f"sales-{tag}"]}},
        "rooms": {
            f"lounge-{tag}": {"topic": "Soup & news"},
            f"sales-{tag}": {
                "members": 'department eq "Sales"',
                "moderators": 'title eq "Head"',
                "exclusive": True,
            },
            f"news-{tag}": {"kind": "announcement", "posters": 'title eq "Head"'},
        },
    }
    policy = replace(notation.policy(said), digest=tag)
    return Scene(pool, homeserver, accounts, synapse.url, registration.as_token, tag, policy)


async def test_rooms_members_and_power_are_as_ruled_and_stay_so(scene: Scene) -> None:
    """The first plan makes real rooms, members and power; the second is empty; the space lists its rooms."""
    await scene.hire("ann", title="Head")
    await scene.hire("bob")
    await scene.hire("cid", department="IT")
    first = await scene.reconcile()

    assert not first.applied.failures
    assert await scene.members("lounge") == await scene.members("all") == {"ann", "bob", "cid"}
    assert await scene.members("sales") == {"ann", "bob"}
    for rule, level in (("sales", 50), ("news", 20)):
        content = await scene.homeserver.state_event(await scene.room(rule), "m.room.power_levels")
        assert content is not None
        assert content["users"] == {scene.user("ann"): level}
    space, lounge = await scene.room("all"), await scene.room("lounge")
    listed = await scene.homeserver.state_event(space, "m.space.child", lounge)
    assert listed == {"via": [SERVER_NAME], "order": "10001"}
    rule_of_joining = await scene.homeserver.state_event(lounge, "m.room.join_rules")
    assert rule_of_joining is not None
    assert rule_of_joining["join_rule"] == "restricted"
    assert not (await scene.reconcile()).plan.changes


async def test_a_run_cut_short_is_finished_by_the_next(scene: Scene) -> None:
    """Cancelled again and again wherever it is, the work is finished in the end: one room a rule, nobody missing."""
    names = [f"p{number}" for number in range(6)]
    await scene.hire(*names)
    for requests in (3, 9, 14, 20, 27):
        await _cut_short(scene, requests)
    result = await scene.reconcile()

    assert not result.applied.failures
    assert await scene.members("lounge") == await scene.members("sales") == set(names)
    made = [room_id for room_id in await scene.homeserver.room_ids() if await _key_of(scene, room_id)]
    assert len(made) == 4
    assert not (await scene.reconcile()).plan.changes
    assert not await scene.pool.fetch("SELECT * FROM entry WHERE outcome = 'begun'")


async def test_a_room_that_synapse_left_half_made_is_finished(scene: Scene) -> None:
    """A bare room under our alias becomes the managed room, with everything that creation would have given it."""
    await scene.hire("ann")
    key = RoomKey(f"lounge-{scene.tag}")
    half = await scene.homeserver.create_room(
        {"room_version": rooms.ROOM_VERSION, "room_alias_name": rooms.alias_localpart(key, SERVER_NAME)}
    )
    result = await scene.reconcile()

    assert not result.applied.failures
    assert await scene.room("lounge") == half
    assert await scene.members("lounge") == {"ann"}
    topic = await scene.homeserver.state_event(half, "m.room.topic")
    assert topic is not None
    assert topic["topic"] == "Soup & news"
    visibility = await scene.homeserver.state_event(half, "m.room.history_visibility")
    assert visibility == {"history_visibility": "joined"}


async def test_what_is_so_already_counts_as_done(scene: Scene) -> None:
    """Joining again, and removing somebody who is gone, are what Synapse refuses or ignores, and succeed with us."""
    await scene.hire("ann", "bob")
    await scene.reconcile()
    await scene.homeserver.leave(await scene.room("sales"), as_user=scene.user("bob"))
    await scene.pool.execute("UPDATE room_member SET membership = 'leave' WHERE user_id = $1", scene.user("ann"))
    await scene.pool.execute(
        "UPDATE scim_resource SET document = document || $1, changed = changed + 1 WHERE name_key = $2",
        {ENTERPRISE: {"department": "IT"}},
        f"bob.{scene.tag}",
    )
    result = await scene.reconcile()

    assert not result.applied.failures
    kinds = {change.action for change in result.plan.changes}
    assert kinds == {Action.JOIN, Action.REMOVE}
    assert await scene.members("sales") == {"ann"}


async def test_a_ban_by_hand_gives_way_to_the_policy(scene: Scene) -> None:
    """Somebody whom the policy wants in a room and a moderator has banned is let in again."""
    await scene.hire("ann")
    await scene.reconcile()
    sales, banned = await scene.room("sales"), scene.user("bob")
    await scene.accounts.create(banned, "bob")
    await scene.homeserver.send_state(sales, "m.room.member", banned, {"membership": "ban"})
    await scene.hire("bob", "cid")
    result = await scene.reconcile()

    assert not result.applied.failures
    assert await scene.members("sales") == {"ann", "bob", "cid"}


async def test_a_refusal_is_recorded_in_synapses_words(scene: Scene) -> None:
    """A room that an administrator of Synapse has blocked lets nobody in, and the audit log says so."""
    await scene.hire("ann")
    await scene.reconcile()
    sales = await scene.room("sales")
    block = f"{scene.url}/_synapse/admin/v1/rooms/{quote(sales, safe='')}/block"
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {scene.token}"}) as session,
        session.put(block, json={"block": True}) as answer,
    ):
        assert answer.status == 200
    await scene.hire("bob")
    result = await scene.reconcile()

    (failure,) = result.applied.failures
    assert (failure.change.user_id, failure.change.room.partition("-")[0]) == (scene.user("bob"), "sales")
    assert "blocked" in failure.error
    assert await scene.members("sales") == {"ann"}


async def _cut_short(scene: Scene, requests: int) -> None:
    """Reconcile, and cancel it after so many requests have been answered."""
    enough = asyncio.Event()
    answered = 0

    async def on_end(*_: object) -> None:
        nonlocal answered
        answered += 1
        if answered >= requests:
            enough.set()

    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(on_end)
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        cut = scene.through(session)
        running, waiting = asyncio.create_task(cut.reconcile()), asyncio.create_task(enough.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in (running, waiting):
            task.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)


async def _key_of(scene: Scene, room_id: RoomId) -> str | None:
    """Return the key of a managed room of this test, None for every other room."""
    for event in await scene.homeserver.state(room_id):
        if event.type == rooms.MARKER and str(event.content["key"]).endswith(scene.tag):
            return str(event.content["key"])
    return None
