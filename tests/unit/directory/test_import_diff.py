"""What an import would change, as it is shown before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from rich.cells import cell_len

from bridge.cli.import_report import lines_of, report_as_json
from bridge.directory.csv_file import read_csv
from bridge.directory.import_diff import AttributeChange, ImportDiff, PersonDiff, difference
from bridge.directory.import_plan import Known, plan_import
from bridge.directory.intake import ImportReport
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import COURSE, ENTERPRISE, MUSTER, USER

SHAPE = shapes_for()["User"]


def known(id_: str, user_name: str, *groups: str, **attributes: Any) -> Known:
    return Known(id_, {"schemas": [USER], "userName": user_name, "active": True, **attributes}, groups)


def diff(text: str, people: Sequence[Known], **options: Any) -> ImportDiff:
    numbers = count(1)
    plan = plan_import(read_csv(text.encode(), "hr.csv"), people, SHAPE, new_id=lambda: f"n{next(numbers)}", **options)
    return difference(plan, people)


def shown(found: ImportDiff, *, limit: int | None = None, width: int = 80) -> list[str]:
    counts = len(found.added), len(found.changed), len(found.removed), 0
    return list(lines_of(ImportReport(*counts, ("a warning",), diff=found), width=width, limit=limit))


def test_change_has_before_and_after() -> None:
    """Each attribute that changes is told with what it was and will be; what stays is not."""
    person = known("1", "bo", title="Clerk", name={"givenName": "Bo"}, **{ENTERPRISE: {"department": "Sales"}})

    (changed,) = diff("userName,title,department,givenName\nbo,,Finance,Bo\n", [person]).changed

    assert changed.changes == (AttributeChange("department", "Sales", "Finance"), AttributeChange("title", "Clerk", ""))


def test_new_person_is_told_from_nothing() -> None:
    """All that the file says of somebody new is there."""
    (added,) = diff("userName,title,email,active,start\nbo,Clerk,b@x.ee,no,2027-03-01\n", []).added

    assert {each.attribute: each.after for each in added.changes} == {
        "userName": "bo",
        "title": "Clerk",
        "email": "b@x.ee",
        "active": "false",
        "start": "2027-03-01",
    }
    assert {each.before for each in added.changes} == {""}


def test_manager_is_told_by_user_name() -> None:
    """Nobody knows people by the ids that Muster gives them, whether the manager is new or was there."""
    people = [known("1", "bo", **{ENTERPRISE: {"manager": {"value": "2"}}}), known("2", "cy")]

    found = diff("userName,manager\ndee,\nbo,dee\n", people)

    assert found.changed[0].changes == (AttributeChange("manager", "cy", "dee"),)


def test_groups_are_told() -> None:
    """Also of those of whom nothing else changes."""
    (changed,) = diff("userName,groups\nbo,New;Old\n", [known("1", "bo", "Old", "Gone")]).changed

    assert (changed.joins, changed.leaves, changed.changes) == (("New",), ("Gone",), ())


def test_course_is_told_by_attribute() -> None:
    """Dated jobs are shown as what they say of each attribute, on which days."""
    jobs = [
        {"start": "2020-01-01", "end": "2020-12-31", "department": "Sales", "title": "Clerk"},
        {"start": "2021-01-01", "department": "IT", "title": "Clerk"},
    ]
    before = known("1", "bo", **{ENTERPRISE: {"department": "Sales"}})
    after = known("1", "bo", **{MUSTER: {COURSE: jobs}})
    plan = plan_import(read_csv(b"userName,locale\nbo,et\n", "hr.csv"), [after], SHAPE, new_id=str)

    (changed,) = difference(plan, [before]).changed

    assert changed.changes == (
        AttributeChange("department", "Sales", "Sales from 2020-01-01 to 2020-12-31, IT from 2021-01-01"),
        AttributeChange("locale", "", "et"),
        AttributeChange("title", "", "Clerk from 2020-01-01"),
    )


def test_counts_come_first_and_removals_last_with_names() -> None:
    """One reads how much, then who, and in the end whom it would cost the access."""
    found = ImportDiff(
        (PersonDiff("anna", "Anna Õun", (AttributeChange("title", "", "Clerk"),), ("Drivers",)),),
        (
            PersonDiff(
                "bo",
                "Bo",
                (AttributeChange("department", "Sales", "Finance"), AttributeChange("title", "", "Chief")),
                leaves=("Old",),
            ),
        ),
        (PersonDiff("cy", "Cy Young", (AttributeChange("active", "true", "false"),)),),
    )

    assert shown(found) == [
        "Would be added: 1, changed: 1, no longer working here: 1, unchanged: 0.",
        "a warning",
        "",
        "Added:",
        "  anna  Anna Õun, Clerk",
        "        joins Drivers",
        "",
        "Changed:",
        "  bo  department: Sales → Finance",
        "      title: (none) → Chief",
        "      leaves Old",
        "",
        "No longer working here:",
        "  cy  Cy Young",
    ]


def test_terminal_shows_some_and_counts_the_rest() -> None:
    """Long lists are cut, but not that of the removals; long lines end at the width, also of wide letters."""
    many = tuple(PersonDiff(f"u{number}", "王小明" * 40) for number in range(30))
    lines = shown(ImportDiff(many, many, many), limit=3)

    assert [line for line in lines if "more" in line] == ["  … and 27 more; --json has all"] * 2
    assert len(lines) == 2 + 2 * (2 + 3 + 1) + 2 + 30
    assert all(cell_len(line) <= 80 for line in lines)


def test_json_has_everything() -> None:
    """For programs nothing is cut; without a dry run there is no difference."""
    many = tuple(PersonDiff(f"u{n}", "U", (AttributeChange("title", "a", "b"),), ("G",), ("H",)) for n in range(30))
    report = ImportReport(0, 30, 0, 0, (), diff=ImportDiff((), many, ()))

    found = report_as_json(report, dry_run=True)["diff"]

    assert [each["userName"] for each in found["changed"]] == [f"u{number}" for number in range(30)]
    assert found["changed"][0] == {
        "userName": "u0",
        "displayName": "U",
        "changes": [{"attribute": "title", "before": "a", "after": "b"}],
        "joins": ["G"],
        "leaves": ["H"],
    }
    assert "diff" not in report_as_json(ImportReport(0, 0, 0, 0, ()), dry_run=False)
