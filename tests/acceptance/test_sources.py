"""What webhooks, feeds and letters bring, on a real Synapse with the real service, over a kill -9."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from email.message import EmailMessage
from mailbox import Maildir
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from bridge.hook_signature import sign
from tests.acceptance.company import Company
from tests.waiting import wait_until

KEY = bytes(32)
RSS = (
    '<rss version="2.0"><channel><title>S</title><item><guid isPermaLink="false">{0}</guid><title>Entry {0}</title>'
    "</item></channel></rss>"
)
PICTURE = base64.b64decode("R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==")


def letter() -> bytes:
    """A letter with a picture, for which the company's mail server vouches."""
    message = EmailMessage()
    message["Authentication-Results"] = "mx.company.example; dmarc=pass header.from=company.example"
    message["From"] = "press@company.example"
    message["Subject"] = "New office"
    message["Message-ID"] = "<1@company.example>"
    message.set_content("We have moved.")
    message.add_attachment(PICTURE, maintype="image", subtype="gif", filename="map.gif")
    return message.as_bytes()


async def test_what_sources_bring_is_in_the_room_once(company: Company) -> None:
    """A signed webhook, a new entry of a feed, a letter with a picture: each once, whenever the service is killed."""
    document = RSS.format(1)

    async def feed(_request: web.Request) -> web.Response:
        return web.Response(text=document, content_type="application/rss+xml")

    application = web.Application()
    application.router.add_get("/feed.xml", feed)
    async with TestServer(application) as server:
        await company.stop()
        configure(company, str(server.make_url("/feed.xml")))
        await company.start()
        await company.hire("anna", title="Chief Executive Officer")
        await company.is_in("anna", {"news", "square", "department/Sales"})
        reader, news = await company.client("anna"), (await company.managed())["news"]
        await wait_until(lambda: is_read(company))

        assert (await post(company, {"markdown": "VPN **down**"}))["status"] == "open"
        Maildir(company.folder / "mail").add(letter())
        document = RSS.format(2)
        await company.kill()
        await company.start()
        assert (await post(company, {"markdown": "VPN **down**"}))["status"] == "duplicate"

        async def said() -> list[dict[str, Any]]:
            events = [event["content"] for event in await reader.messages(news)]
            return sorted((each for each in events if "io.muster.announcement" in each), key=lambda each: each["body"])

        async def all_said() -> bool:
            return len(await said()) >= 3

        await wait_until(all_said)
        await company.kill()
        await company.start()
        await company.has_settled()
        bodies = [content["body"].splitlines() for content in await said()]
        assert sorted(
            line for lines in bodies for line in lines if line in ("VPN down", "Entry 2", "We have moved.")
        ) == [
            "Entry 2",
            "VPN down",
            "We have moved.",
        ]
        assert len(bodies) == 3
        picture = next(content for content in await said() if content["msgtype"] == "m.image")
        assert (picture["filename"], picture["url"][:6]) == ("map.gif", "mxc://")


def configure(company: Company, feed: str) -> None:
    """Let the company take what comes by webhook, feed and mail."""
    (company.folder / "key").write_text("whsec_" + base64.b64encode(KEY).decode())
    Maildir(company.folder / "mail", create=True)
    path = company.folder / "config.yaml"
    config = json.loads(path.read_text())
    desk = {"desk": "desk", "confirmed": True}
    letters = {"maildir": "mail", "senders": ["@company.example"], "trust": "mx.company.example", "every": "1s"}
    config["announcements"] = {
        "webhooks": {"monitoring": {**desk, "keys": ["key"]}},
        "feeds": {"status": {**desk, "url": feed}},
        "mail": {"press": {**desk, **letters}},
    }
    path.write_text(json.dumps(config))


async def is_read(company: Company) -> bool:
    """Whether the feed was read once."""
    found: bool = await company.pool.fetchval("SELECT EXISTS (SELECT FROM announcement_feed WHERE begun)")
    return found


async def post(company: Company, said: object) -> dict[str, Any]:
    """Announce by webhook, always under the same id."""
    body, now = json.dumps(said).encode(), datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": sign(KEY, "msg_1", now, body),
    }
    async with company.http.post(f"{company.url}/hooks/announce/monitoring", data=body, headers=headers) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer
