"""Which attributes are counted as sent in vain: their names, and nothing that could be a value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.hook_adapters import ADAPTERS, BAMBOOHR, GENERIC, HIBOB, PERSONIO
from bridge.directory.hook_mapping import Adapter, refused_names
from bridge.directory.refusal import (
    LONGEST,
    MOST_NAMES,
    OTHER,
    bounded,
    counted_name,
    is_sensitive,
    refused_of_bulk,
    refused_of_patch,
    refused_of_user,
)
from bridge.directory.scim_dialect import standard_patch, standard_user
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import ENTERPRISE, MUSTER, USER
from tests.unit.directory import deliveries
from tests.unit.directory.test_hook_mapping import json_values

SHAPE = shapes_for(["shift"])["User"]


@pytest.mark.parametrize(
    "name",
    ["1990-05-04", "QQ123456", "anna@home.example", "x" * (LONGEST + 1), "a\nb", "\x1b[31m", "", 5, None, "84000"],
)
def test_what_may_be_a_value_is_counted_without_its_name(name: object) -> None:
    """A sender that uses values as keys cannot make them names."""
    assert counted_name(name) == OTHER


@pytest.mark.parametrize("name", ["birthDate", "Geburtsdatum", "isikukood", "生年月日", "address1", USER])
def test_names_of_attributes_are_told(name: str) -> None:
    """In every language."""
    assert counted_name(name) == name


def test_number_of_names_is_bounded() -> None:
    """Beyond it they are counted together; what is known goes on being counted by name."""
    total = bounded({f"n{number}": 1 for number in range(MOST_NAMES + 50)}, {"known": 7})
    assert len(total) == MOST_NAMES + 1
    assert (total["known"], total[OTHER]) == (7, 51)
    assert bounded({"known": 2, "new": 3}, total)["known"] == 9


@pytest.mark.parametrize(
    ("adapter", "body", "names"),
    [
        (
            BAMBOOHR,
            deliveries.bamboohr(jobTitle="x"),
            {"fields.dateOfBirth", "fields.ssn", "fields.payRate", "fields.address1", "changedFields"},
        ),
        (HIBOB, deliveries.hibob(work={"title": "x", "salary": 1}),
         {"personal", "home", "work.salary", "companyId", "triggeredBy", "version", "data"}),
        (
            PERSONIO,
            deliveries.personio(position="x", department={"attributes": {"name": "x", "budget": 5}}),
            {"type", "attributes.gender", "attributes.fix_salary", "attributes.termination_reason",
             "attributes.department.attributes.budget"},
        ),
        (GENERIC, {"externalId": "1", "salary": {"2027-01": 5000}, "1990-05-04": 1}, {"salary", OTHER}),
        (GENERIC, deliveries.generic({"externalId": "1", "ssn": "x"}, {"externalId": "2", "ssn": "y"}), {"ssn"}),
    ],
)  # fmt: skip
def test_what_an_adapter_does_not_name_is_counted(adapter: Adapter, body: dict[str, Any], names: set[str]) -> None:
    """Beside what it looks at; never what is inside of a value that it does not look at."""
    found = refused_names(adapter, body)
    assert set(found) == names
    assert not any(value in str(found) for value in (*deliveries.PRIVATE, "2027-01"))


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"userName": "a", "title": "T", "groups": [], "schemas": [USER], "id": "1", "meta": {}, "shift": "x"}, {}),
        ({"password": "Dummy-Pass-1", "addresses": [{"x": 1}], "Title": "T"}, {"password": 1, "addresses": 1}),
        ({ENTERPRISE: {"department": "D", "salary": 5}, "birthDate": "1990-05-04"}, {"salary": 1, "birthDate": 1}),
        ({"urn:okta:example:1.0:user": {"gender": "f", "1990-05-04": 1}}, {"gender": 1, OTHER: 1}),
        ({"emails": [{"value": "a@x", "type": "work"}, {"value": "b"}, {"value": "c", "type": "home"}]},
         {"emails (private)": 1}),
        (["no", "object"], {}),
    ],
)  # fmt: skip
def test_what_scim_sends_in_vain_is_counted(body: Any, names: dict[str, int]) -> None:
    """Okta's dummy password, foreign schemas, attributes that are not kept; not what is read-only."""
    assert refused_of_user(standard_user(body, SHAPE), SHAPE) == names


@pytest.mark.parametrize(
    ("operation", "names"),
    [
        ({"op": "replace", "path": "title", "value": "x"}, set()),
        ({"op": "replace", "path": "name.givenName", "value": "x"}, set()),
        ({"op": "replace", "path": f"{ENTERPRISE}:department", "value": "x"}, set()),
        ({"op": "replace", "path": f"{USER}:title", "value": "x"}, set()),
        ({"op": "replace", "path": ENTERPRISE, "value": {"department": "x"}}, set()),
        ({"op": "replace", "path": f"{MUSTER}:start", "value": "2027-01-01"}, set()),
        ({"op": "replace", "path": "shift", "value": "x"}, set()),
        ({"op": "replace", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+4915"}, {"phoneNumbers"}),
        ({"op": "replace", "path": f"{ENTERPRISE}:salary", "value": 5}, {"salary"}),
        ({"op": "replace", "path": "urn:okta:1.0:user:gender", "value": "f"}, {"gender"}),
        ({"op": "replace", "path": 'emails[type eq "home"].value', "value": "a@home"}, {"emails (private)"}),
        ({"op": "replace", "path": 'emails[type eq "work"].value', "value": "a@x"}, set()),
        ({"op": "add", "path": "emails", "value": [{"type": "other", "value": "a"}]}, {"emails (private)"}),
        ({"op": "replace", "value": {"password": "x", "title": "T"}}, {"password"}),
    ],
)
def test_what_a_patch_sends_in_vain_is_counted(operation: dict[str, Any], names: set[str]) -> None:
    """By path and without one; in a bulk request too."""
    body = {"Operations": [operation]}
    assert set(refused_of_patch(standard_patch(body, SHAPE), SHAPE)) == names
    bulk = {"Operations": [{"method": "PATCH", "path": "/Users/1", "data": standard_patch(body, SHAPE)}]}
    assert set(refused_of_bulk(bulk, SHAPE)) == names


@given(st.sampled_from(sorted(ADAPTERS)), json_values)
def test_any_body_is_counted_without_its_values(adapter: str, body: Any) -> None:
    """Whatever the JSON, counting does not fail, and every name could be that of an attribute."""
    names = [*refused_names(ADAPTERS[adapter], body), *refused_of_user(body, SHAPE), *refused_of_patch(body, SHAPE)]
    assert all(name in (OTHER, "emails (private)") or counted_name(name) == name for name in names)


@pytest.mark.parametrize(
    "name",
    ["fields.dateOfBirth", "fields.ssn", "nationalId", "gender", "ethnicity", "maritalStatus", "fields.payRate",
     "attributes.fix_salary", "homeAddress", "addresses", "phoneNumbers", "emails (private)", "password",
     "attributes.termination_reason", "personal"],
)  # fmt: skip
def test_sensitive_names_are_told_apart(name: str) -> None:
    """So that the sender can be told to stop."""
    assert is_sensitive(name)


@pytest.mark.parametrize("name", ["companyId", "changedFields", "displayname", "type", "version", "nickName", "title"])
def test_harmless_names_are_not(name: str) -> None:
    """Or nobody would look at the list."""
    assert not is_sensitive(name)
