"""What dated rows change, decided from the file and from who is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.course_plan import plan_courses
from bridge.directory.csv_file import read_csv
from bridge.directory.file_mapping import Ends, FileMapping
from bridge.directory.import_plan import ImportPlan, Known, plan_import
from bridge.directory.person import Person, attributes_of, works_here
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import COURSE, ENTERPRISE, MUSTER, USER
from bridge.directory.scim_user import person_of
from bridge.errors import ImportFileError, RefusedError
from bridge.ids import PersonId

SHAPE = shapes_for()["User"]
TODAY = date(2027, 3, 1)
DEPARTMENTS = FileMapping(
    columns={"emp": ("externalId",), "dept": ("department",), "from": ("from",), "to": ("to",)},
    ends=Ends.EXCLUSIVE,
    translate={"department": {"d1": "Sales", "d2": "Finance", "d3": "IT"}},
)
TITLES = FileMapping(
    columns={"emp": ("externalId",), "title": ("title",), "from": ("from",), "to": ("to",)}, ends=Ends.INCLUSIVE
)


def known(id_: str, **attributes: Any) -> Known:
    return Known(id_, {"schemas": [USER], "userName": f"u{id_}", "externalId": id_, "active": True, **attributes})


def plan(
    rows: Sequence[str], people: Sequence[Known], mapping: FileMapping = DEPARTMENTS, **options: Any
) -> ImportPlan:
    header = ",".join(mapping.columns)
    file = read_csv("\n".join([header, *rows, ""]).encode(), "hr.csv", mapping=mapping)
    return plan_courses(file, people, SHAPE, today=TODAY, **{"shrink": 0.1, **options})


def applied(rows: Sequence[str], person: Known, mapping: FileMapping = DEPARTMENTS) -> Known:
    decided = plan(rows, [person], mapping)
    written = (*decided.changed, *decided.removed)
    return Known(person.id, written[0].document) if written else person


def on(person: Known, day: str, path: str = "department") -> tuple[object, ...]:
    return attributes_of(whole(person), date.fromisoformat(day)).get(path, ())


def whole(person: Known) -> Person:
    return person_of(person.document, PersonId(person.id))


def test_each_day_has_the_department_of_its_row() -> None:
    """An exclusive end is the first day of the next row, so the day of a move belongs to the new department alone."""
    person = applied(["1,d1,2020-01-01,2021-05-01", "1,d2,2021-05-01,9999-01-01"], known("1"))

    assert on(person, "2021-04-30") == ("Sales",)
    assert on(person, "2021-05-01") == ("Finance",)
    assert not works_here(whole(person), date(2019, 12, 31))
    assert works_here(whole(person), date(2099, 1, 1))


def test_inclusive_end_is_the_last_day() -> None:
    """On the day in `to` the row is still true."""
    person = applied(["1,Clerk,2020-01-01,2021-05-01"], known("1"), TITLES)

    assert on(person, "2021-05-01", "title") == ("Clerk",)
    assert not works_here(whole(person), date(2021, 5, 2))


@pytest.mark.parametrize("end", ["", "9999-01-01", "9999-12-31", "0000-00-00"])
@pytest.mark.parametrize("mapping", [DEPARTMENTS, TITLES])
def test_open_end_has_no_last_day(end: str, mapping: FileMapping) -> None:
    """Nothing, any day of the year 9999, and what databases write for no day, is no end."""
    value = "d1" if mapping is DEPARTMENTS else "Clerk"
    ((entry,),) = [
        each.document[MUSTER][COURSE] for each in plan([f"1,{value},2020-01-01,{end}"], [known("1")], mapping).changed
    ]

    assert "end" not in entry


def test_other_courses_stay() -> None:
    """A file settles its own attributes; those of another file remain, and both are cut where either turns."""
    person = applied(["1,d1,2020-01-01,2021-01-01", "1,d2,2021-01-01,"], known("1"))
    person = applied(["1,Clerk,2020-01-01,2020-06-30", "1,Chief,2020-07-01,"], person, TITLES)
    person = applied(["1,d3,2020-01-01,"], person)

    assert [on(person, day, "title") for day in ("2020-06-30", "2020-07-01")] == [("Clerk",), ("Chief",)]
    assert [on(person, day) for day in ("2020-06-30", "2021-07-01")] == [("IT",), ("IT",)]


def test_rows_at_once_are_jobs_at_once() -> None:
    """Overlapping rows are several departments on these days."""
    person = applied(["1,d1,2020-01-01,", "1,d2,2020-02-01,2020-03-01"], known("1"))

    assert set(on(person, "2020-02-29")) == {"Sales", "Finance"}
    assert on(person, "2020-03-01") == ("Sales",)


def test_plain_department_does_not_outlive_the_course() -> None:
    """What HR said without days is gone once it says it with days: nobody stays in a department that was left."""
    person = applied(["1,d2,2020-01-01,"], known("1", title="Chief", **{ENTERPRISE: {"department": "Sales"}}))

    assert on(person, "2027-03-01") == ("Finance",)
    assert on(person, "2027-03-01", "title") == ("Chief",)
    assert ENTERPRISE not in person.document


def test_plain_attributes_hold_no_job_of_their_own() -> None:
    """Who has dated jobs works here while one of them is held, however the other attributes and days stand."""
    plain = known("1", title="Chief", **{MUSTER: {"start": "2019-01-01"}, ENTERPRISE: {"costCenter": "7"}})
    person = applied(["1,d1,2020-01-01,2021-01-01"], plain)

    assert [on(person, day, "costcenter") for day in ("2019-06-01", "2020-06-01", "2021-06-01")] == [(), ("7",), ()]
    assert not works_here(whole(person), date(2021, 1, 1))


def test_plain_last_day_ends_the_course() -> None:
    """A last day that HR says of the person ends jobs whose rows are open still; one after it is not held at all."""
    person = applied(["1,d1,2020-01-01,", "1,d2,2025-01-01,"], known("1", **{MUSTER: {"end": "2021-01-31"}}))

    assert works_here(whole(person), date(2021, 1, 31))
    assert not works_here(whole(person), date(2021, 2, 1))
    assert len(whole(person).employments) == 1


def test_row_of_no_day_is_no_job() -> None:
    """Somebody who was to leave on the first day was never here, also when no other row says anything."""
    person = applied(["1,d1,2020-01-01,2020-01-01"], known("1", **{MUSTER: {"start": "2019-01-01"}}))

    assert whole(person).employments
    assert not any(works_here(whole(person), date(2019, 12, 30) + timedelta(number)) for number in range(5))


def test_file_of_people_does_not_speak_of_what_is_dated() -> None:
    """A column without days changes nothing for those whose course is known, and the import says so."""
    person = applied(["1,d1,2020-01-01,"], known("1"))
    file = read_csv(b"userName,externalId,title,department\nu1,1,Chief,Finance\n", "hr.csv")

    decided = plan_import(file, [person], SHAPE, new_id=lambda: "new")

    assert decided.dated == ("department",)
    (after,) = [Known(each.id, each.document) for each in decided.changed]
    assert (on(after, "2027-03-01"), on(after, "2027-03-01", "title")) == (("Sales",), ("Chief",))


def test_plain_word_of_another_way_in_counts_for_nothing_beside_a_course() -> None:
    """Whoever writes the plain department, the dated one is what rules see."""
    person = applied(["1,d1,2020-01-01,"], known("1"))
    pushed = Known("1", {**person.document, ENTERPRISE: {"department": "Finance"}})

    assert on(pushed, "2027-03-01") == ("Sales",)


def test_same_rows_again_change_nothing() -> None:
    """In whatever order they come."""
    rows = ["1,d1,2020-01-01,2021-01-01", "1,d2,2021-01-01,", "1,d3,2020-05-01,2020-06-01"]
    person = applied(rows, known("1"))

    again = plan(rows[::-1], [person])

    assert (again.changed, again.removed, again.unchanged) == ((), (), 1)


def test_people_are_found_by_external_id_or_user_name() -> None:
    """A file may have either; rows of people whom nobody knows are left out, and named."""
    columns = {"id": ("externalId",), "name": ("userName",), "title": ("title",), "from": ("from",), "to": ("to",)}
    mapping = FileMapping(columns=columns, ends=Ends.INCLUSIVE)
    rows = ["1,,A,2020-01-01,", ",U2,B,2020-01-01,", "9,,C,2020-01-01,", "9,,D,2021-01-01,"]

    decided = plan(rows, [known("1"), known("2")], mapping)

    assert [each.id for each in decided.changed] == ["1", "2"]
    assert decided.warnings == ("hr.csv:4: 9: nobody has this id; left out",)


def test_many_unknown_people_are_counted() -> None:
    """Three are named, the others counted."""
    decided = plan([f"{number},d1,2020-01-01," for number in range(1, 9)], [known("1")])

    assert len(decided.warnings) == 4
    assert decided.warnings[-1] == "hr.csv: … and 4 more like these"


def test_file_of_nobody_known_is_refused() -> None:
    """A file whose ids are all unknown is the wrong file, or came before the people."""
    with pytest.raises(ImportFileError, match="nobody of this file is known"):
        plan(["8,d1,2020-01-01,"], [known("1")])


def test_held_person_is_left_alone() -> None:
    """While nobody has decided whose an id is, its rows change nobody."""
    decided = plan(["1,d1,2020-01-01,", "2,d1,2020-01-01,"], [known("1"), known("2")], held={"1"})

    assert [each.id for each in decided.changed] == ["2"]
    assert "may have been given to somebody else" in decided.warnings[0]


def test_many_who_would_leave_stop_the_import() -> None:
    """A file cut in half ends jobs by what it lacks, so more leavers than the share need a proof that it is whole."""
    people = [known(str(number)) for number in range(20)]
    rows = [f"{number},d1,2020-01-01,{'2021-01-01' if number < 6 else ''}" for number in range(20)]

    with pytest.raises(RefusedError, match="6 of 20 active people work here no longer; at most 5"):
        plan(rows, people)
    assert len(plan(rows, people, proven=True).removed) == 6
    assert len(plan(rows[1:], people).removed) == 5


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("1,d9,2020-01-01,", "2:department: error: expected a code that `translate` names, came 'd9'"),
        ("1,d1,,2020-01-01", "2:from: error: expected the first day, came nothing"),
        ("1,d1,yesterday,", "2:from: error: expected a day such as 2027-03-01, came 'yesterday'"),
        ("1,d1,2020-01-01,soon", "2:to: error: expected a day such as 2027-03-01, came 'soon'"),
        ("1,d1,2020-01-02,2020-01-01", "2:to: error: expected a day not before 2020-01-02, came 2020-01-01"),
        (",d1,2020-01-01,", "2: error: expected a userName or externalId, came neither"),
        ("1,,2020-01-01,", "2: error: expected something that was true on these days, came nothing"),
        ("=1,d1,2020-01-01,", "2:externalId: error: expected text, came a formula"),
    ],
)
def test_bad_row_refuses_the_file(row: str, problem: str) -> None:
    """The message names line, column and reason."""
    with pytest.raises(ImportFileError) as caught:
        plan([row], [known("1")])
    assert f"hr.csv:{problem}" in caught.value.message


def test_file_cut_within_its_last_line_is_refused() -> None:
    """Dated rows settle whole courses, so the last line must be whole."""
    with pytest.raises(ImportFileError, match="expected a line end"):
        read_csv(b"emp,dept,from,to\n1,d1,2020-01-01,", "hr.csv", mapping=DEPARTMENTS)


def test_days_are_read_as_the_mapping_writes_them() -> None:
    """Also the day that stands for no end."""
    mapping = FileMapping(columns=TITLES.columns, ends=Ends.INCLUSIVE, dates="DD.MM.YYYY")
    person = applied(["1,Clerk,01.02.2020,31.12.9999"], known("1"), mapping)

    assert person.document[MUSTER][COURSE] == [{"start": "2020-02-01", "title": "Clerk"}]


_days = st.dates(date(2020, 1, 1), date(2020, 2, 1))


@given(st.lists(st.tuples(st.sampled_from(["d1", "d2", "d3"]), _days, _days), min_size=1, max_size=6))
def test_every_day_is_as_the_rows_say(rows: Sequence[tuple[str, date, date]]) -> None:
    """On every day somebody's departments are those of the rows of the day, and without one nobody works here."""
    rows = [(code, min(a, b), max(a, b)) for code, a, b in rows]
    person = whole(applied([f"1,{code},{start},{end}" for code, start, end in rows], known("1")))
    names: Mapping[str, str] = DEPARTMENTS.translate["department"]

    for number in range(40):
        day = date(2019, 12, 28) + timedelta(number)
        expected = {names[code] for code, start, end in rows if start <= day < end}
        assert set(attributes_of(person, day).get("department", ())) == expected
        assert works_here(person, day) == bool(expected)
