"""Announcing by webhook over HTTP: what is taken, what is refused, and what becomes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from standardwebhooks.webhooks import Webhook

from bridge.announcements.sources.hooks import hook_routes
from bridge.announcements.sources.intake import Intake
from bridge.config_announcements import AnnouncingHook, SourceConfig
from bridge.hook_signature import sign
from tests.integration.announcements.company import DESK, NEWS, NIGHT, NOW
from tests.integration.announcements.sources.desk_view import announcements, nothing_changed, said

if TYPE_CHECKING:
    from bridge.database import Pool

KEY = bytes(32)
TOKEN = "0123456789abcdefghijklmn"
MAX_BODY = 20_000


@dataclass
class Hooks:
    """Somebody who sends, and the endpoint."""

    url: str
    session: ClientSession

    async def post(
        self,
        said: object,
        source: str = "trusted",
        *,
        id_: str = "msg_1",
        key: bytes = KEY,
        late: timedelta = timedelta(),
    ) -> tuple[int, Any]:
        """Send a body, or bytes as they are, signed; return status and answer."""
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        sent = NOW - late
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": sign(key, id_, sent, body),
        }
        return await self.send(f"/{source}", body, headers)

    async def send(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Send bytes as they are."""
        async with self.session.post(f"{self.url}{path}", data=body, headers=headers) as response:
            return response.status, await response.json()


@pytest.fixture
async def hooks(pool: Pool, intake: Intake) -> AsyncIterator[Hooks]:
    """Three sources: one confirms by itself, one makes drafts, one has a secret address."""
    sources = {
        "trusted": AnnouncingHook(SourceConfig("desk", "Monitoring", True), (KEY,), ""),
        "careful": AnnouncingHook(SourceConfig("desk", "", False), (KEY,), ""),
        "slack": AnnouncingHook(SourceConfig("desk", "CI", False), (), TOKEN),
        "homeless": AnnouncingHook(SourceConfig("nowhere", "", True), (KEY,), ""),
    }
    application = web.Application()
    application.add_routes(hook_routes(pool, sources, intake, lambda: NOW, max_body=MAX_BODY))
    async with TestServer(application) as server, ClientSession() as session:
        yield Hooks(str(server.make_url("/hooks/announce")), session)


async def test_a_trusted_source_announces(pool: Pool, hooks: Hooks) -> None:
    """It goes to the desk's rooms at once, and the answer says what became of it."""
    status, answer = await hooks.post({"title": "VPN", "markdown": "**down**"})
    assert status == 200
    assert (answer["status"], answer["rooms"], answer["people"]) == ("open", 2, 3)
    assert await announcements(pool) == [("webhook/trusted", "open", "VPN\n\ndown")]
    assert [len(await said(pool, room)) for room in (NEWS, NIGHT, DESK)] == [1, 1, 0]


async def test_any_other_source_makes_a_draft(pool: Pool, hooks: Hooks) -> None:
    """The desk sees the preview and the words; nothing is in the rooms before a poster confirms."""
    status, answer = await hooks.post({"text": "VPN down"}, "careful")
    assert (status, answer["status"]) == (200, "draft")
    assert await said(pool, NEWS) == []
    preview, words = await said(pool, DESK)
    assert preview.startswith(f"Draft {answer['id']}, not announced yet.")
    assert words == f"Nordwind Logistics wants to say this ({answer['id']}):\n\nVPN down"


async def test_standard_webhooks_own_signature_is_taken(hooks: Hooks) -> None:
    """What the reference library signs."""
    body = json.dumps({"text": "hello"})
    signature = Webhook(KEY).sign("msg_9", NOW, body)
    headers = {
        "webhook-id": "msg_9",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": signature,
    }
    assert (await hooks.send("/trusted", body.encode(), headers))[0] == 200


async def test_a_delivery_that_comes_again_is_one(pool: Pool, hooks: Hooks) -> None:
    """By its id, also when both come at once; the second answer names the same announcement."""
    answers = await asyncio.gather(*(hooks.post({"text": "hello"}) for _ in range(4)))
    assert {status for status, _ in answers} == {200}
    assert sorted(answer["status"] for _, answer in answers) == ["duplicate"] * 3 + ["open"]
    assert len({answer["id"] for _, answer in answers}) == 1
    assert len(await announcements(pool)) == 1
    await hooks.post({"text": "hello"}, id_="msg_2")
    assert len(await announcements(pool)) == 2


async def test_a_later_moment_is_kept(pool: Pool, hooks: Hooks) -> None:
    """What is to be said tomorrow is scheduled."""
    at = (NOW + timedelta(days=1)).isoformat()
    assert (await hooks.post({"text": "hello", "at": at}))[1]["status"] == "scheduled"
    assert await said(pool, NEWS) == []


async def test_a_secret_address_takes_slacks_form(pool: Pool, hooks: Hooks) -> None:
    """Tools that write as to Slack cannot sign; the same words within five minutes are the same delivery."""
    body = b'{"text": "hi", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*Build* failed"}}]}'
    assert (await hooks.send(f"/slack/{TOKEN}", body))[1]["status"] == "draft"
    assert (await hooks.send(f"/slack/{TOKEN}", body))[1]["status"] == "duplicate"
    assert await announcements(pool) == [("webhook/slack", "draft", "Build failed")]


@pytest.mark.parametrize("path", ["/slack/wrong", "/slack", f"/trusted/{TOKEN}"])
async def test_a_wrong_address_is_refused(pool: Pool, hooks: Hooks, path: str) -> None:
    """Neither a wrong secret nor a missing one, nor a secret where the source signs."""
    status, answer = await hooks.send(path, b'{"text": "hi"}')
    assert (status, answer["error"]) == (401, "not_signed")
    assert await nothing_changed(pool)


async def test_a_forged_signature_is_refused(pool: Pool, hooks: Hooks) -> None:
    """Another key, an altered body, or a recorded delivery: 401, said why, nothing changed."""
    assert (await hooks.post({"text": "x"}, key=b"k" * 32))[1]["error"] == "not_signed"
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": sign(KEY, "m", NOW, b'{"text": "x"}'),
    }
    status, answer = await hooks.send("/trusted", b'{"text": "y"}', headers)
    assert (status, answer["message"]) == (401, "no webhook-signature is that of a known key")
    status, answer = await hooks.post({"text": "x"}, late=timedelta(minutes=6))
    assert (status, "five minutes off" in answer["message"]) == (401, True)
    assert await nothing_changed(pool)


async def test_an_audience_of_nobody_is_refused(pool: Pool, hooks: Hooks) -> None:
    """422 with the reason, nothing changed; the same delivery may come again when that is mended."""
    await pool.execute("DELETE FROM room_member")
    status, answer = await hooks.post({"text": "x"})
    assert (status, answer["error"]) == (422, "refused")
    assert "Nobody is in the rooms" in answer["message"]
    assert await nothing_changed(pool)


@pytest.mark.parametrize(
    ("said", "source", "status", "code", "words"),
    [
        ({"text": "x"}, "nobody", 404, "unknown_source", "no source of this name"),
        (b"\xff", "trusted", 400, "not_json", "JSON in UTF-8"),
        (b"[" * 15_000, "trusted", 400, "not_json", "JSON in UTF-8"),
        (b"x" * (MAX_BODY + 1), "trusted", 413, "too_large", "at most 20000 bytes"),
        ({"txt": "x"}, "trusted", 422, "not_understood", "unknown key `txt`; did you mean `text`?"),
        ({"text": "x", "to": ["board"]}, "trusted", 422, "refused", "does not announce in 'board'"),
        ({"text": "x", "to": "departmnt eq 1"}, "trusted", 422, "refused", "did you mean `department`?"),
        ({"text": "x", "to": "department ="}, "trusted", 422, "refused", "`to`: expected people such as"),
        ({"text": "x", "to": 'department eq "Sales"'}, "trusted", 422, "refused", "in rooms only, not to people"),
        ({"text": "x" * 19_000, "to": ["news"]}, "homeless", 422, "not_understood", "no desk 'nowhere'"),
        ({"html": "<script>x()</script>"}, "trusted", 422, "not_understood", "nothing is left"),
    ],
)
async def test_bad_input_ends_in_one_shape_and_changes_nothing(
    pool: Pool, hooks: Hooks, said: object, source: str, status: int, code: str, words: str
) -> None:
    """Each is told in JSON what was expected, and there is no trace of it."""
    found, answer = await hooks.post(said, source)
    assert (found, answer["error"]) == (status, code)
    assert words in answer["message"]
    assert await nothing_changed(pool)
