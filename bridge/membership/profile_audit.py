"""The slow audit of profiles: those of some accounts after another are read and compared with what we know of them.

No event tells that somebody has changed a field of the own profile, so there is nothing but to look. What is found
otherwise is taken in as drift, and is put right by whoever reconciles. How far it has come is in the database; a
restart goes on there. Display names are not looked at: their changes are events.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from bridge.clock import Clock
from bridge.database import AWAY
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.ids import UserId
from bridge.membership import member_store, profile_store, store
from bridge.membership.profile import managed_part
from bridge.membership.profile_store import Position
from bridge.membership.reconcile import LOCK
from bridge.patience import Backoff, Patience
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

SHORTEST_PASS: Final = timedelta(hours=1)
"""Where there are few accounts, each is compared at most once in this time."""
AT_A_TURN: Final = 20
"""So many profiles are read before the next pause: each is one short request."""
_BACKOFF: Final = Backoff(1.0, 300.0)


class Homeserver(Protocol):
    """The request that this needs."""

    async def profile(self, user_id: UserId) -> Mapping[str, Any] | None: ...


@dataclass(frozen=True, slots=True)
class Compared:
    """What comparing came to."""

    profiles: int = 0
    repaired: int = 0
    """Profiles that the homeserver had otherwise."""

    def __add__(self, other: Compared) -> Compared:
        return Compared(self.profiles + other.profiles, self.repaired + other.repaired)


class ProfileAudit:
    """Compares the fields that the policy decides; `policy` returns the last good policy."""

    def __init__(self, pool: Pool, homeserver: Homeserver, policy: Callable[[], Policy], *, clock: Clock) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._policy = policy
        self._clock = clock

    async def run(self, every: timedelta) -> None:
        """Compare some profiles every so often until cancelled; wait with back-off while somebody is away."""
        patience = Patience(_BACKOFF, _complain)
        while True:
            try:
                await asyncio.sleep((await self.turn(every)).total_seconds())
                patience.recover()
            except (HomeserverError, *AWAY) as error:
                others_tell = isinstance(error, (HomeserverUnavailableError, *AWAY))
                await patience.wait_out("" if others_tell else str(error))

    async def turn(self, every: timedelta) -> timedelta:
        """Compare the next few profiles, and return after which time the next are due."""
        at = await profile_store.read_position(self._pool) or Position(self._clock(), UserId(""))
        last, _ = await self._compare_after(at.user_id)
        if last is not None:
            await profile_store.put_position(self._pool, Position(at.started_at, last))
            return every
        left = at.started_at + SHORTEST_PASS - self._clock()
        if left <= timedelta():
            await profile_store.put_position(self._pool, Position(self._clock(), UserId("")))
        return max(left, every)

    async def scan(self) -> Compared:
        """Compare every profile now, and return what it came to."""
        found, last = Compared(), UserId("")
        while True:
            after, some = await self._compare_after(last)
            if after is None:
                return found
            found, last = found + some, after

    async def _compare_after(self, last: UserId) -> tuple[UserId | None, Compared]:
        """Compare the next few profiles; return the last account of them, None when there are no more."""
        fields = self._policy().accounts.profile.keys()
        known = await profile_store.read_profiles(self._pool, last, AT_A_TURN) if fields else {}
        repaired = [await self._compare(user, profile, fields) for user, profile in known.items()]
        return (list(known)[-1] if known else None), Compared(len(known), sum(repaired))

    async def _compare(self, user_id: UserId, known: Mapping[str, str], fields: Collection[str]) -> bool:
        """Compare one profile and take in what is otherwise; tell whether something was."""
        found = await self._read(user_id, fields)
        if found is None or found == managed_part(known, fields):
            return False
        # Whoever applies may have just acted; what differs still while nobody does was changed by somebody else.
        async with self._pool.acquire() as connection, connection.transaction():
            await store.wait_for_applier(connection, LOCK)
            known = await profile_store.read_profile(connection, user_id)
            found = await self._read(user_id, fields)
            if found is None or found == managed_part(known, fields):
                return False
            await profile_store.take_in(connection, user_id, fields, found)
            await member_store.note_drift(connection, [user_id])
        log.info("the profile of %s was changed by somebody else", user_id, extra=_ACTION)
        return True

    async def _read(self, user_id: UserId, fields: Collection[str]) -> dict[str, str] | None:
        """Return these fields as the homeserver has them, None when it shows no profile."""
        try:
            profile = await self._homeserver.profile(user_id)
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            log.warning("the profile of %s cannot be read: %s", user_id, error.message, extra=_ACTION)
            return None
        return None if profile is None else managed_part(profile, fields)


def _complain(problem: str) -> None:
    log.info("comparing profiles waits: %s", problem, extra=_ACTION)


_ACTION = {"action": "drift.profiles"}
