"""Telling people, in their direct room with the bot, that they administrate a room of somebody who has left.

They are told once: what is sent again after a crash is the same event on the homeserver.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.clock import Clock
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.membership import lifecycle_store
from bridge.membership.direct_room import Homeserver, tell
from bridge.membership.lifecycle_store import Takeover

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)


async def tell_heirs(pool: Pool, homeserver: Homeserver, clock: Clock) -> None:
    """Tell everybody who has taken over a room and does not know it; who cannot be told now is told the next time.

    Raises `HomeserverUnavailableError` when the homeserver is away.
    """
    for takeover, at in await lifecycle_store.read_takeovers(pool):
        try:
            transaction_id = _transaction_id(takeover, at)
            await tell(pool, homeserver, takeover.heir, notice(takeover), transaction_id=transaction_id)
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            log.warning("an heir cannot be told: %s", error.message, extra={"action": "hand over"})
            continue
        await lifecycle_store.mark_heir_told(pool, takeover, clock())


def notice(takeover: Takeover) -> str:
    """Return what the heir is told. Pure."""
    room = f"the room {takeover.name!r}" if takeover.name else f"a room without a name ({takeover.room_id})"
    return (
        f"{takeover.giver} no longer works here and was the last administrator of {room}. You administrate it now: "
        "you can invite and remove people, and make somebody else its administrator."
    )


def _transaction_id(takeover: Takeover, at: datetime) -> str:
    digest = hashlib.sha256(f"{takeover.room_id} {takeover.heir}".encode()).hexdigest()[:32]
    return f"heir-{digest}-{int(at.timestamp() * 1000)}"
