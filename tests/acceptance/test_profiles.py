"""Fields of people's profiles on a real Synapse, with the real service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bridge.ids import UserId
from tests.acceptance.company import POLICY, Company
from tests.waiting import wait_until

if TYPE_CHECKING:
    pass

PROFILE = """\
accounts:
  profile: {m.tz: "{timezone}", io.muster.title: "{title}", io.muster.department: "{department}"}
"""


async def test_profiles_follow_hr_and_what_people_change_is_put_right(company: Company) -> None:
    """A newcomer's profile shows title and department; what the person makes of them, `drift scan` finds."""
    company.policy.write_text(POLICY.replace("accounts:\n", PROFILE))
    await company.hire("mari", title="Clerk")
    mari = UserId(company.user_id("mari"))
    theirs = {"io.muster.title": "Clerk", "io.muster.department": "Sales"}

    async def shown(expected: dict[str, Any]) -> bool:
        profile = await company.homeserver.profile(mari) or {}
        return {name: said for name, said in profile.items() if name not in ("displayname", "avatar_url")} == expected

    await wait_until(lambda: shown(theirs))
    await company.has_settled()

    client = await company.client("mari")
    path = f"/_matrix/client/v3/profile/{mari}"
    await client.request("PUT", f"{path}/io.muster.title", {"io.muster.title": "Queen"})
    await client.request("PUT", f"{path}/m.tz", {"m.tz": "Europe/Tallinn"})
    await client.request("DELETE", f"{path}/io.muster.department")
    await client.request("PUT", f"{path}/org.example.own", {"org.example.own": "hers"})
    ended = await company.muster("drift", "scan", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["profiles"], found["profiles_repaired"]) == (0, 1, 1), ended.err
    await wait_until(lambda: shown({**theirs, "org.example.own": "hers"}))

    assert await company.homeserver.profile(UserId(company.user_id("nobody"))) is None
    await company.homeserver.put_profile_field(mari, "m.tz", "")  # deleting what is not there changes nothing
