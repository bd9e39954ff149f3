"""The SCIM endpoint over HTTP: reading, searching, paging, conditions, tokens and errors."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from bridge.directory.scim import scim_application
from bridge.directory.scim_shape import ENTERPRISE, GROUP, MUSTER, USER
from bridge.directory.store import changed_since, directory_version, load_history, load_person
from bridge.directory.token_store import create_token, revoke_token
from bridge.ids import PersonId
from tests.integration.directory.conftest import Scim

if TYPE_CHECKING:
    from bridge.database import Pool

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_user_is_created_and_read_back(scim: Scim) -> None:
    """A created User answers 201 with Location and ETag and reads back with its meta."""
    answer = await scim.ask(
        "POST",
        "/Users",
        {
            "schemas": [USER, ENTERPRISE],
            "userName": "M.Tamm",
            "externalId": "1001",
            "emails": [{"value": "m.tamm@example.org", "type": "work", "primary": True}],
            ENTERPRISE: {"department": "Sales"},
        },
    )

    assert answer.status == 201
    assert answer.headers["Content-Type"] == "application/scim+json"
    assert answer.headers["Location"] == answer.body["meta"]["location"] == f"{scim.url}/Users/{answer.body['id']}"
    again = await scim.ask("GET", f"/Users/{answer.body['id']}")
    assert again.headers["ETag"] == answer.headers["ETag"] == again.body["meta"]["version"]
    assert again.body == answer.body
    assert again.body["active"] is True
    assert again.body[ENTERPRISE] == {"department": "Sales"}


async def test_what_is_not_on_the_allow_list_is_never_stored(scim: Scim, pool: Pool) -> None:
    """Passwords, phone numbers, addresses, photos and unknown schemas are accepted and dropped."""
    secret = "se-cr-et"
    user = await scim.user(
        "a",
        schemas=[USER, "urn:example:2.0:User"],
        password=secret,
        nickName=secret,
        phoneNumbers=[{"value": secret}],
        addresses=[{"formatted": secret}],
        photos=[{"value": secret}],
        birthDate=secret,
        **{"urn:example:2.0:User": {"salary": secret, "shift": "night"}},
    )

    stored = await pool.fetchval("SELECT jsonb_agg(document)::text || jsonb_agg(keys)::text FROM scim_resource")
    history = await pool.fetchval("SELECT jsonb_agg(document)::text FROM person_history")
    assert secret not in stored + history
    assert (await scim.read(f"/Users/{user}"))["schemas"] == [USER, MUSTER]


async def test_custom_attribute_is_kept_wherever_the_provider_puts_it(scim: Scim, pool: Pool) -> None:
    """An attribute that the configuration names is kept from any schema, and a selector may ask for it."""
    user = await scim.user("a", **{"urn:example:2.0:User": {"Shift": "night"}})

    assert (await scim.read(f"/Users/{user}"))[MUSTER] == {"shift": "night"}
    assert (await load_person(pool, "a")).other["shift"] == ("night",)
    await scim.patch(f"/Users/{user}", {"op": "Replace", "path": "urn:other:1.0:shift", "value": "day"})
    assert (await load_person(pool, "a")).other["shift"] == ("day",)


@pytest.mark.parametrize("body", [{"userName": "A"}, {"userName": "a", "externalId": "2"}])
async def test_taken_user_name_is_a_conflict(scim: Scim, body: dict[str, Any]) -> None:
    """A userName already taken, whatever its case, is 409 uniqueness, on POST and on PUT, and changes nothing."""
    await scim.user("a", externalId="1")
    other = await scim.user("b")

    for answer in (await scim.ask("POST", "/Users", body), await scim.ask("PUT", f"/Users/{other}", body)):
        assert answer.status == 409
        assert answer.body["scimType"] == "uniqueness"
    assert (await scim.ask("GET", "/Users")).names == ["a", "b"]


async def test_taken_group_name_is_a_conflict(scim: Scim) -> None:
    """A group's displayName already taken is 409 uniqueness."""
    await scim.group("Sales")

    answer = await scim.ask("POST", "/Groups", {"displayName": "SALES"})

    assert (answer.status, answer.body["scimType"]) == (409, "uniqueness")


@pytest.mark.parametrize("name", ["", "   "])
async def test_empty_user_name_is_refused(scim: Scim, name: str) -> None:
    """An empty userName is 400 invalidValue."""
    answer = await scim.ask("POST", "/Users", {"userName": name})

    assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")


async def test_day_that_is_none_is_refused(scim: Scim) -> None:
    """A start or end that is no day is 400 invalidValue, and names what was expected."""
    answer = await scim.ask("POST", "/Users", {"userName": "a", MUSTER: {"start": "soon"}})

    assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")
    assert "2027-03-01" in answer.body["detail"]


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic aHI6aHI=", "Bearer \udcff"])
async def test_request_without_a_valid_token_is_unauthorized(scim: Scim, authorization: str) -> None:
    """A missing or wrong token is 401, a SCIM error, with a challenge."""
    answer = await scim.ask("GET", "/Users", headers={"Authorization": authorization})

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.body["schemas"] == [ERROR]


async def test_revoked_token_is_unauthorized_at_once(scim: Scim, pool: Pool) -> None:
    """A token works until it is revoked; the other tokens go on working."""
    token = await create_token(pool, "old")
    headers = {"Authorization": f"bearer {token}"}
    assert (await scim.ask("GET", "/Users", headers=headers)).status == 200

    await revoke_token(pool, "old")

    assert (await scim.ask("GET", "/Users", headers=headers)).status == 401
    assert (await scim.ask("GET", "/Users")).status == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/Users/{id}", None),
        ("GET", f"/Users/{NOBODY}", None),
        ("GET", "/Users/x", None),
        ("GET", "/Users?filter=junk", None),
        ("GET", "/Groups", None),
        ("GET", "/Users?count=0", None),
        ("GET", "/Users?cursor&count=1", None),
        ("POST", "/Users/.search", {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}),
        ("GET", "/Schemas", None),
        ("GET", "/nowhere", None),
        ("POST", "/Users", {"userName": "new"}),
        ("POST", "/Users", {"userName": "a"}),
        ("POST", "/Users", {"userName": "new", "externalId": "1"}),
        ("POST", "/Users", "junk"),
        ("PUT", "/Users/{id}", {"userName": "a", "title": "T"}),
        ("PATCH", "/Users/{id}", {"Operations": [{"op": "replace", "path": "title", "value": "T"}]}),
        ("DELETE", "/Users/{id}", None),
        ("POST", "/Groups", {"displayName": "g"}),
        ("POST", "/Bulk", {"Operations": [{"method": "POST", "path": "/Users", "data": {"userName": "new"}}]}),
    ],
)
async def test_revoked_token_learns_and_changes_nothing(
    scim: Scim, pool: Pool, method: str, path: str, body: object
) -> None:
    """A token that was known to be valid is, once it is revoked, answered 401 whatever it asks for."""
    user = await scim.user("a", externalId="1")
    revoked = replace(scim, token=await create_token(pool, "old"))
    assert (await revoked.ask("GET", "/Users")).status == 200
    await revoke_token(pool, "old")
    before = await directory_version(pool)

    answer = await revoked.ask(method, path.format(id=user), body)

    assert answer.status == 401
    assert await directory_version(pool) == before


async def test_tokens_of_one_source_take_each_others_place(scim: Scim, pool: Pool) -> None:
    """While a token is changed both work, and the history names their source; the old one then ends alone."""
    old, new = await create_token(pool, "workday"), await create_token(pool, "workday-2027", "workday")
    user = await scim.user("a")

    for token, title in [(old, "T1"), (new, "T2")]:
        answer = await replace(scim, token=token).ask("PUT", f"/Users/{user}", {"userName": "a", "title": title})
        assert answer.status == 200
    await revoke_token(pool, "workday")

    assert [entry.source for entry in await load_history(pool, PersonId(user))] == [
        "scim:hr",
        "scim:workday",
        "scim:workday",
    ]
    assert [(await replace(scim, token=token).ask("GET", "/Users")).status for token in (old, new)] == [401, 200]


async def test_service_describes_itself_without_a_token(scim: Scim) -> None:
    """/ServiceProviderConfig needs no token (RFC 7643 section 5)."""
    answer = await scim.ask("GET", "/ServiceProviderConfig", headers={"Authorization": ""})

    assert answer.status == 200
    assert answer.body["patch"] == {"supported": True}


async def test_published_schemas_hold_only_what_is_kept(scim: Scim) -> None:
    """/Schemas lists the reduced schemas, so that validators test what there is."""
    schemas = {schema["id"]: schema for schema in (await scim.read("/Schemas"))["Resources"]}

    assert set(schemas) == {USER, GROUP, ENTERPRISE, MUSTER}
    names = {attribute["name"] for attribute in schemas[USER]["attributes"]}
    assert {"userName", "emails"} <= names
    assert not names & {"password", "phoneNumbers", "addresses", "photos"}
    assert [attribute["name"] for attribute in schemas[MUSTER]["attributes"]] == ["employmentStatus", "shift"]


@pytest.mark.parametrize(
    ("scim_filter", "expected"),
    [
        ('userName eq "ANNA"', ["anna"]),
        ('externalId eq "x1"', []),
        ('externalId eq "X1"', ["anna"]),
        ("externalId eq X1", ["anna"]),
        ('userName sw "b_"', ["b_b"]),
        ('userName co "%"', ["c%c"]),
        ("active eq true", ["anna", "b_b"]),
        ('active eq "false"', ["c%c"]),
        ('emails[type eq "work"].value eq "Anna@example.org"', ["anna"]),
        ('emails[type eq "work" and value co "ANNA"]', ["anna"]),
        (f'{ENTERPRISE}:department eq "sales"', ["anna", "b_b"]),
        ('department eq "Sales" and not (userName eq "anna")', ["b_b"]),
        ('shift eq "night"', ["b_b"]),
        ('name.familyName eq "ÕUN"', ["anna"]),
        ('groups.display eq "team"', ["b_b"]),
        ('groups[display eq "team"]', ["b_b"]),
        ("not (groups pr)", ["anna", "c%c"]),
        ('meta.created gt "2000-01-01T00:00:00Z"', ["anna", "b_b", "c%c"]),
        ('title eq "x" or userName eq "anna"', ["anna"]),
        ('phoneNumbers eq "1"', None),
        ("password pr", None),
        ('nosuch eq "1"', None),
        ('userName eq "a', None),
        ("active gt true", None),
        ('name eq "x"', None),
        ("", None),
        ('title eq "\\u0000"', None),
        ("(" * 500 + 'userName eq "a"' + ")" * 500, None),
    ],
)
async def test_filter_finds_whom_it_describes(scim: Scim, scim_filter: str, expected: list[str] | None) -> None:
    """A filter answers exactly the matching Users; one that cannot be understood is 400 invalidFilter, never all."""
    await scim.user(
        "anna",
        externalId="X1",
        name={"familyName": "Õun"},
        emails=[{"value": "anna@example.org", "type": "work"}],
        **{ENTERPRISE: {"department": "Sales"}},
    )
    bob = await scim.user("b_b", **{ENTERPRISE: {"department": "SALES"}, MUSTER: {"shift": "night"}})
    await scim.user("c%c", active=False)
    await scim.group("Team", bob)

    got = await scim.ask("GET", "/Users", filter=scim_filter)
    posted = await scim.ask("POST", "/Users/.search", {"filter": scim_filter})

    assert got.body == posted.body
    if expected is None:
        assert (got.status, got.body["scimType"]) in [(400, "invalidFilter"), (400, "invalidValue")]
    else:
        assert got.names == expected
        assert got.body["totalResults"] == len(expected)


async def test_manager_and_members_can_be_asked_for(scim: Scim) -> None:
    """`id … and manager eq …` and `id … and members eq …` tell whether a reference is set, as Entra asks."""
    boss = await scim.user("boss")
    user = await scim.user("a", **{ENTERPRISE: {"manager": {"value": boss}}})
    group = await scim.group("Team", user)

    for path, scim_filter, count in [
        ("/Users", f'id eq "{user}" and manager eq "{boss}"', 1),
        ("/Users", f'id eq "{boss}" and manager eq "{boss}"', 0),
        ("/Users", f'manager.value eq "{boss}"', 1),
        ("/Groups", f'id eq "{group}" and members eq "{user}"', 1),
        ("/Groups", f'id eq "{group}" and members eq "{boss}"', 0),
        ("/Groups", f'members[value eq "{user}"]', 1),
        ("/Groups", 'members[type eq "USER"]', 1),
    ]:
        assert (await scim.read(path, filter=scim_filter))["totalResults"] == count, scim_filter


async def test_pages_are_stable_and_complete(scim: Scim) -> None:
    """Index pages hold everybody once, in the order of creation; totals are integers; startIndex 0 means 1."""
    names = [f"u{number}" for number in range(7)]
    for name in names:
        await scim.user(name)

    pages = [await scim.ask("GET", "/Users", startIndex=start, count=3) for start in (0, 4, 7, 10)]

    assert [name for page in pages[:3] for name in page.names] == names
    assert [page.body["totalResults"] for page in pages] == [7] * 4
    assert [page.body["startIndex"] for page in pages] == [1, 4, 7, 10]
    assert [page.body["itemsPerPage"] for page in pages] == [3, 3, 1, 0]
    assert (await scim.read("/Users", count=0))["totalResults"] == 7
    assert (await scim.read("/Users", startIndex="9" * 30, count="9" * 30))["Resources"] == []
    assert (await scim.read("/Users", count=-5))["Resources"] == []


@pytest.mark.parametrize(
    ("sort_by", "order", "expected"),
    [
        ("userName", "ascending", ["a", "B", "c"]),
        ("userName", "descending", ["c", "B", "a"]),
        ("title", "ascending", ["c", "a", "B"]),
        ("title", "descending", ["B", "a", "c"]),
        ("emails", "ascending", ["B", "c", "a"]),
        ("meta.created", "ascending", ["a", "B", "c"]),
        ("department", "ascending", None),
        ("nosuch", "ascending", None),
    ],
)
async def test_list_is_sorted(scim: Scim, sort_by: str, order: str, expected: list[str] | None) -> None:
    """Lists sort as RFC 7644 section 3.4.2.3 says: without case, those without a value last."""
    await scim.user("a", title="Driver")
    await scim.user("B", emails=[{"value": "z@x"}, {"value": "a@x", "primary": True}])
    await scim.user("c", title="Clerk", emails=[{"value": "b@x"}])

    answer = await scim.ask("GET", "/Users", sortBy=sort_by, sortOrder=order)

    if expected is None:
        assert answer.status == 400
    else:
        assert answer.names == expected


async def test_attributes_and_excluded_attributes_shape_the_answer(scim: Scim) -> None:
    """`attributes` keeps what is named and what is always returned; `excludedAttributes` leaves out the rest."""
    user = await scim.user(
        "a", title="T", name={"givenName": "A", "familyName": "B"}, **{ENTERPRISE: {"department": "D", "division": "V"}}
    )
    group = await scim.group("Team", user)

    only = await scim.read(f"/Users/{user}", attributes=f"name.givenName,{ENTERPRISE}:department")
    without = await scim.read(f"/Users/{user}", excludedAttributes="name.givenName,groups,meta,id")
    assert only == {
        "schemas": [USER, ENTERPRISE],
        "id": user,
        "name": {"givenName": "A"},
        ENTERPRISE: {"department": "D"},
    }
    assert without["name"] == {"familyName": "B"}
    assert without["id"] == user
    assert not {"groups", "meta"} & set(without)
    assert "members" not in await scim.read(f"/Groups/{group}", excludedAttributes="members")
    assert (await scim.read("/Groups", attributes="displayName"))["Resources"] == [
        {"schemas": [GROUP], "id": group, "displayName": "Team"}
    ]
    assert (await scim.ask("GET", f"/Users/{user}", attributes="id", excludedAttributes="meta")).status == 400


async def test_root_search_answers_both_kinds(scim: Scim) -> None:
    """A search at the root is one collection of Users and Groups."""
    await scim.user("a", displayName="Z")
    await scim.group("B")

    found = await scim.ask("POST", "/.search", {"sortBy": "displayName", "filter": "displayName pr"})

    assert [each["meta"]["resourceType"] for each in found.body["Resources"]] == ["Group", "User"]
    assert (await scim.read("/", filter="userName pr"))["totalResults"] == 1


async def test_conditions_guard_reads_and_writes(scim: Scim) -> None:
    """If-None-Match saves a read (304) and If-Match stops a write on an older version (412)."""
    user = await scim.user("a")
    tag = (await scim.ask("GET", f"/Users/{user}")).headers["ETag"]

    assert (await scim.ask("GET", f"/Users/{user}", headers={"If-None-Match": tag})).status == 304
    changed = await scim.ask("PUT", f"/Users/{user}", {"userName": "a", "title": "T"}, headers={"If-Match": tag})
    assert changed.status == 200
    assert changed.headers["ETag"] != tag
    assert (await scim.ask("GET", f"/Users/{user}", headers={"If-None-Match": tag})).status == 200
    for method, body in (("PUT", {"userName": "b"}), ("DELETE", None)):
        assert (await scim.ask(method, f"/Users/{user}", body, headers={"If-Match": tag})).status == 412
    group = await scim.group("Team")
    stale = {"op": "add", "path": "members", "value": [{"value": user}]}
    answer = await scim.ask("PATCH", f"/Groups/{group}", {"Operations": [stale]}, headers={"If-Match": '"0"'})
    assert answer.status == 412


async def test_deleted_user_is_hidden_but_kept_as_somebody_who_left(scim: Scim, pool: Pool) -> None:
    """DELETE hides the User and empties the groups of it; the person stays known, inactive, and counts as changed."""
    user = await scim.user("a")
    group = await scim.group("Team", user)
    version = await directory_version(pool)

    assert (await scim.ask("DELETE", f"/Users/{user}")).status == 204

    assert (await scim.ask("GET", f"/Users/{user}")).status == 404
    assert (await scim.ask("GET", "/Users")).names == []
    assert "members" not in await scim.read(f"/Groups/{group}")
    assert (await scim.ask("DELETE", f"/Users/{user}")).status == 404
    person = await load_person(pool, "a")
    assert not person.active
    assert (await changed_since(pool, version)).ids == {user}
    assert await scim.user("a") != user


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/Users/{NOBODY}", 404),
        ("PUT", f"/Users/{NOBODY}", 404),
        ("PATCH", f"/Groups/{NOBODY}", 404),
        ("DELETE", "/Users/nobody", 404),
        ("GET", "/Users/%00", 400),
        ("GET", "/Nothing", 404),
        ("GET", "/a/b/c", 404),
        ("GET", "/Users/%0A", 404),
        ("GET", "/Me", 501),
        ("POST", "/ServiceProviderConfig", 405),
        ("OPTIONS", "/Users", 405),
        ("POST", "/Users", 400),
        ("POST", "/Users/.search", 200),
    ],
)
async def test_path_or_method_that_is_not_there_is_a_scim_error(
    scim: Scim, method: str, path: str, status: int
) -> None:
    """Unknown resources and endpoints are 404, wrong methods 405, each with a SCIM error body."""
    operation = {"op": "add", "path": "members", "value": [{"value": NOBODY}]}
    bodies = {"PUT": {"userName": "a"}, "PATCH": {"Operations": [operation]}, "POST": {}}

    answer = await scim.ask(method, path, bodies.get(method))

    assert answer.status == status
    if status >= 400:
        assert answer.body["schemas"] == [ERROR]
        assert answer.body["status"] == str(status)


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"{", "application/scim+json", 400),
        (b"", "application/scim+json", 400),
        (b"[1]", "application/json", 400),
        (b'{"userName": "a\\u0000"}', "application/json", 400),
        (b'{"userName": "\\ud800"}', "application/json", 400),
        (b'{"userName": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"<a/>", "application/xml", 415),
        (b'"' + b"x" * 1_100_000 + b'"', "application/json", 413),
    ],
)
async def test_body_that_is_no_scim_is_refused(scim: Scim, data: bytes, content_type: str, status: int) -> None:
    """A body that cannot be read is 400, 413 or 415, and nothing is stored."""
    headers = {"Authorization": f"Bearer {scim.token}", "Content-Type": content_type}
    async with scim.session.post(f"{scim.url}/Users", data=BytesIO(data), headers=headers) as response:
        assert response.status == status
        assert (await response.json(content_type=None))["schemas"] == [ERROR]
    assert (await scim.read("/Users"))["totalResults"] == 0


async def test_bulk_request_creates_people_and_their_group(scim: Scim) -> None:
    """A bulk request runs its operations one by one and resolves bulkId references."""
    answer = await scim.ask(
        "POST",
        "/Bulk",
        {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [
                {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "a", "department": "Sales"}},
                {"method": "POST", "path": "/Users", "bulkId": "2", "data": {"userName": "A"}},
                {
                    "method": "POST",
                    "path": "/Groups",
                    "bulkId": "3",
                    "data": {"schemas": [GROUP], "displayName": "G", "members": [{"value": "bulkId:1"}]},
                },
            ],
        },
    )

    assert answer.status == 200
    assert [operation["status"] for operation in answer.body["Operations"]] == ["201", "409", "201"]
    (user,) = (await scim.read("/Users"))["Resources"]
    assert user[ENTERPRISE] == {"department": "Sales"}
    assert [group["display"] for group in user["groups"]] == ["G"]


async def test_concurrent_patches_of_a_group_all_count(scim: Scim) -> None:
    """Members added at the same time are all in the group: nobody's change is lost or refused."""
    users = [await scim.user(f"u{number}") for number in range(12)]
    group = await scim.group("Team")

    answers = await asyncio.gather(
        *(
            scim.patch(f"/Groups/{group}", {"op": "Add", "path": path, "value": [{"value": user}]})
            for user, path in zip(users, ["members", " members"] * 6, strict=True)
        ),
        *(scim.patch(f"/Groups/{group}", {"op": "replace", "path": "externalId", "value": f"{n}"}) for n in range(4)),
    )

    assert {answer.status for answer in answers} == {204}
    assert {member["value"] for member in (await scim.read(f"/Groups/{group}"))["members"]} == set(users)


async def test_database_away_is_a_passing_fault(scim: Scim, pool: Pool) -> None:
    """Without the database the answer is 503 with Retry-After, a SCIM error, which providers try again."""
    await pool.close()

    answer = await scim.ask("GET", "/Users")

    assert (answer.status, answer.body["status"]) == (503, "503")
    assert int(answer.headers["Retry-After"]) > 0


@dataclass
class _Unsteady:
    """The pool, of a database that can be away."""

    pool: Pool
    is_away: bool = False

    async def fetch(self, *statement: Any) -> Any:
        if self.is_away:
            raise ConnectionRefusedError
        return await self.pool.fetch(*statement)

    async def fetchval(self, *statement: Any) -> Any:
        if self.is_away:
            raise ConnectionRefusedError
        return await self.pool.fetchval(*statement)

    def acquire(self) -> Any:
        if self.is_away:
            raise ConnectionRefusedError
        return self.pool.acquire()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.pool, name)


async def test_database_away_is_said_once_and_once_that_it_is_back(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    """However many requests come while the database is away, the log has one line, and one when it is back."""
    caplog.set_level(logging.INFO)
    unsteady: Any = _Unsteady(pool)
    application = web.Application()
    application.add_subapp("/scim/v2", scim_application(unsteady, secret="s"))
    async with TestServer(application) as server, ClientSession() as session:
        scim = Scim(f"{server.make_url('/scim/v2')}", session, await create_token(pool, "hr"))
        statuses = []
        for away in (False, True, True, True, False, False, True):
            unsteady.is_away = away
            statuses.append((await scim.ask("GET", "/Users")).status)

    assert statuses == [200, 503, 503, 503, 200, 200, 503]
    said = [record.getMessage() for record in caplog.records if record.name == "bridge.directory.scim"]
    waits = "SCIM waits for the database: ConnectionRefusedError"
    assert said == [waits, "SCIM has the database again", waits]


async def test_concurrent_patches_of_a_user_all_count(scim: Scim) -> None:
    """Attributes patched at the same time are all written: nobody's change is lost or refused."""
    user = await scim.user("a")
    values = {name: f"{name} of a" for name in ("title", "displayName", "userType", "externalId", "locale", "timezone")}

    answers = await asyncio.gather(
        *(scim.patch(f"/Users/{user}", {"op": "add", "path": name, "value": value}) for name, value in values.items())
    )

    assert {answer.status for answer in answers} == {200}
    assert values.items() <= (await scim.read(f"/Users/{user}")).items()


async def test_member_nobody_knows_is_kept_as_sent(scim: Scim) -> None:
    """A reference to nobody does no harm and is shown as it came, so that it never stops a provider's whole group."""
    user = await scim.user("a")
    group = await scim.group("Team", user, "no such id")

    answer = await scim.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": NOBODY}]})

    assert answer.status == 204
    assert (await scim.read(f"/Groups/{group}"))["members"] == [
        {"value": user, "type": "User", "$ref": f"{scim.url}/Users/{user}"},
        {"value": "no such id"},
        {"value": NOBODY},
    ]
    assert (await scim.read("/Groups", filter='members eq "no such id"'))["totalResults"] == 1
    answer = await scim.ask("PUT", f"/Groups/{group}", {"displayName": "Team", "members": [{"type": "User"}]})
    assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")


@pytest.mark.parametrize("attribute", ["userName", "externalId", "manager", "title"])
async def test_name_too_long_for_an_index_is_refused(scim: Scim, attribute: str) -> None:
    """Names and references have a limit, texts have none; beyond it the answer is 400, not a fault."""
    long = secrets.token_hex(5000)

    answer = await scim.ask("POST", "/Users", {"userName": "a", attribute: long})
    member = await scim.ask("POST", "/Groups", {"displayName": "G", "members": [{"value": long}]})

    assert answer.status == (201 if attribute == "title" else 400)
    assert member.status == 400


async def test_put_that_changes_nothing_makes_no_version(scim: Scim, pool: Pool) -> None:
    """The same PUT twice leaves version, ETag and history as they are, so that nobody is woken for nothing."""
    user = await scim.user("a", title="T")
    version = await directory_version(pool)

    answer = await scim.ask("PUT", f"/Users/{user}", {"userName": "a", "title": "T", "active": True})

    assert answer.status == 200
    assert await directory_version(pool) == version
