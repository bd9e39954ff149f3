"""What is written in a desk, and the reactions to it, become rows; each event once, however often it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.announcements import store
from bridge.announcements.marker import sending
from bridge.announcements.tracking import Report, Summary, report
from bridge.announcements.values import copy_key
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from tests.integration.announcements.company import (
    ANNA,
    BO,
    BOT,
    CY,
    DESK,
    NEWS,
    NIGHT,
    NOW,
    FakeHomeserver,
    Muster,
    event,
    put_member,
    reaction,
    redaction,
    text,
)

if TYPE_CHECKING:
    from bridge.database import Pool


async def _only(muster: Muster) -> Summary:
    [summary] = await store.load_summaries(muster.pool, 10)
    return summary


async def _report(muster: Muster) -> Report:
    return report(await store.load_recipients(muster.pool, (await _only(muster)).id))


async def _announce(muster: Muster) -> None:
    await muster.hear(text("The gate is closed."))
    await muster.deliver()


async def test_a_message_in_the_desk_reaches_every_room_of_its_rules(
    muster: Muster, homeserver: FakeHomeserver
) -> None:
    """The rooms made by the desk's rules each get the announcement; those that wait to be made do not matter."""
    await _announce(muster)
    expected = ["📣 Anna Tamm · CEO\n\nThe gate is closed.\n\nReact with ✅ to acknowledge."]
    assert homeserver.bodies(NEWS) == homeserver.bodies(NIGHT) == expected
    assert set(homeserver.rooms) == {NEWS, NIGHT, DESK}


async def test_a_person_in_several_rooms_is_one_recipient(muster: Muster) -> None:
    """Recipients are the people in the rooms, each once, without the bot and those who left."""
    await _announce(muster)
    recipients = await store.load_recipients(muster.pool, (await _only(muster)).id)
    assert {recipient.user_id for recipient in recipients} == {ANNA, BO, CY}
    assert await _report(muster) == Report(targeted=3, delivered=3, acknowledged=0, missing=(ANNA, BO, CY))


async def test_the_author_is_told_where_it_goes(muster: Muster, homeserver: FakeHomeserver) -> None:
    """The bot answers in the desk with the id, the rooms and the people, without ringing."""
    await _announce(muster)
    summary = await _only(muster)
    [answer] = homeserver.rooms[DESK]
    assert answer["content"]["msgtype"] == "m.notice"
    assert f"Announced to 3 people in 2 rooms: {summary.id}." in answer["content"]["body"]


async def test_events_that_come_again_change_nothing(muster: Muster, homeserver: FakeHomeserver) -> None:
    """The feed may hand over a batch any number of times, before and after it was delivered."""
    message = text("The gate is closed.")
    await muster.hear(message, message)
    await muster.hear(message)
    await muster.deliver()
    acknowledged = reaction(BO, NEWS, homeserver.announced(NEWS))
    taken_back = redaction(BO, acknowledged)
    for _ in range(2):
        await muster.hear(message, acknowledged, text("An edit", **_relation("m.replace")), taken_back)
        await muster.deliver()
    assert len(homeserver.rooms[NEWS]) == len(homeserver.rooms[NIGHT]) == 1
    assert len(await store.load_summaries(muster.pool, 10)) == 1
    assert (await _report(muster)).acknowledged == 0


def _relation(kind: str) -> dict[str, Any]:
    return {"m.relates_to": {"rel_type": kind, "event_id": "$other"}}


@pytest.mark.parametrize("room_id", [NEWS, NIGHT])
@pytest.mark.parametrize("key", ["✅", "🎉"])
async def test_a_reaction_in_any_room_acknowledges(
    muster: Muster, homeserver: FakeHomeserver, room_id: RoomId, key: str
) -> None:
    """A reaction to the announcement, whatever the emoji and in whichever room, is an acknowledgement."""
    await _announce(muster)
    acknowledged = reaction(CY, room_id, homeserver.announced(room_id), key)
    await muster.hear(acknowledged)
    assert await _report(muster) == Report(targeted=3, delivered=3, acknowledged=1, missing=(ANNA, BO))
    recipients = await store.load_recipients(muster.pool, (await _only(muster)).id)
    assert [recipient.acknowledged_at for recipient in recipients if recipient.user_id == CY] == [NOW]


async def test_the_first_reaction_counts(muster: Muster, homeserver: FakeHomeserver) -> None:
    """Reacting again, here or in another room, is still one acknowledgement, by the first event."""
    await _announce(muster)
    first = reaction(BO, NEWS, homeserver.announced(NEWS))
    await muster.hear(first, reaction(BO, NEWS, homeserver.announced(NEWS), "👍"))
    await muster.hear(reaction(BO, NIGHT, homeserver.announced(NIGHT)), first)
    assert (await _report(muster)).acknowledged == 1
    assert await _acknowledged_by(muster, BO) == first.event_id


async def test_taking_the_reaction_back_takes_the_acknowledgement_back(
    muster: Muster, homeserver: FakeHomeserver
) -> None:
    """Who removes the reaction is missing again, unless another reaction of theirs still stands."""
    await _announce(muster)
    first = reaction(BO, NEWS, homeserver.announced(NEWS))
    second = reaction(BO, NIGHT, homeserver.announced(NIGHT))
    await muster.hear(first, second, redaction(BO, first))
    assert await _acknowledged_by(muster, BO) == second.event_id
    await muster.hear(redaction(BO, second))
    assert await _acknowledged_by(muster, BO) is None
    assert (await _report(muster)).missing == (ANNA, BO, CY)
    await muster.hear(reaction(BO, NEWS, homeserver.announced(NEWS)))
    assert (await _report(muster)).missing == (ANNA, CY)


async def _acknowledged_by(muster: Muster, user_id: UserId) -> str | None:
    found: str | None = await muster.pool.fetchval(
        "SELECT acknowledged_by_event FROM recipient WHERE user_id = $1", user_id
    )
    return found


async def test_only_recipients_acknowledge(muster: Muster, homeserver: FakeHomeserver) -> None:
    """The bot, people who came into the room later, and reactions to anything else do not count."""
    await _announce(muster)
    late = UserId("@late:company.example")
    await put_member(muster.pool, NEWS, late, "join")
    target = homeserver.announced(NEWS)
    await muster.hear(
        reaction(BOT, NEWS, target),
        reaction(late, NEWS, target),
        reaction(BO, NEWS, "$unknown"),
        reaction(BO, RoomId("!elsewhere"), "$event-of-another-room"),
        reaction(BO, DESK, homeserver.announced(DESK)),
    )
    assert (await _report(muster)).acknowledged == 0
    assert (await _report(muster)).targeted == 3


async def test_a_reaction_to_what_a_crash_left_unrecorded_counts(muster: Muster, homeserver: FakeHomeserver) -> None:
    """The announcement itself comes back over the feed before the reactions to it, so none is lost."""
    await muster.hear(text("The gate is closed."))
    key = copy_key((await _only(muster)).id, NEWS)
    content = await muster.pool.fetchval("SELECT content FROM outgoing WHERE key = $1", key)
    sent = event(NEWS, BOT, sending(content, key, 0))
    await muster.hear(sent, reaction(BO, NEWS, sent.event_id))
    assert (await _report(muster)).missing == (ANNA, CY)
    assert (await _report(muster)).delivered == 3
    await muster.deliver()
    assert homeserver.bodies(NEWS) == []


@pytest.mark.parametrize(
    "forged",
    [
        event(NEWS, ANNA, {"body": "x", "io.muster.outgoing": "7kq2-m9xd/copy/!news#0"}),
        event(NEWS, BOT, {"body": "x", "io.muster.outgoing": "7kq2-m9xd/copy/!news#0"}),
        event(NEWS, BOT, {"body": "x", "io.muster.outgoing": "\x00#0"}),
        event(NEWS, BOT, {"body": "x", "io.muster.outgoing": 5}),
    ],
)
async def test_a_marker_without_its_announcement_changes_nothing(muster: Muster, forged: Event) -> None:
    """Only what the bot said, of an announcement that there is, is taken for a delivery."""
    await muster.hear(forged)
    assert await store.load_summaries(muster.pool, 10) == []


async def test_the_bot_never_announces_itself(muster: Muster, homeserver: FakeHomeserver) -> None:
    """What the bot says in a desk stays there."""
    await muster.hear(text("Announced to 3 people", BOT))
    await muster.deliver()
    assert homeserver.rooms == {}


async def test_messages_elsewhere_are_not_announced(muster: Muster, homeserver: FakeHomeserver) -> None:
    """Only desks announce."""
    await muster.hear(text("Hello", ANNA, NEWS), text("Hello", ANNA, RoomId("!kitchen")))
    await muster.deliver()
    assert homeserver.rooms == {}


async def test_an_edit_is_answered_once_and_announces_nothing(muster: Muster, homeserver: FakeHomeserver) -> None:
    """The author of an edit learns that it is not carried out."""
    edit = text("* The gate is open.", **_relation("m.replace"))
    await muster.hear(edit)
    await muster.deliver()
    await muster.hear(edit)
    await muster.deliver()
    assert len(homeserver.bodies(DESK)) == 1
    assert "Edits are not carried out" in homeserver.bodies(DESK)[0]
    assert await store.load_summaries(muster.pool, 10) == []


async def test_deleting_the_message_in_the_desk_is_answered(muster: Muster, homeserver: FakeHomeserver) -> None:
    """Nobody believes that an announcement is gone because its source is."""
    message = text("The gate is closed.")
    await muster.hear(message, redaction(ANNA, message))
    await muster.deliver()
    assert len(homeserver.rooms[NEWS]) == 1
    assert any("does not take announcement" in body for body in homeserver.bodies(DESK))


async def test_a_poison_message_stops_nothing(muster: Muster, homeserver: FakeHomeserver) -> None:
    """Whatever shape the messages before it have, the good one is announced."""
    await muster.hear(
        text(5),
        text("a\x00b\ud800", formatted_body="\x00", format="org.matrix.custom.html"),
        text("x" * 63_000),
        event(DESK, ANNA, {}),
        event(DESK, ANNA, {"m.relates_to": {"event_id": "\x00"}}, "m.reaction"),
        event(DESK, ANNA, {"redacts": "\x00"}, "m.room.redaction"),
        event(DESK, ANNA, {"msgtype": "m.file", "body": "x", "url": "mxc://a/b", "info": {"\x00": ["\udfff"]}}),
        text("y" * 60_000),
        text("<script>alert(1)</script>"),
    )
    await muster.deliver()
    bodies = homeserver.bodies(NEWS)
    assert len(bodies) == 4
    assert any("a\ufffdb\ufffd" in body for body in bodies)
    assert any("<script>alert(1)</script>" in body for body in bodies)
    assert not any("formatted_body" in sent["content"] and "<script>" in str(sent) for sent in homeserver.rooms[NEWS])


async def test_a_desk_without_rooms_says_so(muster: Muster, homeserver: FakeHomeserver) -> None:
    """Nothing is announced to nobody in silence."""
    await muster.pool.execute("DELETE FROM managed_room WHERE key <> 'desk'")
    message = text("The gate is closed.")
    await muster.hear(message)
    await muster.deliver()
    assert "no room yet" in homeserver.bodies(DESK)[0]
    assert await store.load_summaries(muster.pool, 10) == []


async def test_what_was_refused_is_not_announced_when_it_comes_again(
    muster: Muster, homeserver: FakeHomeserver
) -> None:
    """The author was told that nothing was announced, so it stays so."""
    await muster.pool.execute("UPDATE managed_room SET room_id = NULL WHERE key <> 'desk'")
    message = text("The gate is closed.")
    await muster.hear(message)
    await muster.pool.execute("UPDATE managed_room SET room_id = $1 WHERE key = 'news'", NEWS)
    await muster.hear(message)
    await muster.deliver()
    assert homeserver.bodies(NEWS) == []


async def test_a_desk_that_left_the_policy_says_so(muster: Muster, homeserver: FakeHomeserver) -> None:
    """The room of a former desk answers that it announces nothing any more."""
    await muster.pool.execute("UPDATE managed_room SET key = 'former' WHERE key = 'desk'")
    await muster.hear(text("The gate is closed."))
    await muster.deliver()
    assert "no desk 'former'" in homeserver.bodies(DESK)[0]


async def test_a_poster_without_an_account_of_ours_is_named_by_localpart(
    muster: Muster, homeserver: FakeHomeserver
) -> None:
    """Every announcement names somebody."""
    await muster.hear(text("The gate is closed.", BO))
    await muster.deliver()
    assert homeserver.bodies(NEWS)[0].startswith("📣 bo\n")


async def test_all_is_written_or_nothing(muster: Muster, owner: Pool) -> None:
    """When the database fails while an announcement is being written, no part of it stays, and it comes again."""
    await owner.execute("ALTER TABLE outgoing ADD CONSTRAINT broken CHECK (room_id <> '!desk')")
    message = text("The gate is closed.")
    with pytest.raises(Exception, match="broken"):
        await muster.hear(message)
    assert await store.load_summaries(muster.pool, 10) == []
    assert await muster.pool.fetchval("SELECT count(*) FROM outgoing") == 0
    await owner.execute("ALTER TABLE outgoing DROP CONSTRAINT broken")
    await muster.hear(message)
    assert (await _report(muster)).targeted == 3


async def test_a_reaction_from_the_future_is_of_now(muster: Muster, homeserver: FakeHomeserver) -> None:
    """No clock but ours says when an acknowledgement was, at the latest."""
    await _announce(muster)
    relation = {"rel_type": "m.annotation", "event_id": homeserver.announced(NEWS)}
    raw = {"event_id": EventId("$late"), "room_id": NEWS, "sender": BO, "type": "m.reaction"}
    await muster.hear(Event.of({**raw, "content": {"m.relates_to": relation}, "origin_server_ts": 2**53 - 1}))
    recipients = await store.load_recipients(muster.pool, (await _only(muster)).id)
    assert [recipient.acknowledged_at for recipient in recipients if recipient.user_id == BO] == [NOW]
