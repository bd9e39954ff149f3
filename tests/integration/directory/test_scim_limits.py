"""Paging by cursor (RFC 9865), and how often a client may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from bridge.directory.allowance import BURST_SECONDS
from bridge.directory.scim import scim_application
from bridge.directory.token_store import create_token
from tests.integration.directory.conftest import Answer, Scim

if TYPE_CHECKING:
    from bridge.database import Pool

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


async def walk(scim: Scim, path: str = "/Users", **query: Any) -> list[Answer]:
    """Follow the next cursors from the first page."""
    pages = [await scim.ask("GET", path, cursor="", **query)]
    while cursor := pages[-1].body.get("nextCursor"):
        pages.append(await scim.ask("GET", path, cursor=cursor, **query))
    return pages


TITLED = {"a": "T2", "b": None, "c": "T1", "d": "T2", "e": None, "f": "T3", "g": "T2"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["ab", "cd", "ef", "g"]),
        ({"sortBy": "userName", "sortOrder": "descending"}, ["gf", "ed", "cb", "a"]),
        ({"sortBy": "title"}, ["ca", "dg", "fb", "e"]),
        ({"sortBy": "title", "sortOrder": "descending"}, ["be", "fa", "dg", "c"]),
        ({"filter": 'title eq "t2"'}, ["ad", "g"]),
        ({"sortBy": "meta.created", "sortOrder": "descending"}, ["gf", "ed", "cb", "a"]),
    ],
)
async def test_cursors_lead_through_everybody_once_and_back(
    scim: Scim, query: dict[str, Any], expected: list[str]
) -> None:
    """Next cursors give every page in order, also among equals and missing values; previous ones the same backwards."""
    for name, title in TITLED.items():
        await scim.user(name, title=title)

    pages = await walk(scim, count=2, **query)
    back = [pages[-1]]
    while cursor := back[-1].body.get("previousCursor"):
        back.append(await scim.ask("GET", "/Users", cursor=cursor, count=2, **query))

    assert ["".join(page.names) for page in pages] == expected
    assert [page.names for page in reversed(back)] == [page.names for page in pages]
    assert "previousCursor" not in pages[0].body
    assert not any("startIndex" in page.body for page in pages)
    assert {page.body["totalResults"] for page in pages} == {sum(map(len, expected))}


async def test_cursor_pages_stay_stable_while_people_come_and_go(scim: Scim) -> None:
    """Whoever is there from the first page to the last is listed exactly once, though others come and go."""
    users = [await scim.user(f"u{number}") for number in range(6)]
    first = await scim.ask("GET", "/Users", cursor="", count=2)

    await scim.ask("DELETE", f"/Users/{users[0]}")
    await scim.ask("DELETE", f"/Users/{users[1]}")
    await scim.user("late")
    second = await scim.ask("GET", "/Users", cursor=first.body["nextCursor"], count=2)
    third = await scim.ask("GET", "/Users", cursor=second.body["nextCursor"], count=2)

    assert [*first.names, *second.names, *third.names] == [f"u{number}" for number in range(6)]
    assert "previousCursor" not in second.body


async def test_cursor_works_in_a_search_by_post_and_at_the_root(scim: Scim) -> None:
    """`.search` takes and gives the same cursors, over both kinds."""
    await scim.user("a")
    await scim.group("b")

    first = await scim.ask("POST", "/.search", {"cursor": "", "count": 1})
    second = await scim.ask("POST", "/.search", {"cursor": first.body["nextCursor"], "count": 1})

    assert [page.body["Resources"][0]["meta"]["resourceType"] for page in (first, second)] == ["User", "Group"]
    assert "nextCursor" not in second.body


async def test_cursor_of_another_search_is_refused(scim: Scim) -> None:
    """A cursor that was not given, or for another filter, count or kind, is 400 with the scimType of RFC 9865."""
    for name in "abc":
        await scim.user(name)
    cursor = (await scim.ask("GET", "/Users", cursor="", count=1)).body["nextCursor"]

    for path, query, scim_type in [
        ("/Users", {"cursor": "x", "count": 1}, "invalidCursor"),
        ("/Users", {"cursor": cursor[:-4] + "AAAA", "count": 1}, "invalidCursor"),
        ("/Users", {"cursor": cursor, "count": 1, "filter": "userName pr"}, "invalidCursor"),
        ("/Groups", {"cursor": cursor, "count": 1}, "invalidCursor"),
        ("/Users", {"cursor": cursor, "count": 2}, "invalidCount"),
        ("/Users", {"cursor": cursor, "count": 1, "startIndex": 1}, "invalidValue"),
    ]:
        answer = await scim.ask("GET", path, **query)
        assert (answer.status, answer.body.get("scimType")) == (400, scim_type), query
    assert "nextCursor" not in (await scim.read("/Users", cursor="", count=0))


async def test_token_that_asks_too_often_is_told_when_to_come_again(pool: Pool) -> None:
    """Behind the burst the answer is 429 with Retry-After, a SCIM error, for this token alone; nothing is written."""
    application = web.Application()
    application.add_subapp("/scim/v2", scim_application(pool, secret="s", rate=1))
    async with TestServer(application) as server, ClientSession() as session:
        url = f"{server.make_url('/scim/v2')}"
        busy, calm = [Scim(url, session, await create_token(pool, name)) for name in ("busy", "calm")]

        answers = [await busy.ask("GET", "/Users", count=0) for _ in range(3 * BURST_SECONDS)]
        refused = next(answer for answer in answers if answer.status == 429)
        until_refused = [answer.status for answer in answers[: answers.index(refused)]]

        assert until_refused == [200] * len(until_refused)
        assert len(until_refused) >= BURST_SECONDS
        assert (refused.body["schemas"], refused.body["status"]) == ([ERROR], "429")
        assert int(refused.headers["Retry-After"]) == 1
        assert (await calm.ask("GET", "/Users")).status == 200
