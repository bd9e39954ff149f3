"""Quiet hours on the homeserver: a push rule per person, set when it becomes quiet for them and lifted afterwards.

Matrix knows no push rule by the clock, so the rules are switched at the moments themselves. How it stands for whom
is decided by `quiet` and written down with the moment of the next change; what passed while nobody looked is
therefore found at the start. An attempt is counted and committed before the homeserver is told, so that whoever was
interrupted tells it again. A rule that somebody removed by hand is back with the next quiet hours.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from bridge.announcements import quiet_store
from bridge.announcements.hours_store import load_persons
from bridge.announcements.quiet import HORIZON, Stand, Wish, rest_of, stand
from bridge.announcements.release import URGENT
from bridge.clock import Clock, system_clock
from bridge.database.turns import take_turns
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Person, works_here
from bridge.directory.store import directory_version
from bridge.errors import HomeserverError
from bridge.ids import UserId
from bridge.patience import Wake, until
from bridge.policy.schema import Policy
from bridge.policy.working_time import Times

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

QUIET_RULE: Final = "io.muster.quiet"
URGENT_RULE: Final = "io.muster.urgent"
AT_ONCE: Final = 20
"""People whose rules are switched at one time."""
_LOOK_SECONDS = 60.0
"""After so long it looks by itself: HR or the policy may say something else."""
_WHOLE = timedelta(hours=1)
"""After so long everybody is looked at: somewhere a day has begun, on which somebody may have."""


class Homeserver(Protocol):
    """What quiet hours ask of the homeserver."""

    bot: UserId

    async def put_push_rule(
        self, user_id: UserId, rule: str, content: Mapping[str, object], *, after: str | None = None
    ) -> None: ...
    async def delete_push_rule(self, user_id: UserId, rule: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What one batch came to."""

    settled: int
    """People whose rule is as it ought to be, or whose was refused for good."""
    away: HomeserverError | None = None
    """Why nobody's rule could be switched, if so."""


class QuietHours:
    """The service's loop; any number of processes may run it. `timezone` is that of people without their own."""

    def __init__(
        self,
        pool: Pool,
        homeserver: Homeserver,
        policy: Callable[[], Policy],
        *,
        clock: Clock = system_clock,
        timezone: str = "UTC",
    ) -> None:
        """Take the policy as a function, because a new one may be loaded at any time."""
        self._pool = pool
        self._homeserver = homeserver
        self._policy = policy
        self._clock = clock
        self._timezone = timezone
        self._seen: tuple[int, str] | None = None
        """Directory version and policy by which everybody was last looked at."""
        self._whole_at: datetime | None = None

    async def run(self, wake: Wake) -> None:
        """Keep quiet what is to be, until cancelled; `wake` is set when somebody chose (channel `QUIET`)."""

        async def turn() -> float:
            if away := await self.keep():
                raise away
            return until(await quiet_store.next_due(self._pool), self._clock(), _LOOK_SECONDS)

        await take_turns(turn, wake, what="keeping quiet hours", action="quiet")

    async def keep(self) -> HomeserverError | None:
        """Do everything that is due; return why that cannot be done, if so."""
        await self.look()
        while (progress := await self.tell()).settled and not progress.away:
            pass
        return progress.away

    async def look(self) -> None:
        """Write down how it stands for those who are due, or for everybody when directory or policy have changed."""
        now = self._clock()
        seen = await directory_version(self._pool), self._policy().digest
        if seen != self._seen or self._whole_at is None or now >= self._whole_at + _WHOLE:
            await self._survey(None, now)
            await quiet_store.forget(self._pool)
            self._seen, self._whole_at = seen, now
        elif users := await quiet_store.due(self._pool, now):
            await self._survey(users, now)

    async def tell(self, limit: int = AT_ONCE) -> Progress:
        """Switch the rules of some people, and record it."""
        async with self._pool.acquire() as db:
            claimed = await quiet_store.claim(db, limit)
            async with db.transaction():
                wanted = await quiet_store.lock(db, claimed)
                async with asyncio.TaskGroup() as group:
                    tasks = {user: group.create_task(self._switch(user, quiet)) for user, quiet in wanted.items()}
                errors = {user: task.result() for user, task in tasks.items()}
                told = [user for user, error in errors.items() if error is None]
                await quiet_store.mark_told(db, told)
                refused = {user: error for user, error in errors.items() if error is not None and error.is_final}
                for user, error in refused.items():
                    await quiet_store.mark_refused(db, user, error.message)
                    log.warning("quiet hours of %s: %s", user, error.message, extra=_ACTION)
        away = next((error for error in errors.values() if error is not None and error.is_away), None)
        return Progress(len(told) + len(refused), away)

    async def _survey(self, users: Collection[UserId] | None, now: datetime) -> None:
        policy = self._policy().hours
        choices = await quiet_store.load_choices(self._pool, users)
        people: dict[UserId, Person] = {}
        if policy is not None or choices:
            among = users if users is not None or policy is not None else choices.keys()
            people = await load_persons(self._pool, among)
        stands = await asyncio.to_thread(self._stands, people, choices, now)
        others = await quiet_store.kept(self._pool) if users is None else frozenset(users)
        async with self._pool.acquire() as db, db.transaction():
            await quiet_store.put_stands(db, stands, now + HORIZON)
            await quiet_store.let_go(db, others - stands.keys())

    def _stands(
        self, people: Mapping[UserId, Person], choices: Mapping[UserId, Wish | Times], now: datetime
    ) -> dict[UserId, Stand]:
        """Return how it stands for those of these people for whom it may be quiet."""
        policy, days = self._policy().hours, LocalDays(now, self._timezone)
        rests = {
            user: rest_of(person, policy, choices.get(user, Wish.DEFAULT), days(person), self._timezone)
            for user, person in people.items()
            if works_here(person, days(person))
        }
        # For most the same holds: that is decided once.
        found = {rest: stand(rest, now) for rest in set(rests.values()) if rest.may_be_quiet}
        return {user: found[rest] for user, rest in rests.items() if rest.may_be_quiet}

    async def _switch(self, user_id: UserId, quiet: bool) -> HomeserverError | None:
        """Set or lift somebody's rules; return what went wrong. Doing it again changes nothing."""
        try:
            if quiet:
                await self._homeserver.put_push_rule(user_id, URGENT_RULE, urgent_rule(self._homeserver.bot))
                await self._homeserver.put_push_rule(user_id, QUIET_RULE, SILENCE, after=URGENT_RULE)
            else:
                await self._homeserver.delete_push_rule(user_id, QUIET_RULE)
                await self._homeserver.delete_push_rule(user_id, URGENT_RULE)
        except HomeserverError as error:
            return error
        return None


SILENCE: Final[Mapping[str, object]] = {"conditions": [], "actions": []}
"""Matches everything, and does nothing: no push, no sound, no count (spec, "Push rules")."""


def urgent_rule(bot: UserId) -> dict[str, object]:
    """Return the rule by which what the bot calls urgent rings; nobody else's words do."""
    return {
        "conditions": [
            {"kind": "event_property_is", "key": f"content.{URGENT.replace('.', chr(92) + '.')}", "value": True},
            {"kind": "event_property_is", "key": "sender", "value": bot},
        ],
        "actions": ["notify", {"set_tweak": "sound", "value": "default"}, {"set_tweak": "highlight"}],
    }


_ACTION = {"action": "quiet"}
