"""Answers in the administrators' room: a second person lets go what waits, or keeps it, and the room learns of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from bridge.directory.door import AbsenceList
from bridge.directory.door_store import note_absent, put_feed, put_list, put_named
from bridge.directory.notice_store import read_untold
from bridge.directory.selector import parse
from bridge.errors import RefusedError
from bridge.homeserver.event import Event
from bridge.ids import EventId
from bridge.membership.approvals import Approvals
from bridge.membership.audit import Held
from bridge.membership.audit_store import read_held
from bridge.membership.held import approve
from tests.integration.membership.conftest import RULES, Company, user
from tests.integration.membership.homeserver import BOT
from tests.integration.membership.test_held import dismiss, notices


class Room:
    """The administrators' room, with the consumer that listens to it."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.consumer = Approvals(company.pool, bot=BOT, policy=lambda: company.policy, clock=company.clock)
        self.number = 0

    async def held(self) -> Held:
        (held,) = await read_held(self.company.pool)
        return held

    async def ask(self) -> Event:
        """Dismiss two, which is too many, and return the question that the room has read."""
        await dismiss(self.company, "bob", "cid")
        await self.company.upkeep.catch_up()
        question = self.company.homeserver.rooms[self.company.homeserver.room("administrators")].said[-1]
        await self.consumer.handle([question])
        return question

    async def say(self, name: str, body: str, at: datetime | None = None) -> None:
        await self._send("m.room.message", name, {"msgtype": "m.text", "body": body}, at)

    async def react(self, name: str, key: str, question: Event) -> None:
        relation = {"rel_type": "m.annotation", "event_id": question.event_id, "key": key}
        await self._send("m.reaction", name, {"m.relates_to": relation}, None)

    async def _send(self, kind: str, name: str, content: dict[str, Any], at: datetime | None) -> None:
        self.number += 1
        moment = at or self.company.clock()
        raw = {
            "event_id": EventId(f"$answer{self.number}"),
            "room_id": self.company.homeserver.room("administrators"),
            "type": kind,
            "sender": user(name),
            "content": content,
            "origin_server_ts": int(moment.timestamp() * 1000) + 1,
        }
        for _ in range(2):  # events may come again
            await self.consumer.handle([Event.of(raw)])

    async def told(self) -> list[str]:
        """Return what the notice board is to say."""
        return [notice.body for notice, _ in await read_untold(self.company.pool)]


@pytest.fixture
async def room(company: Company) -> Room:
    """The company in place, where one person may lose something a day; fay is an approver too."""
    company.rule(RULES, removals=1, floor=1)
    await company.say("fay", department="Board", title="Chief")
    await company.settle()
    await company.upkeep.catch_up()
    return Room(company)


async def test_a_command_in_the_room_approves(room: Room) -> None:
    """`!approve DIGEST` lets exactly that go, under the name of whoever wrote it; yes and outcome are told."""
    await room.ask()
    held = await room.held()
    await room.say("eve", f"!approve {held.digest[:12]}")
    await room.company.upkeep.catch_up()

    assert room.company.homeserver.users[user("bob")].locked
    count = len(held.changes)
    assert await room.told() == [
        f"Eve has approved {held.digest[:12]}: {count} changes.",
        f"Carried out: {held.digest[:12]}, {count} changes.",
    ]


async def test_a_check_mark_on_the_question_approves(room: Room) -> None:
    """A reaction to the notice is an answer to it; one to another message is talk."""
    question = await room.ask()
    await room.react("eve", "✅", Event.of({"event_id": "$another"}))
    assert (await room.held()).approved_by is None
    await room.react("eve", "✅", question)

    assert (await room.held()).approved_by == room.company.ids["eve"]


async def test_a_cross_keeps_it_from_being_asked_again_until_it_changes(room: Room) -> None:
    """After a no everything stays, also over restarts, and nobody is asked again; another list is asked about."""
    question = await room.ask()
    held = await room.held()
    await room.react("eve", "✅", question)
    await room.react("fay", "❌", question)
    await room.company.pool.execute("UPDATE held SET told_at = NULL")
    await room.company.restarted().catch_up()

    assert not room.company.homeserver.users[user("bob")].locked
    assert (await room.held()).rejected_by == room.company.ids["fay"]
    assert len(notices(room.company)) == 1
    assert (await room.told())[-1].startswith(f"Fay has rejected {held.digest[:12]}: {len(held.changes)} changes.")
    await dismiss(room.company, "ann")
    await room.company.say("dot", active=False)
    await room.company.upkeep.catch_up()
    assert len(notices(room.company)) == 2
    assert not await room.company.pool.fetch("SELECT FROM rejection")


async def test_a_no_can_become_a_yes(room: Room) -> None:
    """Whoever changes their mind approves the same digest."""
    question = await room.ask()
    await room.react("eve", "❌", question)
    await room.react("eve", "✅", question)
    await room.company.upkeep.catch_up()

    assert room.company.homeserver.users[user("bob")].locked


async def test_whoever_may_not_approve_is_told_so(room: Room) -> None:
    """The room has the rules of the command line: refusals are told, each once, and nothing goes."""
    await room.ask()
    digest = (await room.held()).digest[:12]
    await room.say("ann", f"!approve {digest}")
    await room.say("stranger", f"!approve {digest}")
    await room.say("eve", "!approve 0123456789ab")

    told = await room.told()
    assert "may not approve" in told[0]
    assert "nobody whom the directory knows" in told[1]
    assert "Nothing is held as '0123456789ab'" in told[2]
    assert len(told) == 3
    assert (await room.held()).approved_by is None


async def test_an_answer_from_before_the_question_is_none(room: Room) -> None:
    """An old approval that is delivered late, or again, does not let go the same losses another time."""
    before = room.company.clock() - timedelta(minutes=1)
    await room.ask()
    await room.say("eve", f"!approve {(await room.held()).digest}", at=before)

    assert (await room.held()).approved_by is None
    assert "Say it again" in (await room.told())[0]


async def test_an_approval_expires(room: Room) -> None:
    """What was approved and not carried out within `brake.approval` waits again, and the room learns it."""
    room.company.rule(RULES, removals=1, floor=1, window=timedelta(days=9), approval=timedelta(hours=2))
    question = await room.ask()
    await room.react("eve", "✅", question)
    room.company.ahead = timedelta(hours=3)
    await room.company.restarted().catch_up()

    assert not room.company.homeserver.users[user("bob")].locked
    assert "holds no longer" in (await room.told())[-1]
    await room.react("eve", "✅", question)
    await room.company.upkeep.catch_up()
    assert room.company.homeserver.users[user("bob")].locked


async def test_whoever_set_it_off_is_no_second_person(room: Room) -> None:
    """Who applied the plan cannot approve what the brake held of it; another approver can."""
    company = room.company
    await dismiss(company, "bob", "cid")
    await company.reconciler.reconcile(company.policy, cause="apply", by=company.ids["eve"])
    held = await room.held()
    with pytest.raises(RefusedError, match="has set off"):
        await approve(company.pool, company.policy, held.digest, "eve", company.clock)
    await approve(company.pool, company.policy, held.digest, "fay", company.clock)
    await company.upkeep.catch_up()

    assert company.homeserver.users[user("bob")].locked


async def test_a_list_of_the_directory_is_answered_the_same_way(room: Room) -> None:
    """Who is missing from a source waits for the same answers."""
    company = room.company
    people = [company.ids[name] for name in ("ann", "bob")]
    waiting = AbsenceList("file:hr", tuple(sorted(people)), "2 people are missing.", company.clock())
    async with company.pool.acquire() as connection, connection.transaction():
        await put_feed(connection, waiting.feed, waiting.held_at)
        await put_named(connection, waiting.feed, people)
        await note_absent(connection, waiting.feed, people, waiting.held_at)
        await put_list(connection, waiting)
    await company.upkeep.catch_up()
    (question,) = company.homeserver.rooms[company.homeserver.room("administrators")].said
    await room.consumer.handle([question])
    await room.react("fay", "❌", question)
    await company.pool.execute("UPDATE absence_list SET told_at = NULL")
    await company.upkeep.catch_up()
    assert len(notices(company)) == 1
    await room.react("eve", "✅", question)
    await company.upkeep.catch_up()

    assert company.homeserver.users[user("bob")].locked
    assert [line.partition(":")[0] for line in await room.told()] == [
        f"Fay has rejected {waiting.digest[:12]}",
        f"Eve has approved {waiting.digest[:12]}",
    ]


async def test_whoever_has_just_left_a_protected_group_is_protected(room: Room) -> None:
    """Moved out of the Board and out of its room by one change of HR's: that waits, also when days have passed."""
    company = room.company
    company.rule(RULES, protected=(parse('department eq "Board"'),))
    await company.upkeep.catch_up()
    await company.say("fay", department="IT", title="Clerk")
    await company.upkeep.catch_up()

    held = await room.held()
    assert held.reasons == ("1 protected person would lose something: @fay:example.org.",)
    assert "fay" in company.homeserver.people("department/Board")
    for days in (2, 4):
        company.ahead = timedelta(days=days)
        await company.restarted().catch_up()
        assert "fay" in company.homeserver.people("department/Board")
