"""Staying in touch with the homeserver, and noticing that it was away.

Synapse keeps what it has for us in memory only, forgets it when it restarts, and after a restart delivers nothing
until something new happens in a room. So whenever it answers again, an event is caused in a room of our own, and the
caller is told to compare the archive with the rooms.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Protocol

from bridge.clock import Clock
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver.own_room import RoomMaker, own_room
from bridge.homeserver.registration import ALIAS_PREFIX
from bridge.ids import EventId, RoomId

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks; a restart of Synapse takes longer."""
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 30.0
"""Seconds between two tries while it is away."""
PULSE_ALIAS = f"{ALIAS_PREFIX}pulse"
PULSE = "io.muster.pulse"
"""State event whose only purpose is to happen."""


class Homeserver(RoomMaker, Protocol):
    """The requests that this needs."""

    async def register_bot(self) -> None: ...
    async def versions(self) -> tuple[str, ...]: ...
    async def ping(self, transaction_id: str) -> int: ...
    async def send_state(
        self, room_id: RoomId, event_type: str, state_key: str, content: Mapping[str, object]
    ) -> EventId: ...


async def attend(homeserver: Homeserver, clock: Clock) -> AsyncIterator[datetime]:
    """Yield a moment each time the homeserver has come (back): at the start, and after every absence.

    By then the bot is registered, and what Synapse has kept is on its way to us. While the caller does what it does
    with the moment, nobody looks; when it finds the homeserver away it comes back here.
    """
    problem = ""
    while True:
        await _until_greeted(homeserver, clock, problem)
        yield clock()
        problem = await _until_gone(homeserver)


async def _until_greeted(homeserver: Homeserver, clock: Clock, said: str) -> None:
    """Try until the greeting succeeds; say why it does not, once for each problem that has not been `said`."""
    pause = FIRST_PAUSE
    while True:
        try:
            await _greet(homeserver, clock)
        except HomeserverError as error:
            if error.problem != said:
                log.warning("waiting for the homeserver: %s", _advised(error), extra={"action": "attend"})
            said = error.problem
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        else:
            log.info("the homeserver is %s", "back" if said else "there", extra={"action": "attend"})
            return


async def _greet(homeserver: Homeserver, clock: Clock) -> None:
    """Register the bot, have Synapse try us at once, and cause the event that sets its deliveries going."""
    await homeserver.register_bot()
    try:
        await homeserver.ping(f"muster-{clock().timestamp():.3f}")
    except HomeserverUnavailableError:
        raise
    except HomeserverError as error:
        # Its way to us is broken, ours to it is not: what we do goes on, what it has for us waits there.
        log.warning(
            "the homeserver cannot reach Muster: %s. `muster doctor` says how to mend it",
            error.message,
            extra={"action": "attend.ping"},
        )
    room_id = await own_room(
        homeserver, {"preset": "private_chat", "room_alias_name": PULSE_ALIAS, "name": "Muster's pulse"}
    )
    await homeserver.send_state(room_id, PULSE, "", {"at": int(clock().timestamp() * 1000)})


async def _until_gone(homeserver: Homeserver) -> str:
    """Return the problem, which has been said, when the homeserver does not answer any more."""
    while True:
        try:
            await homeserver.versions()
        except HomeserverUnavailableError as error:
            log.warning("%s Muster waits", error.message, extra={"action": "attend.gone"})
            return error.problem
        except HomeserverError:
            pass  # an error is an answer too
        await asyncio.sleep(LOOK_EVERY)


def _advised(error: HomeserverError) -> str:
    """Return the message, with what to do when waiting alone will not help."""
    if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return (
            f"{error.message}. Name our registration.yaml in `app_service_config_files` of homeserver.yaml and restart "
            "Synapse; `muster doctor` says more"
        )
    return error.message
