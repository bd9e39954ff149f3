"""Taking events in, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from bridge.archive import canonical
from bridge.archive.ingest import ingest
from bridge.archive.ledger import EMPTY, Frontier, append, leaf_hash, root
from bridge.database.listen import EVENTS
from bridge.errors import DatabaseUnavailableError
from bridge.homeserver import wire
from tests.unit.archive.test_batch import an_event
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool


async def checked_size(pool: Pool) -> int:
    """Assert that positions have no gap, times rise and the head is the tree over the leaves; return the size."""
    rows = await pool.fetch("SELECT * FROM event ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(one["received_at"] < other["received_at"] for one, other in pairwise(rows))
    assert all(row["leaf"] == leaf_hash(row["salt"], row["body"]) for row in rows)
    head = await pool.fetchrow("SELECT * FROM ledger_head")
    assert head is not None
    assert root(Frontier.of(head["size"], head["frontier"])) == root(append(EMPTY, [row["leaf"] for row in rows]))
    return len(rows)


async def test_events_are_stored_as_received_and_hashed(pool: Pool) -> None:
    """What was delivered can be read back without `unsigned`, in order, under the ledger's root."""
    events = [an_event("$a", unsigned={"age": 1}), an_event("$b", type="m.room.topic", state_key="")]
    assert await ingest(pool, events) == 2
    assert await checked_size(pool) == 2
    rows = await pool.fetch("SELECT * FROM event ORDER BY seq")
    assert wire.decode(rows[0]["body"]) == an_event("$a")
    assert [row["state_key"] for row in rows] == [None, ""]
    assert [row["backfilled"] for row in rows] == [False, False]


async def test_delivering_again_changes_nothing(pool: Pool) -> None:
    """Known events are dropped, in the transaction and across transactions, whatever the source."""
    assert await ingest(pool, [an_event("$a"), an_event("$b"), an_event("$a")]) == 2
    assert await ingest(pool, [an_event("$b"), an_event("$c"), an_event("$a")]) == 1
    assert await ingest(pool, [an_event("$a"), an_event("$c")], "backfill") == 0
    assert await checked_size(pool) == 3


async def test_times_of_arrival_rise_even_when_the_clock_does_not(pool: Pool, owner: Pool) -> None:
    """After the clock was set back, new events still arrive after the old ones, so that their order can be checked."""
    await ingest(pool, [an_event("$a")])
    await owner.execute("UPDATE event SET received_at = received_at + interval '1 day'")
    await owner.execute("UPDATE ledger_head SET received_at = received_at + interval '1 day'")
    await ingest(pool, [an_event("$b"), an_event("$c")])
    assert await checked_size(pool) == 3


@pytest.mark.parametrize("texts", [["", "x"], ["x", ""], [""], ["", ""], ["'\\\"{},", "NULL"]])
async def test_columns_arrive_as_they_were(pool: Pool, texts: list[str]) -> None:
    """Empty texts, none, and texts that look like an array stay what they are."""
    for state_keys in (texts, [None for _ in texts], [*texts[1:], None]):
        events = [
            an_event(f"${len(state_keys)}{state_keys}{number}", room_id=text, sender=text)
            | ({} if state_key is None else {"state_key": state_key})
            for number, (text, state_key) in enumerate(zip(texts, state_keys, strict=True))
        ]
        await ingest(pool, events)
        rows = await pool.fetch("SELECT * FROM event ORDER BY seq DESC LIMIT $1", len(events))
        found = [(row["room_id"], row["sender"], row["state_key"]) for row in reversed(rows)]
        assert found == [(text, text, state_key) for text, state_key in zip(texts, state_keys, strict=True)]
    await checked_size(pool)


async def test_nothing_is_fine(pool: Pool) -> None:
    """An empty transaction is answered."""
    assert await ingest(pool, []) == 0
    assert await checked_size(pool) == 0


async def test_writers_at_the_same_time_leave_no_gap(pool: Pool) -> None:
    """Concurrent ingests of overlapping batches keep every event once and the tree right."""
    dice = random.Random(7)
    batches = [[an_event(f"${dice.randrange(300)}") for _ in range(40)] for _ in range(30)]
    stored = await asyncio.gather(*(ingest(pool, batch) for batch in batches))
    assert sum(stored) == len({event["event_id"] for batch in batches for event in batch})
    assert await checked_size(pool) == sum(stored)


async def test_readers_are_woken(pool: Pool) -> None:
    """Whoever listens hears of new events once they are visible."""
    heard = asyncio.Event()

    def wake(*_: object) -> None:
        heard.set()

    async with pool.acquire() as connection:
        await connection.add_listener(EVENTS, wake)
        await ingest(pool, [an_event()])
        async with asyncio.timeout(10):
            await heard.wait()
        await connection.remove_listener(EVENTS, wake)


POISON: dict[str, Any] = {
    "60 KB": an_event("$poison", content={"body": "x" * 60_000}),
    "lone surrogate": an_event("$poison", sender="@\ud800:x", room_id="!\udfff", content={"body": "\ud83d"}),
    "NUL": an_event("$poison", type="m\0", room_id="\0", sender="\0", state_key="\0", content={"\0": "\0"}),
    "floats": an_event("$poison", origin_server_ts=1e300, content={"a": [1.5, float("nan"), float("inf")]}),
    "huge integer": an_event("$poison", origin_server_ts=10**400, depth=2**70),
    "separators": an_event("$poison", type="\x1f", room_id="\x1e", sender="\x1f\x1f", state_key="\x1e"),
    "no content": {"event_id": "$poison"},
    "ill-typed": {"event_id": "$poison", "room_id": [], "type": {}, "sender": 1, "content": "x", "state_key": None},
    "long fields": an_event("$poison", room_id="!" + "é" * 9000, type="t" * 9000, state_key="s" * 9000),
    "deep nesting": an_event("$poison", content=wire.decode(b"[" * 20_000 + b"]" * 20_000)),
    "not a dict": 5,
    "null": None,
    "text": "\0\ud800",
    "no event_id": {"type": "m.room.message"},
    "event_id with NUL": an_event("$\0"),
    "event_id with a surrogate": an_event("$\ud800"),
    "long event_id": an_event("$" + "x" * 300),
}


@pytest.mark.parametrize("name", POISON)
async def test_poison_never_stops_the_rest(pool: Pool, name: str) -> None:
    """An entry of any shape is archived or set aside with its bytes, once, and the others are stored."""
    for _ in range(2):
        await ingest(pool, [an_event("$before"), POISON[name], an_event("$after")])
    archived = await checked_size(pool)
    assert await pool.fetchval("SELECT count(*) FROM event WHERE event_id IN ('$before', '$after')") == 2
    aside = await pool.fetch("SELECT * FROM set_aside")
    assert archived + len(aside) == 3
    expected = canonical.encode_value(POISON[name])
    kept = [row["body"] for row in aside] or [await pool.fetchval("SELECT body FROM event WHERE event_id = '$poison'")]
    assert kept == [expected]


async def test_redacted_message_is_kept_for_later_unless_the_original_is_here(pool: Pool) -> None:
    """A message that arrives redacted is durable but not archived; when it is archived already nothing is kept."""
    stub: dict[str, Any] = {"content": {}, "unsigned": {"redacted_because": {}}}
    await ingest(pool, [an_event("$known")])
    assert await ingest(pool, [an_event("$known", **stub), an_event("$lost", **stub)]) == 0
    assert [row["event_id"] for row in await pool.fetch("SELECT * FROM redacted_arrival")] == ["$lost"]


async def test_lost_connection_leaves_nothing_half(pool: Pool) -> None:
    """When PostgreSQL ends the connection in the middle, nothing is stored, and delivering again stores all."""
    events = [an_event(f"${number}") for number in range(50)]
    async with pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("SELECT * FROM ledger_head FOR UPDATE")
        attempt = asyncio.create_task(ingest(pool, [5, *events]))

        async def ended() -> bool:
            return bool(
                await blocker.fetchval("SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE NOT granted")
            )

        await wait_until(ended)
        with pytest.raises(DatabaseUnavailableError):
            await attempt
    assert await checked_size(pool) == 0
    assert await pool.fetchval("SELECT count(*) FROM set_aside") == 0
    assert await ingest(pool, [5, *events]) == 50
    assert await checked_size(pool) == 50


async def test_refused_insert_leaves_nothing_half(pool: Pool, owner: Pool) -> None:
    """When PostgreSQL refuses after the rows were written, neither rows nor head have moved."""
    await owner.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;"
        " CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON event DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW WHEN (NEW.event_id = '$bad') EXECUTE FUNCTION refuse()"
    )
    await ingest(pool, [an_event("$good")])
    with pytest.raises(DatabaseUnavailableError):
        await ingest(pool, [an_event("$fine"), an_event("$bad")])
    assert await checked_size(pool) == 1


async def test_closed_pool_is_an_unavailable_database(database_url: str) -> None:
    """Errors of the driver are told in our words."""
    pool = await asyncpg.create_pool(database_url, min_size=1)
    await pool.close()
    with pytest.raises(DatabaseUnavailableError, match="try again"):
        await ingest(pool, [an_event()])
