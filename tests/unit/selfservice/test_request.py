"""Who is asked for a room, in which order, and what an answer is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.policy.schema import Requests, RoomKind
from bridge.selfservice.known_rooms import KnownRoom, Standing, split_request
from bridge.selfservice.request import (
    Asked,
    Request,
    Step,
    Turn,
    in_words,
    last_day,
    next_step_at,
    next_turn,
    short_reason,
    step_due,
    verdict_of,
)

A, B, ME = UserId("@a:x"), UserId("@b:x"), UserId("@me:x")
ROOM = RoomId("!administrators")


def test_owners_are_asked_one_after_the_other_and_then_the_administrators() -> None:
    """Nobody twice, and whoever asks is not asked."""
    assert next_turn([A, ME, B], ROOM, set(), ME) == Turn(A)
    assert next_turn([A, ME, B], ROOM, {A}, ME) == Turn(B)
    assert next_turn([A, ME, B], ROOM, {A, B}, ME) == Turn(None, ROOM)
    assert next_turn([A, ME, B], ROOM, {A, B, None}, ME) is None
    assert next_turn([ME], None, set(), ME) is None


@given(st.lists(st.sampled_from([A, B, ME]), unique=True), st.booleans())
def test_everybody_is_asked_exactly_once(owners: list[UserId], administrators: bool) -> None:
    """However many there are, the asking ends."""
    asked: list[UserId | None] = []
    while turn := next_turn(owners, ROOM if administrators else None, asked, ME):
        asked.append(turn.owner)
    assert asked == [owner for owner in owners if owner != ME] + ([None] if administrators else [])


@pytest.mark.parametrize(
    ("sign", "means"),
    [("✅", True), ("✔️", True), ("👍🏽", True), ("❌", False), ("👎", False), ("🎉", None), ("", None), ("yes", None)],
)
def test_only_clear_signs_answer(sign: str, means: bool | None) -> None:
    """In the variants that keyboards send."""
    assert verdict_of(sign) is means


def test_an_exception_has_an_end() -> None:
    """Whole days from today, one at least."""
    assert last_day(date(2026, 3, 2), timedelta(days=30)) == date(2026, 4, 1)
    assert last_day(date(2026, 3, 2), timedelta(hours=1)) == date(2026, 3, 3)


def test_a_request_names_a_room_and_perhaps_a_reason() -> None:
    """The longest name that there is counts; what stands behind it is the reason."""
    fleet, night = (
        KnownRoom(RoomKey(key), RoomId(f"!{key}"), name, "", RoomKind.CHAT, Standing.LISTED)
        for key, name in (("fleet", "Fleet"), ("night", "Fleet at night"))
    )
    rooms = (fleet, night)
    assert split_request("fleet", rooms) == ((fleet,), "")
    assert split_request("Fleet at night", rooms) == ((night,), "")
    assert split_request("fleet at night because I drive", rooms) == ((night,), "I drive")
    assert split_request('"Fleet": at times I drive', rooms) == ((fleet,), "at times I drive")
    assert split_request("board please", rooms) == ((), "")


@given(st.text(max_size=1000))
def test_a_reason_is_one_line_of_bounded_length(text: str) -> None:
    """Whatever was written."""
    assert "\n" not in short_reason(text)
    assert len(short_reason(text)) <= 300


ASKED_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
WAITING = Request(1, PersonId("p"), ME, RoomKey("fleet"), "", ASKED_AT)
HOUR = timedelta(hours=1)


@given(st.integers(0, 400), st.integers(0, 400), st.booleans(), st.booleans())
def test_what_is_due_is_due_from_the_moment_named_before(now: int, asked: int, reminded: bool, has_next: bool) -> None:
    """Nothing is due before that moment, and something is from then on: no request is forgotten or hurried."""
    last = Asked(A, ASKED_AT + asked * HOUR, reminded)
    moment = next_step_at(WAITING, last, Requests(), has_next=has_next)
    step = step_due(WAITING, last, Requests(), ASKED_AT + now * HOUR, has_next=has_next)
    assert (step is not None) is (ASKED_AT + now * HOUR >= moment)


def test_a_request_is_reminded_of_passed_on_and_ended() -> None:
    """A reminder after a day, the next after two, the end after two weeks; the last one asked only the end."""
    for days, step, has_next, reminded in [
        (0, None, True, False),
        (1, Step.REMIND, True, False),
        (1, None, True, True),
        (2, Step.ASK, True, False),
        (2, Step.REMIND, False, False),
        (13, None, False, True),
        (14, Step.EXPIRE, True, False),
    ]:
        last = Asked(A, ASKED_AT, reminded)
        assert step_due(WAITING, last, Requests(), ASKED_AT + timedelta(days=days), has_next=has_next) is step
    assert step_due(WAITING, None, Requests(), ASKED_AT, has_next=True) is Step.ASK
    assert step_due(WAITING, None, Requests(), ASKED_AT, has_next=False) is None


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(days=2), "2 days"),
        (timedelta(days=1), "1 day"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(seconds=5), "1 minute"),
    ],
)
def test_a_length_of_time_is_said_in_words(time: timedelta, words: str) -> None:
    """In the largest unit that is exact."""
    assert in_words(time) == words
