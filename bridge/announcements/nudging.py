"""Reminding those who are missing, and telling those above them: writes what is to be said, once for each step.

A step and what is said for it are one database transaction. Who is due is decided in `escalation`; the saying is left
to the postman.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.announcements import hours_store, nudge_store, outbox_store
from bridge.announcements.escalation import Begins, Missing, decide, earliest
from bridge.announcements.hours import Hours, next_start
from bridge.announcements.nudge import Subject, nudges
from bridge.announcements.nudge_store import Waiting
from bridge.clock import Clock, system_clock
from bridge.database.turns import take_turns
from bridge.ids import UserId
from bridge.patience import Wake, until
from bridge.policy.acknowledge import Acknowledge
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

_LONGEST = timedelta(minutes=15)
"""After so long it looks again: the hours and the leave of people may have changed."""


class Nudging:
    """Looks after every open announcement of a desk that says by when it is to be acknowledged."""

    def __init__(
        self, pool: Pool, policy: Callable[[], Policy], *, clock: Clock = system_clock, timezone: str = "UTC"
    ) -> None:
        """Take the policy as a function; `timezone` is that of people without their own."""
        self._pool = pool
        self._policy = policy
        self._clock = clock
        self._timezone = timezone
        self._next: dict[tuple[str, int, Acknowledge], datetime] = {}
        """Before when nothing can be due; only spares looking."""

    async def run(self, wake: Wake) -> None:
        """Look until cancelled, at most once a second; `wake` is set when there may be a new announcement."""

        async def turn() -> float:
            return until(await self.look(), self._clock(), _LONGEST.total_seconds())

        await take_turns(turn, wake, what="reminding", action="announcements.nudge", breath=1.0)

    async def look(self) -> datetime:
        """Take every step that is due, and return when to look again."""
        now, policy = self._clock(), self._policy()
        following = {}
        for subject, desk in await nudge_store.load_open(self._pool):
            rule = policy.desks[desk].acknowledge if desk in policy.desks else None
            if rule is None:
                continue
            key = (subject.id, subject.version, rule)
            known = self._next.get(key, now)
            following[key] = known if known > now else await self._nudge(subject, rule, policy, now)
        self._next = following
        return min(following.values(), default=now + _LONGEST)

    async def _nudge(self, subject: Subject, rule: Acknowledge, policy: Policy, now: datetime) -> datetime:
        """Take the steps of one announcement, and return when there may be more."""
        async with self._pool.acquire() as db, db.transaction():
            if not await nudge_store.lock_open(db, subject.id):
                return now + timedelta(seconds=1)
            waiting = await nudge_store.load_missing(db, subject)
            missing = await _missing(db, subject, waiting)
            everybody = {user for one in missing for user in (one.user_id, *one.above)}
            hours = await hours_store.load_hours(db, everybody, policy.hours, self._timezone, now)
            due = decide(rule, missing, now, _begins(hours))
            if due.steps:
                names = {one.user_id: one.name for one in waiting}
                earlier = frozenset(one.user_id for one in waiting if one.acknowledged_earlier)
                await nudge_store.add_steps(db, subject, due.steps, now)
                await outbox_store.put(db, nudges(subject, due.steps, names, earlier, now))
                log.info(
                    "announcement %s: %d steps for people who are missing",
                    subject.id,
                    len(due.steps),
                    extra={"action": "announcements.nudge"},
                )
        soonest = min(earliest(rule, now), now + _LONGEST)
        return soonest if due.next is None else min(due.next, soonest)


async def _missing(db: Connection, subject: Subject, waiting: list[Waiting]) -> list[Missing]:
    steps = await nudge_store.load_steps(db, subject)
    lines = await nudge_store.load_lines(db, [one.person for one in waiting])
    accounts = await nudge_store.load_accounts(db, {person for line in lines.values() for person in line})
    return [
        Missing(
            user_id=one.user_id,
            since=one.since,
            above=tuple(accounts[person] for person in lines.get(one.person, ()) if person in accounts),
            done=steps.get(one.user_id, {}),
        )
        for one in waiting
    ]


def _begins(hours: Mapping[UserId, Hours]) -> Begins:
    """Return when somebody's working hours begin; of whom nothing is known, such as a guest, at any moment."""
    starts = functools.cache(next_start)

    def begins(user_id: UserId, moment: datetime) -> datetime | None:
        return starts(hours[user_id], moment) if user_id in hours else moment

    return begins
