"""Profiles as the homeserver has them, against what we know of them: those that an event shows otherwise, at once, and
slowly all, one after another.

Display name and picture are in the events of memberships, from which `current` notes whom to look at. No event tells
of the other fields, so there is nothing but to look. What is found otherwise is taken in as drift and as somebody's
intervention, and is put right by whoever reconciles. How far it has come is in the database; a restart goes on there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from bridge.clock import Clock
from bridge.database.turns import take_turns
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.ids import EventId, UserId
from bridge.membership import drift_store, member_store, profile_store, store
from bridge.membership.fighting import profile_intervention
from bridge.membership.profile import fields_of, managed_part
from bridge.membership.profile_store import Position
from bridge.membership.reconcile import LOCK
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

SHORTEST_PASS: Final = timedelta(hours=1)
"""Where there are few accounts, each is compared at most once in this time."""
AT_A_TURN: Final = 20
"""So many profiles are read before the next pause: each is one short request."""


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

        async def turn() -> float:
            return (await self.turn(every)).total_seconds()

        await take_turns(turn, None, what="comparing profiles", action="drift.profiles")

    async def watch(self, wake: asyncio.Event) -> None:
        """Look at whatever is doubtful until cancelled; wait with back-off while somebody is away."""

        async def turn() -> None:
            await self.settle_doubts()

        await take_turns(turn, wake, what="looking at doubtful profiles", action="drift.profiles")

    async def settle_doubts(self) -> Compared:
        """Compare the profiles that an event has shown otherwise, and return what it came to."""
        found = Compared()
        while doubts := await profile_store.read_doubts(self._pool, AT_A_TURN):
            fields = fields_of(self._policy().accounts)
            for doubt in doubts:
                known = await profile_store.read_profile(self._pool, doubt.user_id)
                if known is not None:
                    repaired = await self._compare(doubt.user_id, known, fields, doubt.event_id)
                    found += Compared(1, int(repaired))
                await profile_store.forget_doubt(self._pool, doubt)
        return found

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
        fields = fields_of(self._policy().accounts)
        wanted = len(fields) > 1  # else there is but the display name, and of that events tell
        known = await profile_store.read_profiles(self._pool, last, AT_A_TURN) if wanted else {}
        seen = EventId(f"read {self._clock().isoformat()}")
        repaired = [await self._compare(user, profile, fields, seen) for user, profile in known.items()]
        return (list(known)[-1] if known else None), Compared(len(known), sum(repaired))

    async def _compare(
        self, user_id: UserId, before: Mapping[str, str], fields: Collection[str], seen: EventId
    ) -> bool:
        """Compare one profile and take in what is otherwise; tell whether something was. `seen` is how we know."""
        found = await self._read(user_id, fields)
        if found is None or found == managed_part(before, fields):
            return False
        # Whoever applies may have just acted; what differs still while nobody does was changed by somebody else.
        async with self._pool.acquire() as connection, connection.transaction():
            await store.wait_for_applier(connection, LOCK)
            known = await profile_store.read_profile(connection, user_id)
            found = await self._read(user_id, fields)
            if known is None or found is None or found == managed_part(known, fields):
                return False
            await profile_store.take_in(connection, user_id, fields, found)
            altered = [field for field in fields if found.get(field, "") != known.get(field, "")]
            await drift_store.note_interventions(
                connection, [profile_intervention(user_id, field, seen, self._clock()) for field in altered]
            )
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


_ACTION = {"action": "drift.profiles"}
