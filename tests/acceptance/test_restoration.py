"""A room that was purged on a real Synapse comes back from the archive."""

from __future__ import annotations

import argparse
import json
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import pytest

from bridge.archive.backfill import backfill
from bridge.archive.verify import verify
from bridge.cli import archive
from bridge.config import read_config
from bridge.errors import HomeserverError
from bridge.homeserver.client import Homeserver
from bridge.homeserver.registration import Registration
from bridge.ids import EventId, RoomId
from tests.acceptance.client import MatrixClient
from tests.integration.archive.test_restoration import FewServices
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.database import Pool

Human = Callable[[str], Awaitable[MatrixClient]]


async def restore(pool: Pool, homeserver: Homeserver, *words: str) -> None:
    """Run the verb as a person types it."""
    parser = argparse.ArgumentParser()
    archive.add_parser(parser.add_subparsers())
    args = parser.parse_args(["archive", "restore", *words])
    args.json = True
    config = read_config("homeserver: {url: 'http://localhost:8008', server_name: x}\n", Path("/nowhere/config.yaml"))
    services = FewServices(pool, cast("Any", homeserver), config)
    assert await args.handler.__wrapped__(args, cast("Services", services)) == 0


async def test_a_purged_room_is_given_back(
    pool: Pool,
    homeserver: Homeserver,
    human: Human,
    registration: Registration,
    http: aiohttp.ClientSession,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its people are invited into a new room in which the bot says what they had said, and says it once."""
    mark = secrets.token_hex(3)
    anna, bo, cy = [await human(f"{name}-{mark}") for name in ("anna", "bo", "cy")]
    old = await anna.create_room(preset="private_chat", name="Lift", invite=[bo.user_id, cy.user_id])
    for other in (bo, cy):
        await other.join(old)
    first = await anna.send(old, "Dock 3 is shut")
    relation = {"m.relates_to": {"rel_type": "m.replace", "event_id": first}}
    new = {"msgtype": "m.text", "body": "Dock 4 is shut"}
    await anna.send_event(old, "m.room.message", {**new, "m.new_content": new, **relation})
    await bo.send(old, "Thanks")
    await backfill(homeserver, pool)
    bot = await MatrixClient.of_token(http, homeserver.url, registration.as_token)
    await bot.request("DELETE", f"/_synapse/admin/v2/rooms/{old}", {"block": True, "purge": True})

    async def is_gone() -> bool:
        try:
            await homeserver.state(RoomId(old))
        except HomeserverError as error:
            return error.status == 404
        return False

    await wait_until(is_gone)
    await restore(pool, homeserver, old)
    answer = json.loads(capsys.readouterr().out)
    assert (answer["restored"], answer["invited"]) == (2, 3)
    await restore(pool, homeserver, old)
    assert json.loads(capsys.readouterr().out)["before"] == 2

    await cy.join(answer["room"])
    chunk, _ = await homeserver.messages(answer["room"], before=None)
    said = [event["content"]["body"] for event in chunk if event["type"] == "m.room.message"]
    assert [body.partition("\n\n")[2] for body in reversed(said)] == ["Dock 4 is shut", "Thanks"]
    assert f"Restored: {anna.user_id} wrote on" in said[-1]
    assert await homeserver.fetch_event(EventId(first)) is None
    assert (await verify(pool)).ok
