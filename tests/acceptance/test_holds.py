"""Legal holds beside a real Synapse."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bridge.archive.entry import Actor
from bridge.archive.held_media import HeldMedia
from bridge.archive.hold import Hold
from bridge.archive.holds import place, release
from bridge.archive.ingest import ingest
from bridge.archive.scope import Scope
from bridge.homeserver.client import Homeserver
from bridge.ids import EventId, RoomId
from tests.acceptance.client import MatrixClient
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    import aiohttp

    from bridge.database import Pool
    from bridge.demo.synapse import AccessToken, LocalSynapse

SIZE = 123_000
ACTOR = Actor("k.saar", "root")


async def test_synapses_purge_passes_over_held_media(
    pool: Pool, homeserver: Homeserver, synapse: LocalSynapse, synapse_admin: AccessToken, http: aiohttp.ClientSession
) -> None:
    """A purge by age deletes other media and leaves what a hold is about; once released, that goes too."""
    held, other = [(await homeserver.upload(bytes([n]) * SIZE, "text/plain")).rsplit("/", 1)[1] for n in (1, 2)]
    admin = await MatrixClient.of_token(http, synapse.url, synapse_admin)
    for media_id, room_id in ((held, "!held"), (other, "!other")):
        content = {"msgtype": "m.file", "body": "f", "url": f"mxc://{homeserver.server_name}/{media_id}"}
        await ingest(pool, [an_event(f"${media_id}", room_id=room_id, content=content)])
    hold = Hold("1", "why", Scope(rooms=frozenset({RoomId("!held")})), "k.saar", datetime.now(UTC), EventId(""))
    await place(pool, hold, ACTOR)
    await HeldMedia(pool, homeserver).keep()
    assert await purge(admin) == {other}
    await release(pool, "1", ACTOR, datetime.now(UTC))
    await HeldMedia(pool, homeserver).keep()
    assert await purge(admin) == {held}
    assert await homeserver.is_media_protected(held) is None


async def purge(admin: MatrixClient) -> set[str]:
    """Delete all media of our size, as an administrator does, and return what was deleted."""
    query = f"before_ts={int(time.time() * 1000) + 60_000}&size_gt={SIZE - 1}"
    answer = await admin.request("POST", f"/_synapse/admin/v1/media/delete?{query}", {})
    return set(answer["deleted_media"])
