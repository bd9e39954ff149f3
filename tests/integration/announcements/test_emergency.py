"""A roll call from the first word to the report, on a real PostgreSQL; every step is taken by a process that is new."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.announcements import emergency_store, outbox_store
from bridge.announcements.alarm import EmergencyConsumer
from bridge.announcements.desk import DeskConsumer
from bridge.announcements.form import POLL_START, VOTES
from bridge.announcements.postman import Postman
from bridge.announcements.release import URGENT
from bridge.announcements.roll_calls import RollCalls
from bridge.announcements.values import Act, Outgoing, Role
from bridge.channels import store as channel_store
from bridge.channels.courier import Courier
from bridge.channels.message import Note
from bridge.cli import emergency as cli
from bridge.directory.intake import import_csv
from bridge.directory.notice_store import read_untold
from bridge.directory.selector import parse
from bridge.directory.store import load_person
from bridge.errors import RefusedError, UnknownNameError
from bridge.homeserver.event import Event
from bridge.ids import RoomId, UserId
from bridge.membership.store import put_account
from bridge.membership.values import CurrentAccount
from bridge.policy.emergency import Emergency
from bridge.policy.schema import Policy
from tests.integration.announcements import company
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
    event,
    put_member,
    reaction,
    redaction,
    text,
)

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.database import Pool

DEE, EVE = UserId("@dee:company.example"), UserId("@eve:company.example")
PEOPLE = b"""userName,displayName,title,department,organization,mobile
anna,Anna Tamm,Chief of safety,Safety,Tallinn,+372 5551
bo,Bo Kask,Driver,Yard,Tallinn,+372 5552
cy,Cy Lepp,Driver,Yard,Riga,
dee,Dee Saar,First aider,Office,Tallinn,+372 5554
eve,Eve Oja,First aider,Office,Riga,+372 5555
"""
TERMS = Emergency(
    site="organization",
    line=(parse('title eq "First aider"'), parse('title sw "Chief"')),
    needed=1,
)
GUEST = UserId("@guest:partner.example")


def policy() -> Policy:
    """The policy of the small company, with who comes to help."""
    return replace(company.policy(), emergency=TERMS)


@dataclass
class Phone:
    """A second channel that only remembers."""

    name: str = "sms"
    attribute: str = "mobile"
    taken: list[Note] = field(default_factory=list)

    async def send(self, note: Note) -> None:
        """Take a message."""
        self.taken.append(note)


@dataclass
class Process:
    """Muster, started anew for each step: nothing is remembered but what the database has."""

    pool: Pool
    homeserver: FakeHomeserver
    now: datetime = NOW
    phone: Phone = field(default_factory=Phone)

    def clock(self) -> datetime:
        """Return the moment that the test has come to."""
        return self.now

    async def hear(self, *events: Event) -> None:
        """Let the consumers have events, twice, as after a crash."""
        for _ in range(2):
            await EmergencyConsumer(self.pool, bot=BOT, policy=policy, clock=self.clock).handle(events)
            await DeskConsumer(self.pool, bot=BOT, policy=policy, clock=self.clock).handle(events)
        await self.go_on()

    async def go_on(self, **later: float) -> None:
        """Let time pass, and do what is due; doing it again changes nothing."""
        self.now += timedelta(**later)
        for _ in range(2):
            await RollCalls(self.pool, policy, channels=("sms",), clock=self.clock).go_on()
            self.homeserver.restart()
            await Postman(self.pool, self.homeserver, clock=self.clock).deliver()
            while await Courier(self.pool, self.phone, clock=self.clock).deliver():
                pass

    def at(self, sent: Event) -> Event:
        """Return the event as one of this moment."""
        return replace(sent, timestamp=int(self.now.timestamp() * 1000))

    def own(self, user: UserId) -> RoomId:
        """Return somebody's room for announcements."""
        return next(room for room, users in self.homeserver.joined.items() if user in users)

    def said(self, room: RoomId) -> list[str]:
        """Return what was said in a room since it was asked last, polls and edits apart."""
        events = [one for one in self.homeserver.rooms[room] if one["type"] == "m.room.message"]
        return [one["content"]["body"] for one in events if "m.new_content" not in one["content"]]

    def board(self) -> str:
        """Return what the board says now."""
        events = [one["content"] for one in self.homeserver.rooms[DESK]]
        boards = [content for content in events if "· roll call" in str(content.get("m.new_content", content)["body"])]
        return str(boards[-1].get("m.new_content", boards[-1])["body"])

    def find(self, room: RoomId, part: str) -> str:
        """Return the event of a room in which this was said."""
        return next(str(one["event_id"]) for one in self.homeserver.rooms[room] if part in str(one["content"]))


@pytest.fixture
async def process(pool: Pool, homeserver: FakeHomeserver) -> Process:
    """Five people at two sites, four with a telephone, and a guest in the news."""
    await company.found(pool)
    await pool.execute("DELETE FROM account")
    await import_csv(pool, PEOPLE, "people.csv", custom=("mobile",))
    for user in (ANNA, BO, CY, DEE, EVE):
        person = await load_person(pool, user[1:].partition(":")[0])
        await put_account(pool, CurrentAccount(person.id, user, person.display_name, enabled=True))
    await put_member(pool, NEWS, GUEST, "join")
    return Process(pool, homeserver)


async def _id(pool: Pool) -> str:
    return str(await pool.fetchval("SELECT announcement FROM emergency"))


async def test_a_roll_call_reaches_rooms_and_people_at_once(process: Process) -> None:
    """Everybody is told in the desk's rooms and in a room of their own, without preview and without a second person."""
    await process.hear(text("!emergency Fire in hall 2"))
    for room in (NEWS, NIGHT, *map(process.own, (ANNA, BO, CY, DEE, EVE))):
        alarm = next(said for said in process.said(room) if "hall 2" in said and "called to help" not in said)
        assert alarm.startswith("🚨 EMERGENCY – Nordwind Logistics")
        assert sum(one["type"] == POLL_START for one in process.homeserver.rooms[room]) == 1
        assert all(one["content"][URGENT] is True for one in process.homeserver.rooms[room])
    [answer, board] = process.said(DESK)
    assert answer.startswith("🚨 Roll call started: ")
    assert "6 people, 2 rooms" in answer
    assert board == process.board()
    assert "✅ 0 safe · ❔ 6 silent · 6 people" in board
    row = await process.pool.fetchrow("SELECT state, priority, origin, form FROM announcement")
    assert row is not None
    assert tuple(row) == ("open", 0, "emergency", {"kind": "safety"})


async def test_an_answer_is_a_reaction_or_a_vote_anywhere(process: Process) -> None:
    """In a room or the own one, to the alarm, the poll or a reminder; the newest counts, one taken back does not."""
    await process.hear(text("!emergency Fire in hall 2"))
    vote = {VOTES[0]: {"answers": ["safe"]}}
    await process.go_on(seconds=30)
    poll = next(one["event_id"] for one in process.homeserver.rooms[process.own(BO)] if one["type"] == POLL_START)
    relation = {"m.relates_to": {"rel_type": "m.reference", "event_id": poll}}
    await process.hear(
        process.at(reaction(ANNA, NEWS, process.find(NEWS, "hall 2"))),
        process.at(event(process.own(BO), BO, {**vote, **relation}, VOTES[0])),
        process.at(reaction(GUEST, NEWS, process.find(NEWS, "hall 2"))),
        process.at(reaction(CY, NEWS, process.find(NEWS, "hall 2"), "🎉")),
    )
    assert "✅ 3 safe · ❔ 3 silent" in process.board()
    assert "Riga: ✅ 0 safe · ❔ 2 silent" in process.board()
    await process.go_on(minutes=2)
    safe = process.at(reaction(CY, process.own(CY), process.find(process.own(CY), "not answered")))
    await process.hear(safe)
    assert "✅ 4 safe" in process.board()
    await process.hear(redaction(CY, safe))
    assert "✅ 3 safe" in process.board()


async def test_the_silent_are_asked_again_and_then_written_to(process: Process) -> None:
    """At the times of the policy, each once; who has answered is left alone, who has no number is counted."""
    await process.hear(text("!emergency drill Walk out"))
    await process.hear(process.at(reaction(ANNA, NEWS, process.find(NEWS, "Walk out"))))
    before = len(process.said(process.own(BO)))
    for minutes in (1, 1, 3, 5, 30):
        await process.go_on(minutes=minutes)
    assert not any("answered yet" in said or "LAST CALL" in said for said in process.said(process.own(ANNA)))
    reminders = process.said(process.own(BO))[before:]
    assert [("DRILL" in said, "LAST CALL" in said) for said in reminders] == [(True, False)] * 2 + [(True, True)]
    mentions = [one["content"]["m.mentions"] for one in process.homeserver.rooms[process.own(BO)]]
    assert {"user_ids": [BO]} in mentions
    assert sorted(note.address for note in process.phone.taken) == ["+372 5552", "+372 5554", "+372 5555"]
    assert all("DRILL" in note.text and "DRILL" in note.subject for note in process.phone.taken)
    assert "SMS: 3 sent, 1 not possible" in process.board()


async def test_without_second_channels_the_administrators_are_told(process: Process) -> None:
    """That there are none, and how to set them up."""
    await process.hear(text("!emergency Fire in hall 2"))
    process.now += timedelta(minutes=10)
    await RollCalls(process.pool, policy, clock=process.clock).go_on()
    [(notice, _)] = await read_untold(process.pool)
    assert "no second channel is configured" in notice.body


async def test_responders_hear_at_once_who_needs_help_and_where(process: Process) -> None:
    """Those who are called and the desk; whoever is called later too, and whoever refused no more."""
    await process.hear(text("!emergency Fire in hall 2"))
    for user in (DEE, EVE):
        assert any("you are called to help" in said for said in process.said(process.own(user)))
    refused = reaction(EVE, process.own(EVE), process.find(process.own(EVE), "called to help"), "❌")
    await process.hear(process.at(refused))
    assert "you are called to help" in process.said(process.own(ANNA))[-1]  # the next in line, without waiting
    await process.go_on(seconds=20)
    await process.hear(process.at(reaction(BO, NIGHT, process.find(NIGHT, "hall 2"), "🆘")))
    plea = "🆘 Bo Kask (Tallinn, Yard) NEEDS HELP, answered 12:00:20."
    for room in (DESK, process.own(DEE), process.own(ANNA)):
        assert process.said(room)[-1] == plea
    assert plea not in process.said(process.own(EVE))
    assert "NEED HELP (1):\n  🆘 Bo Kask (Tallinn, Yard), 12:00:20" in process.board()
    await process.hear(process.at(reaction(DEE, process.own(DEE), process.find(process.own(DEE), "called to help"))))
    assert "RESPONDERS 1 of 1 needed – come: Dee Saar; cannot: Eve Oja; asked: Anna Tamm" in process.board()
    await process.go_on(minutes=1)
    await process.hear(process.at(reaction(BO, process.own(BO), process.find(process.own(BO), "hall 2"))))
    assert process.said(process.own(DEE))[-1] == "✅ Bo Kask (Tallinn, Yard) is safe now."


async def test_silence_of_responders_brings_the_next_in_line(process: Process) -> None:
    """After the time that the policy gives them."""
    await process.hear(text("!emergency Fire in hall 2"))
    assert not any("called to help" in said for said in process.said(process.own(ANNA)))
    await process.go_on(minutes=5)
    assert any("called to help" in said for said in process.said(process.own(ANNA)))


async def test_a_roll_call_for_one_site_leaves_the_others_alone(process: Process) -> None:
    """Only its people are told, in their own rooms and in rooms where nobody else is; its responders are called."""
    await put_member(process.pool, NIGHT, CY, "leave")
    await process.hear(text('!emergency site "tallinn" Gas'))
    assert "at Tallinn" in process.said(DESK)[0]
    assert "3 people, 1 room" in process.said(DESK)[0]
    assert process.homeserver.rooms[NEWS] == []
    assert len(process.said(NIGHT)) == 1
    assert {user for users in process.homeserver.joined.values() for user in users} == {ANNA, BO, DEE}
    audience = await process.pool.fetchval("SELECT audience->>'people' FROM announcement")
    assert parse(audience).normal == 'active eq true and organization eq "Tallinn"'


async def test_what_cannot_be_started_is_told(process: Process) -> None:
    """In one sentence to whoever wrote it, and nobody else hears anything; nothing becomes an announcement."""
    wanted = [
        ("!emergency", ANNA, "what has happened is missing"),
        ('!emergency site "Rigga" Gas', ANNA, "nobody works at a site 'Rigga' (there are: Riga, Tallinn)"),
        ("!emergency Fire", BO, "Only those whom the policy names as posters"),
        ("!emergency end", BO, "Only those whom the policy names as posters"),
        ("!emergency end", ANNA, "There has been no roll call yet"),
        ("!emergency end 7kq2-m9xd", ANNA, "There is no roll call 7kq2-m9xd"),
        (f"!emergency {'x' * 30_000}", ANNA, "the text has 30,000 characters"),
    ]
    await process.hear(*(text(said, sender) for said, sender, _ in wanted))
    told = process.said(DESK)
    assert len(told) == len(wanted)
    assert [answer for _, _, answer in wanted if not any(answer in each for each in told)] == []
    assert set(process.homeserver.rooms) == {DESK}
    assert await process.pool.fetchval("SELECT count(*) FROM announcement") == 0


async def test_a_command_that_comes_late_raises_no_alarm(process: Process) -> None:
    """After an outage nobody is frightened by what is long over."""
    late = text("!emergency Fire in hall 2")
    process.now += timedelta(hours=2)
    await process.hear(late)
    assert "more than an hour late" in process.said(DESK)[0]
    assert await process.pool.fetchval("SELECT count(*) FROM emergency") == 0


async def test_the_end_is_told_to_whoever_was_told(process: Process) -> None:
    """Nothing more is said to the silent, the board says so, and the report stands in the desk, once."""
    await process.hear(text("!emergency drill Walk out"))
    await process.go_on(seconds=45)
    await process.hear(process.at(reaction(ANNA, NEWS, process.find(NEWS, "Walk out"))))
    await process.go_on(minutes=10)
    await process.hear(process.at(text("!emergency end")))
    await process.go_on(minutes=60)
    for room in (NEWS, NIGHT, *map(process.own, (ANNA, BO, CY, DEE, EVE))):
        assert process.said(room)[-1] == "✅ DRILL – Nordwind Logistics: the exercise is over. Thank you."
    assert [note.text for note in process.phone.taken][-1].startswith("✅ DRILL")
    [report] = [said for said in process.said(DESK) if "timing report" in said]
    assert "Answers: 1 of 6; half within 45 s, nine of ten within 45 s, the last after 45 s" in report
    assert "Delivered to people: 5 of 5" in report
    assert "Never answered (5): " in report
    assert "ENDED 12:10:45" in process.board()
    assert await process.pool.fetchval("SELECT state FROM announcement") == "over"


async def test_a_call_for_help_after_the_end_is_heard(process: Process) -> None:
    """Whoever saw the alarm late is not left alone."""
    await process.hear(text("!emergency Fire in hall 2"))
    await process.hear(process.at(text("!emergency end")))
    await process.go_on(minutes=1)
    await process.hear(process.at(reaction(CY, NEWS, process.find(NEWS, "hall 2"), "🆘")))
    assert "Cy Lepp (Riga, Yard) NEEDS HELP" in process.said(DESK)[-1]
    assert "Cy Lepp (Riga, Yard) NEEDS HELP" in process.said(process.own(DEE))[-1]


async def test_an_emergency_goes_before_whatever_is_queued(process: Process) -> None:
    """Rooms first, then who is called, then people; the polls last."""
    queued = [
        Outgoing(f"k{number}", Act.SEND, Role.NOTE, 3, NOW - timedelta(days=1), room_id=NEWS, content={"body": "old"})
        for number in range(50)
    ]
    await outbox_store.put(process.pool, queued)
    await EmergencyConsumer(process.pool, bot=BOT, policy=policy, clock=process.clock).handle(
        [text("!emergency Fire in hall 2")]
    )
    await RollCalls(process.pool, policy, clock=process.clock).go_on()
    rows = await process.pool.fetch("SELECT key, role, room_id FROM outgoing ORDER BY rank, due_at, id")
    order = [(row["role"], row["room_id"] in (NEWS, NIGHT)) for row in rows]
    assert order[:2] == [("copy", True)] * 2
    assert [role for role, _ in order[2:6]] == ["answer", "note", "note", "board"]
    assert [role for role, _ in order[6:11]] == ["copy"] * 5
    assert order.index(("note", True)) == len(order) - 50


# The command line


class Terminal:
    """Runs the verb as people type it."""

    def __init__(self, process: Process, capsys: pytest.CaptureFixture[str]) -> None:
        self._process = process
        self._capsys = capsys

    async def run(self, *words: str, as_json: bool = False) -> str:
        """Return what the verb prints."""
        parser = argparse.ArgumentParser()
        cli.add_parser(parser.add_subparsers())
        args = parser.parse_args(["emergency", *words])
        args.json = as_json
        services = SimpleNamespace(
            pool=self._process.pool,
            homeserver=self._process.homeserver,
            policy=policy,
            clock=self._process.clock,
            config=SimpleNamespace(directory=SimpleNamespace(timezone="UTC")),
        )
        assert await args.handler.__wrapped__(args, cast("Services", services)) == 0
        return self._capsys.readouterr().out


@pytest.fixture
def terminal(process: Process, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal."""
    return Terminal(process, capsys)


async def test_a_roll_call_from_the_command_line(process: Process, terminal: Terminal) -> None:
    """Start, follow, end and report need no ID while there is one; scripts get JSON."""
    started = await terminal.run("start", "--drill", "--people", 'department eq "Yard"', "Walk", "out")
    assert "DRILL started: " in started
    assert "2 people" in started
    assert (await _id(process.pool)) in started
    await process.go_on()
    await process.hear(process.at(reaction(BO, process.own(BO), process.find(process.own(BO), "Walk out"))))
    assert await terminal.run("board") == process.board() + "\n"
    found: dict[str, Any] = json.loads(await terminal.run("board", as_json=True))
    assert (found["safe"], found["silent"], found["people"][0]["answer"]) == (1, 1, "safe")
    assert "is over" in await terminal.run("end")
    with pytest.raises(RefusedError, match="over already"):
        await terminal.run("end", (await _id(process.pool)).upper())
    assert "timing report" in await terminal.run("report")
    assert json.loads(await terminal.run("report", as_json=True))["answers"]["done"] == 1


async def test_what_the_command_line_cannot_do_is_told(process: Process, terminal: Terminal) -> None:
    """One sentence, and nothing is written."""
    wanted: list[tuple[list[str], type[Exception], str]] = [
        (["start", " "], RefusedError, "what has happened is missing"),
        (["start", "--desk", "dsk", "Fire"], UnknownNameError, r"no desk 'dsk' \(there are: desk\)"),
        (["start", "--people", 'title eq "Pilot"', "Fire"], RefusedError, "nobody to tell"),
        (["board"], UnknownNameError, "There has been no roll call"),
        (["end", "x"], UnknownNameError, "There is no roll call 'x'"),
    ]
    for words, error, message in wanted:
        with pytest.raises(error, match=message):
            await terminal.run(*words)
    assert await process.pool.fetchval("SELECT count(*) FROM outgoing") == 0


async def test_with_two_roll_calls_the_id_is_asked_for(process: Process, terminal: Terminal) -> None:
    """Ending the wrong one would leave people alone."""
    await terminal.run("start", "Fire")
    await terminal.run("start", "Flood")
    with pytest.raises(UnknownNameError, match="2 roll calls go on; say which: "):
        await terminal.run("end")


async def test_what_waits_for_somebody_who_answers_is_dropped(process: Process) -> None:
    """A reminder or a short message that did not go out yet does not go out any more."""
    await process.hear(text("!emergency Fire in hall 2"))
    process.homeserver.away = True
    process.now += timedelta(minutes=10)
    await RollCalls(process.pool, policy, channels=("sms", "mail"), clock=process.clock).go_on()
    answer = reaction(BO, NEWS, process.find(NEWS, "hall 2"))
    await EmergencyConsumer(process.pool, bot=BOT, policy=policy, clock=process.clock).handle([process.at(answer)])
    await RollCalls(process.pool, policy, channels=("sms", "mail"), clock=process.clock).go_on()
    waiting = await process.pool.fetch("SELECT user_id FROM outgoing WHERE role = 'reminder'")
    assert BO not in {row["user_id"] for row in waiting}
    moments = await channel_store.load_moments(process.pool, await _id(process.pool))
    assert {user for _, user, _ in moments} == {ANNA, CY, DEE, EVE}
    assert [call.said for call in await emergency_store.load_calls(process.pool, limit=1)] == [3]
