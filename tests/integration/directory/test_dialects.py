"""SCIM as identity providers really speak it; each case is something Entra, Okta or a relative of theirs sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bridge.directory.scim_shape import ENTERPRISE, USER

if TYPE_CHECKING:
    from tests.integration.directory.conftest import Scim

NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "Replace", "path": "active", "value": "False"}, {"active": False}),
        ({"op": "Replace", "value": {"active": "False"}}, {"active": False}),
        ({"Op": "Add", "Path": "title", "Value": "Clerk"}, {"title": "Clerk"}),
        ({"op": "Replace", "value": {"name.givenName": "G", "title": "T"}}, {"name": {"givenName": "G"}, "title": "T"}),
        (
            {"op": "Replace", "value": {f"{ENTERPRISE}:division": "V"}},
            {ENTERPRISE: {"division": "V", "department": "D"}},
        ),
        ({"op": "Replace", "path": "department", "value": "N"}, {ENTERPRISE: {"department": "N"}}),
        (
            {"op": "Add", "path": 'emails[type eq "work"].value', "value": "w@x"},
            {"emails": [{"type": "work", "value": "w@x"}]},
        ),
        (
            {"op": "Replace", "path": 'emails[primary eq "True"].value', "value": "p@x"},
            {"emails": [{"primary": True, "value": "p@x"}]},
        ),
        ({"op": "Replace", "path": "title", "value": None}, {"title": None}),
        ({"op": "Remove", "path": f"{ENTERPRISE}:department"}, {ENTERPRISE: None}),
        ({"op": "Replace", "path": f"{ENTERPRISE}.department", "value": "N"}, {ENTERPRISE: {"department": "N"}}),
        ({"op": "Add", "path": "nickName", "value": "x"}, {}),
        ({"op": "Add", "path": "urn:example:2.0:User:salary", "value": "x"}, {}),
        (
            {"op": "Replace", "value": {"id": NOBODY, "meta": {}, "groups": [], "schemas": [USER], "title": "T"}},
            {"title": "T"},
        ),
        ({"op": "Replace", "value": {"locale": 5, "timezone": {}, "title": "T"}}, {"title": "T"}),
    ],
)
async def test_patch_of_a_user_in_any_dialect(scim: Scim, operation: dict[str, Any], expected: dict[str, Any]) -> None:
    """A PATCH of a User is understood, answers 200 with the User, and changes only what it names."""
    user = await scim.user("a", **{ENTERPRISE: {"department": "D"}})
    before = await scim.read(f"/Users/{user}")

    answer = await scim.patch(f"/Users/{user}", operation)

    assert answer.status == 200
    wanted = {name: value for name, value in {**before, **expected}.items() if value is not None}
    for body in (answer.body, await scim.read(f"/Users/{user}")):
        assert {k: v for k, v in body.items() if k not in ("meta", "schemas")} == {
            k: v for k, v in wanted.items() if k not in ("meta", "schemas")
        }


@pytest.mark.parametrize(
    "path", ["manager", f"{ENTERPRISE}:manager", f"{ENTERPRISE}.manager", f"{ENTERPRISE}:manager.value", None]
)
@pytest.mark.parametrize("form", ["text", "object", "list of one", "list of text"])
async def test_manager_may_come_in_any_form(scim: Scim, path: str | None, form: str) -> None:
    """The manager is set from a text, an object or a list of one, under any of the paths in use; nothing removes it."""
    boss = await scim.user("boss")
    user = await scim.user("a")
    value: Any = {
        "text": boss,
        "object": {"value": boss, "$ref": None},
        "list of one": [{"value": boss}],
        "list of text": [boss],
    }[form]

    def operation(value: object) -> dict[str, Any]:
        if path is None:
            return {"op": "Add", "value": {f"{ENTERPRISE}:manager": value}}
        return {"op": "Replace", "path": path, "value": value}

    assert (await scim.patch(f"/Users/{user}", operation(value))).status == 200
    assert (await scim.read(f"/Users/{user}"))[ENTERPRISE]["manager"] == {"value": boss}
    nothings: list[Any] = ["", None, [], {"value": ""}]
    for nothing in nothings:
        await scim.patch(f"/Users/{user}", operation(value))
        assert (await scim.patch(f"/Users/{user}", operation(nothing))).status == 200
        assert ENTERPRISE not in await scim.read(f"/Users/{user}"), nothing


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"manager": "{boss}"}, {ENTERPRISE: {"manager": {"value": "{boss}"}}}),
        ({ENTERPRISE: {"manager": "{boss}"}}, {ENTERPRISE: {"manager": {"value": "{boss}"}}}),
        ({ENTERPRISE: {"manager": "", "department": "D"}}, {ENTERPRISE: {"department": "D"}}),
        ({"title": None, "emails": None, ENTERPRISE: None}, {}),
        ({"groups": [{"value": NOBODY}], "meta": {"version": "x"}, "id": NOBODY}, {}),
        (
            {"password": "dummy", "profileUrl": "::", "locale": 7, "preferredLanguage": "!!"},
            {"preferredLanguage": "!!"},
        ),
        ({"active": "True", "roles": [{"primary": "True", "value": "x"}]}, {}),
        ({"schemas": [USER, "urn:example:2.0:User"], "urn:example:2.0:User": {"x": 1}}, {}),
    ],
)
async def test_body_of_a_user_in_any_dialect(scim: Scim, body: dict[str, Any], expected: dict[str, Any]) -> None:
    """POST and PUT take the same bodies: nulls, foreign schemas, read-only attributes and junk do no harm."""
    boss = await scim.user("boss")

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(entry) for name, entry in value.items()}
        return boss if value == "{boss}" else value

    user = await scim.user("a", **filled(body))
    posted = await scim.read(f"/Users/{user}")
    answer = await scim.ask("PUT", f"/Users/{user}", {"userName": "a", **filled(body)})

    assert answer.status == 200
    for got in (posted, answer.body):
        assert got["id"] == user
        assert {k: v for k, v in got.items() if k not in ("id", "meta", "schemas", "userName", "active")} == filled(
            expected
        )


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "Remove", "path": "members", "value": [{"value": "0"}]}],
        [{"op": "remove", "path": 'members[value eq "0"]'}],
        [{"op": "Remove", "path": "members", "value": {"value": "0"}}],
        [{"op": "Replace", "path": "members", "value": [{"value": "1"}, {"value": "2", "$ref": None}]}],
        [{"op": "Replace", "value": {"members": [{"value": "1"}, {"value": "2"}]}}],
        [
            {"op": "Add", "path": "members", "value": [{"value": "2"}]},
            {"op": "Remove", "path": "members", "value": [{"value": "0"}]},
            {"op": "Add", "path": "members", "value": [{"value": "1"}]},
        ],
        [
            {"op": "Replace", "path": "displayName", "value": "Team"},
            {"op": "Remove", "path": "members", "value": [{"value": "0"}]},
        ],
    ],
)
async def test_patch_of_a_group_removes_only_whom_it_names(scim: Scim, operations: list[dict[str, Any]]) -> None:
    """Members are added and removed one by one in every dialect; the answer is 204."""
    users = [await scim.user(f"u{number}") for number in range(3)]
    group = await scim.group("Team", *users)

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(entry) for name, entry in value.items()}
        if isinstance(value, list):
            return [filled(entry) for entry in value]
        if not isinstance(value, str):
            return value
        return users[int(value)] if value in ("0", "1", "2") else value.replace('"0"', f'"{users[0]}"')

    assert (await scim.patch(f"/Groups/{group}", *filled(operations))).status == 204
    members = (await scim.read(f"/Groups/{group}"))["members"]
    assert sorted(member["value"] for member in members) == sorted(users[1:])


async def test_inactive_user_keeps_the_groups(scim: Scim) -> None:
    """Nobody re-sends memberships on restore, so a deactivated User stays findable and in the groups."""
    user = await scim.user("a")
    await scim.group("Team", user)

    await scim.patch(f"/Users/{user}", {"op": "Replace", "path": "active", "value": "False"})

    found = await scim.read("/Users", filter='userName eq "a"')
    assert found["totalResults"] == 1
    assert [group["display"] for group in found["Resources"][0]["groups"]] == ["Team"]


async def test_unknown_external_id_finds_nobody(scim: Scim) -> None:
    """Entra's connection test asks for a random GUID and wants 200 with an empty list."""
    await scim.user("a")

    answer = await scim.ask("GET", "/Users", filter=f'userName eq "{NOBODY}"', startIndex=0)

    assert (answer.status, answer.body["totalResults"], answer.body["Resources"]) == (200, 0, [])
