"""Requests to the homeserver, tried on a real peer: errors are ours, limits are waited out, no secret is said."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port
from mautrix.api import Method

from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver import transport as module
from bridge.homeserver.client import Homeserver
from bridge.homeserver.transport import PATIENCE, Transport, path
from bridge.ids import EventId, RoomId, UserId

TOKEN = "sw0rdf1sh"
BODY = "a message for nobody else"


@dataclass
class Peer:
    """What the peer answers, one answer a request, and what it was asked; the last answer is given for ever."""

    url: str = ""
    answers: list[web.Response | Callable[[], Awaitable[web.Response]]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "")
        self.asked.append(
            (request.method, request.raw_path.split("?")[0], dict(request.query), token, await request.text())
        )
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.Response):
            return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        return await answer()

    def answers_with(self, status: int, body: object = None, headers: dict[str, str] | None = None) -> None:
        """Add an answer: an object as JSON, text as a page."""
        if isinstance(body, str):
            self.answers.append(web.Response(status=status, text=body, content_type="text/html"))
        else:
            self.answers.append(web.json_response(body or {}, status=status, headers=headers))


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """A server on a port of its own."""
    peer = Peer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", peer.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    peer.url = site.name
    yield peer
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Connections for the transport."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as opened:
        yield opened


@pytest.fixture
def transport(peer: Peer, session: aiohttp.ClientSession) -> Transport:
    """The transport under test."""
    return Transport(session, peer.url, TOKEN)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were to be waited; none is."""
    asked: list[float] = []

    async def sleep(seconds: float) -> None:
        asked.append(seconds)

    monkeypatch.setattr(module, "asyncio", SimpleNamespace(sleep=sleep))
    return asked


async def test_a_request_carries_the_token_and_the_masquerade(transport: Transport, peer: Peer) -> None:
    """The token in the header, the person in the query, the content as JSON, every segment escaped."""
    peer.answers_with(200, {"event_id": "$e"})
    where = path("rooms", "!a/b#c:x", "send", "m.room.message", "t?1")
    answer = await transport.request(Method.PUT, where, {"body": BODY}, as_user=UserId("@a:x"))
    assert answer == {"event_id": "$e"}
    (method, asked, query, token, body) = peer.asked[0]
    assert (method, asked) == ("PUT", "/rooms/%21a%2Fb%23c%3Ax/send/m.room.message/t%3F1")
    assert (query, token, json.loads(body)) == ({"user_id": "@a:x"}, f"Bearer {TOKEN}", {"body": BODY})


async def test_a_get_has_a_query_and_no_body(transport: Transport, peer: Peer) -> None:
    """Proxies refuse others."""
    peer.answers_with(200)
    await transport.request(Method.GET, "rooms", query={"limit": "2", "from": "a b"})
    assert peer.asked == [("GET", "/rooms", {"limit": "2", "from": "a b"}, f"Bearer {TOKEN}", "")]


async def test_a_change_without_content_sends_an_empty_object(transport: Transport, peer: Peer) -> None:
    """Synapse wants JSON in every POST."""
    peer.answers_with(200)
    await transport.request(Method.POST, "join")
    assert peer.asked[0][4] == "{}"


@pytest.mark.parametrize(
    ("body", "headers", "pause"),
    [
        ({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 1500}, {}, 1.5),
        ({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 1500}, {"Retry-After": "9"}, 1.5),
        ({"errcode": "M_LIMIT_EXCEEDED"}, {"Retry-After": "2"}, 2.0),
        ({"errcode": "M_LIMIT_EXCEEDED"}, {"Retry-After": "Fri, 01 Jan 2027 00:00:00 GMT"}, 1.0),
        ({}, {}, 1.0),
        ({"retry_after_ms": -7}, {}, 0.05),
    ],
)
async def test_a_rate_limit_is_waited_out(
    transport: Transport, peer: Peer, pauses: list[float], body: object, headers: dict[str, str], pause: float
) -> None:
    """As long as the homeserver says, then the same request again."""
    peer.answers_with(429, body, headers)
    peer.answers_with(200, {"room_id": "!r"})
    assert await transport.request(Method.POST, "createRoom", {"name": "n"}) == {"room_id": "!r"}
    assert pauses == [pause]
    assert peer.asked[0] == peer.asked[1]


async def test_patience_with_rate_limits_has_an_end(transport: Transport, peer: Peer, pauses: list[float]) -> None:
    """Five minutes in all; then the refusal is the caller's."""
    peer.answers_with(429, {"errcode": "M_LIMIT_EXCEEDED", "error": "Too many", "retry_after_ms": 90_000})
    with pytest.raises(HomeserverError, match="Too many") as raised:
        await transport.request(Method.POST, "createRoom")
    assert (raised.value.status, raised.value.errcode) == (429, "M_LIMIT_EXCEEDED")
    assert sum(pauses) <= PATIENCE < sum(pauses) + 90


async def test_a_refusal_has_the_homeservers_words(transport: Transport, peer: Peer) -> None:
    """Status and errcode are there to decide by, and the place to look at."""
    peer.answers_with(403, {"errcode": "M_FORBIDDEN", "error": "You are not\n a server admin"})
    with pytest.raises(HomeserverError) as raised:
        await transport.request(Method.GET, "_synapse/admin/v1/rooms")
    assert not isinstance(raised.value, HomeserverUnavailableError)
    assert (raised.value.status, raised.value.errcode) == (403, "M_FORBIDDEN")
    assert raised.value.message == "You are not a server admin (403 M_FORBIDDEN at GET /_synapse/admin/v1/rooms)"


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_gateway_without_a_homeserver_is_an_absence(transport: Transport, peer: Peer, status: int) -> None:
    """Also with a page of its own."""
    peer.answers_with(status, "<html>Bad gateway</html>")
    with pytest.raises(HomeserverUnavailableError, match=f"is away.*{status} at GET /versions") as raised:
        await transport.request(Method.GET, "versions")
    assert raised.value.status == status


async def test_a_redirection_is_told_and_not_followed(transport: Transport, peer: Peer) -> None:
    """A change that is led elsewhere arrives there without its content, or with our token at a stranger's."""
    peer.answers_with(301, {}, {"Location": f"{peer.url}/elsewhere"})
    peer.answers_with(200)
    with pytest.raises(HomeserverError, match=r"the homeserver's own address in `homeserver\.url`"):
        await transport.request(Method.POST, "createRoom")
    assert len(peer.asked) == 1


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_something_else_behind_the_address_is_told(transport: Transport, peer: Peer, status: int) -> None:
    """A page is no answer of a homeserver, whatever its status."""
    peer.answers_with(status, "<html>Welcome to nginx</html>")
    with pytest.raises(HomeserverError, match=r"Expected a Matrix homeserver at `homeserver\.url`") as raised:
        await transport.request(Method.GET, "versions")
    assert not isinstance(raised.value, HomeserverUnavailableError)


async def test_nobody_at_the_address_is_an_absence(session: aiohttp.ClientSession) -> None:
    """Connection refused."""
    transport = Transport(session, f"http://127.0.0.1:{unused_port()}", TOKEN)
    with pytest.raises(HomeserverUnavailableError, match="does not answer \\(Connect call failed") as raised:
        await transport.request(Method.GET, "versions")
    assert raised.value.status == 0


async def test_an_unknown_host_is_an_absence(session: aiohttp.ClientSession) -> None:
    """Names come and go with the network."""
    transport = Transport(session, "http://nowhere.invalid", TOKEN)
    with pytest.raises(HomeserverUnavailableError, match=r"at http://nowhere\.invalid does not answer"):
        await transport.request(Method.GET, "versions")


async def test_a_homeserver_that_goes_while_it_answers_is_an_absence(transport: Transport, peer: Peer) -> None:
    """The connection ends without an answer."""

    async def drop() -> web.Response:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
        return web.Response()

    peer.answers.append(drop)
    with pytest.raises(HomeserverUnavailableError, match="does not answer"):
        await transport.request(Method.GET, "versions")


async def test_silence_is_an_absence(peer: Peer) -> None:
    """A request that is not answered ends with the session's timeout."""
    waiting = asyncio.Event()

    async def never() -> web.Response:
        await waiting.wait()
        return web.Response()

    peer.answers.append(never)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as session:
        with pytest.raises(HomeserverUnavailableError, match="TimeoutError"):
            await Transport(session, peer.url, TOKEN).request(Method.GET, "versions")
    waiting.set()


@pytest.mark.parametrize("status", [200, 400, 500, 502])
async def test_neither_token_nor_body_is_said(
    transport: Transport, peer: Peer, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in an error nor in the log, however much is logged."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("bridge").setLevel(logging.DEBUG)
    peer.answers_with(status, {"errcode": "M_UNKNOWN", "error": "No"})
    said = ""
    try:
        await transport.request(Method.PUT, "send", {"body": BODY}, as_user=UserId("@a:x"))
    except HomeserverError as error:
        said = error.message
    assert not [word for word in (TOKEN, BODY) if word in said + caplog.text]


# What the client makes of answers


@pytest.fixture
def homeserver(transport: Transport) -> Homeserver:
    """The bot's hands."""
    return Homeserver(transport, bot=UserId("@muster:x"), server_name="x", appservice_id="muster")


async def test_registering_again_is_fine(homeserver: Homeserver, peer: Peer) -> None:
    """The bot has its account since the first start."""
    peer.answers_with(400, {"errcode": "M_USER_IN_USE", "error": "Taken"})
    await homeserver.register_bot()
    assert json.loads(peer.asked[0][4])["username"] == "muster"


@pytest.mark.parametrize("errcode", ["M_CONNECTION_FAILED", "M_BAD_STATUS", "M_CONNECTION_TIMEOUT"])
async def test_a_homeserver_that_cannot_reach_us_is_not_away(homeserver: Homeserver, peer: Peer, errcode: str) -> None:
    """It answers a ping with 502 or 504 of its own; a proxy's 502 has no such errcode."""
    peer.answers_with(502, {"errcode": errcode, "error": "No"})
    peer.answers_with(502, "<html>")
    with pytest.raises(HomeserverError) as raised:
        await homeserver.ping("t")
    assert not isinstance(raised.value, HomeserverUnavailableError)
    assert raised.value.errcode == errcode
    with pytest.raises(HomeserverUnavailableError):
        await homeserver.ping("t")


async def test_what_is_not_there_is_none(homeserver: Homeserver, peer: Peer) -> None:
    """A 404 is an answer where something is looked for; taking away what is gone is done."""
    peer.answers_with(404, {"errcode": "M_NOT_FOUND", "error": "No"})
    assert await homeserver.resolve_alias("#a:x") is None
    assert await homeserver.state_event(RoomId("!r"), "m.room.name") is None
    assert await homeserver.fetch_event(EventId("$e")) is None
    assert not await homeserver.is_registered()
    await homeserver.delete_alias("#a:x")


async def test_lists_are_read_to_their_end(homeserver: Homeserver, peer: Peer) -> None:
    """Page by page."""
    peer.answers_with(200, {"rooms": [{"room_id": "!1"}, {"room_id": "!2"}], "next_batch": 2})
    peer.answers_with(200, {"rooms": [{"room_id": "!3"}]})
    assert await homeserver.room_ids() == ["!1", "!2", "!3"]
    assert [query["from"] for _, _, query, _, _ in peer.asked] == ["0", "2"]
