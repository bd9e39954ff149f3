"""What waits for a second channel is sent, whatever is away and whoever dies in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import aiohttp
import pytest

from bridge.channels import store
from bridge.channels.courier import LEASE, MOST_ATTEMPTS, Courier
from bridge.channels.message import Note
from bridge.channels.sms import SmsGateway
from bridge.channels.store import Outward, Tally
from bridge.directory.intake import import_csv
from bridge.directory.notice_store import read_untold
from bridge.directory.store import load_person
from bridge.errors import ChannelError
from bridge.ids import UserId
from bridge.membership.store import put_account
from bridge.membership.values import CurrentAccount
from tests.integration.channels.peers import gateway

if TYPE_CHECKING:
    from bridge.database import Pool

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PEOPLE = b"userName,displayName,mobile\nanna,Anna,+372 5551\nbo,Bo,\ncy,Cy,+372 5553\n"
KEY = b"0123456789abcdef0123"


class Fake:
    """A channel that does as it is told."""

    name = "sms"
    attribute = "mobile"

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.taken: list[Note] = []

    async def send(self, note: Note) -> None:
        """Take it, or not."""
        if self.error is not None:
            raise self.error
        self.taken.append(note)


@pytest.fixture
async def company(pool: Pool) -> Pool:
    """Three people, two of them with a telephone."""
    await import_csv(pool, PEOPLE, "people.csv", custom=("mobile",))
    for name in ("anna", "bo", "cy"):
        person = await load_person(pool, name)
        await put_account(pool, CurrentAccount(person.id, UserId(f"@{name}:x"), person.display_name, True, {}))
    return pool


def outward(name: str, channel: str = "sms", at: datetime = NOW) -> Outward:
    user = UserId(f"@{name}:x")
    return Outward(f"7kq2/{channel}/{user}", channel, user, "Roll call", "Fire", "7kq2", at)


async def test_each_message_goes_to_the_number_in_the_directory(company: Pool) -> None:
    """Through a real gateway; whoever has no number is told apart, and putting it again sends nothing again."""
    async with gateway() as peer, aiohttp.ClientSession() as session:
        courier = Courier(company, SmsGateway(session, peer.url, KEY, attribute="mobile"), clock=lambda: NOW)
        for _ in range(2):
            await store.put(company, [outward("anna"), outward("bo"), outward("cy"), outward("anna", "mail")])
            while await courier.deliver():
                pass
    assert sorted((said["to"], said["text"]) for said in peer.taken) == [("+3725551", "Fire"), ("+3725553", "Fire")]
    assert await store.count(company, "7kq2") == {"mail": Tally(0, 1), "sms": Tally(2, 0, 1)}


async def test_a_channel_that_fails_is_tried_again_and_told(company: Pool) -> None:
    """Not at once, and the administrators are told once, without a number."""
    channel, now = Fake(), NOW
    courier = Courier(company, channel, clock=lambda: now)
    channel.error = ChannelError("The SMS gateway answered 503, expected 2xx.")
    await store.put(company, [outward("anna"), outward("cy")])
    assert await courier.deliver() == 2
    assert await courier.deliver() == 0
    assert await store.count(company, "7kq2") == {"sms": Tally(0, 2, 0, channel.error.message)}
    [(notice, _)] = await read_untold(company)
    assert (notice.topic, "answered 503" in notice.body, "372" in notice.body) == ("channel:sms", True, False)
    channel.error, now = None, NOW + timedelta(seconds=5)
    assert await courier.deliver() == 2
    assert await store.count(company, "7kq2") == {"sms": Tally(2)}


async def test_what_is_refused_for_good_is_not_tried_again(company: Pool) -> None:
    """Nor is what was refused too often."""
    channel, now = Fake(), NOW
    courier = Courier(company, channel, clock=lambda: now)
    channel.error = ChannelError("refused", final=True)
    await store.put(company, [outward("anna")])
    assert await courier.deliver() == 1
    assert await store.count(company, "7kq2") == {"sms": Tally(failed=1)}
    assert await read_untold(company) == []
    channel.error = ChannelError("away")
    await store.put(company, [outward("cy")])
    for _ in range(MOST_ATTEMPTS):
        assert await courier.deliver() == 1
        now += timedelta(minutes=5)
    assert await courier.deliver() == 0
    assert await store.count(company, "7kq2") == {"sms": Tally(failed=2)}


async def test_what_a_killed_courier_had_is_sent_by_the_next(company: Pool) -> None:
    """After a while, under the same key, by which the gateway can know it; nobody else takes it before."""

    channel, now = Fake(), NOW
    courier = Courier(company, channel, clock=lambda: now)
    channel.error = KeyboardInterrupt()  # passes every `except` of ours
    await store.put(company, [outward("anna")])
    with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever form the end takes
        await courier.deliver()
    channel.error = None
    again = Courier(company, channel, clock=lambda: now)
    assert await again.deliver() == 0
    now += LEASE
    assert await again.deliver() == 1
    assert [note.key for note in channel.taken] == ["7kq2/sms/@anna:x"]


async def test_what_was_never_tried_can_be_dropped(company: Pool) -> None:
    """When the roll call is over, nobody gets a late alarm; what is on its way is finished."""
    channel = Fake()
    channel.error = ChannelError("away")
    await store.put(company, [outward("anna"), outward("cy", at=NOW + timedelta(minutes=1))])
    await Courier(company, channel, clock=lambda: NOW).deliver()
    await store.cancel(company, "7kq2")
    assert await store.count(company, "7kq2") == {"sms": Tally(0, 1, 0, "away")}
