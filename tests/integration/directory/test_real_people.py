"""Ten thousand real-looking people through time: bytebase/employee-sample-database, where it is at hand.

`MUSTER_EMPLOYEES` names the folder. What the directory ought to know on a day is worked out here from the tables and,
for two days, read from published snapshots; nothing of the project has a part in that.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from bridge.directory.census import Census
from bridge.directory.file_mapping import Ends, FileMapping
from bridge.directory.intake import ImportReport, import_csv
from bridge.directory.local_day import everywhere
from bridge.directory.person import Person, attributes_of, works_here
from bridge.directory.store import load_people

if TYPE_CHECKING:
    from bridge.database import Pool

FOLDER = Path(os.environ.get("MUSTER_EMPLOYEES", ""))
pytestmark = pytest.mark.skipif(
    not (FOLDER / "timeline.jsonl").is_file(), reason="MUSTER_EMPLOYEES names no folder with the employees"
)

OPEN: Final = "9999-01-01"
SNAPSHOTS: Final = ("1999-01-01", "2000-02-05")
DAYS: Final = ("emp_no", "from_date", "to_date")
DATED: Final = {"emp_no": ("externalId",), "from_date": ("from",), "to_date": ("to",)}
PEOPLE: Final = FileMapping(
    columns={
        "emp_no": ("externalId", "userName"),
        "first_name": ("givenName",),
        "last_name": ("familyName",),
        "hire_date": ("start",),
    }
)
TITLES: Final = FileMapping(columns={**DATED, "title": ("title",)}, ends=Ends.EXCLUSIVE, trailer="END {rows}")
DEPARTMENTS: Final = FileMapping(columns={**DATED, "dept": ("department",)}, ends=Ends.EXCLUSIVE, trailer="END {rows}")
EVENTS: Final = FileMapping(
    columns={
        "emp_no": ("externalId", "userName"),
        "first_name": ("givenName",),
        "last_name": ("familyName",),
        "placed": ("active",),
        "manager": ("manager",),
    }
)

Known = dict[str, tuple[str, str, str]]
"""Who works here: department, title, and the manager's id or nothing."""
Row = Mapping[str, str]


class Tables:
    """The published tables, and what they say of a day."""

    @cached_property
    def people(self) -> dict[str, Row]:
        return {row["emp_no"]: row for row in self._read("employee")}

    @cached_property
    def codes(self) -> dict[str, str]:
        return {row["dept_no"]: row["dept_name"] for row in self._read("department")}

    @cached_property
    def departments(self) -> list[Row]:
        return self._read("dept_emp")

    @cached_property
    def titles(self) -> list[Row]:
        return self._read("title")

    @cached_property
    def managers(self) -> list[Row]:
        return self._read("dept_manager")

    def on(self, day: str) -> Known:
        """Return who works here on that day: who has a department then."""
        titles = {row["emp_no"]: row["title"] for row in self._of(self.titles, day)}
        managers = {row["dept_no"]: row["emp_no"] for row in self._of(self.managers, day)}
        found = {}
        for row in self._of(self.departments, day):
            person, manager = row["emp_no"], managers.get(row["dept_no"], "")
            is_known = manager != person and manager in self.people and self.people[manager]["hire_date"] <= day
            found[person] = (self.codes[row["dept_no"]], titles[person], manager if is_known else "")
        return found

    @staticmethod
    def _of(rows: Iterable[Row], day: str) -> Iterator[Row]:
        return (row for row in rows if row["from_date"] <= day < row["to_date"])

    @staticmethod
    def _read(name: str) -> list[Row]:
        return list(csv.DictReader((FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()))


TABLES: Final = Tables()


async def bring(pool: Pool, name: str, mapping: FileMapping, data: bytes) -> ImportReport:
    """Import a file, with the trailer that its mapping wants."""
    rows = data.count(b"\n") - 1
    return await import_csv(pool, data + (b"END %d\n" % rows if mapping.trailer else b""), name, mapping=mapping)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue().encode()


def known_on(people: Sequence[Person], day: str, *, managers: bool) -> Known:
    """Return who works here on that day as the census says it."""
    census = Census(people, everywhere(date.fromisoformat(day)))
    names = {person.id: person.user_name for person in people}
    found: dict[str, dict[str, str]] = {person.user_name: {} for person in map(census.person, census.active)}
    for path in ("department", "title", *(["manager"] if managers else [])):
        for value, rows in census.by_value(path).items():
            for row in rows & census.active:
                values = found[census.person(row).user_name]
                assert path not in values, "nobody here has two of anything at once"
                values[path] = value
    return {
        name: (each["department"], each["title"], names.get(each.get("manager", ""), ""))  # type: ignore[call-overload]
        for name, each in found.items()
    }


def snapshot(day: str) -> dict[str, tuple[str, str]]:
    """Return the published snapshot."""
    rows = csv.DictReader((FOLDER / f"snapshot-{day}.csv").read_text(encoding="utf-8").splitlines())
    return {row["employee_id"]: (row["department"], row["job_title"]) for row in rows}


def without_managers(known: Known) -> dict[str, tuple[str, str]]:
    return {name: values[:2] for name, values in known.items()}


def require_nobody_left_behind(people: Sequence[Person], moves: Iterable[tuple[str, str, str]]) -> int:
    """Check that the day before is the last one on which somebody is in a department that was left; return how many."""
    by_name = {person.user_name: person for person in people}
    count = 0
    for name, department, text in moves:
        person, day = by_name[name], date.fromisoformat(text)
        for when, expected in ((day - timedelta(1), True), (day, False), (day + timedelta(1), False)):
            assert (department in attributes_of(person, when).get("department", ())) == expected, (name, when)
            assert expected <= works_here(person, when)
        count += 1
    return count


async def cells_like(pool: Pool, pattern: str) -> list[str]:
    """Return the columns, in the whole database, of which a value looks so."""
    columns = await pool.fetch(
        """SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables
               USING (table_schema, table_name)
           WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1, 2"""
    )
    return [
        f"{table}.{column}"
        for table, column in columns
        if await pool.fetchval(
            f'SELECT EXISTS (SELECT FROM "{table}" WHERE "{column}"::text ~ $1)',  # noqa: S608
            pattern,
        )
    ]


async def test_dated_files_imported_once_tell_every_year(pool: Pool) -> None:
    """Three files, as HR publishes them, and the directory knows each day of eighteen years."""
    coded = FileMapping(
        columns={**DATED, "dept_no": ("department",)},
        ends=Ends.EXCLUSIVE,
        trailer="END {rows}",
        translate={"department": TABLES.codes},
    )
    await bring(pool, "employee.csv", PEOPLE, (FOLDER / "employee.csv").read_bytes())
    await bring(pool, "dept_emp.csv", coded, (FOLDER / "dept_emp.csv").read_bytes())
    await bring(pool, "title.csv", TITLES, (FOLDER / "title.csv").read_bytes())
    people = await load_people(pool)

    for day in [f"{year}-12-31" for year in range(1984, 2003)]:
        expected = without_managers(TABLES.on(day))
        assert without_managers(known_on(people, day, managers=False)) == expected, day
    for day in SNAPSHOTS:
        assert without_managers(known_on(people, day, managers=False)) == snapshot(day)
    ends = [
        (row["emp_no"], TABLES.codes[row["dept_no"]], row["to_date"])
        for row in TABLES.departments
        if row["from_date"] < row["to_date"] != OPEN
    ]
    assert require_nobody_left_behind(people, ends) == len(ends) > 2900
    assert await cells_like(pool, "Georgi")
    assert await cells_like(pool, r"19(5\d|6\d)-\d\d-\d\d") == []  # the years of birth: nobody was hired before 1985
    assert await cells_like(pool, "birth|gender") == ["refused_attribute.name"]  # counted, by name alone


@dataclass
class Hr:
    """An HR system that learns of each change on its day, and at each year's end exports whom something changed."""

    spans: dict[str, dict[str, list[list[str]]]] = field(
        default_factory=lambda: {"dept": defaultdict(list), "title": defaultdict(list)}
    )
    """Kind → person → [value, first day, day after the last]."""
    hired: set[str] = field(default_factory=set)
    managers: dict[str, str] = field(default_factory=dict)
    """Department → person."""
    exported: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Person → whether placed, and the manager, as exported last."""
    touched: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def learn(self, change: Row) -> None:
        """Take a change of the timeline in."""
        person, day = change["emp"], change["effective"]
        match change["type"]:
            case "hire":
                self.hired.add(person)
            case "dept_start":
                self._open("dept", person, change["dept"], day)
            case "dept_end":
                self._close("dept", person, day, change["dept"])
            case "title":
                self._close("title", person, day)
                self._open("title", person, change["title"], day)
            case "leave":
                self._close("title", person, day)
            case "manager_of":
                self.managers[change["dept"]] = person
            case "manager_end":
                # The successor may have been named already, on the same day.
                if self.managers[change["dept"]] == person:
                    del self.managers[change["dept"]]
            case other:
                raise AssertionError(other)

    def people(self) -> bytes:
        """Return a file of those who are new, or placed otherwise or under others than exported last."""
        rows = []
        for person in sorted(self.hired):
            state = ("yes" if self.spans["dept"][person] else "no", self._manager(person))
            if self.exported.get(person) != state:
                self.exported[person] = state
                row = TABLES.people[person]
                rows.append((person, row["first_name"], row["last_name"], *state))
        return table(("emp_no", "first_name", "last_name", "placed", "manager"), rows)

    def rows(self, kind: str) -> bytes:
        """Return a file of the whole course, as known by now, of those of whom it has changed."""
        people = sorted(self.touched.pop(kind, ()))
        rows = [(person, first, after, value) for person in people for value, first, after in self.spans[kind][person]]
        return table((*DAYS, kind), rows)

    def _open(self, kind: str, person: str, value: str, day: str) -> None:
        self.spans[kind][person].append([value, day, OPEN])
        self.touched[kind].add(person)

    def _close(self, kind: str, person: str, day: str, value: str | None = None) -> None:
        for span in self.spans[kind][person]:
            if span[2] == OPEN and value in (None, span[0]):
                span[2] = day
                self.touched[kind].add(person)
                return

    def _manager(self, person: str) -> str:
        department = next((value for value, _, after in self.spans["dept"][person] if after == OPEN), "")
        manager = self.managers.get(department, "")
        return manager if manager != person and manager in self.hired else ""


def timeline() -> Iterator[tuple[str, list[Row]]]:
    """Yield each year and its changes, in the order of time."""
    lines = map(json.loads, (FOLDER / "timeline.jsonl").read_text(encoding="utf-8").splitlines())
    for year, changes in groupby(lines, key=lambda change: str(change["effective"][:4])):
        yield year, list(changes)


async def test_people_replayed_through_time(pool: Pool) -> None:
    """After each year the directory equals the tables of its last day; nobody is in a department that was left."""
    hr = Hr()
    count = 0
    for year, changes in timeline():
        for change in changes:
            hr.learn(change)
        await bring(pool, "people.csv", EVENTS, hr.people())
        await bring(pool, "departments.csv", DEPARTMENTS, hr.rows("dept"))
        await bring(pool, "titles.csv", TITLES, hr.rows("title"))
        people = await load_people(pool)

        day = min(f"{year}-12-31", "2002-07-31")
        assert known_on(people, day, managers=True) == TABLES.on(day), year
        came, left = (
            {(each["emp"], each["dept"], each["effective"]) for each in changes if each["type"] == kind}
            for kind in ("dept_start", "dept_end")
        )
        count += require_nobody_left_behind(people, left - came)
        for published in SNAPSHOTS:
            if published.startswith(year):
                assert without_managers(known_on(people, published, managers=False)) == snapshot(published)
    assert count > 2900
