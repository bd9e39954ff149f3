"""What is said out of people's hours is counted by department, and nobody can be told from it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.hours import Hours
from bridge.announcements.workload import FLOOR, JOINED, Load, Row, Tally, Traffic, Worker, joined, report, total
from bridge.announcements.workload_text import as_csv, as_json, as_text
from bridge.ids import RoomId, UserId
from bridge.policy.working_time import week

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Hours(BERLIN, week("mon-fri 08:00-17:00"))
NIGHT = Hours(BERLIN, week("mon-fri 22:00-06:00"))
MONDAY = datetime(2027, 3, 1, tzinfo=BERLIN)
ROOM, LOBBY = RoomId("!room"), RoomId("!lobby")


def _users(department: str, count: int) -> list[UserId]:
    return [UserId(f"@{department}{number}:company.example") for number in range(count)]


SALES, DRIVERS, BOARD = _users("sales", 6), _users("drivers", 5), _users("board", 2)
WORKERS = {
    **{user: Worker("Sales", OFFICE) for user in SALES},
    **{user: Worker("Drivers", NIGHT) for user in DRIVERS},
    **{user: Worker("Board", OFFICE) for user in BOARD},
}
MEMBERS = {ROOM: frozenset([*SALES, *DRIVERS]), LOBBY: frozenset([SALES[0], BOARD[0], UserId("@guest:other")])}


def _said(sender: UserId, hours: float, count: int = 1, room: RoomId = ROOM) -> Traffic:
    return Traffic(room, sender, MONDAY + timedelta(hours=hours), count)


def _report(traffic: Iterable[Traffic], workers: Mapping[UserId, Worker] = WORKERS) -> dict[tuple[date, str], Load]:
    tally = Tally(workers, MEMBERS, BERLIN)
    for each in traffic:
        tally.add(each)
    return {(row.week, row.department): row.load for row in report(tally)}


def test_a_message_counts_for_its_sender_and_everybody_else_in_the_room() -> None:
    """Each by the own hours: at ten in the evening the office is asleep and the night shift at work."""
    found = _report([_said(SALES[0], 10, 2), _said(SALES[1], 22), _said(DRIVERS[0], 23)])
    first = date(2027, 3, 1)
    assert found == {
        (first, "Sales"): Load(sent=3, sent_outside=1, received=2 * 5 + 5 + 6, received_outside=5 + 6),
        (first, JOINED): Load(sent=1, sent_outside=0, received=2 * 5 + 5 + 4, received_outside=2 * 5),
    }


def test_strangers_are_heard_and_not_counted() -> None:
    """What a guest says is received; of rooms that nobody is in nothing is."""
    guest = UserId("@guest:other")
    found = _report([_said(guest, 20, 3, LOBBY), _said(guest, 20, 3, RoomId("!empty"))])
    assert total([Row(*key, 0, load) for key, load in found.items()]) == Load(received=6, received_outside=6)


def test_weeks_begin_on_monday_where_the_company_is() -> None:
    """A message of Sunday belongs to the week before."""
    found = _report([_said(SALES[0], -0.25), _said(SALES[0], 0)])
    assert {week for week, _ in found} == {date(2027, 2, 22), date(2027, 3, 1)}


def test_a_company_of_few_is_not_told_apart_at_all() -> None:
    """Of fewer than five people there are no figures."""
    few = {user: Worker("Sales", OFFICE) for user in SALES[: FLOOR - 1]}
    assert _report([_said(SALES[0], 10)], few) == {}


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 12), max_size=8))
def test_nobody_can_be_told_from_a_department_of_few(people: dict[str, int]) -> None:
    """Every name in the report stands for five people at least, unless fewer work here; large ones keep theirs where
    the small ones are enough together."""
    names = joined(people)
    sizes = {name: sum(people[each] for each in people if names[each] == name) for name in names.values()}
    assert set(names) == set(people)
    assert len(sizes) <= 1 or min(sizes.values()) >= FLOOR
    small = sum(count for count in people.values() if count < FLOOR)
    if small == 0 or small >= FLOOR:
        assert all(names[each] == each for each in people if people[each] >= FLOOR)


@given(st.lists(st.tuples(st.sampled_from(list(WORKERS)), st.integers(-200, 200), st.integers(1, 9))))
def test_what_is_sent_is_all_there_and_the_outside_is_a_part(said: list[tuple[UserId, int, int]]) -> None:
    """Joining departments loses nothing."""
    found = _report([_said(sender, hours / 4, count) for sender, hours, count in said])
    load = total([Row(*key, 0, each) for key, each in found.items()])
    assert load.sent == sum(count for _, _, count in said)
    assert load.received == sum(count * (len(MEMBERS[ROOM]) - (sender in MEMBERS[ROOM])) for sender, _, count in said)
    assert load.sent_outside <= load.sent
    assert load.received_outside <= load.received


ROWS = [
    Row(date(2027, 3, 1), "Sales", 1234, Load(12345, 678, 1234567, 123456)),
    Row(date(2027, 3, 1), "=Research and Development of Everything", 5, Load()),
]


def test_the_table_fits_a_terminal() -> None:
    """In eighty columns, with shares where there is anything, and a sum."""
    lines = as_text(ROWS).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].split() == ["2027-03-01", "Sales", "1,234", "678", "5%", "123,456", "10%"]
    assert lines[2].split()[-4:] == ["0", "-", "0", "-"]
    assert lines[3].split() == ["all", "678", "5%", "123,456", "10%"]


def test_spreadsheets_and_scripts_get_every_figure() -> None:
    """No name of a department is a formula in a spreadsheet."""
    table = list(csv.reader(StringIO(as_csv(ROWS).removeprefix("\ufeff"))))
    assert table[1] == ["2027-03-01", "Sales", "1234", "12345", "678", "1234567", "123456"]
    assert table[2][1].startswith("'=")
    first, second = as_json(ROWS)
    assert (first["sent_outside_share"], second["sent_outside_share"]) == (0.0549, None)
    assert first["week"] == "2027-03-01"
