"""What the archive says of its own completeness, and how that looks."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bridge.archive.completeness import (
    AWAITED,
    BEGINNING,
    EXPIRED,
    UNCOMPARED,
    Missing,
    Obstacle,
    Standing,
    Statement,
    Summary,
    summarise,
)
from bridge.archive.completeness_text import (
    named_statement_as_json,
    statement_as_text,
    statements_as_table,
    status_as_json,
    status_as_text,
)
from bridge.archive.values import Status
from bridge.ids import RoomId

NOON = datetime(2027, 2, 11, 12, tzinfo=UTC)
GONE = Obstacle(is_gone=True, reason="the homeserver has nothing of this room", since=NOON)
REFUSED = Obstacle(is_gone=False, reason="no", since=NOON)
ROOM = RoomId("!" + "r" * 43)
SUMMARY = Summary({Standing.COMPLETE: 2, Standing.FROZEN: 1}, 12340, 5, 1, {EXPIRED: 3})
STATUS = Status(
    size=12345,
    root=bytes(32),
    newest=NOON,
    rooms=3,
    checked_at=NOON,
    summary=SUMMARY,
    awaiting=0,
    set_aside=2,
    behind={"search": 5, "membership": 0},
)


def a_statement(
    room_id: str = ROOM,
    *,
    checked_at: datetime | None = NOON,
    is_whole: bool = True,
    lost: dict[str, int] | None = None,
    awaited: int = 0,
    obstacle: Obstacle | None = None,
) -> Statement:
    """Return the statement of a room of 1,204 events, complete unless it is said otherwise."""
    return Statement(
        RoomId(room_id),
        seen_live=1190,
        backfilled=14,
        encrypted=1,
        first=NOON,
        last=NOON,
        is_whole=is_whole,
        checked_at=checked_at,
        lost=lost or {},
        awaited=awaited,
        obstacle=obstacle,
    )


@pytest.mark.parametrize(
    ("statement", "standing", "missing"),
    [
        (a_statement(), Standing.COMPLETE, []),
        (a_statement(lost={EXPIRED: 2}), Standing.INCOMPLETE, [Missing(EXPIRED, 2)]),
        (a_statement(awaited=1), Standing.INCOMPLETE, [Missing(AWAITED, 1)]),
        (a_statement(is_whole=False), Standing.INCOMPLETE, [Missing(BEGINNING, None)]),
        (a_statement(checked_at=None), Standing.UNCOMPARED, [Missing(UNCOMPARED, None)]),
        (
            a_statement(obstacle=REFUSED),
            Standing.INCOMPLETE,
            [Missing("the homeserver refused to show the room: no", None)],
        ),
        (a_statement(obstacle=GONE), Standing.FROZEN, []),
        (a_statement(obstacle=GONE, checked_at=None), Standing.FROZEN, [Missing(UNCOMPARED, None)]),
        (a_statement(obstacle=GONE, lost={EXPIRED: 1}), Standing.FROZEN, [Missing(EXPIRED, 1)]),
        (
            Statement(ROOM, obstacle=REFUSED),
            Standing.INCOMPLETE,
            [Missing(UNCOMPARED, None), Missing("the homeserver refused to show the room: no", None)],
        ),
        (Statement(ROOM, checked_at=NOON), Standing.COMPLETE, []),
    ],
)
def test_standing_follows_from_what_is_missing(
    statement: Statement, standing: Standing, missing: list[Missing]
) -> None:
    """A room is complete only when it was compared and everything is there; otherwise each reason is named."""
    assert (statement.standing, list(statement.missing)) == (standing, missing)


def test_statements_are_added_up() -> None:
    """The summary counts rooms by their standing, and events."""
    statements = [a_statement(), a_statement(lost={EXPIRED: 2}), a_statement(lost={EXPIRED: 1}), Statement(ROOM)]
    assert summarise(statements) == Summary(
        {Standing.COMPLETE: 1, Standing.INCOMPLETE: 2, Standing.UNCOMPARED: 1}, 3570, 42, 3, {EXPIRED: 3}
    )


def test_statement_names_what_is_missing() -> None:
    """Everything about a room is on its lines, within 80 columns."""
    text = statement_as_text(a_statement(lost={EXPIRED: 2}), "Square", 80)
    assert max(map(len, text.split("\n"))) <= 80
    assert f"room        Square {ROOM}" in text
    assert "standing    incomplete\ncompared    2027-02-11 12:00:00Z\n" in text
    assert "first       2027-02-11 12:00:00Z, the room's creation" in text
    assert "events      1,204\nseen live   1,190\nfetched     14 afterwards\nunreadable  1 encrypted" in text
    assert text.endswith(f"missing     2 {EXPIRED}")
    assert statement_as_text(a_statement(), "", 80).endswith("missing     nothing until it was compared")
    gone = statement_as_text(a_statement(obstacle=GONE), "", 80)
    assert "gone        the homeserver has nothing of it since 2027-02-11 12:00:00Z" in gone
    assert "compared    never" in statement_as_text(Statement(ROOM), "", 80)


@given(st.text(max_size=60), st.integers(80, 100))
def test_table_fits_its_columns(name: str, width: int) -> None:
    """Whatever a room is called, in any script, its line has its figures in their columns."""
    text = statements_as_table([a_statement(), a_statement("!b", awaited=3)], {ROOM: name}, width)
    lines = text.split("\n")
    assert len(lines) == 3
    assert max(map(cell_len, lines)) <= width
    assert all("1,204" in line for line in lines[1:])


def test_incomplete_rooms_come_first() -> None:
    """Whoever looks at the table sees first what is wrong."""
    statements = [
        a_statement("!complete"),
        a_statement("!gone", obstacle=GONE),
        a_statement("!never", checked_at=None),
        a_statement("!lacks", awaited=3),
    ]
    lines = statements_as_table(statements, {}, 80).split("\n")
    assert [line.split()[0] for line in lines] == ["room", "!lacks", "!never", "!gone", "!complete"]
    assert lines[1].split()[4:] == ["3", "1", "incomplete"]
    assert lines[2].split()[4:] == ["?", "1", "uncompared"]


def test_json_says_the_same() -> None:
    """Scripts get the figures, the reasons and the standing."""
    found = json.loads(json.dumps(named_statement_as_json(a_statement(lost={EXPIRED: 2}), "")))
    assert found["standing"] == "incomplete"
    assert found["missing"] == [{"reason": EXPIRED, "events": 2}]
    assert (found["events"], found["seen_live"], found["backfilled"], found["undecryptable"]) == (1204, 1190, 14, 1)
    assert (found["name"], found["compared_at"], found["gone_since"]) == (None, NOON.isoformat(), None)
    assert named_statement_as_json(a_statement(obstacle=GONE), "x")["gone_since"] == NOON.isoformat()
    assert status_as_json(STATUS)["standings"] == {"complete": 2, "incomplete": 0, "frozen": 1, "uncompared": 0}


def test_status_fits_its_columns() -> None:
    """Each figure has a line, and readers that are up to date are not named."""
    text = status_as_text(STATUS, 80)
    assert all(len(line) <= 80 for line in text.split("\n"))
    assert "events      12,345" in text
    assert "rooms       2 complete, 0 incomplete, 1 frozen, 0 uncompared" in text
    assert f"lost        3 {EXPIRED}" in text
    assert text.endswith("behind      search 5")
