"""Which events a scope holds, on a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bridge.archive.entry import Actor, Entry
from bridge.archive.ingest import ingest
from bridge.archive.log import record
from bridge.archive.scope import Scope
from bridge.archive.scope_store import count_events, matching, read_bounds, read_portions
from bridge.archive.store import snapshot
from bridge.errors import InputError
from bridge.ids import RoomId, UserId
from tests.integration.archive.test_search import said
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

MARI, BOSS = UserId("@mari:x"), UserId("@boss:x")


def at(second: int) -> datetime:
    """Return a moment of the story."""
    return datetime.fromtimestamp(1_700_000_000 + second, UTC)


def member(event_id: str, membership: str, second: int, user: str = MARI, room: str = "!a") -> dict[str, Any]:
    """Return a membership event."""
    return an_event(
        event_id,
        type="m.room.member",
        state_key=user,
        sender=user,
        content={"membership": membership},
        room_id=room,
        origin_server_ts=(1_700_000_000 + second) * 1000,
    )


def word(event_id: str, second: int, sender: str = BOSS, room: str = "!a") -> dict[str, Any]:
    """Return a message."""
    return said(event_id, "a word", (1_700_000_000 + second) * 1000, sender=sender, room_id=room)


@pytest.fixture(autouse=True)
async def _story(pool: Pool) -> None:
    """Mari is in !a twice; the boss talks there all the time, and in !b."""
    await ingest(
        pool,
        [
            word("$before", 1),
            member("$in", "join", 2),
            word("$heard", 3),
            member("$name", "join", 4),
            member("$out", "leave", 5),
            word("$missed", 6),
            word("$elsewhere", 7, room="!b"),
            word("$hers", 8, sender=MARI, room="!b"),
            member("$back", "join", 9),
            word("$again", 10),
        ],
    )
    await record(pool, Entry("view", Actor("k", "k")), at(11))


async def held(pool: Pool, scope: Scope) -> list[str]:
    """Return the IDs of the events in the scope."""
    async with snapshot(pool) as connection:
        bounds = await read_bounds(connection, scope)
        rows = [row async for portion in read_portions(connection, bounds) for row in portion]
        assert await count_events(connection, bounds) == len(rows)
        assert await matching(connection, bounds, range(100)) == {row["seq"] for row in rows}
    return [row["event_id"] for row in rows]


async def test_a_person_is_what_they_sent_and_could_read(pool: Pool) -> None:
    """A custodian's scope holds their stays, both ends included, and their own words elsewhere."""
    found = await held(pool, Scope(people=frozenset({MARI})))
    assert found == ["$in", "$heard", "$name", "$out", "$hers", "$back", "$again"]


async def test_rooms_and_people_add_up(pool: Pool) -> None:
    """A room is held whole, beside what is held for a person."""
    assert await held(pool, Scope(rooms=frozenset({RoomId("!b")}))) == ["$elsewhere", "$hers"]
    both = await held(pool, Scope(frozenset({RoomId("!b")}), frozenset({MARI})))
    assert both == ["$in", "$heard", "$name", "$out", "$elsewhere", "$hers", "$back", "$again"]


async def test_dates_narrow_a_scope(pool: Pool) -> None:
    """From the first moment on and before the last."""
    assert await held(pool, Scope(since=at(3), until=at(7))) == ["$heard", "$name", "$out", "$missed"]
    assert await held(pool, Scope(people=frozenset({MARI}), since=at(5), until=at(9))) == ["$out", "$hers"]


async def test_no_bounds_are_everything_but_the_log(pool: Pool) -> None:
    """The archive's own entries are in no scope."""
    assert len(await held(pool, Scope())) == 10


def test_a_scope_is_read_as_it_was_written() -> None:
    """As JSON and back; an end before the beginning is refused."""
    for scope in (Scope(), Scope(frozenset({RoomId("!a")}), frozenset({MARI}), at(1), at(2))):
        assert Scope.of_json(scope.as_json()) == scope
    with pytest.raises(InputError, match="after the beginning"):
        Scope(since=at(2), until=at(1))
