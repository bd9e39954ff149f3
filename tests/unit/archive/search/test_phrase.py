"""Phrases, held against the texts themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.search.lexemes import phrases_of
from bridge.archive.search.phrase import holds
from bridge.archive.search.query import Term

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "c"]), max_size=6)


@pytest.mark.parametrize(
    ("text", "phrase", "held"),
    [
        ("the annual report of 2026", "Annual Report", True),
        ("a report, annual", "annual report", False),
        ("annual reports", "annual report", False),
        ("the annual, report", "annual report", True),
        ("我们明天在北京开会 ok", "北京开会 OK", True),
        ("我们明天在北京 开会", "北京开会", False),
        ("东京都", "东京 都", True),
        ("东京都", "京都", True),
        ("東京と京都", "東京都", False),
        ("lorem ipsum " * 9000 + "dolor sit", "dolor sit", True),
    ],
)
def test_phrase_stands_as_it_is(text: str, phrase: str, held: bool) -> None:
    """Word beside word; what is one stretch in the phrase is one in the text."""
    assert holds(text, phrases_of([Term(phrase, exact=True)])) is held


@given(WORDS, st.lists(st.sampled_from(["a", "b", "ab", "c"]), min_size=2, max_size=3))
def test_words_stand_side_by_side(text: list[str], phrase: list[str]) -> None:
    """A phrase is held exactly when its words are a part of the text's words."""
    wanted = any(text[at : at + len(phrase)] == phrase for at in range(len(text)))
    assert holds(" ".join(text), phrases_of([Term(" ".join(phrase), exact=True)])) is wanted


def test_what_its_words_say_alone_is_not_looked_at() -> None:
    """Words that may stand anywhere, one word, or one pair of neighbours need no look at the text."""
    assert phrases_of([Term("annual report"), Term("report", exact=True), Term("东京")]) == []
    assert len(phrases_of([Term("东京都 report"), Term("annual report", exact=True)])) == 2
