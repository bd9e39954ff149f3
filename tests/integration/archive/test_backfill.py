"""Completing the archive, on a real PostgreSQL and a homeserver in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bridge.archive.backfill import Completeness, OriginalsConsumer, audit, backfill, count_missing
from bridge.archive.completeness import BEGINNING, EXPIRED, STRIPPED, Missing, Standing, Statement
from bridge.archive.completeness_store import read_statements
from bridge.archive.ingest import ingest
from bridge.archive.status import status
from bridge.archive.verify import verify
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool


class FakeHomeserver:
    """Rooms with timelines, oldest first; redaction hides content except from `fetch_event`."""

    def __init__(self, page: int = 10) -> None:
        self.rooms: dict[str, list[dict[str, Any]]] = {}
        self.unlisted: set[str] = set()
        self.outside: dict[str, list[dict[str, Any]]] = {}
        self.redacted: set[str] = set()
        self.forgotten: set[str] = set()
        self.broken: dict[str, HomeserverError] = {}
        self.requests = 0
        self.page = page

    def say(self, room_id: str, *event_ids: str) -> list[dict[str, Any]]:
        """Put messages into a room."""
        said = [an_event(event_id, room_id=room_id, content={"body": event_id}) for event_id in event_ids]
        self.rooms.setdefault(room_id, []).extend(said)
        return said

    def seen(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the event as clients see it now."""
        if event["event_id"] not in self.redacted:
            return {**event, "unsigned": {"age": 1}}
        return {**event, "content": {}, "unsigned": {"redacted_because": {}}}

    async def room_ids(self) -> list[RoomId]:
        """Return every room."""
        return [RoomId(room_id) for room_id in self.rooms if room_id not in self.unlisted]

    async def messages(self, room_id: RoomId, *, before: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page, newest first; the token is the number of events before it."""
        self.requests += 1
        if before in self.broken or room_id in self.broken:
            raise self.broken[before if before in self.broken else room_id]
        end = int(before) if before else len(self.rooms.get(room_id, []))
        start = max(end - self.page, 0)
        page = [self.seen(event) for event in reversed(self.rooms[room_id][start:end])]
        return page, str(start) if start else None

    async def raw_state(self, room_id: RoomId) -> list[dict[str, Any]]:
        """Return the room's state: what is said to be outside of the timeline, and state events inside."""
        inside = [event for event in self.rooms.get(room_id, []) if "state_key" in event]
        return [self.seen(event) for event in [*self.outside.get(room_id, []), *inside]]

    async def fetch_event(self, event_id: EventId) -> dict[str, Any] | None:
        """Return the event as it was, unless it is forgotten."""
        if event_id in self.broken:
            raise self.broken[event_id]
        [event] = [event for room in self.rooms.values() for event in room if event["event_id"] == event_id]
        federated = {key: value for key, value in event.items() if key != "event_id"}
        return {**federated, "content": {} if event_id in self.forgotten else event["content"], "depth": 5}


def ids(prefix: str, count: int) -> list[str]:
    """Return so many event IDs."""
    return [f"${prefix}{number}" for number in range(count)]


async def archived(pool: Pool) -> list[str]:
    """Return the event IDs in the order of the archive."""
    return [row["event_id"] for row in await pool.fetch("SELECT event_id FROM event ORDER BY seq")]


async def body(pool: Pool, event_id: str) -> Any:
    """Return an archived event."""
    return wire.decode(await pool.fetchval("SELECT body FROM event WHERE event_id = $1", event_id))


async def test_everything_missing_is_archived_oldest_first(pool: Pool) -> None:
    """Gaps anywhere in any room are filled, and the ledger still verifies."""
    homeserver = FakeHomeserver()
    long = homeserver.say("!long", *ids("l", 35))
    homeserver.say("!short", "$s")
    homeserver.rooms["!empty"] = []
    await ingest(pool, [*long[3:6], *long[12:30]])
    assert (await count_missing(homeserver, pool)).missing == 15
    assert await backfill(homeserver, pool) == Completeness(rooms=3, failed=0, compared=36, missing=15)
    assert (await archived(pool))[21:] == [*ids("l", 3), *ids("l", 12)[6:], *ids("l", 35)[30:], "$s"]
    assert await body(pool, "$l0") == long[0]
    assert (await count_missing(homeserver, pool)) == Completeness(rooms=3, failed=0, compared=36, missing=0)
    assert (await verify(pool)).ok
    found = await status(pool)
    assert (found.size, found.rooms, found.summary.backfilled, found.awaiting) == (36, 2, 15, 0)


async def test_second_comparison_goes_back_to_the_first_only(pool: Pool) -> None:
    """What was compared is not compared again, and a gap behind any number of known events is still found."""
    homeserver = FakeHomeserver()
    homeserver.say("!r", *ids("old", 100))
    await backfill(homeserver, pool)
    homeserver.say("!r", "$lost")
    await ingest(pool, homeserver.say("!r", *ids("new", 45)))
    homeserver.requests = 0
    assert (await backfill(homeserver, pool)).missing == 1
    assert homeserver.requests == 5
    assert (await archived(pool))[-1] == "$lost"


async def test_interrupted_comparison_is_done_again(pool: Pool) -> None:
    """When the homeserver goes away in the middle, the next comparison leaves nothing out."""
    homeserver = FakeHomeserver()
    homeserver.say("!a", *ids("a", 5))
    homeserver.say("!b", *ids("b", 50))
    homeserver.broken["20"] = HomeserverUnavailableError("away")
    with pytest.raises(HomeserverUnavailableError):
        await backfill(homeserver, pool)
    homeserver.broken.clear()
    await backfill(homeserver, pool)
    assert sorted(await archived(pool)) == sorted([*ids("a", 5), *ids("b", 50)])


async def test_refused_room_does_not_stop_the_others(pool: Pool) -> None:
    """A room that was just deleted is passed over, and said so."""
    homeserver = FakeHomeserver()
    homeserver.say("!gone", "$gone")
    homeserver.say("!here", "$here")
    homeserver.broken["!gone"] = HomeserverError("unknown room", status=404)
    for compare in (count_missing, backfill):
        assert await compare(homeserver, pool) == Completeness(rooms=1, failed=1, compared=1, missing=1)
    assert await archived(pool) == ["$here"]


async def statement(pool: Pool, room_id: str) -> Statement:
    """Return the statement of one room."""
    [found] = await read_statements(pool, [RoomId(room_id)])
    return found


def created(room_id: str) -> dict[str, Any]:
    """Return the event with which a room begins."""
    return an_event(f"$create{room_id}", room_id=room_id, type="m.room.create", state_key="", content={"v": "12"})


async def test_each_room_states_how_complete_it_is(pool: Pool) -> None:
    """What was seen live and what was fetched, first and last, and encrypted events are counted by room."""
    homeserver = FakeHomeserver()
    homeserver.rooms["!r"] = [created("!r")]
    await ingest(pool, [*homeserver.rooms["!r"], *homeserver.say("!r", "$live")])
    before = await statement(pool, "!r")
    assert (before.standing, before.events) == (Standing.UNCOMPARED, 2)
    homeserver.rooms["!r"] += [
        an_event("$enc", room_id="!r", type="m.room.encrypted", content={"ciphertext": "x"}),
        an_event("$last", room_id="!r", origin_server_ts=1700000005000),
    ]
    homeserver.say("!other", "$o")
    await backfill(homeserver, pool)
    found = await statement(pool, "!r")
    assert (found.seen_live, found.backfilled, found.encrypted) == (2, 2, 1)
    assert found.first is not None
    assert found.last is not None
    assert (found.last - found.first).total_seconds() == 5
    assert (found.standing, found.missing) == (Standing.COMPLETE, ())
    other = await statement(pool, "!other")
    assert [missing.reason for missing in other.missing] == [BEGINNING]
    assert [one.room_id for one in await read_statements(pool)] == ["!other", "!r"]


async def test_state_outside_of_the_timeline_is_archived(pool: Pool) -> None:
    """What a room's state holds and its timeline does not, as in rooms that began on another server, is fetched."""
    homeserver = FakeHomeserver()
    homeserver.say("!r", "$said")
    homeserver.outside["!r"] = [created("!r"), an_event("$topic", room_id="!r", type="m.room.topic", state_key="")]
    assert (await count_missing(homeserver, pool)).missing == 3
    assert (await backfill(homeserver, pool)).missing == 3
    assert sorted(await archived(pool)) == ["$create!r", "$said", "$topic"]
    assert (await count_missing(homeserver, pool)).missing == 0
    assert (await statement(pool, "!r")).standing is Standing.COMPLETE


async def test_refusal_is_noted_until_it_is_lifted(pool: Pool) -> None:
    """A room that the admin API refuses is incomplete with its reason, and complete once it could be compared."""
    homeserver = FakeHomeserver()
    homeserver.rooms["!r"] = [created("!r")]
    homeserver.broken["!r"] = HomeserverError("an internal error", status=500)
    await backfill(homeserver, pool)
    refused = await statement(pool, "!r")
    assert refused.standing is Standing.INCOMPLETE
    assert refused.missing[-1].reason == "the homeserver refused to show the room: an internal error"
    homeserver.broken.clear()
    await backfill(homeserver, pool)
    assert (await statement(pool, "!r")).standing is Standing.COMPLETE


@pytest.mark.parametrize("answer", ["nothing", "404"])
async def test_deleted_room_is_frozen(pool: Pool, answer: str) -> None:
    """What is archived of a room that was deleted stays, states when it was compared, and is not asked for again."""
    homeserver = FakeHomeserver()
    homeserver.rooms["!r"] = [created("!r")]
    await backfill(homeserver, pool)
    homeserver.rooms["!r"] = []
    if answer == "404":
        homeserver.broken["!r"] = HomeserverError("Room not found", status=404)
    homeserver.unlisted = {"!r"}
    assert (await backfill(homeserver, pool)).failed == 1
    frozen = await statement(pool, "!r")
    assert (frozen.standing, frozen.events, frozen.missing) == (Standing.FROZEN, 1, ())
    homeserver.requests = 0
    await backfill(homeserver, pool)
    assert homeserver.requests == 0
    assert await statement(pool, "!r") == frozen


async def test_room_that_is_listed_late_is_compared(pool: Pool) -> None:
    """A room of which a member is archived is compared although Synapse does not list it yet."""
    homeserver = FakeHomeserver()
    homeserver.rooms["!r"] = [created("!r"), an_event("$m", room_id="!r", type="m.room.member", state_key="@a:x")]
    await ingest(pool, homeserver.rooms["!r"])
    homeserver.say("!r", "$lost")
    homeserver.unlisted = {"!r"}
    assert await backfill(homeserver, pool) == Completeness(rooms=1, failed=0, compared=3, missing=1)
    assert (await statement(pool, "!r")).standing is Standing.COMPLETE


async def test_rooms_are_audited_one_after_another(pool: Pool) -> None:
    """Between whole comparisons new rooms are compared first, then whichever waits longest, each once a while."""
    homeserver = FakeHomeserver()
    homeserver.rooms["!old"] = [created("!old")]
    await backfill(homeserver, pool)
    homeserver.say("!old", "$lost")
    member = an_event("$m", room_id="!new", type="m.room.member", state_key="@a:x")
    homeserver.rooms["!new"] = [created("!new"), member]
    homeserver.rooms["!refused"] = [created("!refused"), {**member, "event_id": "$r", "room_id": "!refused"}]
    homeserver.broken["!refused"] = HomeserverError("an internal error", status=500)
    await ingest(pool, [member, *homeserver.rooms["!refused"]])
    begun = datetime.now(UTC)
    found = [await audit(homeserver, pool, begun) for _ in range(4)]
    assert (set(found[:2]), found[2:]) == ({"!new", "!refused"}, ["!old", None])
    assert sorted(await archived(pool)) == ["$create!new", "$create!old", "$create!refused", "$lost", "$m", "$r"]
    assert (await statement(pool, "!refused")).obstacle is not None
    homeserver.broken.clear()
    later = datetime.now(UTC)
    assert {await audit(homeserver, pool, later) for _ in range(3)} == {"!new", "!refused", "!old"}
    assert (await statement(pool, "!refused")).standing is Standing.COMPLETE


async def test_rights_that_were_lost_are_no_refusal_of_a_room(pool: Pool) -> None:
    """Without an administrator's rights nothing can be compared; no room is to blame."""
    homeserver = FakeHomeserver()
    homeserver.rooms["!r"] = [created("!r")]
    homeserver.broken["!r"] = HomeserverError("You are not a server admin", status=403)
    with pytest.raises(HomeserverError, match="not a server admin"):
        await backfill(homeserver, pool)
    assert await read_statements(pool) == []


async def test_content_that_expired_is_stated(pool: Pool) -> None:
    """An event whose content was erased before it could be fetched is archived as it is and counted with the reason."""
    homeserver = FakeHomeserver()
    homeserver.rooms["!r"] = [created("!r")]
    [live, *_] = homeserver.say("!r", "$live", "$fetched", "$told")
    homeserver.redacted = {"$live", "$fetched", "$told"}
    homeserver.forgotten = {"$live", "$fetched"}
    await ingest(pool, [homeserver.seen(live)])
    assert (await statement(pool, "!r")).awaited == 1
    for _ in range(2):
        await backfill(homeserver, pool)
        found = await statement(pool, "!r")
        assert found.missing == (Missing(EXPIRED, 2),)
        assert (found.standing, found.events) == (Standing.INCOMPLETE, 4)
    assert (await verify(pool)).ok


async def test_state_that_arrives_redacted_is_stated(pool: Pool) -> None:
    """State cannot wait for its original: it is archived as it came, and counted; known events are not."""
    homeserver = FakeHomeserver()
    topic = an_event("$topic", room_id="!r", type="m.room.topic", state_key="", content={"topic": "old"})
    known = an_event("$known", room_id="!r", type="m.room.topic", state_key="", content={"topic": "new"})
    homeserver.rooms["!r"] = [created("!r"), topic, known]
    homeserver.redacted = {"$topic", "$known"}
    await ingest(pool, [created("!r"), known])
    await ingest(pool, [homeserver.seen(topic), homeserver.seen(known)])
    assert (await archived(pool)) == ["$create!r", "$known", "$topic"]
    assert (await statement(pool, "!r")).lost == {STRIPPED: 1}


async def test_redacted_event_is_archived_as_it_was(pool: Pool) -> None:
    """The original of a redacted event is fetched; when it is gone for ever, the stub is archived."""
    homeserver = FakeHomeserver()
    [told, _] = homeserver.say("!r", "$told", "$forgotten")
    homeserver.redacted = {"$told", "$forgotten"}
    homeserver.forgotten = {"$forgotten"}
    await backfill(homeserver, pool)
    assert await body(pool, "$told") == told
    assert (await body(pool, "$forgotten"))["content"] == {}


async def test_original_of_what_was_delivered_redacted_is_fetched(pool: Pool) -> None:
    """The redaction that follows a stub makes us fetch the original, which then takes its place in the archive."""
    homeserver = FakeHomeserver()
    said = homeserver.say("!r", "$told", "$forgotten", "$refused")
    homeserver.redacted = {"$told", "$forgotten", "$refused"}
    homeserver.forgotten = {"$forgotten"}
    homeserver.broken["$refused"] = HomeserverError("no", status=500)
    await ingest(pool, [homeserver.seen(event) for event in said])
    assert await archived(pool) == []
    redactions = [Event.of(an_event("$r", type="m.room.redaction", redacts=target)) for target in homeserver.redacted]
    for _ in range(2):
        await OriginalsConsumer(pool, homeserver).handle([Event.of(an_event()), *redactions])
    assert sorted(await archived(pool)) == ["$forgotten", "$told"]
    assert await body(pool, "$told") == said[0]
    assert (await status(pool)).awaiting == 1
    homeserver.broken.clear()
    await backfill(homeserver, pool)
    assert (await status(pool)).awaiting == 0
    assert await body(pool, "$refused") == said[2]
