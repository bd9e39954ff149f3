"""A source's draft is announced when a poster of the desk confirms it, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.announcements.sources.intake import Intake
from bridge.announcements.sources.passage import Incoming, body_of
from bridge.config_announcements import SourceConfig
from bridge.ids import UserId
from tests.integration.announcements.company import ANNA, DESK, NEWS, NOW, FakeHomeserver, Muster, reaction

if TYPE_CHECKING:
    from bridge.database import Pool


@pytest.mark.parametrize("message", [0, 1], ids=["the preview", "the words"])
async def test_a_poster_confirms_what_a_source_wants_to_say(
    pool: Pool, muster: Muster, intake: Intake, homeserver: FakeHomeserver, message: int
) -> None:
    """By ✅ to the preview or to the words themselves; before, nothing is in the rooms."""
    source = SourceConfig("desk", "Monitoring", False)
    async with pool.acquire() as db, db.transaction():
        incoming = Incoming({"": body_of("VPN down")})
        announced = await intake.announce(db, source, "webhook/mon", "msg_1", incoming, NOW)
    assert announced is not None
    while (await muster.deliver()).settled:
        pass
    assert homeserver.rooms[NEWS] == []
    event = homeserver.rooms[DESK][message]["event_id"]
    await muster.hear(reaction(ANNA, DESK, event))
    assert await pool.fetchval("SELECT state FROM announcement") in ("scheduled", "open")


async def test_the_same_thing_of_two_sources_is_two_things(pool: Pool, intake: Intake) -> None:
    """Ids are each source's own."""
    source = SourceConfig("desk", "", True)
    for origin in ("webhook/a", "webhook/b", "webhook/a"):
        async with pool.acquire() as db, db.transaction():
            await intake.announce(db, source, origin, "1", Incoming({"": body_of("hello")}), NOW)
    assert await pool.fetchval("SELECT count(*) FROM announcement") == 2
    assert UserId(await pool.fetchval("SELECT min(author) FROM announcement")) == UserId("@muster:company.example")
