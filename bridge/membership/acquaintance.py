"""Whom the directory knew behind accounts, day after day, for who lays out what was said over a long time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

from bridge.archive.export.values import Known
from bridge.directory.local_day import LocalDays
from bridge.directory.past_store import load_states
from bridge.directory.person import Person, values_of
from bridge.ids import PersonId, UserId
from bridge.membership.past_store import read_holders

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


class Acquaintance:
    """Answers for one moment after another; what was asked of the last moment is remembered."""

    def __init__(self, db: Connection | Pool, timezone: str) -> None:
        self._db = db
        self._timezone = timezone
        self._moment: datetime | None = None
        self._holders: Mapping[UserId, PersonId] = {}
        self._known: dict[UserId, Known | None] = {}

    async def __call__(self, users: Collection[UserId], moment: datetime) -> Mapping[UserId, Known]:
        """Return what the directory knew of these people by then; whom it did not know is missing."""
        if moment != self._moment:
            self._holders, self._known, self._moment = await read_holders(self._db, moment), {}, moment
        new = [user for user in users if user not in self._known]
        people = {user: self._holders[user] for user in new if user in self._holders}
        states = await load_states(self._db, moment, people.values()) if people else {}
        days = LocalDays(moment, self._timezone)
        for user in new:
            state = states.get(people[user]) if user in people else None
            self._known[user] = _known(state.person, days) if state else None
        return {user: known for user in users if (known := self._known[user])}


def _known(person: Person, days: LocalDays) -> Known:
    day = days(person)
    return Known(
        user_name=person.user_name,
        name=person.display_name,
        department=_first(person, "department", day),
        email=_first(person, "emails", day),
    )


def _first(person: Person, path: str, day: date) -> str:
    return str(next(iter(values_of(person, path, day)), ""))
