"""What an import changes, decided from the file and from who is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.directory.csv_file import read_csv
from bridge.directory.import_plan import ImportPlan, Known, plan_import
from bridge.directory.scim_resource import Resource
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import ENTERPRISE, MUSTER, USER
from bridge.errors import ImportFileError, RefusedError

SHAPE = shapes_for(["shift"])["User"]


def known(id_: str, user_name: str, *groups: str, **attributes: Any) -> Known:
    return Known(id_, {"schemas": [USER], "userName": user_name, "active": True, **attributes}, groups)


def plan(text: str, people: Sequence[Known] = (), **options: Any) -> ImportPlan:
    numbers = count(1)
    file = read_csv(text.encode(), "hr.csv", custom=["shift"])
    return plan_import(file, people, SHAPE, new_id=lambda: f"new{next(numbers)}", **options)


def documents(resources: Iterable[Resource]) -> dict[str, Mapping[str, Any]]:
    """Id → document without the schemas."""
    return {each.id: {name: value for name, value in each.document.items() if name != "schemas"} for each in resources}


def test_new_person_has_every_attribute_of_the_row() -> None:
    """Each column ends up where SCIM keeps it."""
    header = "userName,externalId,displayName,givenName,familyName,email,title,department,start,timezone,shift,active"
    row = "m.tamm,7,Mari Tamm,Mari,Tamm,m@x.ee,Driver,Sales,2027-03-01T00:00:00,Europe/Tallinn,night,yes"

    assert documents(plan(f"{header}\n{row}\n").created) == {
        "new1": {
            "userName": "m.tamm",
            "externalId": "7",
            "displayName": "Mari Tamm",
            "name": {"givenName": "Mari", "familyName": "Tamm"},
            "emails": [{"value": "m@x.ee", "type": "work", "primary": True}],
            "title": "Driver",
            "timezone": "Europe/Tallinn",
            "active": True,
            ENTERPRISE: {"department": "Sales"},
            MUSTER: {"start": "2027-03-01", "shift": "night"},
        }
    }


def test_person_is_found_by_external_id_before_user_name() -> None:
    """externalId identifies, so that a userName may change; without one the userName does, whatever its case."""
    people = [known("1", "old", externalId="x"), known("2", "b")]

    decided = plan("userName,externalId,title\nnew,x,T\nB,,T\n", people)

    assert not decided.created
    assert {each.id: each.document["userName"] for each in decided.changed} == {"1": "new", "2": "B"}


def test_column_settles_its_attribute_and_others_stay() -> None:
    """An empty cell takes the value away; what the file has no column for is left alone."""
    person = known(
        "1",
        "a",
        title="T",
        locale="et",
        emails=[{"value": "old@x", "type": "work"}, {"value": "home@x", "type": "home"}],
        **{ENTERPRISE: {"department": "D", "division": "V"}},
    )

    (changed,) = documents(plan("userName,title,email,department\na,,new@x,\n", [person]).changed).values()

    assert changed == {
        "userName": "a",
        "active": True,
        "locale": "et",
        "emails": [{"value": "new@x", "type": "work", "primary": True}, {"value": "home@x", "type": "home"}],
        ENTERPRISE: {"division": "V"},
    }


def test_same_file_again_changes_nothing() -> None:
    """Importing what is already so is no change."""
    text = "userName,title,manager,groups,email\na,T,b,G;H,a@x\nb,,,,\n"
    first = plan(text)
    groups = {id_: tuple(name for name, person in first.joins if person == id_) for id_ in ("new1", "new2")}

    again = plan(text, [Known(each.id, each.document, groups[each.id]) for each in first.created])

    assert (again.created, again.changed, again.joins, again.leaves, again.unchanged) == ((), (), (), (), 2)


def test_manager_is_named_by_user_name_or_external_id_wherever_the_row_stands() -> None:
    """A manager may come later in the file, or be known already; an unknown one is a warning."""
    decided = plan(
        "userName,externalId,manager\na,1,C\nb,2,9\nc,3,old\nd,4,nobody\n", [known("k", "old", externalId="9")]
    )

    managers = {each.document["userName"]: each.manager_id for each in decided.created}
    assert managers == {"a": "new3", "b": "k", "c": "k", "d": None}
    assert decided.warnings == ("hr.csv:5:manager: nobody has the userName or externalId 'nobody'; left empty",)


def test_groups_column_says_exactly_which_groups() -> None:
    """Groups are compared without regard to case; who only changes groups is counted as such."""
    people = [known("1", "a", "Old", "Stay"), known("2", "b", "Stay")]

    decided = plan("userName,groups\na,stay; New\nb,STAY\n", people)

    assert decided.joins == (("New", "1"),)
    assert decided.leaves == (("Old", "1"),)
    assert (decided.regrouped, decided.unchanged, decided.changed) == (("1",), 1, ())


def test_display_name_that_changes_is_told_to_the_reports() -> None:
    """A new display name is among `renamed`; another change is not."""
    people = [known("1", "a", displayName="A"), known("2", "b", displayName="B")]

    assert plan("userName,displayName,title\na,A,T\nb,Bo,\n", people).renamed == ("2",)


@pytest.mark.parametrize(
    ("text", "people", "message"),
    [
        (
            "userName,externalId\na,new\n",
            [known("1", "a", externalId="old")],
            "hr.csv:2:userName: error: 'a' is somebody with another externalId, 'old'",
        ),
        (
            "userName,externalId\nb,x\n",
            [known("1", "a", externalId="x"), known("2", "b")],
            "hr.csv:2:userName: error: 'b' belongs to somebody else",
        ),
        (
            "userName,externalId\na,x\n",
            [known("1", "a", externalId="x"), known("2", "b", externalId="x")],
            "hr.csv:2:externalId: error: 2 people have 'x'",
        ),
        (
            "userName,externalId\nnew,x\na,\n",
            [known("1", "a", externalId="x")],
            "hr.csv:3:userName: error: the same person as in line 2",
        ),
    ],
)
def test_person_who_cannot_be_told_apart_is_a_problem(text: str, people: list[Known], message: str) -> None:
    """A reused userName or a doubtful match is refused, never guessed."""
    with pytest.raises(ImportFileError) as caught:
        plan(text, people)
    assert caught.value.message.split("\n")[0] == message


def company(size: int) -> list[Known]:
    return [known(str(number), f"u{number}") for number in range(size)]


def file_of(numbers: Iterable[int]) -> str:
    return "userName\n" + "".join(f"u{number}\n" for number in numbers)


def test_absent_people_stay_unless_the_file_is_complete() -> None:
    """Absence is no news; in a complete file it makes inactive, and keeps everything else."""
    people = [*company(3), known("gone", "gone", active=False)]

    assert plan(file_of([0]), people).removed == ()
    removed = plan(file_of([0]), people, complete=True).removed
    assert {each.id for each in removed} == {"1", "2"}
    assert not any(each.active for each in removed)


@example(active=60, absent=6, allowed=None)
@example(active=60, absent=5, allowed=None)
@example(active=79, absent=8, allowed=None)
@example(active=80, absent=8, allowed=None)
@given(active=st.integers(1, 80), absent=st.integers(0, 79), allowed=st.none() | st.integers(0, 80))
def test_mass_removal_needs_its_exact_number(active: int, absent: int, allowed: int | None) -> None:
    """Up to five, or a tenth, may be missing; more only when exactly that number is allowed."""
    absent = min(absent, active - 1)
    is_allowed = absent == allowed if allowed is not None else absent <= max(5, active // 10)

    try:
        decided = plan(file_of(range(absent, active)), company(active), complete=True, allow_removals=allowed)
    except RefusedError:
        assert not is_allowed
    else:
        assert is_allowed
        assert len(decided.removed) == absent
