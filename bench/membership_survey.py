"""How long one HR change takes to become a plan, reading included, on a real PostgreSQL with 100,000 people.

There are 500 rules, 10,700 rooms and a million memberships, as `decide.change` has them. Reading what concerns one
person and deciding are both in the span; the homeserver is not asked, because nobody is shut out. `survey.change`
measures seconds as they pass, and beside it the CPU seconds of deciding the very same.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.membership_decide import DEPARTMENTS, PEOPLE, RULES, company, decide_change, everybody, settled
from bench.report import Figure
from bridge.clock import system_clock
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.directory.history_store import lock_directory, next_version
from bridge.directory.person import Person
from bridge.directory.resource_store import insert_resources, update_resources
from bridge.directory.scim_resource import Resource, resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import ENTERPRISE, MUSTER
from bridge.ids import UserId
from bridge.membership import store
from bridge.membership.survey import Scope, survey
from bridge.membership.values import DesiredRoom
from tests.integration.membership.homeserver import SERVER, FakeHomeserver

if TYPE_CHECKING:
    from bridge.database import Pool

CHANGES = 30
MEMBERSHIPS_OF = 0.4
"""Of the people, to have a million memberships in the end."""
BATCH = 5000
_MADE = datetime(2023, 1, 1, tzinfo=UTC)


async def change() -> Figure:
    """Measure one survey for each of 30 people who have just moved to another department, one after another."""
    movers = [person for person in everybody(PEOPLE) if person.active and _department(person) != DEPARTMENTS[7]]
    async with filled() as pool:
        bot, policy = FakeHomeserver(), company(RULES)
        seconds = []
        for person in movers[:CHANGES]:
            async with pool.acquire() as connection, connection.transaction():
                await lock_directory(connection)
                version = await next_version(connection)
                await update_resources(connection, [_resource(person, DEPARTMENTS[7])], version)
            begun = time.perf_counter()
            found = await survey(pool, bot, bot, policy, system_clock(), Scope(people=frozenset([person.id])))
            seconds.append(time.perf_counter() - begun)
            assert found.plan.changes
    deciding = decide_change()
    return Figure("survey.change", statistics.median(seconds), "s", "decide.change", deciding.value)


@asynccontextmanager
async def filled() -> AsyncIterator[Pool]:
    """Yield a database with the company in it, settled, and looked at by PostgreSQL's planner."""
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        async with EmbeddedPostgres(Path(folder) / "postgres") as server, open_database(server.url) as pool:
            await _hire(pool, everybody(PEOPLE))
            await _settle(pool)
            await pool.execute("VACUUM ANALYZE")
            yield pool


async def _hire(pool: Pool, people: Sequence[Person]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await lock_directory(connection)
        version = await next_version(connection)
        for first in range(0, len(people), BATCH):
            batch = [_resource(person, _department(person)) for person in people[first : first + BATCH]]
            await insert_resources(connection, batch, version)


async def _settle(pool: Pool) -> None:
    """Write accounts, rooms and memberships as the policy has them."""
    people = everybody(PEOPLE)
    users = [_user(person) for person in people]
    wanted = settled()
    accounts = [
        (person.id, user, wanted.accounts[person.id].display_name, person.active)
        for person, user in zip(people, users, strict=True)
    ]
    places = [(f"!{room.key}", room.key, room.rule, *_description(room)) for room in wanted.rooms.values()]
    async with pool.acquire() as connection:
        await _copy(connection, "account", "person_id user_id display_name enabled", accounts)
        await _copy(connection, "managed_room", "room_id key rule kind name topic parents orders open_to alias", places)
        members = list(_memberships(wanted.rooms, users))
        await _copy(connection, "room_member", "room_id user_id membership event_id changed_at", members)
        grants = [(room_id, user, _MADE, "rooms") for room_id, user, *_ in members]
        await _copy(connection, "granted", "room_id user_id granted_at rule", grants)
        power = {f"!{room.key}": _power(room, users) for room in wanted.rooms.values()}
        await connection.execute(
            "INSERT INTO room_power SELECT one, ranks, now() FROM unnest($1::text[], $2::jsonb[]) AS row (one, ranks)",
            list(power),
            list(power.values()),
        )
        await store.put_cursor(connection, store.Cursor(1, ""))


async def _copy(connection: Any, table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
    await connection.copy_records_to_table(table, records=rows, columns=columns.split())


def _memberships(rooms: Mapping[Any, DesiredRoom], users: Sequence[UserId]) -> Iterator[tuple[Any, ...]]:
    present = int(len(users) * MEMBERSHIPS_OF)
    for room in rooms.values():
        yield from ((f"!{room.key}", users[row], "join", "$e", _MADE) for row in room.members if row < present)


def _power(room: DesiredRoom, users: Sequence[UserId]) -> dict[UserId, int]:
    return {users[row]: level for level, ranked in room.power.items() for row in ranked}


def _description(room: DesiredRoom) -> tuple[Any, ...]:
    parents, orders = list(room.parents), list(room.order)
    return room.kind, room.name, room.topic, parents, orders, room.open_to, f"#{room.key}"


def _resource(person: Person, department: str) -> Resource:
    job = person.employments[0]
    extension: dict[str, Any] = {"department": department, "division": job.division, "costCenter": job.cost_center}
    document = {
        "userName": person.user_name,
        "displayName": person.display_name,
        "title": job.title,
        "userType": job.user_type,
        "active": person.active,
        ENTERPRISE: {**extension, "manager": {"value": job.manager}},
        MUSTER: {"city": person.other["city"][0]},
    }
    return resource_of(document, person.id, shapes_for()["User"])


def _department(person: Person) -> str:
    return person.employments[0].department or ""


def _user(person: Person) -> UserId:
    return UserId(f"@{person.user_name}:{SERVER}")


FIGURES: Mapping[str, Callable[[], Awaitable[Figure]]] = {"survey.change": change}
