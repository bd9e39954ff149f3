"""E-mail with the day's announcements for those who work here and have no account yet.

At the configured time everything that was opened and in no letters yet is sorted out to the people whom it is for, and
one row a person is written, in one database transaction. The rows are then sent; what was taken back meanwhile is left
out. A mail server that dies between taking a letter and saying so gets it again under the same Message-ID, by which
mail programs show it once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from bridge.announcements.outlets import store
from bridge.announcements.outlets.letters import sorted_out, write
from bridge.announcements.outlets.store import Letter
from bridge.announcements.values import State
from bridge.channels.message import Note
from bridge.clock import Clock
from bridge.database.turns import take_turns
from bridge.directory.census import Census
from bridge.directory.local_day import LocalDays, zone_of
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.directory.store import load_people
from bridge.errors import ChannelError
from bridge.patience import Backoff
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

AT_ONCE: Final = 10
LEASE: Final = timedelta(seconds=90)
"""So long nobody else takes a claimed letter; longer than any sending takes."""
MOST_ATTEMPTS: Final = 20
"""With the pauses between them, some 17 hours."""
_BETWEEN: Final = Backoff(60.0, 3600.0)
_LOOK_SECONDS: Final = 30.0


class Mailer(Protocol):
    """Who sends e-mail, as `bridge.channels.mail` does."""

    attribute: str
    """Lower-case path of the directory's attribute that holds addresses."""

    async def send(self, note: Note) -> None:
        """Hand a letter over; raise `ChannelError` when it was not taken."""
        ...


class Digest:
    """Who writes to people without an account; any number of processes may do so at once."""

    def __init__(
        self, pool: Pool, policy: Callable[[], Policy], mailer: Mailer, *, at: time, timezone: str, clock: Clock
    ) -> None:
        """Take the time of day on the clock of a zone, by its IANA name, which is also the company's own."""
        self._pool = pool
        self._policy = policy
        self._mailer = mailer
        self._at = at
        self._timezone = timezone
        self._clock = clock

    async def run(self) -> None:
        """Write and send until cancelled."""

        async def turn() -> float:
            await self.begin()
            return 0.0 if await self.send() else _LOOK_SECONDS

        await take_turns(turn, None, what="mailing digests", action="digest.send")

    async def begin(self) -> bool:
        """Settle who gets what today, if it is time and nobody has; return whether this did."""
        now = self._clock()
        here = now.astimezone(zone_of(None, self._timezone))
        if here.time() < self._at:
            return False
        async with self._pool.acquire() as db, db.transaction():
            if not await store.add_digest(db, here.date(), now):
                return False
            said = await store.load_said(db, await store.add_digest_items(db, here.date()))
            if said:
                census = Census(await load_people(db), LocalDays(now, self._timezone))
                holders = await store.load_account_holders(db)
                letters = sorted_out(self._policy(), census, said.values(), holders, self._mailer.attribute)
                await store.add_letters(db, here.date(), letters, now)
        return True

    async def send(self, limit: int = AT_ONCE) -> int:
        """Try at most so many letters that are due, and return how many were tried."""
        now = self._clock()
        claimed = await store.claim_letters(self._pool, now, now + LEASE, limit)
        async with asyncio.TaskGroup() as group:
            for letter in claimed:
                group.create_task(self._send(letter, now))
        return len(claimed)

    async def _send(self, letter: Letter, now: datetime) -> None:
        try:
            note = await self._note(letter)
            if note is not None:
                await self._mailer.send(note)
        except ChannelError as error:
            final = error.final or letter.attempts >= MOST_ATTEMPTS
            again_at = None if final else now + timedelta(seconds=_BETWEEN.pause(letter.attempts - 1))
            await store.fail_letter(self._pool, letter, error.message, again_at)
            await self._tell(error)
        else:
            await store.finish_letter(self._pool, letter)

    async def _note(self, letter: Letter) -> Note | None:
        """Return what is still to be said to somebody who still works here; None for nothing."""
        people = {person.id: person for person in await load_people(self._pool, [letter.person])}
        said = await store.load_said(self._pool, letter.announcements)
        standing = [each for each in said.values() if each.state in (State.OPEN, State.OVER)]
        person = people.get(letter.person)
        addresses = person.other.get(self._mailer.attribute, ()) if person is not None and person.active else ()
        if person is None or not addresses or not standing:
            return None
        written = write(self._policy().company, person, standing, letter.day)
        key = f"digest/{letter.day}/{letter.person}"
        return Note(key, str(addresses[0]), written.subject, written.text, urgent=False)

    async def _tell(self, error: ChannelError) -> None:
        log.warning("a digest was not taken: %s", error.message, extra={"action": "digest.send"})
        if not error.final:
            await put_notice(
                self._pool,
                Notice(
                    "digest",
                    f"The e-mail with announcements for people without an account is not taken: {error.message} Muster "
                    "tries again. To mend it: see `channels: mail:` in the configuration.",
                ),
            )
