"""Whatever is sent to the SCIM endpoint, the answer is SCIM and no fault of ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scim2_server.requests import ScimRequest
from yarl import URL

from bridge.directory.scim_service import DirectoryService
from bridge.directory.scim_shape import ENTERPRISE, MUSTER

if TYPE_CHECKING:
    from bridge.database import Pool
    from tests.integration.directory.conftest import Scim

NAMES = st.sampled_from(
    [
        *("schemas", "id", "meta", "userName", "externalId", "displayName", "name", "givenName", "active", "emails"),
        *("value", "type", "primary", "members", "manager", "department", "shift", "start", "groups", "$ref"),
        *("Operations", "op", "path", "filter", "count", "startIndex", "sortBy", "attributes", "method", "data"),
        *(ENTERPRISE, MUSTER, "urn:example:1.0", "bulkId"),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=12),
    NAMES,
    st.sampled_from(
        [
            *("add", "Replace", "remove", "POST", "PATCH", "/Users", "/Groups", "/Users/bulkId:x", "members"),
            *('emails[type eq "work"].value', 'members[value eq "x"]', "name.givenName", f"{ENTERPRISE}:manager"),
            *('userName eq "a"', "active eq true", "not (title pr)", 'emails[type eq "x"]', "2027-03-01", "True"),
            *("urn:ietf:params:scim:api:messages:2.0:PatchOp", "urn:ietf:params:scim:api:messages:2.0:BulkRequest"),
        ]
    ),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES | TEXTS, inner, max_size=5)),
    max_leaves=12,
)
OPERATIONS = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "Replace", "remove"]), "path": TEXTS, "value": VALUES}
) | st.fixed_dictionaries({"op": st.sampled_from(["add", "replace"]), "value": VALUES})
BODIES = st.one_of(
    VALUES,
    st.fixed_dictionaries({"userName": TEXTS, "displayName": TEXTS}, optional={"emails": VALUES, "members": VALUES}),
    st.fixed_dictionaries({"Operations": st.lists(OPERATIONS, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"filter": TEXTS, "sortBy": TEXTS, "attributes": st.lists(TEXTS, max_size=2)}),
)
PATHS = ["/Users", "/Users/{user}", "/Groups", "/Groups/{group}", "/.search", "/Users/.search", "/Bulk", "/Me", "/x"]


@pytest.fixture
async def service(pool: Pool) -> DirectoryService:
    return DirectoryService(pool, ["shift"], secret="s")


async def ids(service: DirectoryService) -> dict[str, str]:
    """Make sure of one User and one Group, and return their ids."""
    found = {}
    for name, path, attribute in (("user", "/Users", "userName"), ("group", "/Groups", "displayName")):
        listed = await service.answer(
            ScimRequest("GET", "http://x", path, {"filter": f'{attribute} eq "fuzz"'}), "scim:fuzz"
        )
        assert listed.body is not None
        if not listed.body["Resources"]:
            body = json.dumps({attribute: "fuzz"}).encode()
            made = await service.answer(ScimRequest("POST", "http://x", path, body=body), "scim:fuzz")
            assert made.body is not None
            found[name] = made.body["id"]
        else:
            found[name] = listed.body["Resources"][0]["id"]
    return found


async def status_of(service: DirectoryService, request: ScimRequest) -> int:
    """Return the status of the answer; what is no SCIM error is raised, as the endpoint would answer it with 500."""
    from scim2_models import SCIMException

    try:
        return (await service.answer(request, "scim:fuzz")).status
    except SCIMException as error:
        return error.status


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(["POST", "PUT", "PATCH"]), path=st.sampled_from(PATHS), body=BODIES)
async def test_no_body_is_a_fault_of_ours(service: DirectoryService, method: str, path: str, body: Any) -> None:
    """Any JSON at any endpoint is answered below 500 (501 for /Me, which nobody is)."""
    known = await ids(service)
    request = ScimRequest(method, "http://x", path.format(**known), body=json.dumps(body).encode())

    assert (await status_of(service, request)) in {200, 201, 204, 400, 404, 405, 409, 413, 501 if path == "/Me" else 0}


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(PATHS),
    query=st.dictionaries(
        st.sampled_from(["filter", "sortBy", "sortOrder", "startIndex", "count", "attributes", "excludedAttributes"]),
        TEXTS | st.integers().map(str),
        max_size=4,
    ),
)
async def test_no_query_is_a_fault_of_ours(service: DirectoryService, path: str, query: dict[str, str]) -> None:
    """Any query at any endpoint is answered below 500."""
    known = await ids(service)

    assert (await status_of(service, ScimRequest("GET", "http://x", path.format(**known), query))) in {
        200,
        400,
        404,
        405,
        501 if path == "/Me" else 0,
    }


PATHS_OF_USERS = st.sampled_from(
    [
        *("userName", "title", "active", "emails", "emails.type", "name", "name.familyName", "externalId", "groups"),
        *("meta.created", "meta", "id", "schemas", "manager", "department", "shift", "emails.primary", "members"),
    ]
)
LITERALS = st.one_of(st.text(max_size=5).map(json.dumps), st.sampled_from(["true", "null", "5", "-1.5e3", "x"]))
COMPARISONS = st.builds(
    lambda path, operator, value: f"{path} pr" if operator == "pr" else f"{path} {operator} {value}",
    PATHS_OF_USERS,
    st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"]),
    LITERALS,
)
FILTERS = st.recursive(
    COMPARISONS | COMPARISONS.map(lambda inner: f"emails[{inner}]"),
    lambda inner: st.one_of(
        st.builds(lambda a, b: f"({a}) or {b}", inner, inner),
        st.builds(lambda a, b: f"{a} and {b}", inner, inner),
        inner.map(lambda one: f"not ({one})"),
    ),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scim_filter=FILTERS)
async def test_no_filter_is_a_fault_of_ours(service: DirectoryService, scim_filter: str) -> None:
    """Any filter is answered with a list or refused with 400."""
    await ids(service)

    request = ScimRequest("GET", "http://x", "/Users", {"filter": scim_filter})

    assert await status_of(service, request) in {200, 400}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    path=st.one_of(st.sampled_from(PATHS), st.text(max_size=8).map(lambda text: "/Users/" + quote(text, safe=""))),
    query=st.dictionaries(st.sampled_from(["filter", "cursor", "count", "sortBy", "attributes"]), TEXTS, max_size=3),
    body=st.one_of(st.binary(max_size=20), BODIES.map(lambda body: json.dumps(body).encode())),
)
async def test_no_request_over_http_is_a_fault_of_ours(
    scim: Scim, method: str, path: str, query: dict[str, str], body: bytes
) -> None:
    """Any method at any path with any query and bytes is answered with SCIM, below 500 (501 for /Me)."""
    known = {"user": "x", "group": "x"}
    target = f"{scim.url}{path.format(**known) if path in PATHS else path}?{urlencode(query, errors='replace')}"
    headers = {"Authorization": f"Bearer {scim.token}", "Content-Type": "application/scim+json"}

    async with scim.session.request(method, URL(target, encoded=True), data=body, headers=headers) as response:
        answer = await response.read()

    assert response.status < 500 or (response.status, path) == (501, "/Me"), answer
    if response.status >= 400 and method != "HEAD":
        assert json.loads(answer)["status"] == str(response.status)
