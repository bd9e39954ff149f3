"""The administrators' answers, from the event feed: what waits is let go, or kept waiting.

`Approvals` is a consumer of the archive's event feed. It only writes to the database: `upkeep` carries out what was
approved, the notice board tells the outcome. Handling an event again changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bridge.clock import Clock, from_milliseconds
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.errors import RefusedError, UnknownNameError
from bridge.homeserver.event import Event
from bridge.ids import UserId
from bridge.membership import audit_store, place_store, store
from bridge.membership.answer import Answer, answer_of
from bridge.membership.desired import ADMINISTRATORS
from bridge.membership.held import approve, reject
from bridge.membership.held_notice import asked_by
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)


class Approvals:
    """The consumer; `bot` is ours, `attributes` are the company's own."""

    name = "approvals"

    def __init__(
        self,
        pool: Pool,
        *,
        bot: UserId,
        policy: Callable[[], Policy],
        clock: Clock,
        timezone: str = "UTC",
        attributes: Sequence[str] = (),
    ) -> None:
        self._pool = pool
        self._bot = bot
        self._policy = policy
        self._clock = clock
        self._timezone = timezone
        self._attributes = attributes

    async def handle(self, events: Sequence[Event]) -> None:
        """Take in a batch, in order."""
        room = (await place_store.read_places(self._pool)).get(ADMINISTRATORS)
        if room is None or room.room_id is None:
            return
        for event in events:
            if event.room_id != room.room_id:
                continue
            if event.sender == self._bot:
                await self._note_question(event)
            elif (answer := answer_of(event)) is not None and not await audit_store.is_answer_taken(
                self._pool, event.event_id
            ):
                await self._take(event, answer)
                await audit_store.put_answer(self._pool, event.event_id, self._clock())

    async def _note_question(self, event: Event) -> None:
        """Remember what a notice asks about; the feed shows it before the reactions to it."""
        digest = asked_by(event.content) if event.type == "m.room.message" else None
        if digest is not None:
            await audit_store.put_held_notice(self._pool, event.event_id, digest)

    async def _take(self, event: Event, answer: Answer) -> None:
        digest = answer.digest
        if answer.question is not None:
            digest = await audit_store.find_held_notice(self._pool, answer.question) or ""
            if not digest and event.type == "m.reaction":
                return  # to something else that was said here, or to what waits no longer
        try:
            await self._settle(event, digest, yes=answer.yes)
        except (RefusedError, UnknownNameError) as error:
            await put_notice(self._pool, Notice(f"answer:{event.event_id}", error.message))

    async def _settle(self, event: Event, digest: str, *, yes: bool) -> None:
        people = await store.people_of(self._pool, [event.sender])
        if not people:
            raise RefusedError(f"{event.sender} is nobody whom the directory knows, and cannot answer.")
        (person,) = people
        said_at = from_milliseconds(min(event.timestamp, int(self._clock().timestamp() * 1000)))
        if yes:
            await approve(
                self._pool,
                self._policy(),
                digest,
                person,
                self._clock,
                timezone=self._timezone,
                attributes=self._attributes,
                said_at=said_at,
            )
        else:
            await reject(
                self._pool, self._policy(), digest, person, self._clock, timezone=self._timezone, said_at=said_at
            )
        log.info("%s was %s in the room", digest[:12], "approved" if yes else "rejected", extra={"action": "approve"})
