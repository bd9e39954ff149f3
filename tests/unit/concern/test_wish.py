"""What `report …` means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.concern.wish import LONGEST, Opening, Wish, decide, is_passed_on, read
from bridge.directory.selector import parse
from bridge.policy.reports import ReportKind
from bridge.selfservice.replies import Text

KINDS = {
    "accident": ReportKind("accident", "An accident", parse('title eq "Nurse"')),
    "violence": ReportKind("violence", "Violence", parse('title eq "Guard"'), anonymous=False),
}


@pytest.mark.parametrize(
    ("body", "wish"),
    [
        ("report", Wish()),
        ("!report", Wish()),
        ("report end", Wish(ends=True)),
        ("Report End.", Wish(ends=True)),
        ("report accident the rack fell", Wish("accident", None, "the rack fell")),
        ("REPORT: Accident, the rack", Wish("accident", None, "the rack")),
        ("report accident anonymous the\nrack  fell", Wish("accident", True, "the\nrack  fell")),
        ("report anonymous accident: fell", Wish("accident", True, "fell")),
        ("report named an accident fell", Wish("accident", False, "fell")),
        ("report an accident anonymously", Wish("accident", True, "")),
        ("report accident named anonymous people", Wish("accident", False, "anonymous people")),
        ("report the accident", Wish("", None, "the accident")),
        ("report accident a rack fell", Wish("accident", None, "a rack fell")),
        ("> <@muster> hello\n\nreport accident fell", Wish("accident", None, "fell")),
    ],
)
def test_a_report_is_read_as_people_write_it(body: str, wish: Wish) -> None:
    """Kind and mode in either order, in any case; the words stay as they are."""
    assert read(body, KINDS) == wish


def test_what_may_be_anonymous_is_unless_one_says_otherwise() -> None:
    """A name that was given cannot be taken back."""
    assert decide(Wish("accident", None, "fell"), KINDS) == Opening(KINDS["accident"], True, "fell")
    assert decide(Wish("accident", False, "fell"), KINDS) == Opening(KINDS["accident"], False, "fell")
    assert decide(Wish("violence", None, "help"), KINDS) == Opening(KINDS["violence"], False, "help")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(), "report accident … – An accident (without your name)"),
        (Wish(words="acident there"), "Did you mean “accident”?"),
        (Wish("violence", True, "help"), "cannot be reported anonymously"),
        (Wish("accident"), "what happened: report accident …"),
    ],
)
def test_what_is_unclear_is_asked_and_nothing_passed_on(wish: Wish, said: str) -> None:
    """In one step, with what to write instead."""
    answer = decide(wish, KINDS)
    assert isinstance(answer, Text)
    assert said in answer.plain
    assert answer.plain.startswith("Nothing has been passed on")


def test_without_kinds_nothing_can_be_reported() -> None:
    """And that is said."""
    answer = decide(Wish(words="help"), {})
    assert isinstance(answer, Text)
    assert "takes no reports" in answer.plain


@pytest.mark.parametrize("body", ["!rooms", " !report x", "report end", "REPORT  END.", "  ", ""])
def test_what_is_for_the_bot_is_not_passed_on(body: str) -> None:
    """What begins with `!`, and the end."""
    assert not is_passed_on(body)


@pytest.mark.parametrize("body", ["help", "rooms", "report", "the end", "report accident again"])
def test_everything_else_is_passed_on(body: str) -> None:
    """Also what would be a command elsewhere: who cries for help means it."""
    assert is_passed_on(body)


@given(st.text())
def test_anything_may_be_written_behind_report(rest: str) -> None:
    """Nothing that people write breaks the reading, and no more than the limit is passed on."""
    wish = read(f"report {rest}", KINDS)
    assert len(wish.words) <= LONGEST
    assert isinstance(decide(wish, KINDS), Opening | Text)
