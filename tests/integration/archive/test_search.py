"""Finding and showing messages, on a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.archive.ingest import ingest
from bridge.archive.search import SearchConsumer, search
from bridge.archive.show import show
from bridge.errors import InputError, UnknownNameError
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool


def said(event_id: str, body: object, at: int = 0, **fields: Any) -> dict[str, Any]:
    """Return a message with this text."""
    return an_event(event_id, content={"msgtype": "m.text", "body": body}, origin_server_ts=at, **fields)


def edited(event_id: str, target: str, body: str, **fields: Any) -> dict[str, Any]:
    """Return an edit."""
    relation = {"rel_type": "m.replace", "event_id": target}
    content = {"body": f"* {body}", "m.new_content": {"body": body}, "m.relates_to": relation}
    return an_event(event_id, content=content, **fields)


def redacted(event_id: str, target: str, **fields: Any) -> dict[str, Any]:
    """Return a redaction."""
    return an_event(event_id, type="m.room.redaction", content={"redacts": target, "reason": "typo"}, **fields)


async def archived(pool: Pool, *events: Any) -> None:
    """Archive events and index them, as the feed would."""
    await ingest(pool, events)
    rows = await pool.fetch("SELECT seq, body FROM event ORDER BY seq")
    await SearchConsumer(pool).handle([Event.of(wire.decode(row["body"]), row["seq"]) for row in rows])


async def found(pool: Pool, text: str, **filters: Any) -> list[str]:
    """Return the event IDs of the hits."""
    return [hit.event_id for hit in await search(pool, text, **filters)]


async def test_messages_are_found_newest_first(pool: Pool) -> None:
    """All words must match; the order is the time of sending, not of arrival."""
    await archived(pool, said("$b", "invoice two", 2), said("$c", "Three INVOICES", 3), said("$a", "one invoice", 1))
    assert await found(pool, "invoice") == ["$c", "$b", "$a"]
    assert await found(pool, "invoice one") == ["$a"]
    assert await found(pool, "invoice four") == []


async def test_every_script_is_found(pool: Pool) -> None:
    """The database finds what the segmentation promises."""
    texts = {
        "$th": "วันนี้มีประชุมใหญ่",
        "$ja": "東京都に住む",
        "$ko": "도서관에서",
        "$ru": "Договор подписан",
        "$et": "Leping",
    }
    await archived(pool, *(said(event_id, text) for event_id, text in texts.items()))
    for query, event_id in [
        ("ประชุม", "$th"),
        ("東京", "$ja"),
        ("도서관", "$ko"),
        ("договор", "$ru"),
        ("leping", "$et"),
    ]:
        assert await found(pool, query) == [event_id]


async def test_hits_are_narrowed_to_room_and_sender(pool: Pool) -> None:
    """Filters hold together with the words."""
    await archived(pool, said("$a", "x", room_id="!1", sender="@a:x"), said("$b", "x", room_id="!2", sender="@b:x"))
    assert await found(pool, "x", room=RoomId("!1")) == ["$a"]
    assert await found(pool, "x", sender=UserId("@b:x")) == ["$b"]
    assert await found(pool, "x", room=RoomId("!1"), sender=UserId("@b:x")) == []


async def test_search_goes_on_behind_a_hit(pool: Pool) -> None:
    """Pages join without gap or repetition, also among messages of the same moment and past rejected candidates."""
    noise = [said(f"$n{number}", "京都と東京", 5) for number in range(150)]
    await archived(pool, *noise, *(said(f"${number}", "東京都 word", number // 3) for number in range(30)))
    pages: list[str] = []
    before = None
    while page := await search(pool, "東京都", limit=7, before=before):
        pages += [hit.event_id for hit in page]
        before = page[-1].seq
    assert sorted(pages) == sorted(f"${number}" for number in range(30))
    assert pages == await found(pool, "東京都", limit=100)


async def test_edited_and_deleted_texts_stay_findable(pool: Pool) -> None:
    """Both texts of an edited message are found, and deleted ones are marked so."""
    await archived(
        pool,
        said("$o", "salary 5000"),
        edited("$e", "$o", "salary 6000"),
        said("$kept", "salary talks"),
        redacted("$r", "$o"),
    )
    hits = {hit.event_id: hit for hit in await search(pool, "salary")}
    assert {event_id: hit.deleted for event_id, hit in hits.items()} == {"$o": True, "$e": True, "$kept": False}
    assert (hits[EventId("$e")].text, hits[EventId("$e")].edits) == ("salary 6000", "$o")
    assert await found(pool, "6000") == ["$e"]


async def test_messages_of_any_shape_do_not_stop_the_index(pool: Pool) -> None:
    """Texts with NUL, surrogates, query operators, no text or 60 KB of it are indexed as far as they are text."""
    huge = " ".join(f"слово{number}" for number in range(4000)) + "会" * 3000
    texts = ["\0nul\0", "\ud800sur\udfff", "a & b | !c <-> 'd' \\ :*", "", 5, None, ["x"], huge, "ends here"]
    await archived(pool, *(said(f"${number}", text) for number, text in enumerate(texts)), an_event("$n", content=5))
    assert await found(pool, "nul") == ["$0"]
    assert await found(pool, "sur") == ["$1"]
    assert await found(pool, "d & 'c' \\") == ["$2"]
    assert await found(pool, "слово3999") == ["$7"]
    assert await found(pool, "\ud800ends\0") == ["$8"]


@pytest.mark.parametrize("query", ["", "  ", "!&|", "\0", "👍"])
async def test_query_without_words_is_refused(pool: Pool, query: str) -> None:
    """There must be something to look for."""
    with pytest.raises(InputError, match="word"):
        await search(pool, query)


async def test_story_tells_original_edits_and_redaction(pool: Pool) -> None:
    """A deleted message is shown with every text it had, and with who deleted it when."""
    await archived(
        pool,
        said("$o", "first"),
        edited("$e1", "$o", "second"),
        edited("$forged", "$o", "never said", sender="@other:x"),
        redacted("$r1", "$e1"),
        edited("$e2", "$o", "third"),
        redacted("$r2", "$o", sender="@boss:x", origin_server_ts=77),
        redacted("$elsewhere", "$e2", room_id="!other"),
    )
    story = await show(pool, EventId("$o"))
    assert story.original.event.content["body"] == "first"
    assert [(edit.event.event_id, edit.redaction is not None) for edit in story.edits] == [
        ("$e1", True),
        ("$e2", False),
    ]
    assert story.original.redaction is not None
    assert (story.original.redaction.sender, story.original.redaction.timestamp) == ("@boss:x", 77)
    assert not story.backfilled


async def test_event_that_is_not_there_is_said_so(pool: Pool) -> None:
    """An unknown event, and one whose original is still to be fetched, are told apart."""
    await ingest(pool, [an_event("$late", content={}, unsigned={"redacted_because": {}})])
    with pytest.raises(UnknownNameError, match="still to be fetched"):
        await show(pool, EventId("$late"))
    with pytest.raises(UnknownNameError, match="no event"):
        await show(pool, EventId("$none"))
