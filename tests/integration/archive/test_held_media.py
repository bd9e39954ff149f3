"""Media that holds keep from the homeserver's purges, on a real PostgreSQL and with a homeserver in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from bridge.archive.entry import Actor
from bridge.archive.held_media import HeldMedia
from bridge.archive.hold import Hold
from bridge.archive.hold_store import count_media
from bridge.archive.holds import place, release
from bridge.archive.ingest import ingest
from bridge.archive.scope import Scope
from bridge.errors import HomeserverUnavailableError
from bridge.ids import EventId, RoomId
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

NOW = datetime(2027, 3, 1, tzinfo=UTC)
ACTOR = Actor("k.saar", "root")


@dataclass
class Keeper:
    """The homeserver's media: whether it is protected."""

    server_name: str = "x"
    media: dict[str, bool] = field(default_factory=dict)
    away_after: int = 1000

    async def is_media_protected(self, media_id: str) -> bool | None:
        """Tell, as the homeserver does."""
        return self.media.get(media_id)

    async def protect_media(self, media_id: str, *, protected: bool) -> None:
        """Protect it, unless the homeserver is away by now."""
        self.away_after -= 1
        if self.away_after < 0:
            raise HomeserverUnavailableError("away")
        self.media[media_id] = protected


async def share(pool: Pool, media_id: str, room_id: str = "!held") -> None:
    """Archive a message with a file."""
    content = {"msgtype": "m.file", "body": "f", "url": f"mxc://x/{media_id}"}
    await ingest(pool, [an_event(f"${media_id}-{room_id}", room_id=room_id, content=content)])


async def hold(pool: Pool, number: str, room_id: str = "!held") -> None:
    """Place a hold on a room."""
    scope = Scope(rooms=frozenset({RoomId(room_id)}))
    await place(pool, Hold(number, "why", scope, "k.saar", NOW, EventId("")), ACTOR)


async def test_held_media_is_protected_until_the_last_hold_is_released(pool: Pool) -> None:
    """What a hold is about is protected, also when it comes later; what others protected stays so at the end."""
    keeper = Keeper(media={"a": False, "b": True, "late": False, "other": False})
    held = HeldMedia(pool, keeper)
    for media_id in ("a", "b", "gone"):
        await share(pool, media_id)
    await share(pool, "other", "!other")
    await hold(pool, "1")
    await held.keep()
    assert keeper.media == {"a": True, "b": True, "late": False, "other": False}
    assert await count_media(pool, "1") == (2, 1)
    await share(pool, "late")
    await hold(pool, "2")
    await held.keep()
    assert keeper.media["late"]
    await release(pool, "1", ACTOR, NOW)
    await held.keep()
    assert keeper.media == {"a": True, "b": True, "late": True, "other": False}
    await release(pool, "2", ACTOR, NOW)
    await held.keep()
    assert keeper.media == {"a": False, "b": True, "late": False, "other": False}
    assert await pool.fetchval("SELECT count(*) FROM archive_held_media") == 0


async def test_homeserver_that_goes_away_leaves_nothing_out(pool: Pool) -> None:
    """What could not be protected is protected the next time; so is what could not be let go."""
    keeper = Keeper(media=dict.fromkeys("abc", False), away_after=1)
    held = HeldMedia(pool, keeper)
    for media_id in keeper.media:
        await share(pool, media_id)
    await hold(pool, "1")
    with pytest.raises(HomeserverUnavailableError):
        await held.keep()
    keeper.away_after = 1000
    await held.keep()
    assert all(keeper.media.values())
    await release(pool, "1", ACTOR, NOW)
    keeper.away_after = 1
    with pytest.raises(HomeserverUnavailableError):
        await held.keep()
    keeper.away_after = 1000
    await held.keep()
    assert not any(keeper.media.values())
