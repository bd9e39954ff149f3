"""Finding and showing messages, on a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bridge.archive import store
from bridge.archive.ingest import ingest
from bridge.archive.search.hits import Found
from bridge.archive.search.index import SearchConsumer, prepare_index
from bridge.archive.search.query import Order, Query, Scope, parse
from bridge.archive.search.search import search
from bridge.archive.search.store import begin_again, indexed_until
from bridge.archive.show import show
from bridge.directory.resource_store import create_user, update_user
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.errors import InputError, UnknownNameError
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool


BOT = UserId("@muster:example.org")
ROOMS = frozenset(map(RoomId, ["!r", "!1", "!2", "!other"]))
"""Of most tests, of whose members nothing is said."""


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
    await SearchConsumer(pool, BOT).handle([Event.of(wire.decode(row["body"]), row["seq"]) for row in rows])
    await store.move_cursor(pool, "search", len(rows))


async def looked_up(pool: Pool, query: str | Query, **options: Any) -> Found:
    """Return what a query finds in the company's rooms."""
    asked = parse(query) if isinstance(query, str) else query
    return await search(pool, asked, server_name="example.org", **options)


async def found(pool: Pool, query: str | Query, **options: Any) -> list[str]:
    """Return the event IDs of the hits, in rooms of any kind."""
    asked = parse(query) if isinstance(query, str) else query
    asked = replace(asked, scope=replace(asked.scope, opened=asked.scope.opened | ROOMS))
    return [hit.event_id for hit in (await looked_up(pool, asked, **options)).hits]


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
    """Filters hold together with the words; a sender's first part will do, and two rooms widen each other."""
    await archived(
        pool,
        said("$a", "x", 1, room_id="!1", sender="@a:example.org"),
        said("$b", "x", 2, room_id="!2", sender="@b:x"),
    )
    assert await found(pool, "x room:!1") == ["$a"]
    assert await found(pool, "x from:a") == await found(pool, "from:@a:example.org") == ["$a"]
    assert await found(pool, "x from:@b:x") == ["$b"]
    assert await found(pool, "x room:!1 from:@b:x") == []
    assert await found(pool, "room:!1 room:!2") == ["$b", "$a"]
    with pytest.raises(UnknownNameError, match="no room 'cellar'"):
        await found(pool, "room:cellar")


@pytest.mark.parametrize("order", Order)
async def test_pages_join_whatever_comes_meanwhile(pool: Pool, order: Order) -> None:
    """Pages have neither gap nor repetition, among messages of one moment and while older and newer ones arrive."""
    noise = [said(f"$n{number}", "京都と東京", 5) for number in range(150)]
    await archived(pool, *noise, *(said(f"${number}", "東京都 word", number // 3) for number in range(30)))
    whole = await found(pool, "東京都", limit=100, order=order)
    pages: list[str] = []
    token = None
    query = replace(parse("東京都"), scope=Scope(opened=ROOMS))
    for number in range(5):
        page = await looked_up(pool, query, limit=7, page=token, order=order)
        pages += [hit.event_id for hit in page.hits]
        token = page.next_page
        await archived(pool, said(f"$late{number}", "東京都", 4), said(f"$new{number}", "東京都", 99))
    assert sorted(pages) == sorted(f"${number}" for number in range(30))
    assert (pages, token) == (whole, None)


async def test_page_of_another_search_is_refused(pool: Pool) -> None:
    """A page goes with its words, filters and order."""
    await archived(pool, said("$a", "one two"), said("$b", "one two"))
    query = replace(parse("one"), scope=Scope(opened=ROOMS))
    token = (await looked_up(pool, query, limit=1)).next_page
    for wrong, options in [("two", {}), ("one", {"order": Order.RELEVANCE}), ("one from:x", {})]:
        with pytest.raises(InputError, match="another search"):
            await found(pool, wrong, page=token, **options)
    for broken in ("x", "é", "AAAA", (token or "")[:-3]):
        with pytest.raises(InputError, match="--page"):
            await found(pool, "one", page=broken)


async def test_best_hits_come_first(pool: Pool) -> None:
    """Whole words count for more than parts and inflections, and among equals the newer counts."""
    await archived(
        pool,
        said("$whole", "Vertrag", 1),
        said("$newer", "Vertrag", 2),
        said("$part", "Arbeitsvertrag", 3),
        said("$inflected", "Verträge", 4),
    )
    hits = await found(pool, "vertrag", order=Order.RELEVANCE)
    assert hits[:2] == ["$newer", "$whole"]
    assert set(hits[2:]) == {"$part", "$inflected"}


async def test_edited_and_deleted_texts_stay_findable(pool: Pool) -> None:
    """Both texts of an edited message are found, and deleted ones are marked so."""
    await archived(
        pool,
        said("$o", "salary 5000"),
        edited("$e", "$o", "salary 6000"),
        said("$kept", "salary talks"),
        redacted("$r", "$o"),
    )
    query = replace(parse("salary"), scope=Scope(opened=ROOMS))
    hits = {hit.event_id: hit for hit in (await looked_up(pool, query)).hits}
    assert {event_id: hit.deleted for event_id, hit in hits.items()} == {"$o": True, "$e": True, "$kept": False}
    assert {event_id: hit.edited for event_id, hit in hits.items()} == {"$o": True, "$e": True, "$kept": False}
    assert set(await found(pool, "salary is:deleted")) == set(await found(pool, "is:edited")) == {"$o", "$e"}
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


async def test_flags_are_the_same_in_any_order_of_arrival(pool: Pool) -> None:
    """What comes after its edit or redaction ends like what comes before; forgeries count for nothing."""
    events = [
        said("$o", "first"),
        edited("$e", "$o", "second"),
        redacted("$r", "$o"),
        said("$p", "other"),
        edited("$forged", "$p", "never said", sender="@x:x"),
        redacted("$elsewhere", "$p", room_id="!other"),
    ]
    await archived(pool, *reversed(events))
    assert set(await found(pool, "is:deleted")) == {"$o", "$e"}
    assert set(await found(pool, "is:edited")) == {"$o", "$e", "$forged"}
    consumer = SearchConsumer(pool, BOT)
    async with store.transaction(pool) as connection:
        await begin_again(connection)
    rows = await pool.fetch("SELECT seq, body FROM event ORDER BY origin_ts, seq DESC")
    for row in rows:
        await consumer.handle([Event.of(wire.decode(row["body"]), row["seq"])])
    await store.move_cursor(pool, "search", len(rows))
    assert set(await found(pool, "is:deleted")) == {"$o", "$e"}
    assert set(await found(pool, "is:edited")) == {"$o", "$e", "$forged"}


async def test_filters_narrow_by_kind_file_and_date(pool: Pool) -> None:
    """Kinds, files and days narrow a search, with words or without; file names, polls and topics are found."""
    poll = {"m.poll": {"question": {"m.text": [{"body": "Lunch where?"}]}, "answers": [{"m.text": [{"body": "Pier"}]}]}}
    relation = {"rel_type": "m.annotation", "event_id": "$m", "key": "👍"}
    day = 86_400_000
    await archived(
        pool,
        said("$m", "the plan", day),
        an_event(
            "$f", content={"msgtype": "m.file", "body": "see plan", "filename": "q3_budget.pdf"}, origin_server_ts=0
        ),
        an_event("$i", content={"msgtype": "m.image", "body": "plan.png"}, origin_server_ts=2 * day),
        an_event("$p", type="m.poll.start", content=poll, origin_server_ts=3 * day),
        an_event("$r", type="m.reaction", content={"m.relates_to": relation}, origin_server_ts=4 * day),
        an_event("$t", type="m.room.topic", state_key="", content={"topic": "Plans"}, origin_server_ts=5 * day),
    )
    assert await found(pool, "budget") == await found(pool, "has:file kind:file") == ["$f"]
    assert await found(pool, "has:file plan") == ["$i", "$f"]
    assert await found(pool, "kind:image kind:poll") == ["$p", "$i"]
    assert await found(pool, "pier") == ["$p"]
    assert await found(pool, "kind:reaction") == ["$r"]
    assert await found(pool, "plan kind:room") == ["$t"]
    assert await found(pool, "plan after:1970-01-02 before:1970-01-03") == ["$m"]
    assert await found(pool, "before:1970-01-02") == ["$f"]


async def test_phrases_stand_side_by_side(pool: Pool) -> None:
    """Quoted words are found as they stand, in any script, also in texts of more words than PostgreSQL places."""
    huge = "lorem ipsum " * 9000 + "dolor sit"
    await archived(
        pool,
        said("$a", "the annual report of 2026", 1),
        said("$b", "a report, annual", 2),
        said("$c", "annual reports", 3),
        said("$d", "我们明天在北京开会 ok", 4),
        said("$e", huge, 5),
    )
    assert await found(pool, '"annual report"') == ["$a"]
    assert await found(pool, "annual report") == ["$c", "$b", "$a"]
    assert await found(pool, '"北京开会 OK"') == ["$d"]
    assert await found(pool, '"dolor sit"') == ["$e"]


async def test_rooms_are_found_by_name(pool: Pool) -> None:
    """A room's name does for its ID, whatever its case, and a former name does not."""
    named = [
        an_event(f"$n{number}", type="m.room.name", state_key="", content={"name": name}, origin_server_ts=number)
        for number, name in enumerate(["Night drivers", "Day drivers"])
    ]
    await archived(pool, *named, said("$a", "ready", 5))
    assert await found(pool, 'ready room:"day DRIVERS"') == ["$a"]
    with pytest.raises(UnknownNameError, match="no room"):
        await found(pool, 'ready room:"Night drivers"')


def member(event_id: str, room: str, user: str, at: int, **content: Any) -> dict[str, Any]:
    """Return a membership."""
    return an_event(
        event_id,
        type="m.room.member",
        room_id=room,
        state_key=user,
        content={"membership": "join"} | content,
        origin_server_ts=at,
    )


async def test_direct_rooms_are_closed_and_counted(pool: Pool) -> None:
    """What two people said to each other is counted without content, until a case opens their room."""
    await archived(
        pool,
        member("$1", "!d", "@a:x", 1),
        member("$2", "!d", "@b:x", 2, membership="invite", is_direct=True),
        said("$d", "the secret", 3, room_id="!d"),
        member("$3", "!d", "@c:x", 10),
        said("$later", "no secret any more", 11, room_id="!d"),
        an_event("$n", type="m.room.name", room_id="!g", state_key="", content={"name": "G"}, origin_server_ts=1),
        said("$g", "an open secret", 4, room_id="!g"),
    )
    closed = await looked_up(pool, "secret")
    assert [hit.event_id for hit in closed.hits] == ["$later", "$g"]
    assert (closed.closed, closed.closed_exactly) == (1, True)
    opened = await looked_up(pool, replace(parse("secret"), scope=Scope(opened=frozenset([RoomId("!d")]))))
    assert [hit.event_id for hit in opened.hits] == ["$later", "$g", "$d"]
    assert opened.closed == 0


async def test_scope_holds_whatever_is_asked(pool: Pool) -> None:
    """Rooms that are not allowed, or refused, are neither found nor counted."""
    rooms = frozenset(map(RoomId, ["!1", "!2"]))
    await archived(pool, *(said(f"${number}", "x", number, room_id=f"!{number}") for number in range(4)))
    only = replace(parse("x"), scope=Scope(opened=rooms, allowed=rooms))
    assert [hit.event_id for hit in (await looked_up(pool, only)).hits] == ["$2", "$1"]
    assert (await looked_up(pool, only)).closed == 0
    but = replace(parse("x"), scope=Scope(opened=rooms, refused=frozenset([RoomId("!2")])))
    result = await looked_up(pool, but)
    assert ([hit.event_id for hit in result.hits], result.closed) == (["$1"], 2)


async def test_frequent_and_rare_words_are_found_among_many(pool: Pool) -> None:
    """Beyond what is looked at first, the index finds the rest, in both orders."""
    await archived(pool, *(said(f"${n}", f"common {'rare' if n % 1500 == 7 else 'word'}", n) for n in range(12_000)))
    assert await found(pool, "common", limit=3) == ["$11999", "$11998", "$11997"]
    rare = [f"${n}" for n in range(11_999, -1, -1) if n % 1500 == 7]
    assert await found(pool, "rare") == rare
    assert set(await found(pool, "rare", order=Order.RELEVANCE)) == set(rare)


@pytest.mark.parametrize("query", ["", "  ", "!&|", "\0", "👍", '""'])
async def test_query_without_words_is_refused(pool: Pool, query: str) -> None:
    """There must be something to look for."""
    with pytest.raises(InputError, match="word"):
        await found(pool, query)


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


async def test_department_is_the_one_of_then(pool: Pool) -> None:
    """A move afterwards changes nothing of what was said before, and case does not matter."""
    shape, enterprise = shapes_for()["User"], "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    user = resource_of({"userName": "a", enterprise: {"department": "Night Shift"}}, "1", shape)
    moved = resource_of({"userName": "a", enterprise: {"department": "Sales"}}, "1", shape)
    async with pool.acquire() as connection:
        stored = await create_user(connection, user, "test")
        assert stored is not None
    await pool.execute(
        "INSERT INTO account (person_id, user_id, display_name, enabled) VALUES ('1', '@a:x', 'A', true)"
    )
    await pool.execute("UPDATE person_history SET recorded_at = 'epoch'")
    await archived(pool, said("$before", "x", 1000, sender="@a:x"), said("$other", "x", 1000, sender="@b:x"))
    async with pool.acquire() as connection:
        assert await update_user(connection, moved, stored, "test") is not None
    await archived(pool, said("$after", "x", 4_000_000_000_000, sender="@a:x"))
    assert await found(pool, 'department:"night shift"') == ["$before"]
    assert await found(pool, "department:SALES x") == ["$after"]


async def test_events_may_be_given_again(pool: Pool) -> None:
    """After a crash some come again, beside new ones, to a new process or the same: all are found once, as before."""
    first = [said(f"${number}", "arved", number) for number in range(1, 4)]
    await archived(pool, *first, edited("$4", "$2", "arved", origin_server_ts=4))
    await archived(pool, said("$5", "arved", 5))
    rows = await pool.fetch("SELECT seq, body FROM event ORDER BY seq")
    events = [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows]
    consumer = SearchConsumer(pool, BOT)
    for given in (events[1:], events[2:4], events):
        await consumer.handle(given)
    assert await found(pool, "arved") == ["$5", "$4", "$3", "$2", "$1"]
    assert await found(pool, "arved is:edited") == ["$4", "$2"]
    await archived(pool, said("$6", "arved", 6))
    assert await found(pool, "arved", limit=2) == ["$6", "$5"]


async def test_other_languages_have_everything_indexed_again(pool: Pool) -> None:
    """Only a change of the languages does, so that the index never mixes them."""
    await archived(pool, said("$a", "arved"))
    assert not await prepare_index(pool, ["english"])
    assert not await prepare_index(pool, ["english"])
    assert await indexed_until(pool) == 1
    assert await prepare_index(pool, ["english", "estonian"])
    assert await indexed_until(pool) == 0


async def test_what_no_column_holds_holds_nothing_up(pool: Pool) -> None:
    """Senders, rooms and targets that PostgreSQL cannot hold are indexed as far as they can be, and mark nothing."""
    strange = "@\ud800\0:x"
    await archived(
        pool,
        said("$a", "walnut", 1, sender=strange, room_id="!\ud800"),
        edited("$b", "$\ud800", "hazel", sender=strange, origin_server_ts=2),
        redacted("$c", "$\0", origin_server_ts=3),
        said("$d", "walnut", 4),
    )
    assert await found(pool, "walnut") == ["$d"]
    assert (await looked_up(pool, "walnut")).closed == 2
