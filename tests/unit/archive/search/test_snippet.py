"""The part of a text that shows why it was found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.search.query import Term
from bridge.archive.search.segment import LANGUAGES
from bridge.archive.search.snippet import snippet_of

TEXT = st.text(st.characters(codec=None), max_size=60)


def marked(text: str, *terms: Term, length: int = 240) -> str:
    """Return the snippet with what was found in brackets."""
    snippet = snippet_of(text, terms, LANGUAGES, length)
    shown, place = "", 0
    for first, last in snippet.marks:
        shown += f"{snippet.text[place:first]}[{snippet.text[first:last]}]"
        place = last
    return shown + snippet.text[place:]


@pytest.mark.parametrize(
    ("text", "term", "expected"),
    [
        ("The INVOICES were sent", Term("invoice"), "The [INVOICES] were sent"),
        ("Im Arbeitsvertrag steht", Term("vertrag"), "Im Arbeits[vertrag] steht"),
        ("Die Straße ist frei", Term("strasse"), "Die [Straße] ist frei"),
        ("Ein Cafe\u0301 hier", Term("café"), "Ein [Cafe\u0301] hier"),
        ("วันนี้มีประชุมใหญ่", Term("ประชุม"), "วันนี้มี[ประชุม]ใหญ่"),
        ("私は東京都に住む", Term("東京"), "私は[東京]都に住む"),
        ("annual reports, annual", Term("annual report", exact=True), "[annual] reports, [annual]"),
        ("nothing here", Term("else"), "nothing here"),
    ],
)
def test_what_was_found_is_marked(text: str, term: Term, expected: str) -> None:
    """Marks stand in the text as it was typed, in any script."""
    assert marked(text, term) == expected


def test_long_text_is_cut_around_the_first_hit() -> None:
    """Some words before the hit are shown, and what is left out is said."""
    text = "word " * 200 + "needle " + "more " * 200
    shown = marked(text, Term("needle"), length=80)
    assert shown.startswith("…word ")
    assert "[needle]" in shown
    assert shown.endswith("…")
    assert len(shown) <= 84


@given(TEXT, st.lists(TEXT, max_size=3), st.integers(50, 80), st.booleans())
def test_marks_are_places_of_the_snippet(text: str, words: list[str], length: int, exact: bool) -> None:
    """Marks stand in order, apart, and inside; nothing is shown that was not typed."""
    snippet = snippet_of(text, [Term(word, exact) for word in words], LANGUAGES, length)
    places = [place for mark in snippet.marks for place in mark]
    assert places == sorted(places)
    assert all(0 <= place <= len(snippet.text) for place in places)
    assert snippet.text.strip("…") in text or snippet.text == text
