"""The access report as files."""

from __future__ import annotations

import csv
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.membership.access_report import COLUMNS, Heading, as_csv, as_html, defused
from bridge.membership.who import occupancy
from tests.unit.membership.past_company import ROOMS, SALES, facts

ROOM = occupancy(ROOMS[SALES], facts())
HEADING = Heading(
    "Nord & <wind>", "2026-03-01T21:59:59+00:00", "2026-04-02T10:00:00+00:00", "k.saar", "0123456789abcdef"
)


def test_a_row_says_who_has_access_to_what_and_why() -> None:
    """One row a person and room, in the order of the columns."""
    table = list(csv.reader(StringIO(as_csv([ROOM]).removeprefix("\ufeff"))))

    assert table[0] == list(COLUMNS)
    assert len(table) == 5
    assert dict(zip(COLUMNS, table[1], strict=True)) == {
        "name": "Ann Põld",
        "user ID": "'@ann:example.org",
        "department": "Sales",
        "title": "Chief, =Sales",
        "room": "department/Sales",
        "membership": "in",
        "since": "2026-02-02 09:00:00 UTC",
        "power": "50 (moderator)",
        "power by": "not by the policy",
        "by": "rule",
        "rule": "rooms.department",
        "reason": 'department eq "Sales" and not (usertype eq "Contractor")',
        "until": "",
        "owner": "",
        "source": "policy c0ffeec0ffee",
        "waits": "",
        "approved by": "Eve Saar",
        "event ID": "$join-ann-2-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "room ID": "!sales",
    }


@pytest.mark.parametrize("field", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "  =1+1", "\uff1d1+1"])
def test_a_field_that_would_be_a_formula_is_none(field: str) -> None:
    """Names come from people, and reports are opened in spreadsheets."""
    assert defused(field) == f"'{field}"


@given(st.text())
def test_no_field_of_the_file_begins_like_a_formula(name: str) -> None:
    """Whatever somebody is called, and the name can be read back."""
    person = replace(ROOM.occupants[0], person=name)
    text = as_csv([replace(ROOM, occupants=(person,))]).removeprefix("\ufeff")
    table = list(csv.reader(StringIO(text, newline="")))

    assert len(table) == 2
    assert not any(field.startswith(("=", "+", "-", "@", "\t", "\r")) for field in table[1])
    assert table[1][0] in (name, f"'{name}")


class Page(HTMLParser):
    """What a page holds: its elements, and the addresses that it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "action")]


def test_the_page_stands_alone_and_nobodys_name_is_markup() -> None:
    """It loads nothing, has a search box, and shows what people wrote as text."""
    evil = replace(ROOM.occupants[0], person="<script>alert(1)</script>", reason="{x} & <b>")
    text = as_html(
        [replace(ROOM, occupants=(evil, *ROOM.occupants[1:]), complete=False, completeness="a <gap>")], HEADING
    )
    page = Page()
    page.feed(text)

    assert page.loads == []
    assert (page.tags.count("script"), page.tags.count("b"), page.tags.count("input")) == (1, 0, 1)
    assert page.tags.count("tr") == 5
    for words in (
        "Nord &amp; &lt;wind&gt;",
        "{x} &amp; &lt;b&gt;",
        "a &lt;gap&gt;",
        "4 memberships in 1 rooms",
        "k.saar",
    ):
        assert words in text
