"""Announcements leave the chat: signed webhooks, e-mail digests and public feeds, with real peers on loopback."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import feedparser
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from standardwebhooks.webhooks import Webhook

from bridge.announcements.announcing import announce, edit, retract
from bridge.announcements.draft import Wanted
from bridge.announcements.outlets.calls import LEASE, Calls
from bridge.announcements.outlets.digest import Digest
from bridge.announcements.outlets.feeds import feed_routes
from bridge.announcements.values import Priority, Whom
from bridge.channels.mail import Mailer, MailServer, Security
from bridge.config_announcements import OutboundConfig
from bridge.directory.intake import import_csv
from bridge.directory.selector import parse
from bridge.policy.loader import load
from tests.integration.announcements.company import BOT, NOW, found, policy
from tests.integration.announcements.sources.desk_view import notices
from tests.integration.channels.peers import Mailbox, mailbox

if TYPE_CHECKING:
    from bridge.database import Pool

KEY = bytes(32)
PEOPLE = b"userName,displayName,email,department\nnew,Newcomer,new@company.example,Sales\nold,Old,,Sales\n"
RULES = """
version: 1
company: Nordwind
rooms:
  news: {name: News, kind: announcement, members: active eq true, posters: userName eq "a"}
"""


@dataclass
class Company:
    """A company that announces, and the time."""

    pool: Pool
    now: datetime = NOW

    async def announce(self, text: str, whom: Whom | None = None, priority: Priority = Priority.NORMAL) -> str:
        """Announce something in the desk's rooms, or as it is said."""
        wanted = Wanted({"": {"msgtype": "m.text", "body": text}}, whom, priority)
        async with self.pool.acquire() as db, db.transaction():
            announced = await announce(
                db,
                policy(),
                "desk",
                wanted,
                origin="command",
                author=BOT,
                author_name="Anna",
                bot=BOT,
                seed=text.encode(),
                at=self.now,
                confirmed=True,
            )
        return announced.id

    def clock(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.fixture
async def company(pool: Pool) -> Company:
    """A small company with its rooms."""
    await found(pool)
    return Company(pool)


@dataclass
class Receiver:
    """Somebody who is told by webhook."""

    status: int = 200
    taken: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})

    def types(self) -> list[str]:
        """What was said to have happened."""
        return [json.loads(body)["type"] for _, body in self.taken]

    def ids(self) -> list[str]:
        """Under which ids."""
        return [headers["webhook-id"] for headers, _ in self.taken]


@asynccontextmanager
async def calling(company: Company, desks: tuple[str, ...] = ()) -> AsyncIterator[tuple[Receiver, Calls]]:
    """Tell a receiver, who has just been configured."""
    receiver, application = Receiver(), web.Application()
    application.router.add_post("/", receiver.take)
    async with TestServer(application) as server, ClientSession() as session:
        outlet = OutboundConfig(str(server.make_url("/")), KEY, desks)
        calls = Calls(company.pool, session, {"intranet": outlet}, clock=company.clock)
        await calls.tell()
        yield receiver, calls


async def test_each_occurrence_is_told_once_and_signed(company: Company) -> None:
    """Opened, edited, retracted; what was before the outlet is not told; the reference library accepts it."""
    await company.announce("before")
    company.now += timedelta(seconds=1)
    async with calling(company) as (receiver, calls):
        assert await calls.tell() == 0
        id_ = await company.announce("hello")
        await calls.tell()
        async with company.pool.acquire() as db, db.transaction():
            await edit(db, id_, {"": {"msgtype": "m.text", "body": "hello all"}}, minor=True, at=company.now)
        await calls.tell()
        async with company.pool.acquire() as db, db.transaction():
            await retract(db, id_, by=BOT, at=company.now)
        await calls.tell()
        assert await calls.tell() == 0
    assert receiver.types() == ["announcement.opened", "announcement.edited", "announcement.retracted"]
    data = json.loads(receiver.taken[1][1])["data"]
    assert (data["id"], data["version"], data["texts"][""]["text"]) == (id_, 2, "hello all")
    headers, body = receiver.taken[0]
    headers["webhook-timestamp"] = str(int(NOW.timestamp()) + 1)
    assert Webhook(KEY).sign(headers["webhook-id"], company.now, body.decode()) == headers["webhook-signature"]


async def test_what_is_not_taken_is_told_again_under_the_same_id(company: Company) -> None:
    """Also after a kill between the answer and the note of it; redirections are not followed."""
    async with calling(company) as (receiver, calls):
        receiver.status = 302
        await company.announce("hello")
        await calls.tell()
        assert await calls.tell() == 0
        company.now += timedelta(seconds=31)
        receiver.status = 200
        await calls.tell()
        await company.pool.execute("UPDATE outlet_call SET state = 'waiting'")  # as it was before the note of it
        company.now += LEASE
        await calls.tell()
    assert len(receiver.taken) == 3
    assert len(set(receiver.ids())) == 1


async def test_what_nobody_ever_takes_is_given_up_and_told(company: Company) -> None:
    """After twelve attempts, or at once when the receiver says that it is gone for good."""
    async with calling(company) as (receiver, calls):
        receiver.status = 500
        await company.announce("hello")
        for _ in range(13):
            await calls.tell()
            company.now += timedelta(hours=7)
        assert len(receiver.taken) == 12
        assert "tried 12 times" in (await notices(company.pool))[0]
        receiver.status = 410
        await company.announce("again")
        await calls.tell()
        company.now += timedelta(hours=7)
        assert await calls.tell() == 0


async def test_an_outlet_hears_its_desks_alone(company: Company) -> None:
    """One that is for other desks hears nothing."""
    async with calling(company, ("elsewhere",)) as (receiver, calls):
        await company.announce("hello")
        assert await calls.tell() == 0
    assert receiver.taken == []


@asynccontextmanager
async def posting(company: Company, folder: Path) -> AsyncIterator[tuple[Mailbox, Digest]]:
    """Write to the two newcomers at seven o'clock, by a real SMTP server; both are in the news' rule."""
    await import_csv(company.pool, PEOPLE, "people.csv")
    rules = load(RULES, str(folder / "policy.yaml"))
    async with mailbox() as peer:
        server = MailServer("127.0.0.1", peer.port, Security.NONE, "muster@company.example")
        mailer = Mailer(server, attribute="emails", clock=company.clock)
        yield peer, Digest(company.pool, lambda: rules, mailer, at=time(7), timezone="UTC", clock=company.clock)


async def test_people_without_an_account_get_one_letter_a_day(company: Company, tmp_path: Path) -> None:
    """What is for them, once; nobody without an address, nothing that was taken back, nothing of the day before."""
    async with posting(company, tmp_path) as (peer, digest):
        first = await company.announce("hello all")
        second = await company.announce("a mistake")
        assert await digest.begin()
        assert not await digest.begin()
        async with company.pool.acquire() as db, db.transaction():
            await retract(db, second, by=BOT, at=company.now)
        assert (await digest.send(), await digest.send()) == (1, 0)
        company.now += timedelta(days=1)
        assert await digest.begin()
        assert await digest.send() == 0
    [(recipient, message)] = peer.taken
    assert recipient == "new@company.example"
    assert message["Subject"] == "Nordwind: 1 announcement, 2026-03-02"
    assert message["Importance"] is None
    assert "hello all" in message.get_content()
    assert "a mistake" not in message.get_content()
    assert first != second


async def test_letters_are_not_written_before_it_is_time(company: Company, tmp_path: Path) -> None:
    """At half past six nothing is settled; what comes until seven is in the letter."""
    async with posting(company, tmp_path) as (peer, digest):
        company.now = NOW.replace(hour=6, minute=30)
        await company.announce("early")
        assert not await digest.begin()
        company.now = NOW.replace(hour=7)
        assert await digest.begin()
        await digest.send()
    assert len(peer.taken) == 1


async def test_a_letter_that_was_not_noted_as_sent_goes_again_under_its_message_id(
    company: Company, tmp_path: Path
) -> None:
    """Killed behind the mail server's back; and a server that refuses for now is tried again, and told."""
    async with posting(company, tmp_path) as (peer, digest):
        await company.announce("hello all")
        await digest.begin()
        peer.refusal = "451 later"
        await digest.send()
        assert "not taken" in (await notices(company.pool))[0]
        peer.refusal = ""
        company.now += timedelta(minutes=1)
        await digest.send()
        await company.pool.execute("UPDATE digest_letter SET state = 'waiting'")  # as it was before the note of it
        company.now += timedelta(minutes=2)
        await digest.send()
    assert len(peer.taken) == 2
    assert len({message["Message-ID"] for _, message in peer.taken}) == 1


async def test_public_announcements_are_a_feed(company: Company) -> None:
    """Those for rooms of a public desk, newest first; no emergency, nothing for chosen people, nothing taken back."""
    await company.announce("first")
    company.now += timedelta(seconds=1)
    await company.announce("second")
    gone = await company.announce("gone")
    await company.announce("fire", priority=Priority.EMERGENCY)
    async with company.pool.acquire() as db, db.transaction():
        await retract(db, gone, by=BOT, at=company.now)
    chosen = await company.announce("for some")
    people = Whom(people=parse('userName eq "a"')).as_json()
    await company.pool.execute("UPDATE announcement SET audience = $2 WHERE id = $1", chosen, people)
    application = web.Application()
    application.add_routes(feed_routes(company.pool, policy, ["desk", "unknown"]))
    async with TestServer(application) as server, ClientSession() as session:
        async with session.get(server.make_url("/feeds/desk.xml")) as response:
            entries = feedparser.parse(io.BytesIO(await response.read())).entries
            etag = response.headers["ETag"]
            assert response.content_type == "application/rss+xml"
        assert [entry.title for entry in entries] == ["second", "first"]
        async with session.get(server.make_url("/feeds/desk.xml"), headers={"If-None-Match": etag}) as response:
            assert (response.status, await response.read()) == (304, b"")
        for name in ("unknown", "other"):
            async with session.get(server.make_url(f"/feeds/{name}.xml")) as response:
                assert response.status == 404
