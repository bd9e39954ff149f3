"""What the administrators are told in their room beside what waits for approval: words that nobody has explained.

Who says a word and what it means is the directory's; each word is told once.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from bridge.directory import status_store
from bridge.directory.status_store import UntoldStatus
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.ids import EventId, RoomId
from bridge.membership import store
from bridge.membership.desired import ADMINISTRATORS

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)


class Voice(Protocol):
    """Who can say something in a room."""

    async def send(
        self, room_id: RoomId, event_type: str, content: Mapping[str, object], *, transaction_id: str
    ) -> EventId: ...


async def tell_of_statuses(pool: Pool, homeserver: Voice) -> None:
    """Tell the administrators of each word that the table of statuses lacks, once; without their room it waits.

    Raises `HomeserverUnavailableError` when the homeserver is away.
    """
    untold = await status_store.load_untold(pool)
    room = (await store.read_places(pool)).get(ADMINISTRATORS) if untold else None
    if room is None or room.room_id is None:
        return
    for status in untold:
        try:
            await homeserver.send(
                room.room_id, "m.room.message", status_notice(status), transaction_id=_transaction_id(status)
            )
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            log.warning("the administrators cannot be told: %s", error.message, extra={"action": "status"})
            return
        await status_store.mark_told(pool, status.word)


def status_notice(status: UntoldStatus) -> dict[str, Any]:
    """Return the message about one word. Pure."""
    people = "1 person" if status.people == 1 else f"{status.people} people"
    return {
        "msgtype": "m.text",
        "body": f"HR says {status.word!r} as employmentStatus of {people}, and the configuration does not explain it. "
        "Who is known stays as before, who is new is not hired yet.\n"
        "To settle it: add the word to `directory.statuses` and restart Muster. `muster directory review` names them.",
    }


def _transaction_id(status: UntoldStatus) -> str:
    return f"status-{hashlib.sha256(status.word.encode()).hexdigest()[:32]}"
