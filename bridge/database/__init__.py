"""PostgreSQL: the pool and the numbered upgrades.

`open_database` is the only way in: it brings the database to this version, refuses one that a newer Muster or
another program made, and yields an asyncpg pool on which `jsonb` reads and writes as Python values. Statements live
in the `store` modules of the rooms that own the tables. The embedded server is in `bridge.database.embedded`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def open_database(url: str, *, max_connections: int = 10) -> AsyncIterator[Pool]:
    """Connect, upgrade, and yield the pool; close it at the end.

    `url` is a `postgresql://` URL. Raises `DatabaseUnavailableError` when nothing answers there,
    `DatabaseVersionError` when the database is newer than this code and `DatabaseError` when it is somebody else's.
    """
    database = cast(
        "PostgresDatabase",
        Database.create(
            url,
            upgrade_table=_upgrade_table(),
            owner_name="muster",
            ignore_foreign_tables=False,
            db_args={"min_size": 1, "max_size": max_connections, "init": _prepare_connection},
        ),
    )
    try:
        guard = await asyncpg.connect(url)
    except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError) as error:
        raise DatabaseUnavailableError(
            f"PostgreSQL does not answer ({error}). Expected a server at `database` of the configuration; "
            "start it or mend the address."
        ) from error
    except asyncpg.PostgresError as error:
        raise DatabaseError(f"PostgreSQL refuses the connection: {error}") from error
    try:
        await guard.execute("SELECT pg_advisory_lock($1)", UPGRADE_LOCK)
        await database.start()
    except UnsupportedDatabaseVersion as error:
        raise DatabaseVersionError(
            f"The database was made by a newer Muster ({error}). "
            "Install the Muster that made it, or restore an older backup."
        ) from error
    except (DatabaseNotOwned, ForeignTablesFound) as error:
        raise DatabaseError(
            f"This database belongs to another program ({error}). Give Muster a database of its own."
        ) from error
    finally:
        await guard.close()
    try:
        yield database.pool
    finally:
        await database.stop()


async def _prepare_connection(connection: Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


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
