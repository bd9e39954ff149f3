"""Parting texts into words, the quick way and the long one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.search.segment import LONGEST, folded, pairs_of, runs_of
from bridge.archive.search.words import MOST_WORDS, own_number, spaced

TEXT = st.text(st.characters(codec=None), max_size=40)
LATIN = st.text(st.sampled_from("aäbßéŒ 1_-'\\.жλ“👍\u0301\xad\xaa\xb5¼²"), max_size=30)
LATIN_1 = st.text(st.characters(max_codepoint=255), max_size=30)


@given(TEXT | LATIN | LATIN_1)
def test_quick_way_is_the_long_way(text: str) -> None:
    """Whatever the script, the words are those of the normalised text."""
    words = [word for run in runs_of(folded(text)) for word in ([run.text] if run.parted else pairs_of(run.text))]
    assert spaced(text).split() == [word[:LONGEST] for word in words]


@given(TEXT, TEXT)
def test_text_beside_others_keeps_its_words(text: str, other: str) -> None:
    """Words between blanks are the same words, among those of other texts too."""
    assert f"{spaced(text)} {spaced(other)}".split() == spaced(text).split() + spaced(other).split()


@pytest.mark.parametrize("word", ["x" * 5000, "ü" * 5000, "ж" * 5000, "ﬃ" * 150])
def test_word_of_any_length_is_cut(word: str) -> None:
    """It counts by its first two hundred characters."""
    assert spaced(f"a {word}").split() == ["a", folded(word)[:LONGEST]]


def test_long_texts_have_each_word_once() -> None:
    """So that no event has more words than can be counted, though normalising makes four of one character."""
    assert spaced("ein bitte " * 50).split() == ["ein", "bitte"]
    assert len(spaced("\ufdfa" * 21_800).split()) < 100
    assert len(spaced(" ".join(f"w{number}" for number in range(MOST_WORDS + 9))).split()) == MOST_WORDS


def test_digits_are_their_own_number() -> None:
    """Zeros in front make another word; what is long, or of other digits, needs a number that somebody keeps."""
    words = ["0", "7", "007", "999999999"]
    numbers = [own_number(word) for word in words]
    assert all(number is not None and -(2**31) <= number < 0 for number in numbers)
    assert len(set(numbers)) == len(words)
    assert [own_number(word) for word in ("1234567890", "٣", "a1", "")] == [None] * 4
