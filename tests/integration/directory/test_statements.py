"""What the statements on people cost the database."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from bridge.directory.resource_store import create_user, update_user
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import MUSTER

if TYPE_CHECKING:
    from bridge.database import Pool

WRITES = 100


async def test_first_people_do_not_make_the_next_ones_dearer(pool: Pool) -> None:
    """While PostgreSQL believes the directory to be empty, a write reads a few rows, however many there are by now."""
    shape = shapes_for()["User"]
    async with pool.acquire() as connection:
        for number in range(WRITES):
            document = {"userName": f"u{number}", "externalId": f"{number}", MUSTER: {"start": "2027-01-01"}}
            user = resource_of(document, str(uuid4()), shape)
            stored = await create_user(connection, user, "test")
            assert stored is not None
            assert await update_user(connection, user, stored, "test") is not None
        await connection.execute("SELECT pg_stat_force_next_flush()")
        read = await connection.fetchval(
            """SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_user_tables
               WHERE relname IN ('scim_resource', 'employment_boundary')"""
        )

    assert read < 10 * WRITES
