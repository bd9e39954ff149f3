"""What of a resource is stored, and what of it a client sees."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.directory.scim_resource import Stored, body_of, projection_of, resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import ENTERPRISE, USER

SHAPES = shapes_for(["shift"])
MOMENT = datetime(2027, 3, 1, 12, 30, tzinfo=UTC)
META = {
    "resourceType": "User",
    "created": "2027-03-01T12:30:00Z",
    "lastModified": "2027-03-01T12:30:00Z",
    "location": "https://x/scim/Users/1",
    "version": 'W/"5"',
}


def test_stored_keys_are_what_comparisons_use() -> None:
    """Texts are compared in NFC and lower case, those that are caseExact in NFC; unknown attributes have no key."""
    resource = resource_of(
        {
            "id": "9",
            "userName": "ÕUN",
            "externalId": "Ä\u0308x",
            "active": True,
            "nickName": "x",
            "emails": [{"value": "A@X"}],
            ENTERPRISE: {"department": "Sales", "manager": {"value": "Q"}},
        },
        "1",
        SHAPES["User"],
    )

    assert resource.name_key == "õun"
    assert resource.manager_id == "Q"
    assert "id" not in resource.document
    assert resource.keys == {
        "schemas": [USER, ENTERPRISE],
        "userName": "õun",
        "externalId": "Ä\u0308x",
        "active": True,
        "emails": [{"value": "a@x"}],
        ENTERPRISE: {"department": "sales", "manager": {"value": "Q"}},
    }


@pytest.mark.parametrize(
    ("only", "without", "shown"),
    [
        ([], [], {"userName", "name", "emails", "meta", "groups", ENTERPRISE}),
        (["USERNAME"], [], {"userName"}),
        ([f"{USER}:userName", "groups"], [], {"userName", "groups"}),
        ([f"{ENTERPRISE}:department"], [], {ENTERPRISE}),
        ([ENTERPRISE, f"{ENTERPRISE}:division"], [], {ENTERPRISE}),
        (["nosuch"], [], set()),
        (["name.nosuch"], [], set()),
        ([], ["id", "schemas", "emails", "name.familyName"], {"userName", "name", "meta", "groups", ENTERPRISE}),
        ([], ["name", "name.familyName", ENTERPRISE], {"userName", "emails", "meta", "groups"}),
    ],
)
def test_projection_keeps_what_is_asked_for_and_always_the_id(
    only: list[str], without: list[str], shown: set[str]
) -> None:
    """`id` and `schemas` are always there; a whole attribute covers its parts; case does not matter."""
    stored = Stored(
        "1",
        "User",
        {
            "schemas": [USER, ENTERPRISE],
            "userName": "a",
            "name": {"familyName": "F", "givenName": "G"},
            "emails": [{"value": "a@x", "type": "work"}],
            ENTERPRISE: {"department": "D", "division": "V"},
        },
        5,
        5,
        MOMENT,
        MOMENT,
        [{"value": "7", "$ref": "Groups/7", "display": "G"}],
    )

    body = body_of(stored, "https://x/scim", SHAPES["User"], projection_of(only, without, SHAPES["User"]))

    assert set(body) == shown | {"id", "schemas"}
    expected: dict[str, Any] = {
        "meta": META,
        "groups": [{"value": "7", "$ref": "https://x/scim/Groups/7", "display": "G"}],
        ENTERPRISE: {"department": "D"} if only and ENTERPRISE not in only else {"department": "D", "division": "V"},
        "name": {"givenName": "G"} if without else {"familyName": "F", "givenName": "G"},
    }
    assert {name: body[name] for name in expected if name in shown} == {
        name: value for name, value in expected.items() if name in shown
    }
