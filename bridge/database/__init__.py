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
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, cast

import asyncpg
from mautrix.util.async_db import (
    Database,
    DatabaseNotOwned,
    ForeignTablesFound,
    UnsupportedDatabaseVersion,
    UpgradeTable,
)

from bridge.database import privileges
from bridge.errors import DatabaseError, DatabaseSilentError, DatabaseVersionError, RefusedError

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
_HAS_TABLES = """SELECT EXISTS (
    SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e'))"""
"""Those of extensions do not count."""
_BOOKKEEPING = """
    CREATE TABLE version (version INTEGER PRIMARY KEY);
    CREATE TABLE database_owner (key INTEGER PRIMARY KEY DEFAULT 0, owner TEXT NOT NULL)"""
"""What mautrix makes beside our own tables."""
_OWNER = "muster"
_ADDRESS = "postgresql://USER:PASSWORD@HOST/DATABASE"


@asynccontextmanager
async def open_database(url: str, *, owner: str | None = None, max_connections: int = 10) -> AsyncIterator[Pool]:
    """Connect, upgrade, and yield the pool; close it at the end.

    `url` is a `postgresql://` URL, the service's; `owner` that of the role that owns the tables, which upgrades them
    and says what the service may do with each (`privileges`). Without `owner` the service's role does so when it may,
    and else takes the tables of this version. Raises `DatabaseUnavailableError` when nothing answers there,
    `DatabaseVersionError` when the database is newer than this code, or older and not to be upgraded, and
    `DatabaseError` when PostgreSQL refuses or the database is somebody else's.
    """
    with _translated():
        await _bring_up_to_date(url, owner)
        # A pool of at least one would connect again by itself, and log tracebacks while it cannot.
        pool = await asyncpg.create_pool(
            url, min_size=0, max_size=max_connections, init=_prepare_connection, reset=_leave_connection
        )
    try:
        yield pool
    finally:
        await _close(pool)


@asynccontextmanager
async def open_to_read(url: str) -> AsyncIterator[Pool]:
    """Connect to a database of exactly this version, and yield a pool that reads and changes nothing.

    Raises as `open_database`, and `DatabaseVersionError` for a database that is older, too, or has no tables yet.
    """
    with _translated():
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=2,
            init=_prepare_connection,
            reset=_leave_connection,
            server_settings={"default_transaction_read_only": "on"},
        )
    try:
        with _translated():
            await _check_version(pool, "`muster run` upgrades it; back it up first.")
        yield pool
    finally:
        await _close(pool)


@asynccontextmanager
async def open_empty(url: str, version: int) -> AsyncIterator[Connection]:
    """Yield a connection to a database that had no tables and now has those of a version, for a backup to be put in.

    All of it is one database transaction: when the block raises, the database is empty again. Raises as
    `open_database`, and `RefusedError` when there are tables.
    """
    scripts = _scripts()
    if version > len(scripts):
        raise DatabaseVersionError(
            f"The backup was made by a newer Muster (v{version}) than this one (v{len(scripts)}). Install that one."
        )
    with _translated():
        connection = await asyncpg.connect(url)
    try:
        with _translated():
            await _check_server(connection)
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", UPGRADE_LOCK)
                if await connection.fetchval(_HAS_TABLES):
                    raise RefusedError(
                        "The database is not empty, and nothing in it was changed. A backup is restored into an empty "
                        "one: name another in the configuration, or move the embedded one's folder `postgres` away."
                    )
                await connection.execute(_BOOKKEEPING)
                for script in scripts[:version]:
                    await connection.execute(script.read_text(encoding="utf-8"))
                yield connection
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def silent(error: Exception, advice: str = "") -> DatabaseSilentError:
    """Return one of `AWAY` in our words, with what to do."""
    return DatabaseSilentError(f"PostgreSQL does not answer ({words_of(error)}). {advice}".rstrip())


def words_of(error: Exception) -> str:
    """Return what PostgreSQL said, or who was asked to reach it, without the details below, which quote rows."""
    return str(error).partition("\n")[0] or type(error).__name__


async def read_version(db: Connection | Pool) -> int:
    """Return the number of the newest upgrade that the database has had."""
    found: int = await db.fetchval("SELECT version FROM version")
    return found


async def _close(pool: Pool) -> None:
    with suppress(*AWAY):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await pool.close()


async def _bring_up_to_date(url: str, owner: str | None) -> None:
    connection = await asyncpg.connect(url)
    try:
        await _check_server(connection)
        role = await connection.fetchval("SELECT current_user")
        if owner is None and not await privileges.may_make_tables(connection):
            await _check_version(connection, "Set `database_owner` to the address of the role that owns its tables.")
            return
    finally:
        await connection.close()
    await _upgrade_alone(owner or url, role)


async def _check_version(db: Connection | Pool, mend: str) -> None:
    """Insist that the tables are ours, and those of this version; `mend` is said of an older one."""
    table = _upgrade_table()
    if await db.fetchval("SELECT to_regclass($1)", table.version_table_name) is None:
        raise DatabaseVersionError("The database has no tables of Muster's yet. `muster run` makes them.")
    if (owner := await db.fetchval("SELECT owner FROM database_owner")) != _OWNER:
        raise DatabaseNotOwned(owner)
    found, ours = await read_version(db), len(table.upgrades)
    if found > ours:
        raise UnsupportedDatabaseVersion(table.database_name, found, ours)
    if found < ours:
        raise DatabaseVersionError(f"The database is older (v{found}) than this Muster (v{ours}). {mend}")


async def _upgrade_alone(url: str, service: str) -> None:
    """Bring the tables to this version while no other process does, and let the service's role use them."""
    database = cast(
        "PostgresDatabase",
        Database.create(
            url,
            upgrade_table=_upgrade_table(),
            owner_name=_OWNER,
            ignore_foreign_tables=False,
            db_args={"min_size": 0, "max_size": 1},
        ),
    )
    guard = await asyncpg.connect(url)
    try:
        await guard.execute("SELECT pg_advisory_lock($1)", UPGRADE_LOCK)
        await database.start()
        await privileges.grant(guard, service)
    finally:
        await guard.close()
        with suppress(*AWAY):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await database.stop()


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
            f"PostgreSQL refuses to make Muster's tables: {words_of(error)}. Make Muster's role the owner of its "
            "database: ALTER DATABASE muster OWNER TO muster."
        ) from error
    except ValueError as error:
        raise DatabaseError(f"The database's address does not read. Expected {_ADDRESS}.") from error
    except AWAY as error:
        raise silent(error, "Start it, or mend `database` in the configuration.") from error
    except asyncpg.PostgresError as error:
        raise DatabaseError(f"PostgreSQL refuses: {words_of(error)}. Mend `database` in the configuration.") from error


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
    for script in _scripts():
        table.register(_upgrade(script.read_text(encoding="utf-8")), description=script.name)
    return table


def _scripts() -> list[Traversable]:
    folder = files(__package__).joinpath("upgrades")
    return sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)


def _upgrade(statements: str) -> Callable[[LoggingConnection], Awaitable[None]]:
    async def upgrade(connection: LoggingConnection) -> None:
        await connection.execute(statements)

    return upgrade
