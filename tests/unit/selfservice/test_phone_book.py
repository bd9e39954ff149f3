"""The phone book finds people by the words that people remember, and shows what everybody may know."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ids import UserId
from bridge.selfservice.phone_book import MOST_SHOWN, Listing, ranked, words_of

MARI = Listing(UserId("@mari:x"), "Mari Tamm", "Driver", "Sales", "", "", "")
JURI = Listing(UserId("@jyri:x"), "Jüri Mariste", "Head of Sales", "Sales", "", "", "")
OYA = Listing(UserId("@oya:x"), "Øya Łuk-Großmann", "Mari­ner", "Fleet", "", "", "")


def _found(text: str, *people: Listing) -> list[str]:
    return [listing.user_id for listing in ranked(words_of(text), people or (MARI, JURI, OYA)).shown]


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("mari", ["@mari:x", "@jyri:x", "@oya:x"]),
        ("MARI tamm", ["@mari:x"]),
        ("juri", ["@jyri:x"]),
        ("Jüri", ["@jyri:x"]),
        ("oya luk grossmann", ["@oya:x"]),
        ("sales", ["@jyri:x", "@mari:x"]),
        ("head sales", ["@jyri:x"]),
        ("driver fleet", []),
        ("amm", []),
        ("…", []),
    ],
)
def test_words_find_people(text: str, people: list[str]) -> None:
    """All words must be there, each from its beginning; names come before titles, whole words before beginnings."""
    assert _found(text) == people


def test_at_most_ten_are_shown_and_all_are_counted() -> None:
    """The count says how many more there are."""
    people = [replace(MARI, user_id=UserId(f"@m{number:02}:x")) for number in range(25)]
    found = ranked(["mari"], people)
    assert (len(found.shown), found.count) == (MOST_SHOWN, 25)
    assert ranked(["mari"], reversed(people)) == found


@given(st.text())
def test_a_name_is_found_by_itself(name: str) -> None:
    """Whatever script it is in, as long as it has a letter."""
    listing = replace(MARI, name=name)
    if words_of(name):
        assert ranked(words_of(name), [listing]).count == 1


@given(st.text())
def test_words_hold_letters_and_digits_only(text: str) -> None:
    """So they can stand in a query as they are."""
    assert all(word and "'" not in word and "\\" not in word and not word.isspace() for word in words_of(text))
    assert words_of(" ".join(words_of(text))) == words_of(text)
