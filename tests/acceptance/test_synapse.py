"""The local Synapse of the demo and of these tests is a real one, and survives what is done to it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import psutil
import pytest
from aiohttp import web

from bridge.database.embedded import EmbeddedPostgres
from bridge.demo.synapse import AccessToken, LocalSynapse
from bridge.errors import HomeserverError, HomeserverUnavailableError
from tests.acceptance.client import ClientError, MatrixClient
from tests.acceptance.conftest import Address
from tests.waiting import wait_until

Human = Callable[[str], Awaitable[MatrixClient]]
EMPTY_REGISTRATION: dict[str, object] = {
    "id": "nobody",
    "url": None,
    "as_token": "as-token",
    "hs_token": "hs-token",
    "sender_localpart": "nobody",
    "namespaces": {},
}
_OWNER = """
import asyncio, pathlib, sys
from bridge.demo.synapse import LocalSynapse

async def main() -> None:
    async with LocalSynapse(
        pathlib.Path(sys.argv[1]), server_name="x.example", database_url=sys.argv[2], registration=%r
    ) as synapse:
        print(synapse.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_people_talk(human: Human) -> None:
    """Two people meet in a room, write, react and redact, without a rate limit in their way."""
    alice, bob = await human("talk.alice"), await human("talk.bob")
    room = await alice.create_room(preset="private_chat", invite=[bob.user_id])
    await bob.join(room)
    since = (await bob.sync())["next_batch"]
    sent = [await alice.send(room, f"message {number}") for number in range(20)]
    await bob.react(room, sent[0])
    await alice.redact(room, sent[1])
    assert await alice.members(room) == {alice.user_id, bob.user_id}
    assert room in await bob.joined_rooms()
    assert room in (await bob.sync(since))["rooms"]["join"]
    seen = {event["event_id"]: event["content"] for event in await bob.messages(room)}
    assert seen[sent[0]]["body"] == "message 0"
    assert seen[sent[1]] == {}


async def test_a_person_logs_in_with_a_password(
    synapse: LocalSynapse, human: Human, http: aiohttp.ClientSession
) -> None:
    """An account made with the shared secret can log in, and a wrong password is refused."""
    person = await human("login.carol")
    again = await MatrixClient.login(http, synapse.url, person.user_id, "login.carol-password")
    assert await again.whoami() == person.user_id
    with pytest.raises(ClientError, match="403 M_FORBIDDEN"):
        await MatrixClient.login(http, synapse.url, person.user_id, "wrong")


async def test_the_administrator_may_use_the_admin_api(
    synapse: LocalSynapse, synapse_admin: AccessToken, http: aiohttp.ClientSession, human: Human
) -> None:
    """The bootstrap administrator may; anybody else may not."""
    admin = await MatrixClient.of_token(http, synapse.url, synapse_admin)
    version = await admin.request("GET", "/_synapse/admin/v1/server_version")
    assert version["server_version"].startswith("1.")
    with pytest.raises(ClientError, match="403"):
        await (await human("api.dave")).request("GET", "/_synapse/admin/v2/users")


async def test_a_taken_name_is_refused_in_synapses_words(synapse: LocalSynapse, human: Human) -> None:
    """Registering a localpart twice says that it is taken."""
    await human("taken.erin")
    with pytest.raises(HomeserverError, match="taken") as refusal:
        await synapse.register_user("taken.erin", "other-password")
    assert refusal.value.errcode == "M_USER_IN_USE"


async def test_an_account_can_be_brought_back_at_once(
    synapse: LocalSynapse, synapse_admin: AccessToken, http: aiohttp.ClientSession, human: Human
) -> None:
    """A started Synapse has finished its database: re-activating an account, which fails before that, works."""
    person = await human("back.frank")
    admin = await MatrixClient.of_token(http, synapse.url, synapse_admin)
    account = f"/_synapse/admin/v2/users/{person.user_id}"
    await admin.request("PUT", account, {"deactivated": True})
    await admin.request("PUT", account, {"deactivated": False})
    assert (await admin.request("GET", account))["deactivated"] is False


async def test_clients_are_told_not_to_encrypt(synapse: LocalSynapse, http: aiohttp.ClientSession) -> None:
    """The well-known document switches encryption off in Element and leads to this server."""
    async with http.get(f"{synapse.url}/.well-known/matrix/client") as response:
        document = await response.json()
    assert document["io.element.e2ee"] == {"default": False, "force_disable": True}
    assert document["m.homeserver"]["base_url"].rstrip("/") == synapse.url


async def test_the_application_service_hears_what_people_say(appservice_address: Address, human: Human) -> None:
    """Whoever listens at the registered address gets the events of people's rooms, one listener after the other."""
    person = await human("heard.grace")
    for word in ("first", "second"):
        bodies: list[str] = []

        async def transaction(request: web.Request, bodies: list[str] = bodies) -> web.Response:
            events = (await request.json())["events"]
            bodies.extend(event["content"].get("body", "") for event in events)
            return web.json_response({})

        application = web.Application()
        application.router.add_put("/_matrix/app/v1/transactions/{id}", transaction)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, appservice_address.host, appservice_address.port).start()
        room = await person.create_room()
        await person.send(room, word)
        await wait_until(lambda bodies=bodies, word=word: word in bodies)  # type: ignore[misc]
        await runner.cleanup()


async def test_stopped_and_killed_it_comes_back(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    """After a stop and after `kill -9`, the same address serves the same accounts and rooms."""
    await postgres.create_database("synapse_restart")
    async with (
        aiohttp.ClientSession() as http,
        LocalSynapse(
            tmp_path,
            server_name="restart.example",
            database_url=postgres.url_for("synapse_restart"),
            registration=EMPTY_REGISTRATION,
        ) as synapse,
    ):
        alice = await MatrixClient.of_token(http, synapse.url, await synapse.register_user("alice", "password"))
        room = await alice.create_room()
        for end in (synapse.stop, synapse.kill):
            before = synapse.pid
            await end()
            assert not psutil.pid_exists(before)
            await synapse.start()
            assert await alice.joined_rooms() == {room}
    assert not psutil.pid_exists(synapse.pid)
    await postgres.drop_database("synapse_restart")


async def test_it_dies_with_us(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    """After `kill -9` of the process that started it, Synapse is gone."""
    await postgres.create_database("synapse_orphan")
    url = postgres.url_for("synapse_orphan")
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _OWNER % EMPTY_REGISTRATION, str(tmp_path), url, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    orphan = int(await owner.stdout.readline())
    owner.kill()
    await owner.wait()
    await wait_until(lambda: not psutil.pid_exists(orphan))
    await postgres.drop_database("synapse_orphan")


async def test_a_failing_start_names_the_log(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    """A Synapse that ends while it starts is reported with the log's place and the reason, and leaves no process."""
    synapse = LocalSynapse(
        tmp_path,
        server_name="failing.example",
        database_url=postgres.url_for("no_such_database"),
        registration=EMPTY_REGISTRATION,
    )
    with pytest.raises(HomeserverUnavailableError, match=r"ended with status 1.*synapse\.log: .*") as failure:
        async with synapse:
            pass
    assert 'database "no_such_database" does not exist' in failure.value.message
    assert not psutil.pid_exists(synapse.pid)
