"""The statements of search's tables, one function each.

Callers open the database transactions; `store.database_errors` translates what PostgreSQL refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from bridge.archive.search_expression import DELETED, EDITED, quoted
from bridge.archive.search_query import Page, Scope
from bridge.archive.segment import folded

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of the index."""

    expression: str
    """A `tsquery`; empty when only dates count."""
    words: str
    """Its part by which hits are ranked."""
    after: int
    before: int
    newest: int
    """Position of the last event that counts."""
    scope: Scope
    behind: Page | None
    limit: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What the index answered."""

    looked_at: int
    """Candidates: events in time order, or matches."""
    matches: int
    """Of them, those that match, closed ones too."""
    closed: int
    """Of those, the ones that were said in direct rooms."""
    hits: Sequence[tuple[int, float]]
    """Position and rank of the open ones."""


async def prepare_search(connection: Connection) -> None:
    """Have the statements of this database transaction planned for their very words, and not compiled."""
    await connection.execute(
        "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true),"
        " set_config('enable_seqscan', 'off', true)"
    )


_EDITS = """position('"rel_type":"m.replace"'::bytea IN body) > 0"""
# Of an `event` that relates to another, which answers and reactions do too: in the body's canonical JSON a text that
# says so would have its quotation marks escaped.
_RANGE = "origin_ts >= $3 AND origin_ts < $4 AND seq <= $5"
_STATEMENT = """
WITH candidate AS MATERIALIZED ({candidate}), match AS MATERIALIZED (
    SELECT origin_ts, seq, ({rank})::float8 AS rank,
           (origin_ts < open_from OR room_id IN (SELECT room_id FROM sealed_room))
               AND room_id <> ALL ($6::text[]) AS closed
    FROM candidate JOIN search_room ON id = room
    WHERE {matching}$1::text IS NOT NULL AND $2::text IS NOT NULL
      AND ($7::text[] IS NULL OR room_id = ANY ($7)) AND room_id <> ALL ($8::text[])
), hit AS (
    SELECT seq, rank FROM match WHERE NOT closed AND ($10::float8 IS NULL OR (rank, seq) < ($10, $11::bigint))
    ORDER BY rank DESC, seq DESC LIMIT $9
)
SELECT (SELECT count(*) FROM candidate) AS looked_at, (SELECT count(*) FROM match) AS matches,
       (SELECT count(*) FROM match WHERE closed) AS closed,
       ARRAY(SELECT seq FROM hit) AS seqs, ARRAY(SELECT rank FROM hit) AS ranks
"""
_NEWEST = "ORDER BY origin_ts DESC, seq DESC LIMIT"
_MATCHING = "($1 = '' OR tokens @@ $1::text::tsquery) AND "
_BEHIND = " AND ($10::float8 IS NULL OR (origin_ts, seq) < ($10::bigint, $11::bigint))"
_TIME = "origin_ts"
# Whole words weigh ten times what stems and parts do; long texts count for less.
_RANK = "CASE WHEN $2 = '' THEN 0 ELSE ts_rank('{0.1, 0.1, 0.1, 1}', tokens, $2::tsquery, 1) END"


async def find_newest(connection: Connection, ask: Ask, walk: int | None) -> Looked:
    """Return the newest hits behind the page: of the newest `walk` events, or of all that match."""
    if walk is not None:
        return await _look(connection, _walking(_TIME, _RANGE + _BEHIND, walk), ask)
    candidate = f"SELECT origin_ts, seq, room FROM event_text WHERE {_MATCHING}{_RANGE}{_BEHIND}"  # noqa: S608 - our own constants
    return await _look(connection, _STATEMENT.format(candidate=candidate, rank=_TIME, matching=""), ask)


async def find_best(connection: Connection, ask: Ask, walk: int | None, most: int) -> Looked:
    """Return the best hits behind the page: of the newest `walk` events, or of the newest `most` that match."""
    if walk is not None:
        return await _look(connection, _walking(_RANK, _RANGE, walk), ask)
    # OFFSET keeps the planner from looking through event after event for that many matches.
    candidate = (
        f"SELECT * FROM (SELECT * FROM event_text WHERE {_MATCHING}{_RANGE} OFFSET 0) AS found {_NEWEST} {most:d}"  # noqa: S608 - our own constants
    )
    return await _look(connection, _STATEMENT.format(candidate=candidate, rank=_RANK, matching=""), ask)


def _walking(rank: str, where: str, walk: int) -> str:
    candidate = f"SELECT * FROM event_text WHERE {where} {_NEWEST} {walk:d}"  # noqa: S608 - our own constants
    return _STATEMENT.format(candidate=candidate, rank=rank, matching=_MATCHING)


async def _look(connection: Connection, statement: str, ask: Ask) -> Looked:
    scope, behind = ask.scope, ask.behind
    row = await connection.fetchrow(
        statement,
        ask.expression,
        ask.words,
        ask.after,
        ask.before,
        ask.newest,
        list(scope.opened),
        None if scope.allowed is None else list(scope.allowed),
        list(scope.refused),
        ask.limit,
        behind.rank if behind else None,
        behind.seq if behind else None,
    )
    assert row is not None
    return Looked(row["looked_at"], row["matches"], row["closed"], tuple(zip(row["seqs"], row["ranks"], strict=True)))


async def read_hits(connection: Connection, seqs: Sequence[int]) -> list[asyncpg.Record]:
    """Return (seq, body, deleted, edited) of these events, in any order."""
    return await connection.fetch(
        """
        SELECT seq, coalesce(plaintext.body, event.body) AS body, tokens @@ $2::text::tsquery AS deleted,
               tokens @@ $3::text::tsquery AS edited
        FROM event JOIN event_text USING (origin_ts, seq) LEFT JOIN plaintext USING (seq)
        WHERE seq = ANY ($1) AND event.body IS NOT NULL
        """,
        list(seqs),
        quoted(DELETED),
        quoted(EDITED),
    )


async def indexed_until(db: Connection | Pool) -> int:
    """Return the position up to which the archive is indexed."""
    found: int | None = await db.fetchval("SELECT seq FROM feed_cursor WHERE consumer = 'search'")
    return found or 0


async def read_room_numbers(db: Connection | Pool, room: str) -> list[int]:
    """Return the rooms with this ID, or with this name in the form comparisons use."""
    rows = await db.fetch("SELECT id FROM search_room WHERE room_id = $1 OR (name = $2 AND name <> '')", *_named(room))
    return [row["id"] for row in rows]


def _named(room: str) -> tuple[str, str]:
    return room, folded(room).strip()


async def add_rows(connection: Connection, file: bytes) -> None:
    """Store rows of `event_text`, a file of COPY's binary format; raises `UniqueViolationError` for what is there."""
    await connection.copy_to_table("event_text", source=BytesIO(file), format="binary")


async def remove_rows(connection: Connection, timestamps: Sequence[int], seqs: Sequence[int]) -> None:
    """Remove the rows with these (origin_ts, seq), if they are there."""
    await connection.execute(
        "DELETE FROM event_text USING unnest($1::bigint[], $2::bigint[]) AS given (origin_ts, seq)"
        " WHERE event_text.origin_ts = given.origin_ts AND event_text.seq = given.seq",
        timestamps,
        seqs,
    )


async def read_newest(db: Connection | Pool) -> int:
    """Return the last position that the index holds; it looks at every row."""
    found: int = await db.fetchval("SELECT coalesce(max(seq), 0) FROM event_text")
    return found


async def mark_events(db: Connection | Pool, targets: Sequence[tuple[str, str, str]], flag: str) -> None:
    """Give a flag to events and to their edits: (event ID, room ID, sender or empty for whoever it was)."""
    await db.execute(
        f"""
        UPDATE event_text SET tokens = event_text.tokens || $4::text::tsvector
        FROM unnest($1::text[], $2::text[], $3::text[]) AS target (event_id, room_id, sender) CROSS JOIN LATERAL (
            SELECT origin_ts, seq, room_id, sender FROM event WHERE event_id = target.event_id
            UNION ALL
            SELECT origin_ts, seq, room_id, sender FROM event WHERE relates_to = target.event_id AND {_EDITS}
        ) AS known
        WHERE known.room_id = target.room_id AND target.sender IN ('', known.sender)
          AND event_text.origin_ts = known.origin_ts AND event_text.seq = known.seq
          AND NOT event_text.tokens @@ $4::text::tsquery
        """,  # noqa: S608 - our own constant
        [target[0] for target in targets],
        [target[1] for target in targets],
        [target[2] for target in targets],
        quoted(flag),
    )


async def read_amendments(db: Connection | Pool, event_ids: Collection[str]) -> list[asyncpg.Record]:
    """Return (relates_to, type, room_id, sender) of what edits or redacts these events."""
    # As one text: asyncpg takes longer over an array than PostgreSQL over the events.
    return await db.fetch(
        "SELECT relates_to, type, room_id, sender FROM event WHERE relates_to = ANY (string_to_array($1, E'\x1f'))"  # noqa: S608
        f" AND (type = 'm.room.redaction' OR {_EDITS})",
        "\x1f".join([event_id for event_id in event_ids if event_id.isprintable()]),
    )


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
    before = await connection.fetchval("SELECT languages FROM search_languages")
    await connection.execute(
        "INSERT INTO search_languages (languages) VALUES ($1) ON CONFLICT (sole) DO UPDATE SET languages = $1",
        list(languages),
    )
    return before is not None and list(before) != list(languages)


async def begin_again(connection: Connection) -> None:
    """Have everything indexed again."""
    await connection.execute("DELETE FROM feed_cursor WHERE consumer = 'search'")
