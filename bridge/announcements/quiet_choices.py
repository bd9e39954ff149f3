"""Employees ask for the own quiet hours and choose them; the words are `quiet_text`'s, what holds is `quiet`'s."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements import quiet_store, quiet_text
from bridge.announcements.quiet import Wish, read_choice, rest_of, stand
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Person
from bridge.ids import UserId
from bridge.policy.schema import Policy
from bridge.policy.working_time import Times, WrongTimesError

if TYPE_CHECKING:
    from bridge.database import Pool


class QuietChoices:
    """Who answers `quiet`; `timezone` is that of people without their own."""

    def __init__(self, pool: Pool, timezone: str) -> None:
        self._pool = pool
        self._timezone = timezone

    async def answer(self, person: Person, user_id: UserId, words: str, policy: Policy, now: datetime) -> list[str]:
        """Keep what somebody who works here chose, if anything was said; return what holds, a line each.

        Again it is the same choice.
        """
        if words:
            try:
                choice = read_choice(words)
            except WrongTimesError as error:
                return quiet_text.not_understood(str(error))
            if choice is Wish.ON and policy.hours is None:
                return quiet_text.not_planned()
            await self._choose(user_id, choice, now)
        chosen = await quiet_store.load_choices(self._pool, [user_id])
        day = LocalDays(now, self._timezone)(person)
        rest = rest_of(person, policy.hours, chosen.get(user_id, Wish.DEFAULT), day, self._timezone)
        return quiet_text.describe(rest, stand(rest, now))

    async def _choose(self, user_id: UserId, choice: Wish | Times, now: datetime) -> None:
        async with self._pool.acquire() as db, db.transaction():
            if choice is Wish.DEFAULT:
                await quiet_store.forget_choice(db, user_id)
            else:
                await quiet_store.put_choice(db, user_id, choice, now)
            await quiet_store.call_up(db, user_id, now)
