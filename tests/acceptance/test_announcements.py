"""An announcement on a real Synapse: written in a desk, heard by everybody, acknowledged by a reaction."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from bridge.announcements import personal_room_store, progress_store, store
from bridge.announcements.announcing import announce
from bridge.announcements.board import Boards
from bridge.announcements.desk import DeskConsumer
from bridge.announcements.draft import Wanted
from bridge.announcements.heard import HeardConsumer, note_receipts
from bridge.announcements.outbox_store import put
from bridge.announcements.postman import Postman
from bridge.announcements.tracking import Report, report
from bridge.announcements.values import Act, Outgoing, Priority, Role
from bridge.announcements.wording import body_of_markdown
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
    desks={DESK: Desk(id=DESK, name="Desk", posters=parse("active eq true"), rooms=(NEWS,), undo=timedelta())},
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
        HeardConsumer(pool, bot=homeserver.bot),
    ]
    tasks = [asyncio.create_task(run_consumer(pool, consumer, listener.subscribe(EVENTS))) for consumer in consumers]
    tasks.append(asyncio.create_task(Postman(pool, homeserver).run(listener.subscribe(ANNOUNCEMENTS))))
    tasks.append(asyncio.create_task(Boards(pool).run(listener.subscribe(ANNOUNCEMENTS))))
    tasks.append(asyncio.create_task(listener.run()))
    application = web.Application()
    note = partial(note_receipts, pool, bot=homeserver.bot)
    application.add_routes(routes(partial(ingest, pool), registration.hs_token, note))
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, appservice_address.host, appservice_address.port).start()
    await homeserver.ping("announcements")
    try:
        tag = secrets.token_hex(4)
        anna, bo = await human(f"announcing.anna.{tag}"), await human(f"announcing.bo.{tag}")
        yield await _furnished(pool, homeserver, anna, bo)
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
    content = {name: value for name, value in creation(wanted, {}, SERVER_NAME).items() if name != "room_alias_name"}
    room_id = await homeserver.create_room(content)  # tests share the Synapse, on which an alias is taken once
    await pool.execute(
        "INSERT INTO managed_room (key, room_id, rule, kind, name, topic, alias) VALUES ($1, $2, $1, $3, $1, '', $1)",
        key,
        room_id,
        kind,
    )
    return room_id


async def test_a_message_in_the_desk_is_heard_and_acknowledged(office: Office) -> None:
    """What its author confirms reaches everybody as a message that notifies; a reaction acknowledges, taking it back
    withdraws; an edit in the desk changes the copy, and deleting the message takes it back."""
    newest, *_ = await office.bo.messages(office.news)
    await office.bo.read(office.news, newest["event_id"])  # else Synapse counts the invitation too, now and then
    written = await office.anna.send(office.desk, "The <gate> is closed.")
    await wait_until(partial(_has_said, office, "not announced yet"))
    assert (await office.progress()).targeted == 0
    await office.anna.react(office.desk, written)

    async def delivered() -> bool:
        return (await office.progress()).delivered == 2

    await wait_until(delivered)
    [heard] = await office.messages(office.bo, office.news)
    assert heard["content"]["msgtype"] == "m.text"
    assert "The <gate> is closed." in heard["content"]["body"]
    assert await office.bo.unread(office.news) == {"notification_count": 1, "highlight_count": 0}

    await wait_until(partial(_has_said, office, "Announced to 2 people in 1 room"))
    for answer in await office.messages(office.anna, office.desk):
        if not _new(answer).startswith("📊"):
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

    async def shown() -> list[str]:
        messages = await office.messages(office.bo, office.news)
        return [str(each["content"].get("m.new_content", each["content"]).get("body", "")) for each in messages]

    async def changed() -> bool:
        return any("The gate is open." in body for body in await shown())

    await wait_until(changed)
    await office.anna.redact(office.desk, written)

    async def gone() -> bool:
        return [body for body in await shown() if "closed" in body] == []

    await wait_until(gone)
    await wait_until(partial(_has_said, office, "taken back everywhere"))


async def _has_said(office: Office, words: str) -> bool:
    return any(words in each["content"]["body"] for each in await office.messages(office.anna, office.desk))


async def test_a_reaction_is_on_the_board_and_a_receipt_says_seen(office: Office) -> None:
    """The desk sees one message that is edited as people answer; who has read the room counts as seen, no more."""
    written = await office.anna.send(office.desk, "The gate is closed.")
    await office.anna.react(office.desk, written)

    async def delivered() -> bool:
        return (await office.progress()).delivered == 2

    await wait_until(delivered)
    [heard] = await office.messages(office.bo, office.news)
    await office.anna.read(office.news, heard["event_id"])

    async def seen() -> bool:
        [summary] = await store.load_summaries(office.pool, 10)
        [progress] = await progress_store.load_progress(office.pool, [summary.id])
        return progress.total.seen == 1

    await wait_until(seen)
    for person, words in (
        (office.bo, "1 of 2 acknowledged (50 %) · 2 delivered · 1 seen"),
        (office.anna, "2 of 2 acknowledged (100 %)"),
    ):
        await person.react(office.news, heard["event_id"])
        await wait_until(partial(_board_says, office, words))
    boards = [event for event in await office.messages(office.anna, office.desk) if _new(event).startswith("📊")]
    assert len([board for board in boards if "m.new_content" not in board["content"]]) == 1


async def _board_says(office: Office, words: str) -> bool:
    return any(words in _new(event) for event in await office.messages(office.anna, office.desk))


def _new(event: dict[str, Any]) -> str:
    """Return what stands there after an edit."""
    return str(event["content"].get("m.new_content", event["content"])["body"])


async def _is_missing(office: Office, *people: MatrixClient) -> bool:
    return (await office.progress()).missing == tuple(sorted(UserId(person.user_id) for person in people))


class Interrupted(Homeserver):
    """A homeserver whose answers to messages arrive three times, and never again."""

    sent: asyncio.Event
    answers = 3

    async def send(self, *args: Any, **kwargs: Any) -> EventId:
        """Send, and perhaps never come back."""
        event_id = await super().send(*args, **kwargs)
        self.answers -= 1
        if self.answers >= 0:
            return event_id
        self.sent.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_nothing_is_announced_twice_when_both_sides_die(
    pool: Pool,
    homeserver: Homeserver,
    registration: Registration,
    synapse: LocalSynapse,
    http: aiohttp.ClientSession,
    human: Human,
) -> None:
    """Muster dies in the midst of many rooms and people, some of whom Synapse has served without our knowing, and
    Synapse, which then forgets its transaction IDs, too: the next Muster says it to the others and to nobody twice."""
    rooms = [await _room(pool, homeserver, RoomKey(f"twice-{number}"), RoomKind.ANNOUNCEMENT) for number in range(8)]
    people = [UserId((await human(f"twice.{name}")).user_id) for name in ("anna", "bo")]
    desk = Desk(
        id="desk", name="Desk", posters=parse("active eq true"), rooms=tuple(f"twice-{n}" for n in range(8)), lasts=None
    )
    policy = replace(POLICY, desks={"desk": desk})
    now = system_clock()
    await pool.execute("INSERT INTO room_member VALUES ($1, '@bo:x', 'join', NULL, now())", rooms[0])
    async with pool.acquire() as db, db.transaction():
        await announce(
            db,
            policy,
            "desk",
            Wanted({"": body_of_markdown("The gate is closed.")}),
            origin="command",
            author=homeserver.bot,
            author_name=policy.company,
            bot=homeserver.bot,
            seed=b"twice",
            at=now,
            confirmed=True,
        )
    body = {"msgtype": "m.text", "body": "The gate is closed."}
    await put(
        pool,
        [Outgoing(user, Act.SEND, Role.NOTE, Priority.URGENT, now, user_id=user, content=body) for user in people],
    )
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

    async def is_all_done() -> bool:
        await Postman(pool, homeserver).deliver()
        waiting: int = await pool.fetchval("SELECT count(*) FROM outgoing WHERE state <> 'done'")
        return waiting == 0

    await wait_until(is_all_done)  # a Synapse that has just begun may refuse the first request
    for user in people:
        room_id = await personal_room_store.find(pool, user)
        assert room_id is not None
        rooms.append(room_id)
        content = await homeserver.state_event(room_id, "m.room.member", user)
        assert content is not None
        assert content["membership"] == "join"
    for room_id in rooms:
        messages, _ = await homeserver.messages(room_id, before=None)
        said = [event["content"]["body"] for event in messages if event["type"] == "m.room.message"]
        assert len(said) == 1
        assert "The gate is closed." in said[0]


async def test_what_was_said_to_somebody_is_edited_pinned_and_taken_back(
    pool: Pool, homeserver: Homeserver, human: Human
) -> None:
    """In a room of their own in which they cannot write, only react."""
    anna, now = await human("personal.anna"), system_clock()
    user = UserId(anna.user_id)

    async def carry_out(key: str, act: Act, body: str | None = None) -> None:
        content = None if body is None else {"msgtype": "m.text", "body": body}
        target = None if act is Act.SEND else "said"
        await put(
            pool,
            [Outgoing(key, act, Role.NOTE, Priority.URGENT, now, user_id=user, content=content, target=target)],
        )
        await Postman(pool, homeserver).deliver()

    await carry_out("said", Act.SEND, "The gate is closed.")
    await carry_out("edited", Act.EDIT, "The gate is open.")
    await carry_out("pinned", Act.PIN)
    room_id = await personal_room_store.find(pool, user)
    assert room_id is not None
    edit, said = [event for event in await anna.messages(room_id) if event["type"] == "m.room.message"]
    assert edit["content"]["m.new_content"]["body"] == "The gate is open."
    assert await homeserver.state_event(room_id, "m.room.pinned_events") == {"pinned": [said["event_id"]]}
    await anna.react(room_id, said["event_id"])
    with pytest.raises(Exception, match="403"):
        await anna.send(room_id, "Which gate?")
    await carry_out("unpinned", Act.UNPIN)
    await carry_out("taken back", Act.REDACT)
    assert await homeserver.state_event(room_id, "m.room.pinned_events") == {"pinned": []}
    found = {event["event_id"]: event for event in await anna.messages(room_id)}
    assert found[said["event_id"]]["content"] == {}
