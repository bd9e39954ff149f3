"""The statements of the archive's tables, one function each.

Callers open the database transactions. Errors are PostgreSQL's; `database_errors` translates them where a connection
is taken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import asyncpg

from bridge.archive.batch import Columns, Malformed
from bridge.archive.ledger import HASH_SIZE, SALT_SIZE, Frontier
from bridge.database import AWAY, silent, words_of
from bridge.database.listen import EVENTS
from bridge.errors import DatabaseError

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

    Row = asyncpg.Record


MOMENT = """CASE WHEN origin_ts = 0 THEN received_at
    ELSE least(received_at, timestamptz 'epoch' + origin_ts * interval '1 millisecond') END"""
"""When an `event` counts as sent: when its sender's server says, at the latest when it arrived."""


@contextmanager
def database_errors() -> Iterator[None]:
    """Raise `DatabaseUnavailableError` for what passes by itself, `DatabaseError` for every other refusal."""
    try:
        yield
    except AWAY as error:
        if isinstance(error, asyncpg.DataError | ValueError):
            raise DatabaseError(f"PostgreSQL cannot take the value: {error}") from error
        raise silent(error, "Muster will try again.") from error
    except asyncpg.PostgresError as error:
        raise DatabaseError(f"PostgreSQL refused: {words_of(error)}") from error


@asynccontextmanager
async def connection_of(pool: Pool) -> AsyncIterator[Connection]:
    """Yield a connection on which each statement is a database transaction of its own."""
    with database_errors():
        async with pool.acquire() as connection:
            yield connection


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Yield a connection inside a database transaction; nothing of it stays when the block raises."""
    with database_errors():
        async with pool.acquire() as connection, connection.transaction():
            yield connection


@asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """Yield a connection that sees the database as of one moment, for reading."""
    with database_errors():
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection


async def head_and_known(db: Connection | Pool, event_ids: Collection[str]) -> tuple[Frontier, frozenset[str]]:
    """Return the ledger's right edge, and which of the events it holds, as of one moment."""
    row = await db.fetchrow(
        "SELECT size, frontier, ARRAY(SELECT event_id FROM event WHERE event_id = ANY(string_to_array($1, E'\\x1f')))"
        " AS known FROM ledger_head",
        _joined(event_ids),
    )
    assert row is not None
    return Frontier.of(row["size"], row["frontier"]), frozenset(row["known"])


async def known_events(db: Connection | Pool, event_ids: Collection[str]) -> frozenset[str]:
    """Return which of the events are archived."""
    rows = await db.fetch("SELECT event_id FROM event WHERE event_id = ANY($1)", event_ids)
    return frozenset(row["event_id"] for row in rows)


async def append_events(
    db: Connection | Pool, head: Frontier, grown: Frontier, columns: Columns, *, backfilled: bool
) -> bool:
    """Store the events behind `head`, make the ledger's right edge `grown`, and wake the readers.

    Returns False, and nothing is stored, when the ledger does not end at `head` any more. Columns travel as one value
    each, since asyncpg takes as long over an array as PostgreSQL over the rows.
    """
    return bool(
        await db.fetch(
            """
            WITH head AS (
                UPDATE ledger_head
                SET size = $2, frontier = $3,
                    received_at = greatest(clock_timestamp(), received_at) + ($2 - $1) * interval '1 microsecond'
                WHERE size = $1
                RETURNING received_at
            ), stored AS (
                INSERT INTO event (seq, origin_ts, received_at, backfilled, event_id, room_id, type, sender, state_key,
                                   relates_to, salt, leaf, body)
                SELECT $1 + n, origin_ts::bigint, received_at - ($2 - $1 - n) * interval '1 microsecond', $4, event_id,
                       room_id, type, sender, state_key, relates_to,
                       substr($5::bytea, (n::int - 1) * $6 + 1, $6), substr($7::bytea, (n::int - 1) * $8 + 1, $8), body
                FROM head, unnest($9::bytea[], string_to_array($10, E'\\x1f'), string_to_array($11, E'\\x1f'),
                                  string_to_array($12, E'\\x1f'), string_to_array($13, E'\\x1f'),
                                  string_to_array($14, E'\\x1f'), string_to_array($15, E'\\x1f', E'\\x1e'),
                                  string_to_array($16, E'\\x1f', E'\\x1e')) WITH ORDINALITY
                     AS given (body, origin_ts, event_id, room_id, type, sender, state_key, relates_to, n)
                WHERE n <= $2 - $1
            )
            SELECT pg_notify($17, '') FROM head
            """,
            head.size,
            grown.size,
            grown.joined(),
            backfilled,
            b"".join(columns.salts),
            SALT_SIZE,
            b"".join(columns.leaves),
            HASH_SIZE,
            columns.bodies,
            _joined(map(str, columns.timestamps)),
            _joined(columns.event_ids),
            _joined(columns.room_ids),
            _joined(columns.types),
            _joined(columns.senders),
            _joined(["\x1e" if key is None else key for key in columns.state_keys]),
            _joined(["\x1e" if target is None else target for target in columns.relates_to]),
            EVENTS,
        )
    )


def _joined(texts: Iterable[str]) -> str:
    """Return the texts for `string_to_array`; the last, empty one keeps a single empty text from being none."""
    return "\x1f".join([*texts, ""])


async def move_cursor(db: Connection | Pool, consumer: str, seq: int) -> None:
    """Note that the consumer has handled everything up to `seq`; never back."""
    await db.execute(
        "INSERT INTO feed_cursor VALUES ($1, $2)"
        " ON CONFLICT (consumer) DO UPDATE SET seq = greatest(feed_cursor.seq, excluded.seq)",
        consumer,
        seq,
    )


async def read_events(
    db: Connection | Pool, consumer: str, limit: int, *, most_bytes: int, at_hand: tuple[int, int] = (-1, -1)
) -> list[Row]:
    """Return (cursor, gone, seq, body) of the next events after the consumer's cursor, but for what was disposed of.

    No event comes behind those whose bodies have `most_bytes` together.

    With everything from one position to another `at_hand`, a cursor there reads on behind it, and so many fewer; `gone`
    is what of that was disposed of since. Without events there is a row without seq.
    """
    return await db.fetch(
        """
        SELECT cursor, seq, body,
               ARRAY(SELECT seq FROM disposed WHERE seq > cursor AND seq <= behind) AS gone
        FROM (SELECT coalesce((SELECT seq FROM feed_cursor WHERE consumer = $1), 0) AS cursor) AS consumer
        CROSS JOIN LATERAL (
            SELECT CASE WHEN cursor BETWEEN $3 AND $4 THEN $4 ELSE cursor END AS behind
        ) AS known
        LEFT JOIN LATERAL (
            SELECT seq, body FROM (
                SELECT seq, body, sum(length(body)) OVER (ORDER BY seq) - length(body) AS before FROM (
                    SELECT seq, body FROM event WHERE seq > behind AND body IS NOT NULL
                    ORDER BY seq LIMIT greatest($2 - (behind - cursor), 0)
                ) AS following
            ) AS measured WHERE before < $5
        ) AS event ON true
        ORDER BY seq
        """,
        consumer,
        limit,
        *at_hand,
        most_bytes,
    )


async def set_aside_event(connection: Connection, consumer: str, seq: int, error: str) -> None:
    """Note that the consumer cannot handle the event."""
    await connection.execute(
        "INSERT INTO set_aside (consumer, seq, error) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", consumer, seq, error
    )


async def set_aside_entries(connection: Connection, malformed: Sequence[Malformed]) -> None:
    """Keep what is no event, with its bytes and the reason; the same bytes once."""
    await connection.execute(
        "INSERT INTO set_aside (consumer, body, error) SELECT 'ingest', * FROM unnest($1::bytea[], $2::text[])"
        " ON CONFLICT DO NOTHING",
        [entry.body for entry in malformed],
        [entry.reason for entry in malformed],
    )


async def keep_redacted(
    connection: Connection, event_ids: Sequence[str], room_ids: Sequence[str], bodies: Sequence[bytes]
) -> None:
    """Keep events that arrived redacted, unless they are archived or kept already."""
    await connection.execute(
        "INSERT INTO redacted_arrival (event_id, room_id, body)"
        " SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[]) AS given (event_id, room_id, body)"
        " WHERE NOT EXISTS (SELECT FROM event WHERE event.event_id = given.event_id)"
        " ON CONFLICT DO NOTHING",
        event_ids,
        room_ids,
        bodies,
    )


async def note_lost(db: Connection | Pool, event_ids: Sequence[str], room_ids: Sequence[str], reason: str) -> None:
    """Note that events, unless they are archived already, will be archived without their content."""
    await db.execute(
        "INSERT INTO lost_content (event_id, room_id, reason) SELECT *, $3 FROM unnest($1::text[], $2::text[])"
        " AS given (event_id, room_id) WHERE NOT EXISTS (SELECT FROM event WHERE event.event_id = given.event_id)"
        " ON CONFLICT DO NOTHING",
        event_ids,
        room_ids,
        reason,
    )


async def read_head(db: Connection | Pool) -> tuple[int, bytes]:
    """Return the ledger's size and its right edge as stored."""
    row = await db.fetchrow("SELECT size, frontier FROM ledger_head")
    assert row is not None
    return row["size"], row["frontier"]


async def first_arrived_after(connection: Connection, seq: int) -> int:
    """Return the first position whose event arrived no earlier than the one at `seq`."""
    found: int = await connection.fetchval(
        "SELECT min(seq) FROM event WHERE received_at >= (SELECT received_at FROM event WHERE seq = $1)", seq
    )
    return found


async def read_record(db: Connection | Pool, event_id: str) -> Row | None:
    """Return (seq, received_at, sent_at, backfilled, body, trust, unread) of an event, or None.

    `body` is what an encrypted one says, with what was known of its sender's device (`trust`); `unread` is why not.
    """
    return await db.fetchrow(
        f"""SELECT seq, received_at, {MOMENT} AS sent_at, backfilled, coalesce(plaintext.body, event.body) AS body,
                   trust, reason AS unread
            FROM event LEFT JOIN plaintext USING (seq) LEFT JOIN undecrypted USING (seq)
            WHERE event_id = $1""",  # noqa: S608
        event_id,
    )


async def read_related(db: Connection | Pool, event_ids: Collection[str]) -> list[Row]:
    """Return (seq, body) of what edits, redacts, reacts or answers to these events and is still there, in order.

    The body is what an encrypted one says.
    """
    return await db.fetch(
        "SELECT seq, coalesce(plaintext.body, event.body) AS body FROM event LEFT JOIN plaintext USING (seq)"
        " WHERE relates_to = ANY($1) AND event.body IS NOT NULL ORDER BY seq",
        event_ids,
    )


async def is_awaiting_original(db: Connection | Pool, event_id: str) -> bool:
    """Return whether the event arrived redacted and its original has not been fetched yet."""
    waits: bool = await db.fetchval("SELECT EXISTS (SELECT FROM redacted_arrival WHERE event_id = $1)", event_id)
    return waits


async def read_redacted(db: Connection | Pool, event_ids: Collection[str] | None = None) -> list[Row]:
    """Return (event_id, body) of events whose original is still to be fetched: these, or all."""
    return await db.fetch(
        "SELECT event_id, body FROM redacted_arrival WHERE $1::text[] IS NULL OR event_id = ANY($1)"
        " ORDER BY arrived_at",
        event_ids,
    )


async def drop_redacted(db: Connection | Pool, event_id: str) -> None:
    """Note that the event is archived now."""
    await db.execute("DELETE FROM redacted_arrival WHERE event_id = $1", event_id)


async def newest_compared(db: Connection | Pool, room_id: str) -> str | None:
    """Return the event of the room up to which everything was compared, or None."""
    newest: str | None = await db.fetchval("SELECT newest FROM room_seen WHERE room_id = $1", room_id)
    return newest


async def note_room(db: Connection | Pool, room_id: str, newest: str, compared: int, backfilled: int) -> None:
    """Note that the room was compared up to its event `newest`."""
    await db.execute(
        """
        INSERT INTO room_seen VALUES ($1, $2, $3, $4, now())
        ON CONFLICT (room_id) DO UPDATE
        SET newest = excluded.newest, checked_at = excluded.checked_at,
            compared = room_seen.compared + excluded.compared,
            backfilled = room_seen.backfilled + excluded.backfilled
        """,
        room_id,
        newest,
        compared,
        backfilled,
    )


async def read_status(db: Connection | Pool) -> Row:
    """Return the figures of `bridge.archive.status.Status`."""
    row = await db.fetchrow(
        """
        SELECT size, frontier,
               (SELECT received_at FROM event ORDER BY seq DESC LIMIT 1) AS newest,
               (SELECT count(*) FROM room_seen) AS rooms,
               (SELECT min(checked_at) FROM room_seen) AS checked_at,
               (SELECT count(*) FROM redacted_arrival) AS awaiting,
               (SELECT count(*) FROM set_aside) AS set_aside
        FROM ledger_head
        """
    )
    assert row is not None
    return row


async def read_cursors(db: Connection | Pool) -> list[Row]:
    """Return (consumer, seq) of every consumer, by name."""
    return await db.fetch("SELECT consumer, seq FROM feed_cursor ORDER BY consumer")


async def read_entries(
    db: Connection | Pool, type_: str | None, actor: str | None, since: int | None, until: int | None, limit: int
) -> list[Row]:
    """Return (seq, body) of entries, the newest first; an ID is `muster:`, milliseconds in 13 digits, a dash and more.

    `actor` is the sender or the user of the operating system; `since` and `until` are milliseconds.
    """
    return await db.fetch(
        """
        SELECT seq, body FROM event
        WHERE event_id >= 'muster:' || lpad(coalesce($3::bigint, 0)::text, 13, '0')
              AND event_id < 'muster:' || coalesce(lpad($4::bigint::text, 13, '0'), ';')
              AND ($1::text IS NULL OR type = $1)
              AND ($2::text IS NULL OR sender = $2
                   OR convert_from(body, 'UTF8')::jsonb #>> '{content,os_user}' = $2)
        ORDER BY event_id DESC LIMIT $5
        """,
        type_,
        actor,
        since,
        until,
        limit,
    )
