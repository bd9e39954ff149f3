"""The statements that read and write whole tables, whichever there are: what a new upgrade adds is in it by itself.

A table's columns are those that PostgreSQL does not compute. Callers open the database transactions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.database import Connection


async def read_tables(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Return the tables by name, each with its columns in order."""
    rows = await connection.fetch(
        """SELECT relname AS name, array_agg(attname::text ORDER BY attnum) AS columns
           FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
           WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0
                 AND NOT attisdropped AND attgenerated = ''
                 AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
           GROUP BY relname ORDER BY relname"""
    )
    return {row["name"]: tuple(row["columns"]) for row in rows}


async def copy_out(
    connection: Connection, table: str, columns: Sequence[str], output: Callable[[bytes], Coroutine[Any, Any, None]]
) -> int:
    """Hand all rows of a table to `output`, piece by piece, and return how many there are."""
    status = await connection.copy_from_table(table, output=output, columns=columns, format="binary")
    return _count(status)


async def copy_in(connection: Connection, table: str, columns: Sequence[str], source: AsyncIterator[bytes]) -> int:
    """Add the rows that `copy_out` gave out, and return how many they are."""
    status = await connection.copy_to_table(table, source=source, columns=columns, format="binary")
    return _count(status)


async def read_sequences(connection: Connection) -> dict[str, int]:
    """Return the last number that each sequence has given; one that has given none is missing."""
    rows = await connection.fetch(
        """SELECT sequencename AS name, last_value AS value FROM pg_sequences
           WHERE schemaname = current_schema() AND last_value IS NOT NULL ORDER BY sequencename"""
    )
    return {row["name"]: row["value"] for row in rows}


async def set_sequences(connection: Connection, values: Mapping[str, int]) -> None:
    """Have each sequence go on behind its value."""
    await connection.execute(
        "SELECT setval(quote_ident(name)::regclass, value)"
        " FROM unnest($1::text[], $2::bigint[]) AS given (name, value)",
        list(values),
        list(values.values()),
    )


async def empty_tables(connection: Connection, tables: Iterable[str]) -> None:
    """Take out the rows with which upgrades begin tables."""
    await connection.execute(f"TRUNCATE {', '.join(map(_quoted, tables))} RESTART IDENTITY")


async def loosen_tables(connection: Connection, tables: Iterable[str]) -> list[tuple[str, str, str]]:
    """Take away what would act on rows or refuse them because of others, and return the references that were there.

    They are (table, name, definition), for `tighten_tables`.
    """
    rows = await connection.fetch(
        """SELECT relname, conname, pg_get_constraintdef(pg_constraint.oid) AS definition
           FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
           WHERE contype = 'f' AND relnamespace = current_schema()::regnamespace ORDER BY relname, conname"""
    )
    for row in rows:
        await connection.execute(f"ALTER TABLE {_quoted(row['relname'])} DROP CONSTRAINT {_quoted(row['conname'])}")
    for table in tables:
        await connection.execute(f"ALTER TABLE {_quoted(table)} DISABLE TRIGGER USER")
    return [(row["relname"], row["conname"], row["definition"]) for row in rows]


async def tighten_tables(
    connection: Connection, tables: Iterable[str], references: Iterable[tuple[str, str, str]]
) -> None:
    """Put that back; PostgreSQL checks every reference."""
    for table, name, definition in references:
        await connection.execute(f"ALTER TABLE {_quoted(table)} ADD CONSTRAINT {_quoted(name)} {definition}")
    for table in tables:
        await connection.execute(f"ALTER TABLE {_quoted(table)} ENABLE TRIGGER USER")


def _count(status: str) -> int:
    return int(status.removeprefix("COPY "))


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
