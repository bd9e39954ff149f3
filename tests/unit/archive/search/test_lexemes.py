"""What a query means: groups of words, of each of which a message must hold one."""

from __future__ import annotations

import pytest

from bridge.archive.search.document import Kind
from bridge.archive.search.lexemes import (
    Group,
    Range,
    department_lexeme,
    exactly,
    groups_of,
    in_rooms,
    room_lexeme,
    sender_lexeme,
)
from bridge.archive.search.query import Query, parse
from bridge.archive.search.segment import LANGUAGES

LAST = "\U0010ffff"


def groups(text: str) -> list[Group]:
    """Return what a query means, but for rooms and senders."""
    return groups_of(parse(text), LANGUAGES, [], [])


def test_word_means_its_inflections_and_what_it_is_a_part_of() -> None:
    """Words that begin with it, end with it or hold it, and those with the same stems."""
    (group,) = groups("Verträge")
    assert group.whole == "verträge"
    assert Range("verträge", f"verträge{LAST}") in group.ranges
    assert Range("<egärtrev", f"<egärtrev{LAST}", is_form=True) in group.ranges
    assert Range(">verträge", f">verträge{LAST}", is_form=True) in group.ranges
    assert Range("~vertrag", "~vertrag", is_form=True) in group.ranges
    assert Range("vertrag", "vertrag") in group.ranges


@pytest.mark.parametrize(("text", "words"), [('"the Report"', ["the", "report"]), ("东京都", ["东京", "京都"])])
def test_what_is_quoted_or_not_parted_means_itself(text: str, words: list[str]) -> None:
    """Each word, or each pair of neighbours, must be there as it is."""
    assert groups(text) == [Group((Range(word, word),), word) for word in words]


def test_short_words_and_numbers_are_no_parts() -> None:
    """Of fewer than four letters a word means itself and its stems; a number itself."""
    assert groups("17") == [Group((Range("17", "17"),), "17")]
    assert all(each.low == each.high for group in groups("the") for each in group.ranges)
    assert groups("东") == [Group((Range("东", f"东{LAST}"),), "东")]


def test_filters_widen_each_other_and_narrow_the_words() -> None:
    """One group for the words, one for all kinds, one for each flag."""
    found = groups("17 kind:image kind:file has:file is:deleted")
    assert found == [
        Group((Range("17", "17"),), "17"),
        Group((Range("=kimage", "=kimage"), Range("=kfile", "=kfile"))),
        exactly("=f"),
        exactly("=x"),
    ]


def test_without_words_whatever_can_be_found_is_meant() -> None:
    """Dates alone, or flags, which events have that nobody looks for, mean events of any kind."""
    kinds = Group(tuple(Range(f"=k{kind}", f"=k{kind}") for kind in Kind))
    assert groups_of(Query(after=5), LANGUAGES, [], []) == [kinds]
    assert groups("is:deleted") == [kinds, exactly("=x")]
    assert groups_of(Query(rooms=("!a",)), LANGUAGES, [7], []) == [in_rooms([7])]


def test_names_are_words_that_postgresql_can_hold() -> None:
    """Whatever a name is of, its lexeme has no blank and none of what no column holds."""
    for name in ("@a\0b:x", "@\ud800:x", "@a b\tc:x", "@" + "x" * 5000, "\x1f"):
        for lexeme in (sender_lexeme(name), department_lexeme(name), room_lexeme(5)):
            assert lexeme.isprintable()
            assert len(lexeme.split()) == 1
            assert len(lexeme.encode()) < 2000
    assert department_lexeme("Night  SHIFT ") == department_lexeme("night shift")
