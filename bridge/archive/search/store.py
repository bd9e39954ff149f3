"""The statements of search's tables, but for tail and blocks (`posting_store`), one function each.

Callers open the database transactions; `bridge.archive.store.database_errors` translates what PostgreSQL refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.archive.search.lexemes import Group
from bridge.archive.search.postings import CHUNK
from bridge.archive.search.query import Scope
from bridge.archive.search.segment import folded

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool

_EDITS = """position('"rel_type":"m.replace"'::bytea IN body) > 0"""
# Of an `event` that relates to another, which answers and reactions do too: in the body's canonical JSON a text that
# says so would have its quotation marks escaped.


@dataclass(frozen=True, slots=True)
class Window:
    """Which events count, whatever they say."""

    after: int
    """Milliseconds; the first that counts."""
    before: int
    """Milliseconds; the first that does not count any more."""
    newest: int
    """Position of the last event that counts."""
    scope: Scope


async def prepare_search(connection: Connection) -> None:
    """Have the statements of this database transaction planned for their very words, and not compiled."""
    await connection.execute(
        "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true),"
        " set_config('enable_seqscan', 'off', true)"
    )


# What a query asks of the index.


async def read_group_words(connection: Connection, groups: Sequence[Group]) -> list[list[int]]:
    """Return the numbers of the words that each group means."""
    ranges = [(number, each) for number, group in enumerate(groups) for each in group.ranges]
    rows = await connection.fetch(
        """
        WITH range AS (
            SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::bool[]) AS given (number, low, high, is_form)
        )
        SELECT number, id FROM range JOIN search_word ON word BETWEEN low AND high
        WHERE NOT is_form
        UNION SELECT number, word FROM range JOIN search_form ON form BETWEEN low AND high
        WHERE is_form
        """,
        [number for number, _ in ranges],
        [each.low for _, each in ranges],
        [each.high for _, each in ranges],
        [each.is_form for _, each in ranges],
    )
    found: list[list[int]] = [[] for _ in groups]
    for row in rows:
        found[row["number"]].append(row["id"])
    return found


async def read_words(connection: Connection, words: Collection[str]) -> dict[str, int]:
    """Return the numbers of those words that have one."""
    rows = await connection.fetch(
        "SELECT word, id FROM search_word WHERE word = ANY (string_to_array($1, E'\\x1f'))", "\x1f".join(words)
    )
    return {row["word"]: row["id"] for row in rows}


async def read_chunks(connection: Connection, window: Window) -> list[tuple[int, int]]:
    """Return (chunk, milliseconds) of chunks that can hold what counts: when the newest of it was sent, it first."""
    rows = await connection.fetch(
        "SELECT chunk, newest FROM search_chunk WHERE newest >= $1 AND oldest < $2 AND chunk <= $3"
        " ORDER BY newest DESC, chunk DESC",
        window.after,
        window.before,
        window.newest // CHUNK,
    )
    return [(row["chunk"], row["newest"]) for row in rows]


async def read_candidates(connection: Connection, window: Window, seqs: Sequence[int]) -> list[asyncpg.Record]:
    """Return (seq, origin_ts, closed, size) of those events that count: `closed` is whether a case must open the room.

    `size` is that of the event in bytes.
    """
    scope = window.scope
    return await connection.fetch(
        """
        SELECT event.seq, origin_ts, coalesce(length(plaintext.body), length(event.body)) AS size,
               (origin_ts < open_from OR EXISTS (SELECT FROM sealed_room s WHERE s.room_id = event.room_id))
                   AND event.room_id <> ALL ($5::text[]) AS closed
        FROM event JOIN search_room ON search_room.room_id = event.room_id LEFT JOIN plaintext USING (seq)
        WHERE event.seq = ANY ($1) AND event.seq <= $2 AND origin_ts >= $3 AND origin_ts < $4
          AND event.body IS NOT NULL
          AND ($6::text[] IS NULL OR event.room_id = ANY ($6)) AND event.room_id <> ALL ($7::text[])
        """,
        seqs,
        window.newest,
        window.after,
        window.before,
        list(scope.opened),
        None if scope.allowed is None else list(scope.allowed),
        list(scope.refused),
    )


async def read_bodies(connection: Connection, seqs: Sequence[int]) -> list[asyncpg.Record]:
    """Return (seq, body) of these events, in any order; the body is what an encrypted one says."""
    return await connection.fetch(
        "SELECT seq, coalesce(plaintext.body, event.body) AS body FROM event LEFT JOIN plaintext USING (seq)"
        " WHERE seq = ANY ($1) AND event.body IS NOT NULL",
        seqs,
    )


async def indexed_until(db: Connection | Pool) -> int:
    """Return the position up to which the archive is indexed."""
    found: int | None = await db.fetchval("SELECT seq FROM feed_cursor WHERE consumer = 'search'")
    return found or 0


async def read_room_numbers(db: Connection | Pool, room: str) -> list[int]:
    """Return the rooms with this ID, or with this name in the form comparisons use."""
    rows = await db.fetch("SELECT id FROM search_room WHERE room_id = $1 OR (name = $2 AND name <> '')", *_named(room))
    return [row["id"] for row in rows]


async def read_numbers_of(db: Connection | Pool, room_ids: Collection[str]) -> list[int]:
    """Return the numbers of these rooms, as far as search knows them."""
    rows = await db.fetch("SELECT id FROM search_room WHERE room_id = ANY ($1)", list(room_ids))
    return [row["id"] for row in rows]


def _named(room: str) -> tuple[str, str]:
    return room, folded(room).strip()


# What the index is told.


@dataclass(frozen=True, slots=True)
class State:
    """Where the index stands, and what else says how events are found."""

    closed: int
    """What is before this block has left the tail."""
    swept: int
    """How often words that nothing says any more were removed."""
    pending: bool
    """Whether anything is known of events that have not been archived yet."""
    directory_version: int
    gone: frozenset[int]
    """Positions, of those that were asked for, whose events were disposed of."""


async def read_state(connection: Connection, first: int, last: int) -> State:
    """Return the state, and what was disposed of from one position to another."""
    row = await connection.fetchrow(
        """
        SELECT closed, swept, EXISTS (SELECT FROM search_pending) AS pending, version,
               ARRAY(SELECT seq FROM disposed WHERE seq BETWEEN $1 AND $2) AS gone
        FROM search_state, directory_version
        """,
        first,
        last,
    )
    assert row is not None
    return State(row["closed"], row["swept"], row["pending"], row["version"], frozenset(row["gone"]))


async def add_words(connection: Connection, words: Sequence[str]) -> dict[str, int]:
    """Store words that had no number, and return those that they get; not of what somebody else stores meanwhile."""
    rows = await connection.fetch(
        "INSERT INTO search_word (word) SELECT unnest(string_to_array($1, E'\\x1f'))"
        " ON CONFLICT DO NOTHING RETURNING word, id",
        "\x1f".join(words),
    )
    return {row["word"]: row["id"] for row in rows}


async def add_forms(connection: Connection, forms: Iterable[tuple[str, int]]) -> None:
    """Store what words are found by besides themselves."""
    await connection.copy_records_to_table("search_form", records=forms, columns=["form", "word"])


async def keep_words(connection: Connection, words: Sequence[int]) -> int:
    """Remove all words but these; return how many."""
    found: int = await connection.fetchval(
        """
        WITH gone AS (DELETE FROM search_word WHERE id <> ALL ($1) RETURNING id),
             forms AS (DELETE FROM search_form USING gone WHERE search_form.word = gone.id),
             noted AS (UPDATE search_state SET swept = swept + 1 WHERE EXISTS (SELECT FROM gone))
        SELECT count(*) FROM gone
        """,
        words,
    )
    return found


async def add_pending(connection: Connection, targets: Sequence[tuple[str, str, str]], flag: str) -> None:
    """Note a flag for events that may be archived later: (event ID, room ID, sender or empty for whoever it is)."""
    await connection.executemany(
        "INSERT INTO search_pending VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        [(*target, flag) for target in targets],
    )


async def read_pending(db: Connection | Pool, event_ids: Collection[str]) -> list[asyncpg.Record]:
    """Return (event_id, room_id, sender, flag) of what was noted for these events."""
    return await db.fetch("SELECT * FROM search_pending WHERE event_id = ANY ($1)", list(event_ids))


async def drop_pending(connection: Connection, event_ids: Collection[str]) -> None:
    """Note that these events are indexed."""
    await connection.execute("DELETE FROM search_pending WHERE event_id = ANY ($1)", list(event_ids))


async def read_flagged(db: Connection | Pool, targets: Sequence[tuple[str, str, str]]) -> list[int]:
    """Return the positions of events and of their edits: (event ID, room ID, sender or empty for whoever it was)."""
    rows = await db.fetch(
        f"""
        SELECT known.seq FROM unnest($1::text[], $2::text[], $3::text[]) AS target (event_id, room_id, sender)
        CROSS JOIN LATERAL (
            SELECT seq, room_id, sender, body FROM event WHERE event_id = target.event_id
            UNION ALL
            SELECT seq, room_id, sender, body FROM event WHERE relates_to = target.event_id AND {_EDITS}
        ) AS known
        WHERE known.room_id = target.room_id AND target.sender IN ('', known.sender) AND body IS NOT NULL
        """,  # noqa: S608 - our own constant
        [target[0] for target in targets],
        [target[1] for target in targets],
        [target[2] for target in targets],
    )
    return [row["seq"] for row in rows]


async def read_redacted(db: Connection | Pool, event_ids: Collection[str]) -> list[tuple[str, str]]:
    """Return (event ID, room ID) of the redactions of these events."""
    rows = await db.fetch(
        "SELECT relates_to, room_id FROM event WHERE relates_to = ANY ($1) AND type = 'm.room.redaction'",
        list(event_ids),
    )
    return [(row["relates_to"], row["room_id"]) for row in rows]


async def read_rooms(db: Connection | Pool, room_ids: Collection[str]) -> list[asyncpg.Record]:
    """Return (id, room_id, facts) of the rooms that search knows."""
    return await db.fetch("SELECT id, room_id, facts FROM search_room WHERE room_id = ANY ($1)", list(room_ids))


async def write_room(db: Connection | Pool, room_id: str, name: str, open_from: int, facts: Mapping[str, Any]) -> int:
    """Store what is known of a room and return its number."""
    number: int = await db.fetchval(
        "INSERT INTO search_room (room_id, name, open_from, facts) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (room_id) DO UPDATE"
        " SET name = excluded.name, open_from = excluded.open_from, facts = excluded.facts RETURNING id",
        room_id,
        name,
        open_from,
        facts,
    )
    return number


async def read_states_held(db: Connection | Pool, user_ids: Collection[str]) -> list[asyncpg.Record]:
    """Return (user_id, person_id, version) of accounts: the directory version of the person's newest state."""
    return await db.fetch(
        "SELECT user_id, person_id,"
        " (SELECT max(version) FROM person_history h WHERE h.person_id = a.person_id) AS version"
        " FROM account a WHERE user_id = ANY ($1)",
        list(user_ids),
    )


async def set_languages(connection: Connection, languages: Sequence[str]) -> bool:
    """Note the languages of the index; return whether they were others before."""
    before = await connection.fetchval("SELECT languages FROM search_state FOR UPDATE")
    await connection.execute("UPDATE search_state SET languages = $1", list(languages))
    return before is not None and list(before) != list(languages)


async def begin_again(connection: Connection) -> None:
    """Have everything indexed again."""
    await connection.execute(
        "DELETE FROM search_tail; DELETE FROM search_bucket; DELETE FROM search_form; DELETE FROM search_word;"
        " DELETE FROM search_chunk; DELETE FROM search_pending; UPDATE search_state SET closed = 0, swept = swept + 1;"
        " DELETE FROM feed_cursor WHERE consumer = 'search'"
    )
