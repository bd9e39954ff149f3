"""What is put into the queue: once for each key, with what is to be said now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bridge.announcements.outbox_store import cancel, has, load_copies, of_event, put
from bridge.announcements.values import Act, Copy, Outgoing, Priority, Role, Sent, answer_key, copy_key
from bridge.ids import EventId, RoomId, UserId

if TYPE_CHECKING:
    from bridge.database import Pool

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NEWS = RoomId("!news")
ANNA = UserId("@anna:company.example")
KEY = copy_key("7kq2-m9xd", NEWS)


def _row(body: str = "x", *, key: str = KEY, due_at: datetime = NOW, announcement: str | None = None) -> Outgoing:
    return Outgoing(
        key=key,
        act=Act.SEND,
        role=Role.COPY,
        rank=Priority.NORMAL,
        due_at=due_at,
        room_id=NEWS,
        content={"body": body},
        announcement=announcement,
        version=1,
    )


async def _stored(pool: Pool) -> Mapping[str, Any]:
    row = await pool.fetchrow("SELECT * FROM outgoing")
    assert row is not None
    return dict(row)


async def _settle(pool: Pool, state: str) -> None:
    await pool.execute("UPDATE outgoing SET state = $1, attempts = 1, event_id = '$sent', said_in = room_id", state)


async def test_a_key_is_one_row(pool: Pool) -> None:
    """Putting again, also twice in one call, is the same row, with the newest content and moment."""
    later = NOW + timedelta(hours=1)
    await put(pool, [_row("a"), _row("b")])
    await put(pool, [_row("c", due_at=later)])
    row = await _stored(pool)
    assert (row["content"], row["due_at"], row["turn"], row["state"]) == ({"body": "c"}, later, 0, "waiting")


async def test_what_is_done_is_put_again_only_when_it_differs(pool: Pool) -> None:
    """An event that comes again says nothing twice; a board that has changed is said once more."""
    for state in ("done", "failed"):
        await put(pool, [_row(state)])
        await _settle(pool, state)
        turn = (await _stored(pool))["turn"]
        await put(pool, [_row(state)])
        assert (await _stored(pool))["state"] == state
        await put(pool, [_row(f"not {state}")])
        row = await _stored(pool)
        assert (row["state"], row["turn"], row["attempts"]) == ("waiting", turn + 1, 0)


async def test_rows_keep_their_order(pool: Pool) -> None:
    """Those of equal rank and moment go out as they were put."""
    await put(pool, [_row(key=str(number)) for number in (3, 1, 2)])
    rows = await pool.fetch("SELECT key FROM outgoing ORDER BY id")
    assert [row["key"] for row in rows] == ["3", "1", "2"]


async def test_cancelling_drops_what_was_never_tried(pool: Pool) -> None:
    """What may stand in a room already is finished, so that it can be redacted; others' rows stay."""
    await pool.execute(
        "INSERT INTO announcement (id, desk, author, author_name, audience, created_at)"
        " SELECT id, 'desk', '@a', 'A', '{\"rooms\": []}', now() FROM unnest(ARRAY['a', 'b']) AS id"
    )
    tried, never, other = (_row(key=key, announcement=key[0]) for key in ("a1", "a2", "b1"))
    await put(pool, [tried, never, other])
    await pool.execute("UPDATE outgoing SET attempts = 1 WHERE key = 'a1'")
    await cancel(pool, "a")
    assert [await has(pool, key) for key in ("a1", "a2", "b1")] == [True, False, True]
    assert await load_copies(pool, "a") == [Copy("a1", Priority.NORMAL, NEWS, None, "waiting", None)]


async def test_an_event_is_known_by_what_it_says(pool: Pool) -> None:
    """Also in a personal room, where the queue knew only the person."""
    personal = Outgoing("p", Act.SEND, Role.POLL, Priority.URGENT, NOW, user_id=ANNA, content={"body": "?"})
    await put(pool, [personal])
    await pool.execute("UPDATE outgoing SET event_id = '$poll', said_in = '!hers'")
    found = await of_event(pool, [EventId("$poll"), EventId("$other")])
    assert found == {"$poll": Sent(None, None, Role.POLL, RoomId("!hers"), ANNA, "p")}


def test_keys_name_what_they_are_for() -> None:
    """Two copies, or two answers, never share one."""
    assert copy_key("7kq2-m9xd", NEWS) != copy_key("7kq2-m9xd", ANNA)
    assert answer_key(EventId("$a")) != answer_key(EventId("$b"))
