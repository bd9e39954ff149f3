"""How far an announcement has come, in figures and words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.form import Form, Kind
from bridge.announcements.progress import Figures, Progress, board_of, by_need, percent
from bridge.announcements.values import State

SURVEY = Form(Kind.SURVEY, question="Canteen?", options=("Yes", "No"))
PROGRESS = Progress(
    id="7kq2-m9xd",
    desk="news",
    text="The gate\nis closed.",
    state=State.OPEN,
    form=Form(),
    version=1,
    departments={"Sales": Figures(5, 5, 3, 1), "IT": Figures(2, 2, 0, 2), "": Figures(1, 0, 0, 0)},
)


def _board(progress: Progress) -> str:
    return str(board_of(progress)["body"])


def test_the_board_says_figures_and_departments() -> None:
    """Those with the most people missing come first; who has no department counts in the sum."""
    assert _board(PROGRESS).splitlines() == [
        "📊 7kq2-m9xd “The gate is closed.”",
        "3 of 8 acknowledged (38 %) · 7 delivered · 3 seen",
        "Sales 1/5 · IT 2/2",
        "`muster announcements show 7kq2-m9xd` names who is missing.",
    ]


def test_the_board_does_not_ring() -> None:
    """It is edited all the time."""
    assert board_of(PROGRESS)["msgtype"] == "m.notice"


@pytest.mark.parametrize(("state", "words"), [(State.OVER, "It is over."), (State.RETRACTED, "It was taken back.")])
def test_the_board_says_that_it_is_over(state: State, words: str) -> None:
    """Nobody waits for more then."""
    assert words in _board(replace(PROGRESS, state=state))


def test_the_board_of_a_survey_shows_its_results() -> None:
    """By option, in the order in which they were offered."""
    assert "Yes: 2 · No: 1" in _board(replace(PROGRESS, form=SURVEY, answers={"No": 1, "Yes": 2}))


def test_the_board_of_an_anonymous_survey_shows_none_while_it_is_open() -> None:
    """Each vote would show as it comes."""
    anonymous = replace(PROGRESS, form=replace(SURVEY, anonymous=True), answers={"No": 1, "Yes": 7})
    assert "Yes:" not in _board(anonymous)
    assert "Yes: 7" in _board(replace(anonymous, state=State.OVER))


def test_results_of_an_anonymous_survey_wait_for_enough_answers() -> None:
    """One answer is not anonymous."""
    few = replace(PROGRESS, form=replace(SURVEY, anonymous=True), answers={"No": 4})
    assert few.results is None
    assert replace(few, answers={"No": 5}).results == {"Yes": 0, "No": 5}


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_only_everybody_is_all_and_only_nobody_is_none(part: int, whole: int) -> None:
    """One person missing of ten thousand is not 100 %, and one who has is not 0 %."""
    figures = Figures(targeted=max(whole, part), acknowledged=part)
    assert (percent(figures.rate) == "100 %") == (part == figures.targeted)
    assert (percent(figures.rate) == "0 %") == (part == 0)


def test_departments_are_ordered_by_who_is_missing() -> None:
    """What needs attention stands first."""
    assert [name for name, _ in by_need(PROGRESS.departments)] == ["Sales", "", "IT"]
