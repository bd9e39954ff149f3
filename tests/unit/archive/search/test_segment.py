"""What is found by which words, in any language; `tests/integration/archive/test_recall.py` asks the index."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.search.segment import LANGUAGES, folded, marks_of, pairs_of, runs_of, stems_of
from bridge.archive.search.words import spaced

TEXT = st.text(st.characters(codec=None), max_size=40)


def lexemes(text: str) -> set[str]:
    """Return what a text is found by."""
    words = spaced(text).split()
    return {*words, *(mark for word in words for mark in marks_of(word, LANGUAGES))}


@pytest.mark.parametrize(
    ("text", "lexeme"),
    [
        ("The INVOICES were sent", "~invoic"),
        ("das haus am See", "haus"),
        ("die Häuser", "~haus"),
        ("Straße 5", "strasse"),
        ("see file_txt", "txt"),
        ("order AB-1234 arrived", "1234"),
        ("ﬁnance", "finance"),  # a ligature
        ("Cafe\u0301", "café"),  # a combining accent
        ("Подписан Договор №5", "договор"),
        ("यह हिन्दी है", "हिन्दी"),
        ("قال مرحبا لهم", "مرحبا"),
        ("שלום עולם", "שלום"),
        ("ประ\u200bชุม", "ะช"),  # a zero-width space
        ("ຢູ່ວຽງຈັນ", "ວຽ"),
        ("នៅភ្នំពេញ", "ពេ"),
        ("東京都", "東京"),
        ("東京都", "都"),
        ("ｺｰﾋｰを飲む", "コー"),  # half-width katakana
        ("도서관에서", "서관"),
        ("我的iphone手机", "iphone"),
        ("budget ２０２６", "2026"),
        ("so\u00adft", "soft"),
        ("Arbeitsvertrag", "<gartrevsti"),
        ("Kraftfahrzeugsteuerbescheid", ">steuerbesc"),
    ],
)
def test_text_is_found_by(text: str, lexeme: str) -> None:
    """Case, width, accents' form, inflection and missing blanks do not keep a text from being found."""
    assert lexeme in lexemes(text)


def test_languages_of_the_company_decide_on_stems() -> None:
    """Estonian inflection is found once Estonian is among the languages."""
    both = [set(stems_of(word, ("english", "estonian"))) for word in ("arvete", "arved")]
    assert both[0] & both[1]
    assert not set(stems_of("arvete", ("english",))) & set(stems_of("arved", ("english",)))


@given(TEXT)
def test_lexemes_are_what_a_search_index_can_hold(text: str) -> None:
    """No word holds a blank, or a mark of what is no word, or is empty or longer than PostgreSQL's indexes take."""
    for run in runs_of(folded(text)):
        words = [run.text] if run.parted else pairs_of(run.text)
        assert all(words)
        assert not any(set(word) & set("\0\x1f \n<>~=") for word in words)
    assert all(0 < len(lexeme.encode()) < 2046 for lexeme in lexemes(text))


@given(TEXT, TEXT)
def test_more_text_only_adds(text: str, more: str) -> None:
    """What a text is found by, it is found by within a longer one."""
    assert lexemes(text) <= lexemes(f"{text} {more}")


def test_word_of_any_length_is_cut_alike() -> None:
    """An endless word counts by its beginning's two hundred characters, and is no word of a language."""
    assert lexemes("x" * 5000) == {"x" * 200}
    assert marks_of("x" * 41, LANGUAGES) == []
