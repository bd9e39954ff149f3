"""The summary fits the terminal, names every check, and ends in one line of JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bridge.demo.summary import (
    AnnouncementFigures,
    ArchiveFigures,
    Check,
    Entrance,
    Figures,
    LeaverFigures,
    Step,
    as_json,
    as_text,
)

FIGURES = Figures(
    people=80,
    rooms=17,
    memberships=420,
    joins_per_second=12.34567,
    announcement=AnnouncementFigures(80, 12),
    leaver=LeaverFigures(0.41234, 6, 2),
    archive=ArchiveFigures(1500, 1500, "ab" * 32, verified=True, missing=0),
    seconds=61.23456,
)
ENTRANCE = Entrance(
    homeserver="http://127.0.0.1:8008",
    user_id="@m.tamm:nordwind.example",
    user_name="m.tamm",
    password="secret",
    scim="http://127.0.0.1:9000/scim/v2",
    command=".venv/bin/muster",
    config="/demo/config.yaml",
)


def test_the_json_is_one_line_with_the_promised_keys() -> None:
    """Scripts read one line, in which every figure has its name."""
    line = as_json(FIGURES)
    assert "\n" not in line
    assert json.loads(line) == {
        "people": 80,
        "rooms": 17,
        "memberships": 420,
        "joins_per_second": 12.346,
        "announcement": {"delivered": 80, "acknowledged": 12},
        "leaver": {"seconds_to_no_access": 0.412, "rooms_left": 6, "sessions_ended": 2},
        "archive": {"events": 1500, "leaves": 1500, "root": "ab" * 32, "verified": True, "missing": 0},
        "seconds": 61.235,
    }


def test_every_step_stands_with_its_seconds_and_a_step_left_out_says_so() -> None:
    """What happened and how long it took are on one line."""
    text = as_text([Step("HR pushed 80 people", 2.04), Step("Nobody moved", None)], [], FIGURES, None)
    assert "HR pushed 80 people" + " " * 58 + "2.0" in text
    assert "Nobody moved" + " " * 60 + "left out" in text
    assert "altogether" in text
    assert "61.2" in text


def test_a_check_that_failed_says_what_was_expected_and_what_came() -> None:
    """Held checks are counted and named; a failed one is explained."""
    text = as_text([], [Check("rooms", "17", "17"), Check("missing events", "0", "3")], FIGURES, None)
    assert "Checks: 1 of 2 held" in text
    assert "✓ rooms: 17" in text
    assert "✗ missing events" in text
    assert "expected: 0" in text
    assert "came: 3" in text


def test_a_visitor_finds_addresses_and_one_login() -> None:
    """While everything stays up, the summary says how to get in; afterwards it does not."""
    text = as_text([], [], FIGURES, ENTRANCE)
    for word in ("http://127.0.0.1:8008", "@m.tamm:nordwind", "secret", ".venv/bin/muster why m.tamm", "/scim/v2"):
        assert word in text
        assert word not in as_text([], [], FIGURES, None)


@pytest.mark.parametrize("width", [80, 100])
@given(
    happened=st.text(st.characters(exclude_categories=["C", "Z"])),
    name=st.text(st.characters(exclude_categories=["C", "Z"]), max_size=200),
)
def test_no_line_is_wider_than_the_terminal(width: int, happened: str, name: str) -> None:
    """Whatever people are called, and in whatever script, the lines fit."""
    checks = [Check(f"mover is in {name}", "True", "True"), Check("長" * 60, "1" * 200, "2" * 200)]
    text = as_text([Step(f"HR moved {happened} " + "張" * 50, 1.0)], checks, FIGURES, None, width)
    assert max(map(cell_len, text.split("\n"))) <= width
