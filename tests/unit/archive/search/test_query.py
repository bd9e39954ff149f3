"""What somebody looks for, as it is typed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.search.document import Kind
from bridge.archive.search.query import Order, Page, Query, Scope, Term, parse, united
from bridge.errors import InputError
from bridge.ids import RoomId

DAY = 86_400_000


def test_words_phrases_and_filters_are_told_apart() -> None:
    """Quoted words stay together, filters narrow, and everything else is a word."""
    asked = parse('budget "annual report" from:m.tamm room:"Night drivers" kind:IMAGE has:file is:deleted is:edited')
    assert asked == Query(
        terms=(Term("budget"), Term("annual report", exact=True)),
        senders=("m.tamm",),
        rooms=("Night drivers",),
        kinds=(Kind.IMAGE,),
        has_file=True,
        deleted=True,
        edited=True,
    )


def test_days_and_moments_are_in_utc() -> None:
    """A day begins at midnight, a moment may name its zone, and the narrower of two counts."""
    assert (parse("after:1970-01-02").after, parse("before:1970-01-03T00:00").before) == (DAY, 2 * DAY)
    assert parse("after:1970-01-02T02:00+02:00 after:1970-01-01").after == DAY
    assert parse("before:1970-01-02 before:1970-01-03").before == DAY


def test_colons_of_other_words_are_words() -> None:
    """Addresses, times and subjects are looked for as they were typed."""
    assert [term.text for term in parse("https://example.org 10:30 Re:invoice").terms] == [
        "https",
        "//example.org",
        "10:30",
        "Re",
        "invoice",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("form:m.tamm", "there is no filter `form:`; `from:`"),
        ("departement:Sales", "`department:`"),
        ('say "hello', "is not closed"),
        ("kind:picture", "message or image"),
        ("is:new", "deleted or edited, got 'new'"),
        ("has:link", "expects file"),
        ("after:yesterday", "such as after:2027-01-31"),
        ("from:", "`from:` has no value; for instance from:m.tamm"),
        ('room:""', "has no value"),
    ],
)
def test_what_makes_no_sense_is_told(text: str, told: str) -> None:
    """The message names the filter, what it expects and what came."""
    with pytest.raises(InputError) as raised:
        parse(text)
    assert told in raised.value.message


@given(st.text(max_size=40))
def test_any_text_is_a_query_or_told(text: str) -> None:
    """Whatever is typed is understood or refused with words."""
    with suppress(InputError):
        assert parse(text) == parse(f" {text} ")


def test_united_queries_ask_for_both() -> None:
    """Words add up, rooms widen each other, and the scope stays."""
    scope = Scope(opened=frozenset([RoomId("!d")]))
    both = united(Query((Term("a"),), rooms=("!1",), scope=scope), Query((Term("b"),), rooms=("!2",), edited=True))
    assert both == Query((Term("a"), Term("b")), rooms=("!1", "!2"), edited=True, scope=scope)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 2**62), st.sampled_from(Order))
def test_page_comes_back_as_it_went(rank: float, seq: int, order: Order) -> None:
    """A token gives the page again, for the same query and order alone."""
    query = parse("annual report")
    page = Page(order, 7, rank, seq)
    assert Page.of(page.token(query), query, order) == page
    for other in (
        parse("annual"),
        parse("annual report from:x"),
        Query(query.terms, scope=Scope(frozenset([RoomId("!d")]))),
    ):
        with pytest.raises(InputError, match="another search"):
            Page.of(page.token(query), other, order)
