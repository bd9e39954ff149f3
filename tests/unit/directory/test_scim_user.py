"""From a SCIM document to a person."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bridge.directory.person import Employment, Person, attributes_of, works_here
from bridge.directory.scim_shape import ENTERPRISE, MUSTER
from bridge.directory.scim_user import day_of, display_name_of, person_of
from bridge.ids import PersonId

ID = PersonId("1")


def person(document: dict[str, Any], **known: Any) -> Person:
    return person_of({"userName": "a", **document}, ID, **known)


def test_bare_user_is_an_active_person_without_a_job() -> None:
    """A User of whom nothing is said but the name is active, and has no employment that could end."""
    assert person({}) == Person(ID, "a", "a", active=True)


def test_every_attribute_may_be_asked_for() -> None:
    """A selector finds SCIM's attributes under their lower-case names, the company's own among them."""
    whole = person(
        {
            "externalId": "7",
            "displayName": "Mari Tamm",
            "name": {"givenName": "Mari", "familyName": "Tamm"},
            "title": "Driver",
            "userType": "Contractor",
            "timezone": "Europe/Tallinn",
            "emails": [{"value": "m@x", "type": "work"}, {"type": "home"}],
            ENTERPRISE: {"department": "Sales", "costCenter": "9", "manager": {"value": "2"}},
            MUSTER: {"shift": "night", "start": "2020-01-01"},
        },
        manager=PersonId("2"),
        manager_name="Boss",
        groups=["G"],
        version=3,
    )

    assert attributes_of(whole, date(2027, 1, 1)) == {
        "id": ("1",),
        "username": ("a",),
        "externalid": ("7",),
        "displayname": ("Mari Tamm",),
        "active": (True,),
        "name.givenname": ("Mari",),
        "name.familyname": ("Tamm",),
        "title": ("Driver",),
        "usertype": ("Contractor",),
        "timezone": ("Europe/Tallinn",),
        "emails": ("m@x",),
        "department": ("Sales",),
        "costcenter": ("9",),
        "manager": ("2",),
        "manager.displayname": ("Boss",),
        "shift": ("night",),
        "groups": ("G",),
    }
    assert whole.version == 3


@pytest.mark.parametrize(
    ("start", "end", "day", "expected"),
    [
        ("2027-03-01", "", "2027-02-28", False),
        ("2027-03-01", "", "2027-03-01", True),
        ("", "2027-03-31", "2027-03-31", True),
        ("", "2027-03-31", "2027-04-01", False),
        ("2027-03-01T23:00:00-08:00", "", "2027-03-01", True),
    ],
)
def test_person_works_here_from_the_first_to_the_last_day(start: str, end: str, day: str, expected: bool) -> None:
    """Both days count, as they are written; somebody with only a future employment is not active yet."""
    assert works_here(person({MUSTER: {"start": start, "end": end}}), date.fromisoformat(day)) is expected


@pytest.mark.parametrize(("active", "deleted"), [(False, False), (True, True)])
def test_who_is_inactive_or_deleted_does_not_work_here(active: bool, deleted: bool) -> None:
    """HR's word and a DELETE both end it."""
    assert not person({"active": active}, deleted=deleted).active


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"displayName": "D", "name": {"formatted": "F"}}, "D"),
        ({"displayName": "", "name": {"formatted": "F", "givenName": "G"}}, "F"),
        ({"name": {"givenName": "G", "familyName": "N"}}, "G N"),
        ({"name": {"familyName": "N"}}, "N"),
        ({}, "a"),
    ],
)
def test_display_name_is_the_best_there_is(document: dict[str, Any], name: str) -> None:
    """displayName, else the formatted name, else given and family name, else the userName."""
    assert display_name_of({"userName": "a", **document}) == name


def test_empty_text_is_no_value() -> None:
    """An attribute of which the text is empty is absent, and makes no employment."""
    assert person({"title": "", ENTERPRISE: {"department": ""}, "locale": "", "name": {"givenName": ""}}) == person({})


def test_job_is_one_employment() -> None:
    """All attributes of the job are those of one employment."""
    assert person({"title": "T", MUSTER: {"end": "2027-01-31"}}).employments == (
        Employment(end=date(2027, 1, 31), title="T"),
    )


@pytest.mark.parametrize(
    "text", ["", "soon", "2027-13-01", "1.3.2027", "20270301T00", "2027-03-011", "2027-W09-1", "5"]
)
def test_what_is_no_day_is_refused(text: str) -> None:
    """Only ISO 8601 days are days."""
    with pytest.raises(ValueError, match=r"."):
        day_of(text)
