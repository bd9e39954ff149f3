"""The departments that somebody was in when something was said, as the directory had it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from bridge.archive.batch import fits_column
from bridge.archive.search import store
from bridge.archive.search.lexemes import department_lexeme
from bridge.directory.history import HistoryEntry
from bridge.directory.past_store import load_states_of
from bridge.directory.person import values_of
from bridge.homeserver.event import Event
from bridge.ids import PersonId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection

_MOST_REMEMBERED = 100_000
_LAST_DAY = 253_402_300_799_000
"""Milliseconds; there are no dates after it."""
_DAY = 86_400_000
"""Milliseconds."""


@dataclass(frozen=True, slots=True)
class _Past:
    """The states that somebody has had, as of a directory version."""

    version: int
    states: Sequence[HistoryEntry]
    changing: frozenset[int]
    """Days since 1970 on which one was recorded."""
    lexemes: dict[int, str]
    """Day → the lexemes of the departments on it, of days that are none of those."""

    @classmethod
    def of(cls, version: int, states: Sequence[HistoryEntry]) -> Self:
        """Return the past that has these states."""
        days = (int(entry.recorded_at.timestamp() * 1000) // _DAY for entry in states)
        return cls(version, states, frozenset(days), {})

    def lexemes_at(self, timestamp: int) -> str:
        """Return the lexemes of the departments at a moment, in milliseconds, between blanks."""
        day = min(timestamp, _LAST_DAY) // _DAY
        found = self.lexemes.get(day)
        if found is None:
            found = " ".join(map(department_lexeme, departments_at(self.states, timestamp)))
            if day not in self.changing:
                self.lexemes[day] = found
        return found


class Departments:
    """Knows in which departments senders were; what it holds in memory the database says too."""

    def __init__(self) -> None:
        self._pasts: dict[UserId, _Past] = {}
        self._version = -1

    async def learn(self, connection: Connection, senders: Collection[UserId], version: int) -> None:
        """Have what the directory, which is at a version, says of the senders."""
        if len(self._pasts) > _MOST_REMEMBERED:
            self._pasts.clear()
        unknown = set(senders)
        if version == self._version:
            unknown.difference_update(self._pasts)
        # No account is called what no column holds.
        unknown = set(filter(fits_column, unknown))
        for row in await store.read_states_held(connection, unknown) if unknown else ():
            user, newest = UserId(row["user_id"]), row["version"] or 0
            past = self._pasts.get(user)
            if past is None or past.version != newest:
                states = await load_states_of(connection, PersonId(row["person_id"]), datetime.max.replace(tzinfo=UTC))
                self._pasts[user] = _Past.of(newest, states)
        self._version = version

    def lexemes_of(self, event: Event) -> str:
        """Return the lexemes, between blanks, of the departments that the sender was in then."""
        past = self._pasts.get(event.sender)
        return "" if past is None else past.lexemes_at(event.timestamp)


def departments_at(states: Sequence[HistoryEntry], timestamp: int) -> tuple[str, ...]:
    """Return the departments that the directory had somebody in at a moment, in milliseconds.

    Before the directory knew the person, the first state counts.
    """
    if not states:
        return ()
    at = datetime.fromtimestamp(min(max(timestamp, 0), _LAST_DAY) / 1000, UTC)
    state = next((entry for entry in reversed(states) if entry.recorded_at <= at), states[0])
    return tuple(str(value) for value in values_of(state.person, "department", at.date()) if value)
