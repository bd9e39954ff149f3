"""Looking at the archive through the gate: what one person may see for one case, or for none.

Whoever shows, proves, traces or exports asks `insist` or `passing` before anything is seen; search takes the rooms of
`opened`. The decision is `gate`'s, the facts are read here: whether a room was direct when something was said in it
(`direct_room`, from the archive itself and not from search's index, which may lag), and what the case is about
(`scope_store`). A refusal is an entry of the ledger too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bridge.archive import case_store, gate_store
from bridge.archive.case import Case
from bridge.archive.cases import known_case
from bridge.archive.direct_room import RoomFacts, observe
from bridge.archive.entry import Actor, Entry
from bridge.archive.gate import Look, refusal, refusal_of_case, refusal_of_direct
from bridge.archive.log import record
from bridge.archive.scope_store import matching, read_bounds
from bridge.clock import Clock
from bridge.errors import RefusedError
from bridge.ids import EventId, PersonId, RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


Passing = Callable[["Connection", Collection[int]], Awaitable[frozenset[int]]]
"""Tells which of the events at these positions may be seen, as `Access.passing` does."""
_FIRST = 50


@dataclass(frozen=True, slots=True)
class Looker:
    """Who looks."""

    actor: Actor
    person: PersonId | None
    """None when `--as` names nobody."""


class Access:
    """The gate for one person and one case."""

    def __init__(
        self, pool: Pool, looker: Looker, case: Case | None, *, bot: UserId, lifetime: timedelta, clock: Clock
    ) -> None:
        self._pool = pool
        self._looker = looker
        self._bot = bot
        self._clock = clock
        self.case = case
        self.look = Look(looker.person, case, clock(), lifetime)

    @classmethod
    async def of(
        cls, pool: Pool, looker: Looker, number: str | None, *, bot: UserId, lifetime: timedelta, clock: Clock
    ) -> Access:
        """Return the gate for the case of this number, if any; `lifetime` is how long an unused approval holds.

        Raises `UnknownNameError` for a case that there is not, and `RefusedError`, with an entry, for a case that is
        closed or does not allow this person.
        """
        case = await known_case(pool, number) if number else None
        access = cls(pool, looker, case, bot=bot, lifetime=lifetime, clock=clock)
        if reason := refusal_of_case(access.look):
            await access.refuse(reason, {})
        return access

    @property
    def closed_because(self) -> str:
        """Why direct rooms stay closed, in words; empty when the case opens some."""
        return refusal_of_direct(self.look)

    async def insist(self, event_id: EventId) -> None:
        """Let the event be seen, or record the refusal and raise `RefusedError`.

        An event that the archive does not hold passes: whoever looks for it is told so.
        """
        row = await gate_store.read_event(self._pool, event_id)
        if row is None:
            return
        seq, room_id, timestamp = row
        direct = bool(await self._direct(self._pool, [(seq, room_id, timestamp)]))
        in_scope = bool(direct and self.case and await self._in_scope([seq]))
        if reason := refusal(self.look, direct=direct, in_scope=in_scope):
            await self.refuse(reason, {"event": event_id})
        if direct:
            await self.note_use()

    async def passing(self, db: Connection | Pool, seqs: Collection[int]) -> frozenset[int]:
        """Return which of the events at these positions may be seen."""
        direct = await self._direct(db, await gate_store.read_events(db, seqs))
        found = await self._in_scope(direct, db) if direct and not self.closed_because else frozenset[int]()
        passed = {seq for seq in seqs if not refusal(self.look, direct=seq in direct, in_scope=seq in found)}
        if direct & passed:
            await self.note_use()
        return frozenset(passed)

    async def opened(self) -> frozenset[RoomId]:
        """Return the rooms in which the case opens what was said, direct or not; none without an approved case."""
        if self.case is None or self.closed_because:
            return frozenset()
        scope = self.case.scope
        return scope.rooms | await gate_store.rooms_of(self._pool, scope.people)

    async def record(self, deed: str, details: dict[str, Any]) -> None:
        """Record what was looked at, and for which case; called before anything is seen."""
        case = {"case": self.case.number} if self.case else {}
        await record(self._pool, Entry(deed, self._looker.actor, {**details, **case}), self._clock())

    async def note_use(self) -> None:
        """Note that the approval is made use of: from now on it does not lapse."""
        if self.case and self.case.approval and self.case.approval.used_at is None:
            await case_store.note_use(self._pool, self.case.number, self.case.digest, self._clock())

    async def _direct(self, db: Connection | Pool, places: Sequence[gate_store.Place]) -> frozenset[int]:
        """Return which of these events were said in direct or sealed rooms; entries of the log were said in none."""
        said = defaultdict(list)
        for seq, room_id, timestamp in places:
            if room_id:
                said[room_id].append((seq, timestamp))
        direct: set[int] = set()
        sealed = await gate_store.read_sealed(db, said.keys()) if said else ()
        for room_id, events in said.items():
            if room_id in sealed:
                direct |= {seq for seq, _ in events}
                continue
            # The beginning of a room with many members tells already that it is open.
            crowd_from = (await self._facts(db, room_id, _FIRST)).crowd_from
            if doubtful := [(seq, timestamp) for seq, timestamp in events if timestamp < crowd_from]:
                open_from = (await self._facts(db, room_id)).open_from
                direct |= {seq for seq, timestamp in doubtful if timestamp < open_from}
        return frozenset(direct)

    async def _facts(self, db: Connection | Pool, room_id: RoomId, most: int | None = None) -> RoomFacts:
        facts = RoomFacts()
        for event in await gate_store.read_room(db, room_id, most):
            facts = observe(facts, event, self._bot)
        return facts

    async def _in_scope(self, seqs: Collection[int], db: Connection | Pool | None = None) -> frozenset[int]:
        assert self.case is not None
        db = db or self._pool
        return await matching(db, await read_bounds(db, self.case.scope), seqs)

    async def refuse(self, reason: str, details: dict[str, Any]) -> None:
        """Record that something is not shown, and raise `RefusedError`."""
        await self.record("refuse", {**details, "reason": reason})
        raise RefusedError(f"{reason} This refusal is recorded in the archive's log.")
