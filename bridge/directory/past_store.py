"""People as the directory had them at a moment, with their managers as they were then."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bridge.directory.history import HistoryEntry
from bridge.directory.person import Standing
from bridge.directory.scim_user import Manager, Managers, display_name_of, managers_of, person_of
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
    named = await _named(db, _sent(rows), until)
    return {PersonId(row["person_id"]): _entry(row, named) for row in rows}


async def load_states_of(db: Connection | Pool, person: PersonId, until: datetime) -> list[HistoryEntry]:
    """Return every state of the person that was recorded by the moment, the oldest first.

    Managers are called as they were called at the moment.
    """
    rows = await db.fetch(
        "SELECT * FROM person_history WHERE person_id = $1 AND recorded_at <= $2 ORDER BY version", person, until
    )
    named = await _named(db, _sent(rows), until)
    return [_entry(row, named) for row in rows]


async def load_recorded(db: Connection | Pool, since: datetime, until: datetime) -> list[HistoryEntry]:
    """Return every state of anybody that was recorded after one moment and by another, the oldest first.

    Managers are called as they were called at the later moment.
    """
    rows = await db.fetch(
        "SELECT * FROM person_history WHERE recorded_at > $1 AND recorded_at <= $2 ORDER BY version, person_id",
        since,
        until,
    )
    named = await _named(db, _sent(rows), until)
    return [_entry(row, named) for row in rows]


async def load_states_since(
    db: Connection | Pool, people: Collection[PersonId], version: int, since: datetime
) -> list[HistoryEntry]:
    """Return every state that these people have had since a moment and since a directory version, whichever is
    earlier: those recorded later and the one that was the state then.

    Managers are called as they are called now.
    """
    rows = await db.fetch(
        """SELECT h.* FROM person_history h
           WHERE h.person_id = ANY($1) AND h.version >= coalesce((
               SELECT max(b.version) FROM person_history b
               WHERE b.person_id = h.person_id AND b.version <= $2 AND b.recorded_at <= $3), 0)
           ORDER BY h.person_id, h.version""",
        list(people),
        version,
        since,
    )
    named = await _named(db, _sent(rows), datetime.max.replace(tzinfo=UTC))
    return [_entry(row, named) for row in rows]


def _sent(rows: Sequence[asyncpg.Record]) -> frozenset[str]:
    """Return whom these states name as managers."""
    return frozenset(sent for row in rows for sent in managers_of(row["document"]).values())


async def _named(db: Connection | Pool, sent: Collection[str], until: datetime) -> dict[str, Manager]:
    """Return who of those whom the directory had at the moment had this id, userName or externalId, in this order."""
    if not sent:
        return {}
    rows = await db.fetch(
        """WITH state AS MATERIALIZED (
               SELECT person_id, document, comparable FROM (
                   SELECT DISTINCT ON (h.person_id) h.person_id, h.action, h.document,
                          lower(normalize(h.document->>'userName', NFC)) AS comparable
                   FROM person_history h WHERE h.recorded_at <= $1 ORDER BY h.person_id, h.version DESC
               ) AS latest WHERE action <> 'deleted'
           ), said AS (
               SELECT word, lower(normalize(word, NFC)) AS comparable FROM unnest($2::text[]) AS sent (word)
           )
           SELECT DISTINCT ON (word) word, person_id, document FROM (
               SELECT word, person_id, document, 1 AS rank FROM state JOIN said ON person_id = word
               UNION ALL
               SELECT word, person_id, document, 2 FROM state JOIN said USING (comparable)
               UNION ALL
               SELECT word, person_id, document, 3 FROM state JOIN said ON document->>'externalId' = word
           ) AS found ORDER BY word, rank, person_id""",
        until,
        list(sent),
    )
    return {row["word"]: (PersonId(row["person_id"]), display_name_of(row["document"])) for row in rows}


def _entry(row: asyncpg.Record, named: Mapping[str, Manager]) -> HistoryEntry:
    managers: Managers = {job: named[sent] for job, sent in managers_of(row["document"]).items() if sent in named}
    person = person_of(
        row["document"],
        PersonId(row["person_id"]),
        deleted=row["action"] == "deleted",
        managers=managers,
        groups=[group["display"] for group in row["document"].get("groups") or ()],
        group_ids=[group["value"] for group in row["document"].get("groups") or ()],
        standing=Standing(row["standing"]) if row["standing"] else None,
        version=row["version"],
    )
    return HistoryEntry(row["version"], row["recorded_at"], row["source"], row["action"], row["valid_from"], person)
