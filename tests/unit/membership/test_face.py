"""Whose photo is where, and which letters stand for somebody without one."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.membership.face import PhotoFile, Source, colour_of, initials_of, source_of
from tests.unit.membership.notation import person, user_id

FILE = PhotoFile(Path("photos/m.tamm.jpg"), "m.tamm.jpg 10 20")


@pytest.mark.parametrize(
    ("said", "letters"),
    [
        ({"displayName": "Anna Tamm"}, "AT"),
        ({"displayName": "Anna Maria von Tamm"}, "AT"),
        ({"displayName": "Tamm, A.", "name.givenname": "Anna", "name.familyname": "Tamm"}, "AT"),
        ({"displayName": "anna"}, "A"),
        ({"displayName": "Õnne Šauer"}, "OS"),
        ({"displayName": "Łukasz Øre"}, "LO"),
        ({"displayName": "(Anna) 'Tamm'"}, "AT"),
        ({"displayName": "ßchen Æsop"}, "SA"),
        ({"displayName": "Анна Тамм"}, "M"),
        ({"displayName": "สมชาย"}, "M"),
        ({"displayName": "Anna ก"}, "A"),
        ({"displayName": "· ·"}, "M"),
    ],
)
def test_initials_can_be_read_by_everybody(said: dict[str, str], letters: str) -> None:
    """Of the first and last name in Latin capitals; the user ID's where the name has none."""
    assert initials_of(person("x", said), user_id("mari")) == letters


@given(name=st.text(min_size=1, max_size=30), local=st.text("abcdefghijklmnopqrstuvwxyz0123456789._-=/", min_size=1))
def test_everybody_has_one_or_two_letters_that_can_be_drawn(name: str, local: str) -> None:
    """Whatever HR calls somebody."""
    found = initials_of(person("x", {"displayName": name}), user_id(local))
    assert len(found) in (1, 2)
    assert found.isascii()
    assert found.isprintable()


def test_a_colour_is_somebodys_own_for_ever() -> None:
    """By the user ID, which never changes."""
    assert colour_of(user_id("mari")) == colour_of(user_id("mari"))
    assert len({colour_of(user_id(f"user{number}")) for number in range(100)}) > 50


def test_a_file_goes_before_an_address() -> None:
    """The file is called after the userName, whatever the case; the address is in the attribute of the company."""
    said = {"userName": "M.Tamm", "photoUrl": " https://example.org/m.jpg "}
    mari = person("mari", said)
    assert source_of(mari, {"m.tamm": FILE}, "photoUrl") == Source(FILE, "https://example.org/m.jpg")
    assert source_of(mari, {}, "photoUrl") == Source(None, "https://example.org/m.jpg")
    assert source_of(mari, {}, None) == Source()
    assert source_of(person("ann", {}), {"m.tamm": FILE}, "photoUrl") == Source()
