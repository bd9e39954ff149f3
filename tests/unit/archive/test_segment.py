"""What is found by which words, in any language."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.segment import LANGUAGES, contains, terms_of, tokens_of

TEXT = st.text(st.characters(codec=None), max_size=40)


def finds(query: str, text: str, languages: Sequence[str] = LANGUAGES) -> bool:
    """Return whether the text is found, as the database decides it."""
    tokens = set(tokens_of(text, languages))
    terms = terms_of(query, languages)
    return bool(terms) and all(tokens & set(term) for term in terms) and contains(text, query)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("invoice", "The INVOICES were sent"),
        ("running late", "I run, so I am late."),
        ("Häuser", "das haus am See"),
        ("strasse", "Straße 5"),
        ("straße", "STRASSE"),
        ("file.txt", "see file_txt"),
        ("ab-1234", "order AB 1234 arrived"),
        ("ﬁnance", "finance"),  # a ligature
        ("cafe\u0301", "Café"),  # a combining accent
        ("договор", "Подписан Договор №5"),
        ("हिन्दी", "यह हिन्दी है"),
        ("مرحبا", "قال مرحبا لهم"),
        ("שלום", "שלום עולם"),
        ("ประชุม", "วันนี้มีประชุมใหญ่"),
        ("ประชุม", "ประ\u200bชุม"),  # a zero-width space
        ("ວຽງຈັນ", "ຢູ່ວຽງຈັນ"),
        ("ភ្នំពេញ", "នៅភ្នំពេញ"),
        ("東京", "私は東京都に住んでいます"),
        ("都", "東京都"),
        ("コーヒー", "ｺｰﾋｰを飲む"),  # half-width katakana
        ("会议", "明天开会议程"),
        ("도서관", "어제 도서관에서 만났다"),
        ("책", "책 한 권"),
        ("iPhone手机", "我的iphone手机"),
        ("２０２６", "budget 2026"),
        ("soft", "so\u00adft"),
    ],
)
def test_text_is_found(query: str, text: str) -> None:
    """Case, width, accents' form, inflection and missing blanks do not keep a text from being found."""
    assert finds(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("invoice", "in voice"),
        ("late train", "the train"),
        ("東京都", "京都と東京"),  # both pairs are there, but not the word
        ("도서관", "도서 서관"),
        ("!?", "!?"),
        ("", "anything"),
        ("tamm", "tammsaare"),
    ],
)
def test_text_is_not_found(query: str, text: str) -> None:
    """All words must be there, as words, and a query without words finds nothing."""
    assert not finds(query, text)


def test_languages_of_the_company_decide_on_stems() -> None:
    """Estonian inflection is found once Estonian is among the languages."""
    assert not finds("arvete", "arved")
    assert finds("arvete", "arved", ["english", "estonian"])


@given(TEXT)
def test_every_text_finds_itself(text: str) -> None:
    """A text that has words at all is found by itself."""
    assert finds(text, text) or not terms_of(text)


@given(TEXT, TEXT)
def test_tokens_are_what_a_search_index_can_hold(text: str, more: str) -> None:
    """Tokens are never empty, hold nothing that PostgreSQL refuses, and more text only adds tokens."""
    tokens = tokens_of(text)
    assert all(0 < len(token.encode()) < 2046 for token in tokens)
    assert not any(set(token) & set("\0\x1f '\\:&|!()") for token in tokens)
    assert set(tokens) <= set(tokens_of(f"{text} {more}"))


def test_word_of_any_length_is_cut_alike() -> None:
    """An endless word is found by its beginning's two hundred characters."""
    word = "x" * 5000
    assert finds(word, word)
    assert all(len(token) <= 200 for token in tokens_of(word + " " + "도" * 5000))
