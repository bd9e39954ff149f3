"""What is due in a roll call, what is said, and how fast it was."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.form import HELP, SAFE
from bridge.announcements.on_call import Asked
from bridge.announcements.roll_call import Count, Due, Present, RollCall, count, due, in_need
from bridge.announcements.roll_call_report import Delivered, Times, as_json, as_text, percentile, report_of, times
from bridge.announcements.roll_call_text import (
    Turn,
    alarm,
    ask,
    board,
    channel_lines,
    ended_answer,
    outward,
    over,
    plea,
    poll_question,
    reminder,
    started_answer,
    verdict_of,
)
from bridge.ids import UserId
from bridge.policy.emergency import Emergency

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Tallinn")
CALL = RollCall("7kq2-m9xd", "desk", "Fire in hall 2", None, False, NOW, "Anna Tamm")
DRILL = replace(CALL, drill=True)
TERMS = Emergency()


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def person(name: str, site: str = "", department: str = "", answer: str | None = None, at: float = 0) -> Present:
    answered = after(at) if answer else None
    return Present(UserId(f"@{name}:x"), name, site, department, NOW, answer, answered, asked_help=answer == HELP)


PEOPLE = [
    person("Anna", "Tallinn", "Sales", SAFE, 30),
    person("Bo", "Tallinn", "Yard", HELP, 60),
    person("Cy", "Riga", "Yard", HELP, 20),
    person("Dee", "Riga", "Yard"),
    person("Guest"),
]


@pytest.mark.parametrize(
    ("call", "seconds", "wanted"),
    [
        (CALL, 0, Due(next_at=after(120))),
        (CALL, 120, Due(turn=1, next_at=after(300))),
        (replace(CALL, said=1), 299, Due(next_at=after(300))),
        (CALL, 400, Due(turn=2, next_at=after(600))),
        (replace(CALL, said=2), 600, Due(turn=3, channels=True)),
        (replace(CALL, said=3), 600, Due(channels=True)),
        (replace(CALL, said=3, channels_at=after(600)), 9999, Due()),
    ],
)
def test_the_silent_are_asked_again_at_their_times(call: RollCall, seconds: int, wanted: Due) -> None:
    """Each repetition once, and after an outage only the newest; then second channels, once."""
    assert due(call, TERMS, after(seconds)) == wanted


def test_second_channels_may_go_out_early() -> None:
    """When the policy says so, and the repetitions go on."""
    terms = Emergency(channels=timedelta(minutes=1))
    assert due(CALL, terms, NOW).next_at == after(60)
    assert due(CALL, terms, after(60)) == Due(channels=True, next_at=after(120))


def test_people_are_counted_by_their_answers() -> None:
    """Everybody is safe, in need, or silent; those in need in the order of asking."""
    assert count(PEOPLE) == Count(safe=1, help=2, silent=2)
    assert count(PEOPLE).people == len(PEOPLE)
    assert [each.name for each in in_need(PEOPLE)] == ["Cy", "Bo"]


def texts(call: RollCall) -> list[str]:
    return [
        alarm(call, "Nordwind"),
        poll_question(call),
        *(reminder(call, turn, 3) for turn in (1, 2, 3)),
        *outward(call, "Nordwind"),
        over(call, "Nordwind"),
        ask(call),
        *(plea(call, replace(PEOPLE[1], answer=answer), ZONE) for answer in (HELP, SAFE, None)),
        board(call, PEOPLE, [], {}, [], needed=1, zone=ZONE),
        started_answer(call.id, 5, 1, site=None, drill=call.drill),
        ended_answer(call),
    ]


def test_every_text_of_a_drill_says_so() -> None:
    """Nobody takes an exercise for an emergency, and no emergency for an exercise."""
    assert all("DRILL" in text for text in texts(DRILL))
    assert not any("DRILL" in text for text in texts(CALL))
    assert "EMERGENCY" in alarm(CALL, "Nordwind")


def test_the_alarm_says_what_happened_and_how_to_answer() -> None:
    """Also where, when it is for one site."""
    said = alarm(replace(CALL, site="Tallinn"), "Nordwind")
    assert all(part in said for part in ("Nordwind", "Tallinn", "Fire in hall 2", "✅", "🆘"))


def test_each_repetition_is_more_urgent() -> None:
    """And the last says what silence means, however many there are."""
    said = [reminder(CALL, turn, 5) for turn in range(1, 6)]
    assert len(set(said)) > 2
    assert "LAST CALL" in said[-1]
    assert not any("LAST CALL" in each for each in said[:2])
    assert "LAST CALL" in reminder(CALL, 1, 1)


def test_the_board_names_who_needs_help_first() -> None:
    """Then the sites with their departments, then the silent, then who comes."""
    line = [
        Asked(UserId("@r:x"), NOW, accepts=True),
        Asked(UserId("@s:x"), NOW),
        Asked(UserId("@t:x"), NOW, accepts=False),
    ]
    names = {UserId("@r:x"): "Rein", UserId("@s:x"): "Siim", UserId("@t:x"): "Tiia"}
    channels = channel_lines({"sms": (2, 1, 3, "The SMS gateway answered 503.")})
    said = board(CALL, PEOPLE, line, names, channels, needed=2, zone=ZONE)
    assert said == (
        "🚨 EMERGENCY · roll call 7kq2-m9xd\n"
        "Fire in hall 2\n"
        "Started 14:00:00 by Anna Tamm\n"
        "\n"
        "🆘 2 need help · ✅ 1 safe · ❔ 2 silent · 5 people\n"
        "\n"
        "NEED HELP (2):\n"
        "  🆘 Cy (Riga, Yard), 14:00:20\n"
        "  🆘 Bo (Tallinn, Yard), 14:01:00\n"
        "\n"
        "Riga: 🆘 1 needs help · ✅ 0 safe · ❔ 1 silent\n"
        "  Yard: 🆘 1 needs help · ✅ 0 safe · ❔ 1 silent\n"
        "Tallinn: 🆘 1 needs help · ✅ 1 safe · ❔ 0 silent\n"
        "  Sales: ✅ 1 safe · ❔ 0 silent\n"
        "  Yard: 🆘 1 needs help · ✅ 0 safe · ❔ 0 silent\n"
        "Site unknown: ✅ 0 safe · ❔ 1 silent\n"
        "  no department: ✅ 0 safe · ❔ 1 silent\n"
        "\n"
        "SILENT (2): Guest; Dee (Riga, Yard)\n"
        "\n"
        "RESPONDERS 1 of 2 needed – come: Rein; cannot: Tiia; asked: Siim\n"
        "\n"
        "SMS: 2 sent, 1 waiting, 3 not possible (no address, or refused) – The SMS gateway answered 503."
    )


@pytest.mark.parametrize("answer", [HELP, None])
def test_the_board_of_a_large_company_fits_into_a_message(answer: str | None) -> None:
    """With a hundred thousand people at five hundred sites, whatever they answer."""
    many = [
        person(f"Somebody with a long name {number}", f"Site {number % 500}", f"Department {number % 37}", answer, 5)
        for number in range(20_000)
    ]
    said = board(CALL, many, [], {}, [], needed=1, zone=ZONE)
    assert len(said.encode()) < 30_000
    assert "… and 440 more sites" in said


@pytest.mark.parametrize(("emoji", "wanted"), [("✅", True), ("✔️", True), ("❌", False), ("✖️", False), ("🙂", None)])
def test_a_responder_accepts_or_refuses_by_reaction(emoji: str, wanted: bool | None) -> None:
    """With or without the variation selector that some clients add; anything else is neither."""
    assert verdict_of(emoji) is wanted


def test_rooms_are_told_before_anything_else() -> None:
    """Then who needs help and who is called, before a thousand people's own rooms; polls last."""
    order = sorted(Turn, key=lambda turn: NOW - turn.before)
    assert order == [Turn.ROOMS, Turn.HELP, Turn.PEOPLE, Turn.REST]


# The report


def test_a_percentile_is_the_nearest_rank() -> None:
    """The figures of everybody's textbook."""
    values = [15.0, 20.0, 35.0, 40.0, 50.0]
    assert [percentile(values, share) for share in (0.05, 0.3, 0.4, 0.5, 1)] == [15, 20, 20, 35, 50]
    assert percentile([], 0.5) is None


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.001, 1))
def test_at_least_that_share_answered_within_a_percentile(values: list[float], share: float) -> None:
    """And it is somebody's time, not an average."""
    found = percentile(sorted(values), share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6


def test_who_never_answered_is_counted_beside_the_times() -> None:
    """And is never left out of how many there were."""
    assert times(NOW, [after(10), None, after(4), None]) == Times(4, 2, 4.0, 10.0, 10.0)
    assert times(NOW, [None]) == Times(1, 0, None, None, None)


def test_the_report_has_times_by_site_and_department_and_the_unreached() -> None:
    """Who was reached by no way at all is named; who was reached by SMS alone is not among them."""
    lost = replace(person("Eve", "Riga"), delivered_at=None)
    texted = replace(person("Fay", "Riga"), delivered_at=None)
    people = [*PEOPLE, lost, texted]
    deliveries = [Delivered(True, after(1)), Delivered(False, after(2)), Delivered(False, None)]
    ended = replace(DRILL, ended_at=after(900))
    report = report_of(ended, people, deliveries, {"sms": [after(600), None]}, frozenset({texted.user_id}))
    assert report.answers == Times(7, 3, 30.0, 60.0, 60.0)
    assert report.sites["Riga"] == Times(4, 1, 20.0, 20.0, 20.0)
    assert report.departments["Yard"] == Times(3, 2, 20.0, 60.0, 60.0)
    assert (report.rooms.done, report.personal, report.channels["sms"].of) == (1, Times(2, 1, 2.0, 2.0, 2.0), 2)
    assert report.unreached == (lost,)
    said = as_text(ended, report, people, ZONE)
    assert said.startswith("🔔 DRILL")
    assert "Never reached (1): Eve (Riga)" in said
    assert "Answers: 3 of 7; half within 30 s, nine of ten within 1 min 00 s, the last after 1 min 00 s" in said
    assert "By sms: 1 of 2" in said
    assert re.search(r"By site:\n  Riga: 1 of 4.*\n  Tallinn: 2 of 2.*\n  unknown: 0 of 1", said)
    found = as_json(ended, report, people)
    assert (found["never_reached"], found["safe"], found["help"], found["silent"]) == (["@Eve:x"], 1, 2, 4)
