"""The list of managed rooms is kept between readings, and never outlives a change of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.ids import RoomKey, UserId
from bridge.membership import current_store, place_store, store
from tests.integration.membership.conftest import Company, user
from tests.unit.membership.notation import BOT

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

SALES = RoomKey("department/Sales")
RENAME = "UPDATE managed_room SET name = $1 WHERE key = 'department/Sales'"


async def name_of(db: Connection | Pool) -> str:
    return (await place_store.read_places(db))[SALES].name


async def test_what_another_has_changed_is_seen(company: Company) -> None:
    """Whoever changes a room need not tell those who have read it."""
    await company.settle()
    assert await name_of(company.pool) == "department"
    await company.pool.execute(RENAME, "Revenue")
    assert await name_of(company.pool) == "Revenue"
    await company.pool.execute("DELETE FROM managed_room WHERE key = $1", SALES)
    assert SALES not in await place_store.read_places(company.pool)


async def test_what_was_taken_back_is_forgotten(company: Company) -> None:
    """A change that is rolled back has been seen by nobody but who made it."""
    await company.settle()
    async with company.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(RENAME, "Revenue")
        assert await name_of(connection) == "Revenue"
        assert await name_of(company.pool) == "department"
        assert await name_of(connection) == "Revenue"
        await transaction.rollback()
        assert await name_of(connection) == "department"


async def test_a_snapshot_has_the_rooms_of_its_own_moment(company: Company) -> None:
    """A plan is made of one moment, also where rooms were changed meanwhile."""
    await company.settle()
    async with company.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        assert await name_of(connection) == "department"
        await company.pool.execute(RENAME, "Revenue")
        assert await name_of(company.pool) == "Revenue"
        assert await name_of(connection) == "department"


async def test_the_rooms_of_some_are_named(company: Company) -> None:
    """Read for a few people, the state says which rooms it can be about; all the others are as if they were empty."""
    await company.settle()
    touched = frozenset([user("ann"), UserId("@stranger:elsewhere")])
    some = await current_store.read_current(company.pool, bot=BOT, touched=touched)
    everybody = await current_store.read_current(company.pool, bot=BOT)
    assert some.rooms.keys() == everybody.rooms.keys()
    assert some.inhabited is not None
    said = {key for key, room in some.rooms.items() if room.members or room.invited or room.granted or room.power}
    assert said == some.inhabited
    assert said == {
        key for key, room in everybody.rooms.items() if user("ann") in room.members or room.power.keys() & touched
    }


async def test_a_newcomer_looked_at_alone_gets_a_localpart_of_nobody(company: Company) -> None:
    """Only those are asked for whose user IDs begin alike, and they are enough."""
    await company.settle()
    await company.say("ann@elsewhere.example")
    await company.reconcile("ann@elsewhere.example")
    await company.say("ann@third.example")
    await company.reconcile("ann@third.example")
    accounts = await store.read_accounts(
        company.pool, [company.ids[f"ann@{of}.example"] for of in ("elsewhere", "third")]
    )
    assert {account.user_id for account in accounts.values()} == {user("ann2"), user("ann3")}
