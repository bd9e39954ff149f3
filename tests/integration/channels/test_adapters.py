"""Short messages and e-mail reach real peers, and what these answer is understood."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import aiohttp
import pytest
from standardwebhooks import Webhook

from bridge.channels.mail import Mailer, MailServer, Security
from bridge.channels.message import Note
from bridge.channels.sms import SmsGateway
from bridge.errors import ChannelError
from tests.integration.channels.peers import gateway, mailbox

KEY = b"0123456789abcdef0123"
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM="
NOTE = Note("7kq2-m9xd/anna", "+372 555 12345", "Roll call", "Fire in hall 2 – leave by the north gate.")
LETTER = Note("7kq2-m9xd/anna", "anna@company.example", "Roll\r\ncall", "Fire in hall 2 – leave.\n")


async def test_a_short_message_is_a_signed_post() -> None:
    """A library of the standard's own accepts the signature, and sending again is the same message."""
    async with gateway() as peer, aiohttp.ClientSession() as session:
        sms = SmsGateway(session, peer.url, KEY, attribute="mobile")
        await sms.send(NOTE)
        await sms.send(NOTE)
    [(headers, body), (again, _)] = peer.requests
    Webhook(SECRET).verify(body.decode(), headers)
    assert json.loads(body) == {"id": NOTE.key, "to": "+37255512345", "text": NOTE.text}
    assert headers["webhook-id"] == again["webhook-id"] == NOTE.key


@pytest.mark.parametrize(("status", "final"), [(500, False), (429, False), (401, True), (302, False)])
async def test_a_gateway_that_refuses_is_understood(status: int, final: bool) -> None:
    """What can be over later is tried again; what the gateway will never take is not."""
    async with gateway() as peer, aiohttp.ClientSession() as session:
        peer.status = status
        with pytest.raises(ChannelError, match=f"answered {status}") as caught:
            await SmsGateway(session, peer.url, KEY, attribute="mobile").send(NOTE)
    assert caught.value.final is final


async def test_a_gateway_that_is_away_is_tried_again() -> None:
    """Nothing listens there any more."""
    async with gateway() as peer:
        pass
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ChannelError, match="does not answer") as caught:
            await SmsGateway(session, peer.url, KEY, attribute="mobile").send(NOTE)
    assert not caught.value.final


async def test_what_is_no_number_is_not_sent() -> None:
    """And never will be."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ChannelError, match="no telephone number") as caught:
            await SmsGateway(session, "http://127.0.0.1:9", KEY, attribute="mobile").send(
                Note("k", "none of yours", "", "Fire")
            )
    assert caught.value.final


def _mailer(port: int) -> Mailer:
    server = MailServer("127.0.0.1", port, Security.NONE, "muster@company.example")
    return Mailer(server, attribute="emails", clock=lambda: datetime(2026, 3, 2, 12, tzinfo=UTC))


async def test_an_e_mail_reaches_a_real_server() -> None:
    """With the headers that say what it is, and the same Message-ID when it is sent again."""
    async with mailbox() as box:
        await _mailer(box.port).send(LETTER)
        await _mailer(box.port).send(LETTER)
    [(to, first), (_, second)] = box.taken
    assert (to, first["To"], first["From"]) == (
        "anna@company.example",
        "anna@company.example",
        "muster@company.example",
    )
    assert (first["Subject"], first["Auto-Submitted"], first["Importance"]) == ("Roll call", "auto-generated", "high")
    assert first["Date"] == "Mon, 02 Mar 2026 12:00:00 +0000"
    assert first["Message-ID"] == second["Message-ID"]
    assert first.get_content() == LETTER.text.replace("\n", "\r\n") or first.get_content() == LETTER.text


@pytest.mark.parametrize(("refusal", "final"), [("550 No such user", True), ("451 Try later", False)])
async def test_a_mail_server_that_refuses_is_understood(refusal: str, final: bool) -> None:
    """A 5xx about the recipient is for good, a 4xx for now; the words of the server are not repeated."""
    async with mailbox() as box:
        box.refusal = refusal
        with pytest.raises(ChannelError, match=r"refused the recipient \(\d+\)\.$") as caught:
            await _mailer(box.port).send(LETTER)
    assert caught.value.final is final


async def test_a_mail_server_that_is_away_is_tried_again() -> None:
    """Nothing listens there any more."""
    async with mailbox() as box:
        pass
    with pytest.raises(ChannelError, match="does not take mail") as caught:
        await _mailer(box.port).send(LETTER)
    assert not caught.value.final


@pytest.mark.parametrize("address", ["", "anna", "anna@company.example\r\nBcc: all@company.example", "a b@c"])
async def test_what_is_no_address_is_not_sent(address: str) -> None:
    """And never will be; nobody else is written to by a trick."""
    with pytest.raises(ChannelError, match="no e-mail address") as caught:
        await _mailer(9).send(Note("k", address, "s", "t"))
    assert caught.value.final


async def test_encryption_is_insisted_on() -> None:
    """A server that offers no STARTTLS gets no mail."""
    async with mailbox() as box:
        server = MailServer("127.0.0.1", box.port, Security.START, "muster@company.example")
        with pytest.raises(ChannelError, match="does not take mail"):
            await Mailer(server, attribute="emails").send(LETTER)
    assert box.taken == []
