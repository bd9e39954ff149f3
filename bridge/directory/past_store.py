"""People as the directory had them at a moment, with their managers as they were then."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.directory.history import HistoryEntry
from bridge.directory.person import Standing
from bridge.directory.scim_user import display_name_of, manager_of, person_of
from bridge.ids import PersonId

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool


async def load_states(
    db: Connection | Pool, until: datetime, people: Collection[PersonId] | None = None
) -> dict[PersonId, HistoryEntry]:
    """Return the state of everybody, or of these people, that was recorded last by the moment."""
    rows = await db.fetch(
        """SELECT DISTINCT ON (person_id) * FROM person_history
           WHERE recorded_at <= $1 AND ($2::text[] IS NULL OR person_id = ANY($2))
           ORDER BY person_id, version DESC""",
        until,
        None if people is None else list(people),
    )
    names = await _names(db, {manager_of(row["document"]) for row in rows}, until)
    return {PersonId(row["person_id"]): _entry(row, names) for row in rows}


async def load_states_of(db: Connection | Pool, person: PersonId, until: datetime) -> list[HistoryEntry]:
    """Return every state of the person that was recorded by the moment, the oldest first.

    Managers are called as they were called at the moment.
    """
    rows = await db.fetch(
        "SELECT * FROM person_history WHERE person_id = $1 AND recorded_at <= $2 ORDER BY version", person, until
    )
    names = await _names(db, {manager_of(row["document"]) for row in rows}, until)
    return [_entry(row, names) for row in rows]


async def _names(db: Connection | Pool, managers: Collection[str | None], until: datetime) -> dict[str, str]:
    """Return the names of those managers whom the directory had at the moment."""
    rows = await db.fetch(
        """SELECT DISTINCT ON (person_id) person_id, action, document FROM person_history
           WHERE recorded_at <= $1 AND person_id = ANY($2) ORDER BY person_id, version DESC""",
        until,
        [manager for manager in managers if manager],
    )
    return {row["person_id"]: display_name_of(row["document"]) for row in rows if row["action"] != "deleted"}


def _entry(row: asyncpg.Record, names: Mapping[str, str]) -> HistoryEntry:
    manager = manager_of(row["document"])
    person = person_of(
        row["document"],
        PersonId(row["person_id"]),
        deleted=row["action"] == "deleted",
        manager=PersonId(manager) if manager and manager in names else None,
        manager_name=names.get(manager or ""),
        groups=[group["display"] for group in row["document"].get("groups") or ()],
        standing=Standing(row["standing"]) if row["standing"] else None,
        version=row["version"],
    )
    return HistoryEntry(row["version"], row["recorded_at"], row["source"], row["action"], row["valid_from"], person)
