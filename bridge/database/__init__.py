"""PostgreSQL: the pool and the numbered upgrades.

`open_database` is the way in: it brings the database to this version, refuses one that a newer Muster or another
program made, and yields an asyncpg pool on which `jsonb` reads and writes as Python values; `open_to_read` takes a
database as it is and can change nothing in it. The pool connects again by itself when PostgreSQL was away; what a
statement raises meanwhile is in `AWAY`. Statements live in the `store` modules of the rooms that own the tables. The
embedded server is in `bridge.database.embedded`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.resources import files
from typing import TYPE_CHECKING, cast

import asyncpg
from mautrix.util.async_db import (
    Database,
    DatabaseNotOwned,
    ForeignTablesFound,
    UnsupportedDatabaseVersion,
    UpgradeTable,
)

from bridge.errors import DatabaseError, DatabaseUnavailableError, DatabaseVersionError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy
    from mautrix.util.async_db.asyncpg import PostgresDatabase
    from mautrix.util.async_db.connection import LoggingConnection

    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

UPGRADE_LOCK = 0x6D757374
"""Advisory lock held while upgrading, so that two processes may start at once."""
OLDEST_SERVER = 15
"""PostgreSQL's major version."""
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg says when the server has ended the connection without being asked
)
"""What says that PostgreSQL cannot be reached, or cannot do it, for now: the same again may succeed."""
_CLOSE_SECONDS = 10
_OWNER = "muster"
_ADDRESS = "postgresql://USER:PASSWORD@HOST/DATABASE"


@asynccontextmanager
async def open_database(url: str, *, max_connections: int = 10) -> AsyncIterator[Pool]:
    """Connect, upgrade, and yield the pool; close it at the end.

    `url` is a `postgresql://` URL. Raises `DatabaseUnavailableError` when nothing answers there,
    `DatabaseVersionError` when the database is newer than this code and `DatabaseError` when PostgreSQL refuses or
    the database is somebody else's.
    """
    with _translated():
        database = cast(
            "PostgresDatabase",
            Database.create(
                url,
                upgrade_table=_upgrade_table(),
                owner_name=_OWNER,
                ignore_foreign_tables=False,
                # A pool of at least one would connect again by itself, and log tracebacks while it cannot.
                db_args={
                    "min_size": 0,
                    "max_size": max_connections,
                    "init": _prepare_connection,
                    "reset": _leave_connection,
                },
            ),
        )
    try:
        with _translated():
            await _upgrade_alone(database, url)
        yield database.pool
    finally:
        with suppress(*AWAY):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await database.stop()


@asynccontextmanager
async def open_to_read(url: str) -> AsyncIterator[Pool]:
    """Connect to a database of exactly this version, and yield a pool that reads and changes nothing.

    Raises as `open_database`, and `DatabaseVersionError` for a database that is older, too, or has no tables yet.
    """
    with _translated():
        pool = asyncpg.create_pool(
            url,
            min_size=0,
            max_size=2,
            init=_prepare_connection,
            reset=_leave_connection,
            server_settings={"default_transaction_read_only": "on"},
        )
        await pool
    try:
        with _translated():
            await _check_version(pool)
        yield pool
    finally:
        with suppress(*AWAY):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await pool.close()


async def _check_version(pool: Pool) -> None:
    """Insist that the tables are ours, and those of this version."""
    table = _upgrade_table()
    if await pool.fetchval("SELECT to_regclass($1)", table.version_table_name) is None:
        raise DatabaseVersionError("The database has no tables of Muster's yet. `muster run` makes them.")
    if (owner := await pool.fetchval("SELECT owner FROM database_owner")) != _OWNER:
        raise DatabaseNotOwned(owner)
    found, ours = await pool.fetchval(f"SELECT version FROM {table.version_table_name}"), len(table.upgrades)  # noqa: S608
    if found > ours:
        raise UnsupportedDatabaseVersion(table.database_name, found, ours)
    if found < ours:
        raise DatabaseVersionError(
            f"The database is older (v{found}) than this Muster (v{ours}). `muster run` upgrades it; back it up first."
        )


async def _upgrade_alone(database: PostgresDatabase, url: str) -> None:
    """Bring the tables to this version while no other process does, and leave the pool open."""
    guard = await asyncpg.connect(url)
    try:
        await _check_server(guard)
        await guard.execute("SELECT pg_advisory_lock($1)", UPGRADE_LOCK)
        await database.start()
    finally:
        await guard.close()


async def _check_server(connection: Connection) -> None:
    found = connection.get_server_version().major
    if found < OLDEST_SERVER:
        raise DatabaseError(f"Expected PostgreSQL {OLDEST_SERVER} or newer, came {found}. Upgrade it.")
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise DatabaseError(
            f"Expected a database in UTF8, came {encoding}. "
            "Make another: CREATE DATABASE muster ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0."
        )


@contextmanager
def _translated() -> Iterator[None]:
    """Raise our errors for those of connecting and upgrading; none repeats the address, which may hold a password."""
    try:
        yield
    except UnsupportedDatabaseVersion as error:
        raise DatabaseVersionError(
            f"The database was made by a newer Muster ({error}). "
            "Install the Muster that made it, or restore an older backup."
        ) from error
    except (DatabaseNotOwned, ForeignTablesFound) as error:
        raise DatabaseError(
            f"This database belongs to another program ({error}). Give Muster a database of its own."
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseError(
            f"PostgreSQL refuses to make Muster's tables: {error}. Make Muster's role the owner of its database: "
            "ALTER DATABASE muster OWNER TO muster."
        ) from error
    except ValueError as error:
        raise DatabaseError(f"The database's address does not read. Expected {_ADDRESS}.") from error
    except AWAY as error:
        raise DatabaseUnavailableError(
            f"PostgreSQL does not answer ({error or type(error).__name__}). Start it, or mend `database` in the "
            "configuration."
        ) from error
    except asyncpg.PostgresError as error:
        raise DatabaseError(f"PostgreSQL refuses: {error}. Mend `database` in the configuration.") from error


async def _prepare_connection(connection: Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _leave_connection(connection: Connection) -> None:
    """Do nothing when a connection is given back.

    asyncpg's own reset is a statement more for every one that we make. It has rolled back by now; whoever sets
    anything else of the session must undo it, or end the connection.
    """


def _upgrade_table() -> UpgradeTable:
    """Return every `upgrades/NNNN_*.sql` in the order of its number."""
    table = UpgradeTable(database_name="Muster's database")
    scripts = sorted(
        (entry for entry in files(__package__).joinpath("upgrades").iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    for script in scripts:
        table.register(_upgrade(script.read_text(encoding="utf-8")), description=script.name)
    return table


def _upgrade(statements: str) -> Callable[[LoggingConnection], Awaitable[None]]:
    async def upgrade(connection: LoggingConnection) -> None:
        await connection.execute(statements)

    return upgrade
