"""Members are taken out of a group's body without changing what the body means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scim2_models import InvalidValueException

from bridge.directory.scim_group import MemberChange, divide_group, divide_patch
from bridge.directory.scim_shape import GROUP


def patch(*operations: Any) -> dict[str, Any]:
    return {"Operations": list(operations)}


def members(*ids: str) -> list[dict[str, str]]:
    return [{"value": each} for each in ids]


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        ({"op": "Add", "path": "members", "value": members("a", "b", "a")}, MemberChange(("a", "b"))),
        ({"OP": "add", "Path": "Members", "value": {"value": "a"}}, MemberChange(("a",))),
        ({"op": "add", "path": f"{GROUP}:members", "value": ["a"]}, MemberChange(("a",))),
        ({"op": "remove", "path": "members", "value": members("a")}, MemberChange((), ("a",))),
        ({"op": "remove", "path": 'members[value eq "a"]'}, MemberChange((), ("a",))),
        ({"op": "remove", "path": "members"}, MemberChange(is_whole=True)),
        ({"op": "replace", "path": "members", "value": members("a")}, MemberChange(("a",), is_whole=True)),
        ({"op": "replace", "path": "members", "value": []}, MemberChange(is_whole=True)),
        ({"op": "add", "value": {"members": members("a")}}, MemberChange(("a",))),
        ({"op": "replace", "value": {"members": None}}, MemberChange(is_whole=True)),
    ],
)
def test_operation_on_members_is_understood(operation: dict[str, Any], change: MemberChange) -> None:
    """Every way to name members is taken out of the body, of which nothing is left."""
    divided = divide_patch(patch(operation))

    assert divided is not None
    assert divided.body is None
    assert divided.change == change


def test_other_operations_are_left_to_the_library() -> None:
    """What is not about members stays in the body, as it came and in its order."""
    name = {"op": "replace", "path": "displayName", "value": "x"}
    both = {"op": "replace", "value": {"members": members("a"), "externalId": "1"}}

    divided = divide_patch(patch(name, both))

    assert divided is not None
    assert divided.body == patch(name, {"op": "replace", "value": {"externalId": "1"}})
    assert divided.change == MemberChange(("a",), is_whole=True)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        patch(),
        {"Operations": "x"},
        patch({"op": "replace", "path": 'members[value eq "a"].type', "value": "User"}),
        patch({"op": "remove", "path": 'members[type eq "User"]'}),
        patch({"op": "remove", "value": {"members": members("a")}}),
    ],
)
def test_doubtful_patch_is_left_to_the_library_as_a_whole(body: Any) -> None:
    """What only the library can judge is not divided."""
    assert divide_patch(body) is None


@pytest.mark.parametrize("member", [{}, {"display": "x"}, {"value": ""}, {"value": 5}, 5, None, []])
def test_member_without_an_id_is_refused(member: Any) -> None:
    """A member must have a value."""
    with pytest.raises(InvalidValueException):
        divide_group({"displayName": "G", "members": [member]})
    with pytest.raises(InvalidValueException):
        divide_patch(patch({"op": "add", "path": "members", "value": [member]}))


IDS = st.lists(st.sampled_from("abcde"), max_size=3)
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove", "replace"]), IDS), min_size=1, max_size=6)


@given(present=IDS, steps=STEPS)
def test_change_has_the_effect_of_the_operations_in_order(
    present: list[str], steps: list[tuple[str, list[str]]]
) -> None:
    """One change, applied to any group, leaves the same members as the operations one after the other."""
    expected = set(present)
    for kind, ids in steps:
        expected = {"add": expected | set(ids), "remove": expected - set(ids), "replace": set(ids)}[kind]

    divided = divide_patch(patch(*({"op": kind, "path": "members", "value": members(*ids)} for kind, ids in steps)))

    assert divided is not None
    change = divided.change
    kept = set() if change.is_whole else set(present) - set(change.removed)
    assert kept | set(change.added) == expected
    assert not set(change.added) & set(change.removed)
