"""What is done without the library is what the library would have done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scim2_server.service import ScimService

from bridge.directory.scim_plain import is_plain_user, plain_of, plain_writes, write
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import provider_for, shapes_for
from bridge.directory.scim_shape import EMPLOYMENTS, ENTERPRISE, MUSTER, USER

PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SENT: Final = {
    "schemas": [USER, ENTERPRISE, MUSTER],
    "userName": "k.saar@example.org",
    "externalId": "4711",
    "displayName": "Kadri Saar",
    "name": {"givenName": "Kadri", "familyName": "Saar", "formatted": "Kadri Saar"},
    "title": "Driver",
    "active": True,
    "emails": [{"value": "k.saar@example.org", "type": "work", "primary": True}],
    ENTERPRISE: {"department": "Night", "employeeNumber": "4711", "manager": {"value": "17"}},
    MUSTER: {"shift": "night", "start": "2027-03-01"},
}
"""A User as identity providers send it."""
_SHAPE: Final = shapes_for(("shift",))["User"]
_PLAIN: Final = plain_of(_SHAPE)
_SERVICE: Final = ScimService(provider_for(("shift",)), secret="s")
_TYPE: Final = _SERVICE.get_resource_type("User")
_JSON: Final = "application/scim+json"

_plain_texts = st.one_of(
    st.sampled_from(["Driver", " ", "true", "2027-03-01", "O\u0308\n"]), st.text("aÕ\u0301 \t{", min_size=1, max_size=5)
)
_odd = st.sampled_from(["", None, True, 0, [], {}, ["x"], {"value": "x"}, [{"value": "x", "type": "work"}]])
_paths = st.sampled_from(
    [*sorted({*_PLAIN.places} - {"active"})] * 3
    + ["emails", "name", "id", "Title", "nickName", "schemas", ENTERPRISE, f"{ENTERPRISE}:manager", "name.x"]
)
_heads = [name for name in sorted(_PLAIN.texts) if name != "userName"]


def _mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any] = _odd) -> st.SearchStrategy[Any]:
    """Draw what is plain seven times of eight, so that whole bodies are plain often enough."""
    return st.integers(0, 7).flatmap(lambda chance: usual if chance else odd)


def _branch(name: str) -> st.SearchStrategy[Any]:
    parts = st.sampled_from(sorted(_PLAIN.branches[name]))
    return _mostly(st.dictionaries(_mostly(parts, st.just("x")), _mostly(_plain_texts), min_size=1, max_size=3))


_branches = {name: _branch(name) for name in _PLAIN.branches}
_email = st.fixed_dictionaries(
    {"value": _mostly(_plain_texts), "type": _mostly(st.just("work"))}, optional={"primary": _mostly(st.booleans())}
)
_manager = st.builds(lambda value: {"manager": {"value": value}}, _plain_texts)
_users = st.fixed_dictionaries(
    {
        "schemas": _mostly(st.just([USER]), st.sampled_from([[USER, ENTERPRISE, MUSTER], [], [1], ["urn:x"]])),
        "userName": _mostly(_plain_texts),
    },
    optional={
        **{name: _mostly(_plain_texts) for name in _heads},
        **_branches,
        ENTERPRISE: st.one_of(
            _branches[ENTERPRISE], st.builds(lambda value: {"manager": {"value": value}}, _plain_texts)
        ),
        "active": _mostly(st.booleans()),
        "emails": _mostly(st.lists(_email, min_size=1, max_size=3)),
    },
)
_operations = st.one_of(
    st.fixed_dictionaries(
        {"op": _mostly(st.sampled_from(["add", "Add", "replace"]), st.just("remove")), "path": _paths}
        | {"value": _mostly(_plain_texts)}
    ),
    st.fixed_dictionaries({"op": st.just("Replace"), "path": st.just("active"), "value": _mostly(st.booleans())}),
    st.fixed_dictionaries(
        {
            "op": st.sampled_from(["add", "replace"]),
            "value": st.one_of(
                st.dictionaries(_paths, _mostly(_plain_texts), max_size=2),
                st.fixed_dictionaries({}, optional=_branches),
            ),
        }
    ),
)


def _created(body: Any) -> Mapping[str, Any]:
    with _SERVICE.provider:
        return _SERVICE.read_creation(_TYPE, json.dumps(body).encode(), _JSON).model_dump()


def _patched(document: Mapping[str, Any], body: Any) -> Mapping[str, Any]:
    with _SERVICE.provider:
        model = _SERVICE.get_model(_TYPE)
        stored = model.model_validate({**document, "id": "1"}, scim_policy=_SERVICE.provider.policy)
        _SERVICE.read_patch(_TYPE, json.dumps(body).encode(), _JSON).patch(stored)
        return stored.model_dump()


def _kept(document: Mapping[str, Any]) -> dict[str, Any]:
    return resource_of(document, "1", _SHAPE).document


@given(_users)
def test_a_plain_user_is_what_the_library_reads(body: dict[str, Any]) -> None:
    """Whatever is plain, the library accepts, and makes the same document of."""
    if is_plain_user(body, _PLAIN):
        assert _kept(body) == _kept(_created(body))


@given(_users, st.lists(_operations, min_size=1, max_size=3))
def test_a_plain_patch_makes_what_the_library_makes(user: dict[str, Any], operations: list[dict[str, Any]]) -> None:
    """Whatever is plain, the library accepts, and it changes every stored document the same way."""
    body = {"schemas": [PATCH], "Operations": operations}
    writes = plain_writes(body, _PLAIN)
    if writes is not None:
        stored = _kept(user if is_plain_user(user, _PLAIN) else SENT)
        before = json.dumps(stored)
        after = write(stored, writes, _PLAIN)
        assert after is not None
        assert _kept(after) == _kept(_patched(stored, body))
        assert json.dumps(stored) == before


@pytest.mark.parametrize("name", [None, *SENT])
def test_what_identity_providers_send_is_plain(name: str | None) -> None:
    """The usual User is plain, also without one of its attributes; not without what the library asks for."""
    body = {each: value for each, value in SENT.items() if each != name}
    assert is_plain_user(body, _PLAIN) is (name not in ("userName", "schemas"))


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        ({"op": "replace", "path": "title", "value": "Dispatcher"}, {"title": "Dispatcher"}),
        ({"op": "Add", "path": "active", "value": False}, {"active": False}),
        (
            {"op": "replace", "path": f"{ENTERPRISE}:division", "value": "Road"},
            {ENTERPRISE: {**cast("dict[str, Any]", SENT[ENTERPRISE]), "division": "Road"}},
        ),
        (
            {"op": "replace", "value": {"title": "Dispatcher", "name.givenName": "Kai", MUSTER: {"shift": "day"}}},
            {
                "title": "Dispatcher",
                "name": {**cast("dict[str, Any]", SENT["name"]), "givenName": "Kai"},
                MUSTER: {"shift": "day", "start": "2027-03-01"},
            },
        ),
    ],
)
def test_the_usual_operations_are_plain(operation: dict[str, Any], after: dict[str, Any]) -> None:
    """An attribute by its name, by a dotted path, of an extension and without a path needs no library."""
    writes = plain_writes({"schemas": [PATCH], "Operations": [operation]}, _PLAIN)
    assert writes is not None
    assert write(SENT, writes, _PLAIN) == {**SENT, **after}


def test_what_the_company_has_stopped_to_ask_for_is_left_to_the_library() -> None:
    """A document with an attribute that is no longer kept is not written again as it is."""
    writes = plain_writes(
        {"schemas": [PATCH], "Operations": [{"op": "add", "path": "title", "value": "Dispatcher"}]}, _PLAIN
    )
    assert writes is not None
    assert write({"userName": "k", MUSTER: {"shoe": "42"}}, writes, _PLAIN) is None
    jobs = {"userName": "k", MUSTER: {EMPLOYMENTS: [{"title": "Cook"}], "start": ""}}
    assert write(jobs, writes, _PLAIN) == {**jobs, "title": "Dispatcher"}
