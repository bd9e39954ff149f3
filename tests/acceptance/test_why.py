"""Who could read what, before, between and after: the real service, a real Synapse, and the verbs beside it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.acceptance.company import ENTERPRISE, Company
from tests.waiting import wait_until

if TYPE_CHECKING:
    pass


async def answer(company: Company, *arguments: str) -> Any:
    """Return what a verb prints with --json."""
    ended = await company.muster(*arguments, "--json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out)


async def archived(company: Company, name: str, membership: str, rooms: int) -> str:
    """Wait until the archive has so many of the colleague's memberships; return the moment."""

    async def is_there() -> bool:
        told = await company.pool.fetch(
            "SELECT convert_from(body, 'UTF8') AS body FROM event WHERE type = 'm.room.member' AND state_key = $1",
            company.user_id(name),
        )
        found = [json.loads(row["body"])["content"]["membership"] for row in told]
        return found.count(membership) >= rooms

    await wait_until(is_there)
    return datetime.now(UTC).isoformat()


async def test_an_auditor_learns_who_could_read_what_at_any_moment(company: Company) -> None:
    """Somebody moves department and leaves: why and who tell the truth of before, between and after, with sources."""
    await company.hire("boss", title="Head of Sales")
    bob = await company.hire("bob")
    await company.is_in("bob", {"square", "news", "department/Sales"})
    await archived(company, "boss", "join", 4)
    hired = await archived(company, "bob", "join", 4)
    await company.change(bob, f"{ENTERPRISE}:department", "Press")
    await company.is_in("bob", {"square", "news", "department/Press", "desk"})
    moved = await archived(company, "bob", "join", 6)
    await company.change(bob, "active", False)
    await company.has_settled()
    left = await archived(company, "bob", "leave", 6)

    name, user_id = company.user_name("bob"), company.user_id("bob")
    rooms = [
        {room["room"]: room["there"] for room in (await answer(company, "why", name, "--at", at))["rooms"]}
        for at in (hired, moved, left)
    ]
    assert rooms[0] == dict.fromkeys(["department/Sales", "everybody", "news", "square"], "in")
    assert rooms[1] == dict.fromkeys(["department/Press", "desk", "everybody", "news", "square"], "in")
    assert rooms[2] == {}

    (sales,) = (await answer(company, "why", name, "department/Sales", "--at", hired))["rooms"]
    assert (sales["rule"], sales["wanted"], sales["since"]["outcome"]) == ("rooms.department", True, "done")
    assert sales["answers"][0]["source"]["source"] == "scim:hr"
    assert (sales["event"]["membership"], sales["event"]["event_id"][0]) == ("join", "$")

    async def inside(at: str) -> set[str]:
        found = await answer(company, "who", "department/Sales", "--at", at)
        return {one["user_id"] for one in found["occupants"]} - {company.homeserver.bot}

    boss = company.user_id("boss")
    assert [await inside(at) for at in (hired, moved, left)] == [{boss, user_id}, {boss}, {boss}]

    report = company.folder / "access.csv"
    asked = ("--at", hired, "--report", str(report), "--by", company.user_name("boss"))
    written = await company.muster("who", "--all", *asked)
    assert written.code == 0, written.err
    assert user_id in report.read_text()
    assert (await company.muster("who", "--verify", str(report))).code == 0
    text = (await company.muster("why", name, "--at", moved)).out
    assert all(len(line) <= 80 for line in text.splitlines())
