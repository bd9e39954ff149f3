"""Reactions, votes and written answers become acknowledgements; each once, however often it comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bridge.announcements import heard_store, progress_store
from bridge.announcements.board import APART, Boards
from bridge.announcements.evidence import Hearer
from bridge.announcements.form import Form, Kind
from bridge.announcements.heard import HeardConsumer, note_receipts
from bridge.homeserver.event import Event
from bridge.ids import EventId, UserId
from tests.integration.announcements.company import (
    ANNA,
    BO,
    BOT,
    CY,
    DESK,
    NEWS,
    NIGHT,
    NOW,
    found,
    reaction,
    redaction,
    text,
)
from tests.integration.announcements.heard_company import (
    ID,
    POLL,
    consumer,
    open_announcement,
    put_said,
    put_text,
    vote,
)

if TYPE_CHECKING:
    from bridge.database import Pool

HOUR = timedelta(hours=1)
QUIZ = Form(Kind.QUIZ, question="Where do we meet?", options=("Gate A", "Car park"), right=1)
SURVEY = Form(Kind.SURVEY, question="Canteen?", options=("Yes", "No"))


@pytest.fixture
async def heard(pool: Pool) -> HeardConsumer:
    """The consumer, with the company in its database."""
    await found(pool)
    return consumer(pool)


async def _hearer(pool: Pool, user_id: UserId) -> Hearer:
    evidence = await progress_store.load_evidence(pool, ID)
    assert evidence is not None
    return next(one for one in evidence.people if one.user_id == user_id)


async def _acknowledged(pool: Pool) -> set[UserId]:
    rows = await pool.fetch("SELECT user_id FROM recipient WHERE acknowledged_at IS NOT NULL")
    return {UserId(row["user_id"]) for row in rows}


def _later(event: Event, hours: float) -> Event:
    return replace(event, timestamp=event.timestamp + int(hours * 3_600_000))


async def test_a_batch_is_counted_as_one(pool: Pool, heard: HeardConsumer) -> None:
    """Reactions of several people in several rooms, one taken back in the same batch; again changes nothing."""
    await open_announcement(pool)
    regretted = reaction(CY, NIGHT, "$night")
    batch = [reaction(ANNA, NEWS, "$news"), reaction(BO, NIGHT, "$night", "👍"), regretted, redaction(CY, regretted)]
    await heard.handle(batch)
    await heard.handle(batch)
    assert await _acknowledged(pool) == {ANNA, BO}
    bo = await _hearer(pool, BO)
    assert (bo.acknowledged_at, bo.answer, bo.event_id) == (NOW, "👍", batch[1].event_id)
    assert await pool.fetchval("SELECT count(*) FROM acknowledgement") == 2


async def test_what_answers_nothing_of_ours_is_passed_over(pool: Pool, heard: HeardConsumer) -> None:
    """Other messages, strangers, the bot itself, and a reaction sent into another room than the announcement's."""
    await open_announcement(pool)
    stranger = UserId("@stranger:company.example")
    await heard.handle(
        [
            reaction(BO, NEWS, "$other"),
            reaction(stranger, NEWS, "$news"),
            reaction(BOT, NEWS, "$news"),
            reaction(BO, DESK, "$news"),
            text("Hello", BO, NEWS),
            redaction(BO, reaction(BO, NEWS, "$x")),
        ]
    )
    assert await _acknowledged(pool) == set()


async def test_taking_the_only_answer_back_takes_the_acknowledgement_back(pool: Pool, heard: HeardConsumer) -> None:
    """While another answer stands that one counts; with the last one it is gone."""
    await open_announcement(pool)
    first, second = reaction(BO, NEWS, "$news"), _later(reaction(BO, NEWS, "$news", "👍"), -0.25)
    await heard.handle([first, second])
    assert (await _hearer(pool, BO)).event_id == second.event_id
    await heard.handle([redaction(BO, second)])
    assert (await _hearer(pool, BO)).event_id == first.event_id
    await heard.handle([redaction(BO, first)])
    assert (await _hearer(pool, BO)).acknowledged_at is None


async def test_a_reminder_can_be_answered_and_a_note_cannot(pool: Pool, heard: HeardConsumer) -> None:
    """Who is reminded reacts to the reminder; the list that a manager gets is nobody's acknowledgement."""
    await open_announcement(pool)
    await put_said(pool, NEWS, EventId("$reminder"), "reminder")
    await put_said(pool, NEWS, EventId("$note"), "note")
    await heard.handle([reaction(BO, NEWS, "$reminder"), reaction(CY, NEWS, "$note")])
    assert await _acknowledged(pool) == {BO}


async def test_a_wrong_answer_is_told_to_the_person_alone(pool: Pool, heard: HeardConsumer) -> None:
    """A quiz counts when right; who was wrong is told in the own room, once, and may try again."""
    await open_announcement(pool, QUIZ)
    await put_said(pool, NEWS, POLL, "poll")
    wrong, right = vote(BO, 0), _later(vote(BO, 1), -0.1)
    await heard.handle([wrong])
    await heard.handle([wrong])
    assert await _acknowledged(pool) == set()
    [row] = await pool.fetch("SELECT * FROM outgoing WHERE role = 'note'")
    assert (row["user_id"], row["room_id"]) == (BO, None)
    assert row["content"]["body"] == "“Gate A” is not right, try again: Where do we meet?"
    await heard.handle([right])
    assert await _acknowledged(pool) == {BO}


async def test_the_latest_vote_is_the_answer(pool: Pool, heard: HeardConsumer) -> None:
    """Who changes the vote of a survey has acknowledged at the first and said the last (MSC3381)."""
    await open_announcement(pool, SURVEY)
    await put_said(pool, NEWS, POLL, "poll")
    await heard.handle([_later(vote(BO, 0), -0.5), vote(BO, 1), vote(CY, 1)])
    bo = await _hearer(pool, BO)
    assert (bo.answer, bo.acknowledged_at) == ("No", NOW - HOUR / 2)
    [progress] = await progress_store.load_progress(pool, [ID])
    assert progress.results == {"Yes": 0, "No": 2}


async def test_a_vote_after_the_end_comes_too_late(pool: Pool, heard: HeardConsumer) -> None:
    """The results of a survey that is over stay; a late reaction to news still says that it was heard."""
    await open_announcement(pool, SURVEY)
    await put_said(pool, NEWS, POLL, "poll")
    await pool.execute("UPDATE announcement SET state = 'over', ended_at = $1", NOW - HOUR)
    await heard.handle([vote(BO, 0)])
    assert await _acknowledged(pool) == set()
    await pool.execute("UPDATE announcement SET form = $1", Form().as_json())
    await heard.handle([reaction(BO, NEWS, "$news")])
    assert await _acknowledged(pool) == {BO}


async def test_an_anonymous_survey_keeps_answers_without_people(pool: Pool, heard: HeardConsumer) -> None:
    """It is kept that somebody answered, and how often what was answered, each person once; no row joins the two."""
    await open_announcement(pool, replace(SURVEY, anonymous=True))
    await put_said(pool, NEWS, POLL, "poll")
    first, changed = vote(BO, 0), vote(BO, 1)
    await heard.handle([first, vote(CY, 0)])
    await heard.handle([first, changed])
    assert await _acknowledged(pool) == {BO, CY}
    rows = await pool.fetch("SELECT announcement, answer, times FROM survey_answer")
    assert [tuple(row) for row in rows] == [(ID, "Yes", 2)]
    assert await pool.fetchval("SELECT count(*) FROM recipient WHERE answer IS NOT NULL") == 0
    assert await pool.fetchval("SELECT count(*) FROM acknowledgement WHERE answer IS NOT NULL") == 0


async def test_a_new_text_is_to_be_acknowledged_anew(pool: Pool, heard: HeardConsumer) -> None:
    """What was acknowledged before the new text stood in the room counts for the old one; a minor edit keeps it."""
    await open_announcement(pool)
    await heard.handle([_later(reaction(BO, NEWS, "$news"), -0.5)])
    await put_text(pool, 2, minor=True)
    await put_said(pool, NEWS, EventId("$edit2"), "copy", version=2, at=NOW - HOUR / 3)
    await Boards(pool, clock=lambda: NOW).look()
    assert await _acknowledged(pool) == {BO}
    await put_text(pool, 3)
    await put_said(pool, NEWS, EventId("$edit3"), "copy", version=3, at=NOW - HOUR / 4)
    await Boards(pool, clock=lambda: NOW).look()
    assert await _acknowledged(pool) == set()
    await heard.handle([_later(reaction(CY, NEWS, "$news"), -0.3), reaction(BO, NEWS, "$news", "👍")])
    assert await _acknowledged(pool) == {BO}
    assert (await _hearer(pool, BO)).version == 3


def _receipts(user_id: UserId, event_id: str, kind: str = "m.read") -> list[object]:
    read = {kind: {user_id: {"ts": int(NOW.timestamp() * 1000)}}}
    return [{"type": "m.receipt", "room_id": NEWS, "content": {event_id: read}}]


async def _archive(pool: Pool, *events: str) -> None:
    for seq, event_id in enumerate(events, 1):
        await pool.execute(
            "INSERT INTO event (seq, origin_ts, received_at, backfilled, event_id, room_id, type, sender, salt, leaf,"
            " body) VALUES ($1, 0, $2, false, $3, $4, 'm.room.message', $5, '', '\\xabcd', '')",
            seq,
            NOW + timedelta(seconds=seq),
            event_id,
            NEWS,
            BOT,
        )


async def test_a_public_receipt_says_seen_and_never_acknowledged(pool: Pool, heard: HeardConsumer) -> None:
    """A receipt at the announcement or behind it is a hint; one before it, or a private one, says nothing."""
    await open_announcement(pool)
    await _archive(pool, "$before", "$news", "$after")
    ephemeral = [*_receipts(ANNA, "$before"), *_receipts(BO, "$after"), *_receipts(CY, "$news", "m.read.private")]
    await note_receipts(pool, ephemeral, bot=BOT, clock=lambda: NOW)
    assert [(await _hearer(pool, user)).seen_at for user in (ANNA, BO, CY)] == [None, NOW, None]
    assert await _acknowledged(pool) == set()


async def test_a_new_text_is_not_seen_by_an_old_receipt(pool: Pool, heard: HeardConsumer) -> None:
    """Seen is said of the text that counts."""
    await open_announcement(pool)
    await _archive(pool, "$news", "$edit")
    await note_receipts(pool, _receipts(BO, "$news"), bot=BOT, clock=lambda: NOW)
    await put_text(pool, 2)
    await put_said(pool, NEWS, EventId("$edit"), "copy", version=2)
    assert (await _hearer(pool, BO)).seen_at is None
    await note_receipts(pool, _receipts(BO, "$edit"), bot=BOT, clock=lambda: NOW)
    assert (await _hearer(pool, BO)).seen_at == NOW


async def test_a_receipt_that_came_before_the_delivery_was_recorded_counts_later(pool: Pool) -> None:
    """The reader may be faster than our own note that the announcement is there."""
    await found(pool)
    await open_announcement(pool)
    await pool.execute("UPDATE outgoing SET event_id = NULL, said_in = NULL, state = 'waiting'")
    await note_receipts(pool, _receipts(BO, "$news"), bot=BOT, clock=lambda: NOW)
    await pool.execute(
        "UPDATE outgoing SET event_id = '$news', said_in = room_id, state = 'done' WHERE room_id = $1", NEWS
    )
    await heard_store.mark_seen(pool, [NEWS])
    assert (await _hearer(pool, BO)).seen_at == NOW


async def test_receipts_of_other_rooms_are_not_kept(pool: Pool, heard: HeardConsumer) -> None:
    """Where nothing is announced nobody is watched."""
    await note_receipts(pool, _receipts(BO, "$news"), bot=BOT, clock=lambda: NOW)
    assert await pool.fetchval("SELECT count(*) FROM receipt") == 0


async def test_the_board_is_written_with_the_answer(pool: Pool, heard: HeardConsumer) -> None:
    """One row for the first status, one for every change after it, a while apart; what comes too soon waits."""
    await open_announcement(pool)
    await heard.handle([reaction(BO, NEWS, "$news")])
    [board] = await pool.fetch("SELECT * FROM outgoing WHERE role = 'board'")
    assert (board["room_id"], board["act"]) == (DESK, "send")
    assert "1 of 3 acknowledged (33 %) · 3 delivered · 0 seen" in board["content"]["body"]
    await pool.execute("UPDATE outgoing SET state = 'done', done_at = $1 WHERE role = 'board'", NOW)
    await heard.handle([reaction(CY, NIGHT, "$night")])
    assert await pool.fetchval("SELECT count(*) FROM outgoing WHERE role = 'board'") == 1
    await Boards(pool, clock=lambda: NOW).look()
    [_, live] = await pool.fetch("SELECT * FROM outgoing WHERE role = 'board' ORDER BY id")
    assert (live["act"], live["target"], live["due_at"]) == ("edit", board["key"], NOW + APART)
    assert "2 of 3 acknowledged" in live["content"]["body"]
