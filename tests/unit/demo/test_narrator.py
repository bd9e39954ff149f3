"""The story is told in lines that fit, and what was told can be summed up."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from bridge.demo.narrator import Narrator


def narrator() -> tuple[Narrator, StringIO]:
    out = StringIO()
    return Narrator(Console(file=out, width=80)), out


def test_a_step_is_told_as_what_happened_and_kept_with_its_seconds() -> None:
    """While it is under way it has a title; afterwards it is what came of it."""
    telling, out = narrator()
    with telling.step("HR pushes people") as step:
        step.happened = "HR pushed 80 people"
    (kept,) = telling.steps
    assert kept.happened == "HR pushed 80 people"
    assert kept.seconds is not None
    assert out.getvalue().endswith(" s  HR pushed 80 people\n")


def test_a_step_left_out_has_no_seconds() -> None:
    """Nobody takes a step that was not taken for a quick one."""
    telling, out = narrator()
    telling.leave_out("Nobody works here")
    assert [(step.happened, step.seconds) for step in telling.steps] == [("Nobody works here", None)]
    assert out.getvalue() == "       -  Nobody works here\n"


def test_long_work_prints_its_quarters_where_there_is_no_terminal() -> None:
    """A log shows that something is going on, in a few lines."""
    telling, out = narrator()
    with telling.step("Applying") as step:
        for done in range(201):
            step.advance(done, 200)
    assert [line.strip() for line in out.getvalue().splitlines()[:-1]] == [
        "Applying: 50 of 200",
        "Applying: 100 of 200",
        "Applying: 150 of 200",
    ]


def test_a_check_that_fails_is_told_at_once_and_in_words() -> None:
    """What held is left to the summary; what did not is said where it happened."""
    telling, out = narrator()
    telling.check("ledger agrees", expected=True, found=True)
    assert out.getvalue() == ""
    telling.check("ledger agrees", expected=True, found=False)
    telling.check("text that is seen", expected=None, found="secret")
    assert [check.held for check in telling.checks] == [True, False, False]
    assert "ledger agrees: expected yes, came no" in out.getvalue()
    assert "text that is seen: expected nothing, came secret" in out.getvalue()


def test_no_line_is_wider_than_the_terminal() -> None:
    """Long sentences are broken at words, beside their mark."""
    telling, out = narrator()
    telling.leave_out("word " * 60)
    lines = out.getvalue().splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) <= 80
    assert all(line.startswith(" " * 10) for line in lines[1:])
