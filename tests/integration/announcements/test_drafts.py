"""A message in the desk is a draft until it is confirmed; what was announced can be changed and taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bridge.announcements import announcing
from bridge.announcements.draft import LAPSES, Wanted
from bridge.announcements.values import State
from bridge.announcements.wording import body_of_markdown
from bridge.directory.history_store import lock_directory, next_version
from bridge.directory.resource_store import insert_resources
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import ENTERPRISE
from bridge.homeserver.event import Event
from bridge.ids import PersonId, RoomId
from bridge.policy.schema import Desk
from tests.integration.announcements.company import (
    ANNA,
    BO,
    BOT,
    CY,
    DESK,
    NEWS,
    NIGHT,
    FakeHomeserver,
    Muster,
    event,
    reaction,
    redaction,
    text,
)

if TYPE_CHECKING:
    from bridge.announcements.announcing import Announced


@pytest.fixture
async def drafting(muster: Muster) -> Muster:
    """Muster with a desk in which drafts wait, with 20 seconds to undo, and a day of being current."""
    muster.confirms = False
    _desk(muster, undo=timedelta(seconds=20), lasts=timedelta(days=1))
    return muster


def _desk(muster: Muster, **changes: Any) -> None:
    desk: Desk = replace(muster.policy.desks["desk"], **changes)
    muster.policy = replace(muster.policy, desks={"desk": desk})


async def _draft(muster: Muster, words: str = "The gate is closed.") -> Event:
    message = text(words)
    await muster.hear(message)
    await muster.deliver()
    return message


async def _state(muster: Muster) -> State:
    return State(await muster.pool.fetchval("SELECT state FROM announcement"))


def _edit(target: Event, words: str) -> Event:
    relation = {"rel_type": "m.replace", "event_id": target.event_id}
    content = {"msgtype": "m.text", "body": f"* {words}", "m.new_content": {"msgtype": "m.text", "body": words}}
    return event(DESK, target.sender, {**content, "m.relates_to": relation})


def _reply(target: str, words: str) -> Event:
    relation = {"m.in_reply_to": {"event_id": target}}
    return event(DESK, ANNA, {"msgtype": "m.text", "body": words, "m.relates_to": relation})


def _shown(homeserver: FakeHomeserver, room_id: RoomId) -> list[str]:
    """What stands in a room after its edits and redactions."""
    new: dict[str, str] = {}
    for each in homeserver.rooms[room_id]:
        content = each["content"]
        target = content.get("m.relates_to", {}).get("event_id")
        if "m.new_content" in content:
            new[target] = content["m.new_content"]["body"]
        elif each["event_id"] not in homeserver.redacted:
            new[each["event_id"]] = content.get("body", "")
    return [body for event_id, body in new.items() if event_id not in homeserver.redacted]


async def test_a_message_is_a_draft_with_a_preview(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """Nothing goes out; the bot answers whom it would reach, how, and how it is confirmed."""
    await _draft(drafting)
    [preview] = homeserver.bodies(DESK)
    assert "not announced yet." in preview
    assert "For 3 people in 2 rooms." in preview
    assert "as soon as it is confirmed, pinned for 1 day." in preview
    assert "React with ✅ to announce it, with ❌ to drop it. After ✅ there are 20 seconds" in preview
    assert set(homeserver.rooms) == {DESK}
    assert await drafting.pool.fetchval("SELECT count(*) FROM recipient") == 0


@pytest.mark.parametrize("on_preview", [False, True])
async def test_a_confirmed_draft_goes_when_the_time_to_undo_it_is_over(
    drafting: Muster, homeserver: FakeHomeserver, on_preview: bool
) -> None:
    """✅ on the message or its preview; then it can be stopped for a while, and is on its way after that."""
    message = await _draft(drafting)
    target = homeserver.announced(DESK) if on_preview else message.event_id
    await drafting.hear(reaction(ANNA, DESK, target))
    await drafting.wait(seconds=19)
    assert await _state(drafting) is State.SCHEDULED
    assert "Anna Tamm · CEO confirmed" in homeserver.bodies(DESK)[-1]
    await drafting.wait(seconds=1)
    assert await _state(drafting) is State.OPEN
    assert len(homeserver.rooms[NEWS]) == len(homeserver.rooms[NIGHT]) == 1
    assert "Announced to 3 people in 2 rooms" in homeserver.bodies(DESK)[-1]


async def test_what_was_confirmed_can_still_be_stopped(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """❌ within the time to undo, and before it too, drops it for good; ❌ later tells how to take it back."""
    message = await _draft(drafting)
    await drafting.hear(reaction(ANNA, DESK, message.event_id), reaction(BO, DESK, message.event_id, "❌"))
    await drafting.wait(minutes=5)
    await drafting.hear(reaction(ANNA, DESK, message.event_id))
    await drafting.wait(minutes=5)
    assert await _state(drafting) is State.DISCARDED
    assert set(homeserver.rooms) == {DESK}
    assert "is dropped; nothing was announced." in homeserver.bodies(DESK)[-1]


async def test_a_large_audience_needs_a_second_person(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """Above the limit the author's own ✅ is answered, and somebody else's confirms."""
    _desk(drafting, second_person=2)
    message = await _draft(drafting)
    assert "more than 2 people. Somebody else than its author reacts with ✅" in homeserver.bodies(DESK)[-1]
    await drafting.hear(reaction(ANNA, DESK, message.event_id))
    await drafting.wait(seconds=30)
    assert await _state(drafting) is State.DRAFT
    assert "somebody else than its author has to react with ✅" in homeserver.bodies(DESK)[-1]
    await drafting.hear(reaction(BO, DESK, message.event_id))
    await drafting.wait(seconds=30)
    assert await _state(drafting) is State.OPEN
    await drafting.hear(_edit(message, "Something else entirely."))
    await drafting.deliver()
    assert "so it is not changed" in homeserver.bodies(DESK)[-1]


async def test_a_draft_that_nobody_confirms_is_dropped_and_says_so(
    drafting: Muster, homeserver: FakeHomeserver
) -> None:
    """After a day it cannot be announced any more, also when Muster was not there at that moment."""
    message = await _draft(drafting)
    await drafting.wait(seconds=LAPSES.total_seconds() + 60)
    assert await _state(drafting) is State.DISCARDED
    assert "Nobody confirmed the draft" in homeserver.bodies(DESK)[-1]
    await drafting.hear(reaction(ANNA, DESK, message.event_id))
    assert await _state(drafting) is State.DISCARDED


async def test_editing_a_draft_changes_it_and_its_preview(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """Whoever confirmed it before has to do so again; what cannot be read leaves it unconfirmed and as it was."""
    message = await _draft(drafting)
    edit = _edit(message, "!important\n!to room drivers\nThe gate is open.")
    await drafting.hear(reaction(ANNA, DESK, message.event_id), edit)
    await drafting.wait(minutes=1)
    assert await _state(drafting) is State.DRAFT
    assert "For 2 people in 1 room." in _shown(homeserver, DESK)[0]
    assert "as important" in _shown(homeserver, DESK)[0]
    await drafting.hear(reaction(ANNA, DESK, message.event_id), _edit(message, "!importnat\nx"))
    await drafting.wait(minutes=1)
    assert "did you mean `!important`?" in homeserver.bodies(DESK)[-1]
    await drafting.hear(reaction(ANNA, DESK, message.event_id))
    await drafting.wait(minutes=1)
    assert "The gate is open." in homeserver.bodies(NIGHT)[0]
    assert homeserver.bodies(NEWS) == []


async def _open(drafting: Muster) -> Event:
    message = await _draft(drafting)
    await drafting.hear(reaction(ANNA, DESK, message.event_id))
    await drafting.wait(minutes=1)
    return message


async def test_an_edit_reaches_every_copy(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """The copies say the new text, as a new version, once however often the edit comes."""
    message = await _open(drafting)
    edit = _edit(message, "!minor\nThe gate is open.")
    for _ in range(2):
        await drafting.hear(edit)
        await drafting.deliver()
    for room_id in (NEWS, NIGHT):
        [shown] = _shown(homeserver, room_id)
        assert "The gate is open." in shown
        assert "closed" not in shown
    assert "is changed everywhere (version 2)" in homeserver.bodies(DESK)[-1]
    minor = await drafting.pool.fetchval("SELECT minor FROM announcement_text WHERE version = 2")
    assert minor


async def test_only_its_author_edits_a_message(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """Clients show no edit of somebody else's message, so nothing is changed by one."""
    message = await _open(drafting)
    await drafting.hear(replace(_edit(message, "Forged."), sender=BO))
    await drafting.deliver()
    assert not any("Forged" in body for body in _shown(homeserver, NEWS))


@pytest.mark.parametrize("how", ["delete", "order"])
async def test_taking_it_back_reaches_every_copy(drafting: Muster, homeserver: FakeHomeserver, how: str) -> None:
    """Deleting the message, or a reply of !retract by another poster, redacts and unpins every copy."""
    message = await _open(drafting)
    order = redaction(ANNA, message) if how == "delete" else replace(_reply(message.event_id, "!retract"), sender=BO)
    await drafting.hear(order)
    await drafting.deliver()
    assert _shown(homeserver, NEWS) == _shown(homeserver, NIGHT) == []
    assert homeserver.pinned == {NEWS: [], NIGHT: []}
    assert await _state(drafting) is State.RETRACTED
    assert "is taken back everywhere" in homeserver.bodies(DESK)[-1]


async def test_it_is_pinned_while_it_is_current(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """After its time, or !end, it is over: unpinned, and still there to be read."""
    message = await _open(drafting)
    assert [len(pins) for pins in homeserver.pinned.values()] == [1, 1]
    await drafting.wait(days=1)
    assert await _state(drafting) is State.OVER
    assert [len(pins) for pins in homeserver.pinned.values()] == [0, 0]
    assert len(_shown(homeserver, NEWS)) == 1
    await drafting.hear(_edit(message, "Too late."))
    await drafting.deliver()
    assert "is over: the edit changes nothing" in homeserver.bodies(DESK)[-1]


async def test_a_reply_of_end_lets_it_be_over(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """Whoever posts can say that something is not current any more."""
    message = await _open(drafting)
    await drafting.hear(_reply(message.event_id, "!end"))
    await drafting.deliver()
    assert await _state(drafting) is State.OVER
    assert [len(pins) for pins in homeserver.pinned.values()] == [0, 0]


async def test_what_is_scheduled_goes_at_its_time(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """It waits in the database, and goes at once when Muster was not there at that moment."""
    message = await _draft(drafting, "!at 2026-03-02 18:00\nThe gate is closed.")
    await drafting.hear(reaction(ANNA, DESK, message.event_id))
    await drafting.wait(hours=5, minutes=59)
    assert homeserver.rooms[NEWS] == []
    assert "goes at 2026-03-02 18:00 (UTC)" in homeserver.bodies(DESK)[-1]
    await drafting.wait(hours=1)
    assert len(homeserver.rooms[NEWS]) == 1


async def test_several_languages_stand_one_after_another(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """A shared room gets all of them, each under its own name."""
    message = await _draft(drafting, "!en\nClosed.\n!et\nSuletud.")
    assert "Languages: English, Eesti." in homeserver.bodies(DESK)[-1]
    await drafting.hear(reaction(ANNA, DESK, message.event_id))
    await drafting.wait(minutes=1)
    [body] = homeserver.bodies(NEWS)
    assert body.startswith("📣 Anna Tamm · CEO\n\nEnglish\n\nClosed.\n\n")
    assert "\n\nEesti\n\nSuletud.\n\n" in body


async def test_people_get_it_in_a_room_of_their_own_and_in_their_language(
    drafting: Muster, homeserver: FakeHomeserver
) -> None:
    """`!to` reaches those who work here, have an account and are selected; each reads the own language."""
    await _employ(drafting, "bo", "Sales", "et")
    await _employ(drafting, "cy", "Sales", "ru")
    await _employ(drafting, "gone", "Sales", "en", active=False)
    message = await _draft(drafting, '!to department eq "Sales"\n!en\nClosed.\n!et\nSuletud.')
    assert "For 2 people each in a room of their own: Sales 2." in homeserver.bodies(DESK)[-1]
    await drafting.hear(reaction(ANNA, DESK, message.event_id))
    await drafting.wait(minutes=1)
    said = {room_id: homeserver.bodies(room_id)[0] for room_id in homeserver.rooms if room_id != DESK}
    by_person = {next(iter(homeserver.joined[room_id])): body for room_id, body in said.items()}
    assert set(by_person) == {BO, CY}
    assert "Suletud." in by_person[BO]
    assert "Closed." in by_person[CY]
    assert "Closed." not in by_person[BO]


async def test_an_audience_of_nobody_is_refused_with_the_reason(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """Nothing is announced to nobody in silence."""
    await _draft(drafting, '!to department eq "Mars"\nHello')
    assert "Nobody who works here is meant by" in homeserver.bodies(DESK)[-1]
    assert await drafting.pool.fetchval("SELECT count(*) FROM announcement") == 0


async def test_a_discussion_is_linked(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """Replies have a room of their own, so that the announcement room stays clean."""
    _desk(drafting, discussion="talk")
    await drafting.pool.execute(
        "INSERT INTO managed_room (key, room_id, rule, kind, name, topic, alias)"
        " VALUES ('talk', '!talk', 'talk', 'chat', 'Talk', '', 'talk')"
    )
    await _open(drafting)
    [body] = homeserver.bodies(NEWS)
    assert body.endswith("💬 Talk: https://matrix.to/#/!talk?via=company.example")


async def test_a_file_is_announced_with_what_stands_under_it(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """It is uploaded once, and its caption is read as a text is."""
    file = {"msgtype": "m.file", "body": "!important\nThe plan.", "filename": "plan.pdf", "url": "mxc://a/b"}
    message = event(DESK, ANNA, file)
    await drafting.hear(message, reaction(ANNA, DESK, message.event_id))
    await drafting.wait(minutes=1)
    content = homeserver.rooms[NEWS][0]["content"]
    assert (content["url"], content["filename"], content["body"]) == ("mxc://a/b", "plan.pdf", "The plan.")


async def test_help_lists_the_lines(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """Whoever asks learns what can be written, and nothing is drafted."""
    await _draft(drafting, "!help")
    assert "!quiz" in homeserver.bodies(DESK)[-1]
    assert await drafting.pool.fetchval("SELECT count(*) FROM announcement") == 0


async def _announce(muster: Muster, **more: Any) -> Announced:
    async with muster.pool.acquire() as db, db.transaction():
        return await announcing.announce(
            db,
            muster.policy,
            "desk",
            Wanted({"": body_of_markdown("The **gate** is closed.")}),
            author=BOT,
            author_name="Nordwind",
            bot=BOT,
            seed=more["origin"].encode(),
            at=muster.now,
            **more,
        )


async def test_another_source_makes_a_draft_in_the_desk(drafting: Muster, homeserver: FakeHomeserver) -> None:
    """What came from elsewhere is shown there, once, for a poster to confirm by a reaction to the preview."""
    first, second = await _announce(drafting, origin="feed/x"), await _announce(drafting, origin="feed/x")
    assert first == second
    await drafting.deliver()
    assert len(homeserver.rooms[DESK]) == 1
    await drafting.hear(reaction(ANNA, DESK, homeserver.announced(DESK)))
    await drafting.wait(minutes=1)
    assert "The <strong>gate</strong> is closed." in homeserver.rooms[NEWS][0]["content"]["formatted_body"]


async def test_a_confirmed_source_waits_all_the_same_above_the_limit(drafting: Muster) -> None:
    """No machine announces to everybody by itself where two people are asked for; an emergency does."""
    _desk(drafting, second_person=2)
    assert (await _announce(drafting, origin="webhook/x", confirmed=True)).state is State.DRAFT
    assert (await _announce(drafting, origin="emergency", confirmed=True)).state is State.OPEN


async def _employ(muster: Muster, name: str, department: str, language: str, *, active: bool = True) -> None:
    """Put a person with an account into the directory."""
    said = {"userName": name, "displayName": name, "active": active, "preferredLanguage": language}
    document = {**said, ENTERPRISE: {"department": department}}
    async with muster.pool.acquire() as db, db.transaction():
        await lock_directory(db)
        resource = resource_of(document, PersonId(name), shapes_for()["User"])
        await insert_resources(db, [resource], await next_version(db))
    await muster.pool.execute(
        "INSERT INTO account (person_id, user_id, display_name, enabled) VALUES ($1, $2, '', true)",
        name,
        f"@{name}:company.example",
    )
