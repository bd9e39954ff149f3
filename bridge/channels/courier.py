"""From rows to messages by one second channel; each channel has a courier of its own, so none waits for another.

An attempt is counted and committed before the message goes out. Whoever is killed in between leaves a row that is
tried again: in an emergency twice is better than never, and the message keeps its key, by which the other side can
know it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from bridge.channels import store
from bridge.channels.message import Channel, Note
from bridge.channels.store import Claimed
from bridge.clock import Clock, system_clock
from bridge.database.turns import take_turns
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.directory.store import load_people
from bridge.errors import ChannelError
from bridge.patience import Backoff, Wake, until

if TYPE_CHECKING:
    from bridge.database import Pool
    from bridge.ids import UserId

log = logging.getLogger(__name__)

AT_ONCE = 10
MOST_ATTEMPTS = 30
"""With the pauses between them, some two hours."""
LEASE = timedelta(seconds=90)
"""So long nobody else takes a claimed message; longer than any sending takes."""
_BETWEEN = Backoff(5.0, 300.0)
_LOOK_SECONDS = 60.0


class Courier:
    """Sends what waits for one channel; any number of processes may do so at once."""

    def __init__(self, pool: Pool, channel: Channel, *, clock: Clock = system_clock) -> None:
        self._pool = pool
        self._channel = channel
        self._clock = clock

    async def run(self, wake: Wake) -> None:
        """Send until cancelled; `wake` is set when something may wait (channel `CHANNELS`)."""

        async def turn() -> float:
            if await self.deliver():
                return 0.0
            return until(await store.next_due(self._pool, self._channel.name), self._clock(), _LOOK_SECONDS)

        await take_turns(turn, wake, what=f"sending by {self._channel.name}", action="channel.send")

    async def deliver(self, limit: int = AT_ONCE) -> int:
        """Try at most so many messages that are due, and return how many were tried."""
        now = self._clock()
        claimed = await store.claim(self._pool, self._channel.name, now, now + LEASE, limit)
        addresses = await self._addresses(claimed) if claimed else {}
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._send(each, addresses.get(each.user_id))) for each in claimed]
        errors = [error for task in tasks if (error := task.result()) is not None and not error.final]
        if errors:
            await self._tell(errors[0])
        return len(claimed)

    async def _addresses(self, claimed: Sequence[Claimed]) -> Mapping[UserId, str]:
        persons = await store.persons_of(self._pool, [each.user_id for each in claimed])
        people = {person.id: person for person in await load_people(self._pool, list(persons.values()))}
        found = {user: people[person].other.get(self._channel.attribute) for user, person in persons.items()}
        return {user: str(values[0]) for user, values in found.items() if values}

    async def _send(self, message: Claimed, address: str | None) -> ChannelError | None:
        try:
            if not address:
                raise ChannelError(f"The directory has no `{self._channel.attribute}`.", final=True)
            await self._channel.send(Note(message.key, address, message.subject, message.body))
        except ChannelError as error:
            await self._record_refusal(message, error)
            return error
        await store.mark_sent(self._pool, message.id, self._clock())
        return None

    async def _record_refusal(self, message: Claimed, error: ChannelError) -> None:
        final = error.final or message.attempts >= MOST_ATTEMPTS
        pause = timedelta(seconds=_BETWEEN.pause(message.attempts - 1))
        await store.mark_refused(self._pool, message.id, error.message, None if final else self._clock() + pause)
        log.warning(
            "%s to %s was not taken: %s",
            self._channel.name,
            message.user_id,
            error.message,
            extra={"action": "channel.send"},
        )

    async def _tell(self, error: ChannelError) -> None:
        """Tell the administrators, once for as long as it goes on."""
        name = self._channel.name
        body = (
            f"The second channel `{name}` does not take messages: {error.message} Muster tries again, and what cannot "
            f"wait goes by the other channels. To mend it: see `channels: {name}:` in the configuration."
        )
        await put_notice(self._pool, Notice(f"channel:{name}", body))
