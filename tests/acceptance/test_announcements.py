"""An announcement on a real Synapse: written in a desk, heard by everybody, acknowledged by a reaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from bridge.announcements import store
from bridge.announcements.desk import DeskConsumer, announce
from bridge.announcements.postman import Postman
from bridge.announcements.tracking import Report, report
from bridge.archive.feed import Consumer, run_consumer
from bridge.archive.ingest import ingest
from bridge.clock import system_clock
from bridge.database.listen import ANNOUNCEMENTS, EVENTS, Listener
from bridge.demo.synapse import LocalSynapse
from bridge.directory.people_set import PeopleSet
from bridge.directory.selector import parse
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration
from bridge.homeserver.transactions import routes
from bridge.homeserver.transport import Transport
from bridge.ids import EventId, RoomId, RoomKey, UserId
from bridge.membership.current import Membership
from bridge.membership.rooms import creation
from bridge.membership.values import DesiredRoom
from bridge.policy.schema import Accounts, Brake, Desk, Policy, RoomKind
from tests.acceptance.client import MatrixClient
from tests.acceptance.conftest import SERVER_NAME, Address
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

Human = Callable[[str], Awaitable[MatrixClient]]
DESK, NEWS = RoomKey("announcing-desk"), RoomKey("announcing-news")
POLICY = Policy(
    company="Nordwind Logistics",
    accounts=Accounts(),
    spaces={},
    rooms={},
    desks={DESK: Desk(id=DESK, name="Desk", posters=parse("active eq true"), rooms=(NEWS,))},
    brake=Brake(),
    tests=(),
    digest="0",
)


@dataclass
class Office:
    """Everything announcing needs, on a real homeserver."""

    pool: Pool
    homeserver: Homeserver
    desk: RoomId
    news: RoomId
    anna: MatrixClient
    bo: MatrixClient

    async def progress(self) -> Report:
        """Return how far the one announcement has come."""
        summaries = await store.load_summaries(self.pool, 10)
        return report(await store.load_recipients(self.pool, summaries[0].id)) if summaries else Report(0, 0, 0, ())

    async def messages(self, person: MatrixClient, room_id: RoomId) -> list[dict[str, Any]]:
        """Return the bot's messages in a room, as a person sees them, newest first."""
        found = await person.messages(room_id)
        return [
            event for event in found if event["type"] == "m.room.message" and event["sender"] == self.homeserver.bot
        ]


@pytest.fixture
async def office(
    pool: Pool,
    database_url: str,
    homeserver: Homeserver,
    registration: Registration,
    appservice_address: Address,
    human: Human,
) -> AsyncIterator[Office]:
    """A desk with Anna in it, a room for news with Anna and Bo, and the part of the service that announces."""
    listener = Listener(database_url)
    consumers: list[Consumer] = [
        Membership(pool, bot=homeserver.bot, clock=system_clock),
        DeskConsumer(pool, bot=homeserver.bot, policy=lambda: POLICY),
    ]
    tasks = [asyncio.create_task(run_consumer(pool, consumer, listener.subscribe(EVENTS))) for consumer in consumers]
    tasks.append(asyncio.create_task(Postman(pool, homeserver).run(listener.subscribe(ANNOUNCEMENTS))))
    tasks.append(asyncio.create_task(listener.run()))
    application = web.Application()
    application.add_routes(routes(partial(ingest, pool), registration.hs_token))
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, appservice_address.host, appservice_address.port).start()
    await homeserver.ping("announcements")
    try:
        yield await _furnished(pool, homeserver, await human("announcing.anna"), await human("announcing.bo"))
    finally:
        await runner.cleanup()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _furnished(pool: Pool, homeserver: Homeserver, anna: MatrixClient, bo: MatrixClient) -> Office:
    desk = await _room(pool, homeserver, DESK, RoomKind.DESK)
    news = await _room(pool, homeserver, NEWS, RoomKind.ANNOUNCEMENT)
    for room_id, person in [(desk, anna), (news, anna), (news, bo)]:
        await homeserver.invite(room_id, UserId(person.user_id))
        await homeserver.join(room_id, as_user=UserId(person.user_id))

    async def known() -> bool:
        return len(await store.load_members(pool, [desk, news])) == 5

    await wait_until(known)
    return Office(pool, homeserver, desk, news, anna, bo)


async def _room(pool: Pool, homeserver: Homeserver, key: RoomKey, kind: RoomKind) -> RoomId:
    wanted = DesiredRoom(
        key=key,
        rule=key,
        kind=kind,
        name=key,
        topic="",
        parents=(),
        open_to=None,
        exclusive=True,
        members=PeopleSet.none,
        power={},
    )
    room_id = await homeserver.create_room(creation(wanted, {}, SERVER_NAME))
    await pool.execute(
        "INSERT INTO managed_room (key, room_id, rule, kind, name, topic, alias) VALUES ($1, $2, $1, $3, $1, '', $1)",
        key,
        room_id,
        kind,
    )
    return room_id


async def test_a_message_in_the_desk_is_heard_and_acknowledged(office: Office) -> None:
    """Everybody gets it as a message that notifies; a reaction acknowledges, taking it back withdraws; an edit in the
    desk changes nothing."""
    since = (await office.bo.sync())["next_batch"]
    written = await office.anna.send(office.desk, "The <gate> is closed.")

    async def delivered() -> bool:
        return (await office.progress()).delivered == 2

    await wait_until(delivered)
    [heard] = await office.messages(office.bo, office.news)
    assert heard["content"]["msgtype"] == "m.text"
    assert "The <gate> is closed." in heard["content"]["body"]
    room = (await office.bo.sync(since))["rooms"]["join"][office.news]
    assert room["unread_notifications"] == {"notification_count": 1, "highlight_count": 0}

    async def answered() -> bool:
        return len(await office.messages(office.anna, office.desk)) == 1

    await wait_until(answered)
    [answer] = await office.messages(office.anna, office.desk)
    assert "Announced to 2 people in 1 room" in answer["content"]["body"]
    assert answer["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == written

    first = await office.bo.react(office.news, heard["event_id"])
    await wait_until(partial(_is_missing, office, office.anna))
    await office.bo.redact(office.news, first)
    await wait_until(partial(_is_missing, office, office.anna, office.bo))
    await office.bo.react(office.news, heard["event_id"], "👍")
    await wait_until(partial(_is_missing, office, office.anna))

    edit = {"m.new_content": {"msgtype": "m.text", "body": "The gate is open."}}
    relation = {"rel_type": "m.replace", "event_id": written}
    await office.anna.send(office.desk, "* The gate is open.", **edit, **{"m.relates_to": relation})

    async def refused() -> bool:
        return any("Edits" in event["content"]["body"] for event in await office.messages(office.anna, office.desk))

    await wait_until(refused)
    assert len(await office.messages(office.bo, office.news)) == 1


async def _is_missing(office: Office, *people: MatrixClient) -> bool:
    return (await office.progress()).missing == tuple(sorted(UserId(person.user_id) for person in people))


class Interrupted(Homeserver):
    """A homeserver whose answers to messages never arrive."""

    sent: asyncio.Event

    async def send(self, *args: Any, **kwargs: Any) -> EventId:
        """Send, and never come back."""
        await super().send(*args, **kwargs)
        self.sent.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_nothing_is_announced_twice_when_both_sides_die(
    pool: Pool, homeserver: Homeserver, registration: Registration, synapse: LocalSynapse, http: aiohttp.ClientSession
) -> None:
    """Muster dies after Synapse has taken the announcement, and Synapse, which then forgets its transaction IDs, too:
    the next Muster finds the announcement in the room."""
    news = await _room(pool, homeserver, RoomKey("announcing-twice"), RoomKind.ANNOUNCEMENT)
    desk = Desk(id="desk", name="Desk", posters=parse("active eq true"), rooms=("announcing-twice",))
    policy = replace(POLICY, desks={"desk": desk})
    now = system_clock()
    await announce(pool, policy, "desk", "The gate is closed.", bot=homeserver.bot, seed=b"twice", at=now)
    transport = Transport(http, synapse.url, registration.as_token)
    dying = Interrupted(transport, bot=homeserver.bot, server_name=SERVER_NAME, appservice_id=registration.id)
    dying.sent = asyncio.Event()
    delivering = asyncio.create_task(Postman(pool, dying).deliver())
    await dying.sent.wait()
    delivering.cancel()
    with suppress(asyncio.CancelledError):
        await delivering
    await synapse.kill()
    assert (await Postman(pool, homeserver).deliver()).away
    await synapse.start()
    assert (await Postman(pool, homeserver).deliver()).settled == 1
    messages, _ = await homeserver.messages(news, before=None)
    assert [event["content"]["body"] for event in messages if event["type"] == "m.room.message"] == [
        "📣 Nordwind Logistics\n\nThe gate is closed.\n\nReact with ✅ to acknowledge."
    ]
