"""SCIM as it is really spoken: eleven habits of Entra ID, Okta and their like, a test for each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bridge.directory.scim_shape import ENTERPRISE, GROUP, MUSTER, USER

if TYPE_CHECKING:
    from bridge.database import Pool
    from tests.integration.directory.conftest import Scim

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_1_capitalised_op_and_text_for_truth_values(scim: Scim) -> None:
    """Capitalised `op`; `"True"` and `"False"` as text, also in `roles[].primary` and `roles[primary eq "True"]`."""
    user = await scim.user("a", emails=[{"value": "a@x", "primary": "True"}], roles=[{"value": "r", "primary": "True"}])
    assert (await scim.read(f"/Users/{user}"))["emails"] == [{"value": "a@x", "primary": True}]

    for operation in (
        {"op": "Add", "path": "title", "value": "T"},
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Replace", "path": 'emails[primary eq "True"].value', "value": "b@x"},
        {"op": "Add", "path": "roles", "value": [{"primary": "True", "value": "r"}]},
        {"op": "Replace", "path": 'roles[primary eq "True"].value', "value": "s"},
        {"op": "Remove", "path": 'roles[primary eq "True"]'},
        {"op": "Remove", "path": "title"},
    ):
        assert (await scim.patch(f"/Users/{user}", operation)).status == 200, operation

    after = await scim.read(f"/Users/{user}")
    assert (after["active"], after["emails"], "title" in after) == (False, [{"value": "b@x", "primary": True}], False)


async def test_2_replace_without_a_path_has_paths_for_keys(scim: Scim) -> None:
    """Dotted and URN keys of a path-less replace are paths; a value filter that matches nothing creates the entry."""
    user = await scim.user("a", name={"familyName": "F"}, **{ENTERPRISE: {"division": "V"}})

    value = {"name.givenName": "G", f"{ENTERPRISE}:department": "D", 'emails[type eq "work"].value': "a@x"}
    assert (await scim.patch(f"/Users/{user}", {"op": "replace", "value": value})).status == 200

    after = await scim.read(f"/Users/{user}")
    assert after["name"] == {"familyName": "F", "givenName": "G"}
    assert after[ENTERPRISE] == {"division": "V", "department": "D"}
    assert after["emails"] == [{"type": "work", "value": "a@x"}]


async def test_3_remove_of_members_with_a_value_removes_those_only(scim: Scim) -> None:
    """`{"op": "Remove", "path": "members", "value": [{"value": id}]}` leaves everybody else in the group."""
    users = [await scim.user(f"u{number}") for number in range(3)]
    group = await scim.group("Team", *users)

    await scim.patch(f"/Groups/{group}", {"op": "Remove", "path": "members", "value": [{"value": users[1]}]})

    members = (await scim.read(f"/Groups/{group}"))["members"]
    assert [member["value"] for member in members] == [users[0], users[2]]


async def test_4_manager_comes_in_any_form(scim: Scim) -> None:
    """A bare text, a list of one or an object, under any of three paths; an empty text removes the manager."""
    boss, user = await scim.user("boss"), await scim.user("a")

    for path in ("manager", f"{ENTERPRISE}:manager", f"{ENTERPRISE}.manager"):
        for value in (boss, [{"value": boss}], {"value": boss}):
            await scim.patch(f"/Users/{user}", {"op": "Replace", "path": path, "value": value})
            assert (await scim.read(f"/Users/{user}"))[ENTERPRISE]["manager"]["value"] == boss, (path, value)
            await scim.patch(f"/Users/{user}", {"op": "Replace", "path": path, "value": ""})
            assert ENTERPRISE not in await scim.read(f"/Users/{user}"), path


async def test_5_filters_as_they_come(scim: Scim) -> None:
    """Unquoted values; an id together with manager or members; a value of a selected e-mail; members left out."""
    boss = await scim.user("boss")
    user = await scim.user(
        "a",
        externalId="jyoung",
        manager=boss,
        emails=[{"type": "work", "value": "a@x"}, {"type": "home", "value": "b"}],
    )
    group = await scim.group("Team", user)

    for path, scim_filter, expected in (
        ("/Users", "externalId eq jyoung", [user]),
        ("/Users", f'id eq "{user}" and manager eq "{boss}"', [user]),
        ("/Groups", f'id eq "{group}" and members eq "{user}"', [group]),
        ("/Users", 'emails[type eq "work"].value eq "a@x"', [user]),
        ("/Users", 'emails[type eq "work"].value eq "b"', []),
    ):
        found = await scim.read(path, filter=scim_filter, excludedAttributes="members")
        assert [each["id"] for each in found["Resources"]] == expected, scim_filter
        assert not any("members" in each for each in found["Resources"])


async def test_6_what_does_not_belong_there_does_no_harm(scim: Scim, pool: Pool) -> None:
    """Nulls, foreign schemas, read-only attributes, a dummy password, junk and `application/json` are never a 400."""
    body = {
        "schemas": [USER, ENTERPRISE, "urn:okta:example:1.0:user"],
        "userName": "a",
        "title": None,
        "groups": [{"value": NOBODY, "$ref": None}],
        "meta": {"resourceType": "User", "version": "x"},
        "id": NOBODY,
        "password": "Dummy-Pass-1",
        "profileUrl": "not a url",
        "locale": {"x": 1},
        "preferredLanguage": "!!",
        "urn:okta:example:1.0:user": {"x": 1},
        ENTERPRISE: {"manager": {"value": None, "$ref": None}, "department": "D"},
    }
    answer = await scim.ask("POST", "/Users", body, headers={"Content-Type": "application/json"})
    again = await scim.ask("PUT", f"/Users/{answer.body['id']}", body, headers={"Content-Type": "application/json"})

    assert (answer.status, again.status) == (201, 200)
    assert answer.body["id"] != NOBODY
    assert answer.body[ENTERPRISE] == {"department": "D"}
    assert not {"title", "groups", "password", "profileUrl", "locale"} & set(answer.body)
    stored = await pool.fetchval(
        "SELECT string_agg(r::text, '') || string_agg(h::text, '') FROM scim_resource r, person_history h"
    )
    assert "Dummy-Pass-1" not in stored


async def test_7_put_replaces_and_pages_keep_their_order(scim: Scim) -> None:
    """A PUT takes away what it does not name; order is stable, totals integers, startIndex 0 is 1, nobody is 200."""
    ids = [await scim.user(f"u{number}", title="T") for number in range(3)]

    assert (await scim.ask("PUT", f"/Users/{ids[0]}", {"userName": "u0"})).status == 200

    assert "title" not in await scim.read(f"/Users/{ids[0]}")
    pages = [await scim.read("/Users", startIndex=start, count=2) for start in (0, 3)]
    assert [each["id"] for page in pages for each in page["Resources"]] == ids
    assert [(type(page["totalResults"]), page["totalResults"], page["startIndex"]) for page in pages] == [
        (int, 3, 1),
        (int, 3, 3),
    ]
    nobody = await scim.ask("GET", "/Users", filter=f'userName eq "{NOBODY}"')
    assert (nobody.status, nobody.body["totalResults"], nobody.body["Resources"]) == (200, 0, [])


async def test_8_a_taken_name_is_a_conflict(scim: Scim) -> None:
    """409 uniqueness for userName and a group's displayName, without case; externalId is exact; no userName is 400."""
    await scim.user("Anna", externalId="X")
    other = await scim.user("b", externalId="x")
    await scim.group("Team")

    taken = [
        await scim.ask("POST", "/Users", {"userName": "aNNA"}),
        await scim.patch(f"/Users/{other}", {"op": "replace", "path": "userName", "value": "ANNA"}),
        await scim.ask("POST", "/Groups", {"displayName": "tEAM"}),
    ]
    assert [(answer.status, answer.body["scimType"]) for answer in taken] == [(409, "uniqueness")] * 3
    assert (await scim.ask("GET", "/Users", filter='externalId eq "x"')).names == ["b"]
    for body in ({"userName": ""}, {}):
        assert (await scim.ask("POST", "/Users", body)).status == 400


async def test_9_answers_have_the_forms_that_are_expected(scim: Scim) -> None:
    """PATCH of a User is 200 with the body, of a Group 204; 401, 404, 405 are SCIM errors (413, 429 elsewhere)."""
    user, group = await scim.user("a"), await scim.group("Team")

    changed = await scim.patch(f"/Users/{user}", {"op": "replace", "path": "title", "value": "T"})
    assert (changed.status, changed.body["title"]) == (200, "T")
    silent = await scim.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": user}]})
    assert (silent.status, silent.body) == (204, None)
    for answer in (
        await scim.ask("GET", "/Users", headers={"Authorization": "Bearer no"}),
        await scim.ask("GET", f"/Users/{NOBODY}"),
        await scim.ask("DELETE", "/Schemas"),
    ):
        assert answer.body["schemas"] == [ERROR]
        assert answer.body["status"] == str(answer.status)
        assert answer.headers["Content-Type"] == "application/scim+json"


async def test_10_inactive_people_stay_readable_and_keep_their_groups(scim: Scim) -> None:
    """Nobody re-sends the memberships of somebody who is restored, so they outlast the time in between."""
    user = await scim.user("a")
    group = await scim.group("Team", user)

    for active in ("False", "True"):
        await scim.patch(f"/Users/{user}", {"op": "Replace", "path": "active", "value": active})
        (found,) = (await scim.read("/Users", filter='userName eq "a"'))["Resources"]
        assert found["active"] is (active == "True")
        assert [each["value"] for each in found["groups"]] == [group]
        assert [each["value"] for each in (await scim.read(f"/Groups/{group}"))["members"]] == [user]


async def test_11_published_schemas_are_what_is_kept(scim: Scim) -> None:
    """/Schemas lists nothing that is dropped, and what it lists comes back as it was sent."""
    schemas = {schema["id"]: schema for schema in (await scim.read("/Schemas"))["Resources"]}
    assert set(schemas) == {USER, GROUP, ENTERPRISE, MUSTER}

    def sample(attribute: dict[str, Any]) -> Any:
        if attribute["type"] == "complex":
            parts = {part["name"]: sample(part) for part in attribute["subAttributes"] if part["name"] != "$ref"}
            one = {name: value for name, value in parts.items() if name != "displayName"}
            return [one] if attribute["multiValued"] else one
        return True if attribute["type"] == "boolean" else f"{attribute['name']}-value"

    sent: dict[str, Any] = {}
    for urn, into in (
        (USER, sent),
        (ENTERPRISE, sent.setdefault(ENTERPRISE, {})),
        (MUSTER, sent.setdefault(MUSTER, {})),
    ):
        for attribute in schemas[urn]["attributes"]:
            if attribute["mutability"] != "readOnly":
                into[attribute["name"]] = sample(attribute)
    answer = await scim.ask("POST", "/Users", sent)

    assert answer.status == 201, answer
    assert sent.items() <= answer.body.items(), json.dumps(answer.body, indent=1)
