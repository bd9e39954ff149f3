"""A managed room that a server administrator deletes on a real Synapse, with the real service."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from bridge.homeserver.registration import Registration
from tests.acceptance.client import MatrixClient
from tests.acceptance.company import Company
from tests.waiting import wait_until


async def test_a_deleted_room_is_made_anew_and_the_old_one_is_remembered(
    company: Company, registration: Registration
) -> None:
    """Everybody is in a fresh room of the same key; `who` and `why` of the past name the old one; the archive has what
    was said in it; and the administrators are told."""
    await company.hire("cio", title="Chief Information Officer", department="IT")
    await company.hire("al")
    await company.is_in("al", {"square", "news", "department/Sales"})
    await company.is_in("cio", {"square", "news", "department/IT", "administrators"})
    await company.has_settled()
    old = (await company.managed())["square"]
    al = await company.client("al")
    await al.send(old, "remember the lighthouse")

    async def is_archived() -> bool:
        found = await company.muster("archive", "search", "lighthouse", "--json")
        return old in found.out

    await wait_until(is_archived)
    before = datetime.now(UTC).isoformat()
    bot = await MatrixClient.of_token(company.http, company.synapse.url, registration.as_token)
    await bot.request("DELETE", f"/_synapse/admin/v2/rooms/{old}", {"block": True, "purge": True})

    async def is_fresh() -> bool:
        room = (await company.managed()).get("square")
        return room not in (None, old) and {company.user_id("al"), company.user_id("cio")} <= await bot.members(room)

    await wait_until(is_fresh)
    fresh = (await company.managed())["square"]
    space = (await company.managed())["everybody"]
    assert (await bot.state(space, "m.space.child", fresh))["via"]
    assert "via" not in await bot.state(space, "m.space.child", old)
    assert old in await company.notice("cio", "somebody has deleted it by hand")
    await company.has_settled()

    past = json.loads((await company.muster("who", "square", "--at", before, "--json")).out)
    assert old in json.dumps(past)
    assert fresh not in json.dumps(past)
    assert company.user_id("al") in json.dumps(past)
    now = json.loads((await company.muster("who", "square", "--json")).out)
    assert fresh in json.dumps(now)
    why = await company.muster("why", company.user_name("al"), old, "--at", before, "--json")
    assert why.code == 0, why.err
    assert old in why.out
    assert old in (await company.muster("archive", "search", "lighthouse", "--json")).out
    assert "Nothing to do" in (await company.muster("plan")).out
