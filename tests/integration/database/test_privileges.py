"""The running service adds to the ledger and can neither change nor remove what is there."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import asyncpg
import pytest

from bridge.database import open_database
from bridge.database.privileges import LEDGER, unprotected
from bridge.errors import DatabaseVersionError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.database import Pool
    from bridge.database.embedded import EmbeddedPostgres


@pytest.fixture
async def empty(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The name of an empty database."""
    name = f"empty_{secrets.token_hex(6)}"
    await postgres.create_database(name)
    yield name
    await postgres.drop_database(name)


@pytest.mark.parametrize("table", [*LEDGER, "disposed"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET {} = NULL",
        "DELETE FROM {}",
        "TRUNCATE {} CASCADE",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "DROP TABLE {}",
        "GRANT ALL ON {} TO CURRENT_USER",
    ],
)
async def test_the_service_cannot_touch_what_the_ledger_holds(pool: Pool, table: str, statement: str) -> None:
    """PostgreSQL refuses it, whatever Muster's code asks for."""
    column = await pool.fetchval("SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 1", table)
    # A role that may grant nothing is only warned by GRANT; then it must have gained nothing.
    try:
        await pool.execute(statement.format(table, column))
    except asyncpg.InsufficientPrivilegeError:
        return
    assert statement.startswith("GRANT")
    assert not await pool.fetchval("SELECT has_table_privilege($1, 'UPDATE, DELETE, TRUNCATE')", table)


async def test_only_the_function_notes_what_was_disposed_of(pool: Pool) -> None:
    """Else the service could excuse a record that somebody else has emptied."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("INSERT INTO disposed VALUES (1, now(), '', 1)")


async def test_the_service_owns_nothing_and_is_nobody_else(pool: Pool) -> None:
    """So it can neither give itself more nor make functions of its own."""
    assert await pool.fetchval("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole") == 0
    assert not await pool.fetchval("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    assert not await pool.fetchval("SELECT has_schema_privilege('public', 'CREATE')")
    assert await unprotected(pool) == []


async def test_one_role_alone_is_told_unprotected(owner: Pool) -> None:
    """Whoever owns the tables may do everything."""
    assert await unprotected(owner) == sorted(LEDGER)


async def test_tables_of_a_later_upgrade_are_given_too(postgres: EmbeddedPostgres, empty: str) -> None:
    """At the next start, and once: afterwards there is nothing to give."""
    urls = postgres.service_url_for(empty), postgres.url_for(empty)
    async with open_database(urls[0], owner=urls[1]) as pool:
        assert await pool.fetchval("SELECT count(*) FROM event") == 0
    async with open_database(urls[1]) as pool:
        await pool.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, word text)")
    async with open_database(urls[0], owner=urls[1]) as pool:
        assert await pool.fetchval("INSERT INTO later (word) VALUES ('a') RETURNING id") == 1


async def test_what_somebody_gave_the_service_beyond_that_is_taken_back(
    postgres: EmbeddedPostgres, database_url: str, owner_url: str, owner: Pool
) -> None:
    """A GRANT too many does not outlive the next start."""
    await owner.execute("GRANT ALL ON event TO muster_service")
    async with open_database(database_url) as pool:
        assert await unprotected(pool) == ["event"]
    async with open_database(database_url, owner=owner_url) as pool:
        assert await unprotected(pool) == []


async def test_the_service_alone_takes_no_older_database(postgres: EmbeddedPostgres, empty: str) -> None:
    """It may not upgrade; the message says who may."""
    urls = postgres.service_url_for(empty), postgres.url_for(empty)
    async with open_database(urls[0], owner=urls[1]):
        pass
    async with open_database(urls[1]) as pool:
        await pool.execute("UPDATE version SET version = version - 1")
    with pytest.raises(DatabaseVersionError, match=r"is older .* Set `database_owner`"):
        async with open_database(urls[0]):
            pass


async def test_the_service_may_refresh_the_planners_figures(pool: Pool) -> None:
    """After an import of many people, through a function of the owner's: only owners may analyze."""
    await pool.execute("SELECT analyze_people()")
    assert await pool.fetchval("SELECT reltuples >= 0 FROM pg_class WHERE relname = 'scim_resource'")
