"""What people say is read as a command in any case, with or without `!`, or answered with the nearest one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.selfservice.command import NEEDS_MORE, Command, Unclear, Word, parse


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("whoami", Command(Word.WHOAMI)),
        ("!WhoAmI", Command(Word.WHOAMI)),
        ("Who am I?", Command(Word.WHOAMI)),
        ("  rooms  ", Command(Word.ROOMS)),
        ("Rooms?", Command(Word.ROOMS)),
        ("help", Command(Word.HELP)),
        ("Hello!", Command(Word.HELP)),
        ("why Town Square", Command(Word.WHY, "Town Square")),
        ("Why am I in Town Square?", Command(Word.WHY, "Town Square")),
        ("why am I not in department/IT", Command(Word.WHY, "department/IT")),
        ("WHO Jüri  Tamm", Command(Word.WHO, "Jüri Tamm")),
        ("who is Jüri?", Command(Word.WHO, "Jüri")),
        ("> <@muster:x> what I said\n\nwho sales", Command(Word.WHO, "sales")),
    ],
)
def test_plain_words_are_a_command(said: str, meant: Command) -> None:
    """Case, `!`, punctuation, whole sentences and the quote of a reply change nothing."""
    assert parse(said) == meant


@pytest.mark.parametrize(
    ("said", "nearest"), [("whomai", Word.WHOAMI), ("room", Word.ROOMS), ("hlep", Word.HELP), ("payslip", None)]
)
def test_an_unknown_word_gets_the_nearest_command(said: str, nearest: Word | None) -> None:
    """A slip is recognised; what resembles nothing is not guessed at."""
    assert parse(said) == Unclear(nearest)


@pytest.mark.parametrize("word", sorted(NEEDS_MORE))
def test_a_question_about_nothing_is_incomplete(word: Word) -> None:
    """What must stand behind the word is asked for."""
    assert parse(f" !{word} ") == Unclear(word, incomplete=True)


@given(st.text(max_size=2000))
def test_any_text_can_be_read(said: str) -> None:
    """Whatever somebody sends is a command with what it needs, or unclear."""
    found = parse(said)
    assert isinstance(found, Unclear) or found.rest or found.word not in NEEDS_MORE


@given(st.sampled_from(Word), st.text(alphabet=st.characters(categories=["Lu", "Ll"]), min_size=1, max_size=20))
def test_case_never_matters(word: Word, rest: str) -> None:
    """The word may be written in any case; what stands behind it is kept as it is."""
    assert parse(f"{word.upper()} {rest}") == parse(f"!{word} {rest}")
