"""Pictures of people and rooms on a real Synapse, with the real service."""

from __future__ import annotations

from bridge.homeserver.registration import Registration
from bridge.ids import UserId
from bridge.membership.picture import initials
from tests.acceptance.client import MatrixClient
from tests.acceptance.company import POLICY, Company
from tests.waiting import wait_until

PICTURED = POLICY.replace("accounts:\n", "accounts:\n  avatar: initials\n").replace(
    'name: "{department}"\n', 'name: "{department}"\n    avatar: logo.png\n'
)


async def test_pictures_are_given_kept_and_taken_away(company: Company, registration: Registration) -> None:
    """A newcomer has initials, the department its logo; both are put back; `off` takes a person's away."""
    (company.folder / "logo.png").write_bytes(initials("N", "#1f5f99"))
    company.policy.write_text(PICTURED)
    await company.hire("mari", title="Head of Sales")
    mari = UserId(company.user_id("mari"))
    await company.is_in("mari", {"square", "news", "department/Sales"})
    sales = (await company.managed())["department/Sales"]
    await company.has_level("mari", "department/Sales", 50)
    bot = await MatrixClient.of_token(company.http, company.synapse.url, registration.as_token)

    async def picture() -> str:
        return str((await company.homeserver.profile(mari) or {}).get("avatar_url") or "")

    async def logo() -> str:
        return str((await company.homeserver.state_event(sales, "m.room.avatar") or {}).get("url") or "")

    async def given() -> bool:
        return bool(await picture() and await logo())

    await wait_until(given)
    await company.has_settled()
    own, theirs = await picture(), await logo()
    for address in (own, theirs):
        place = address.removeprefix("mxc://")
        url = f"{company.synapse.url}/_matrix/client/v1/media/download/{place}"
        async with company.http.get(url, headers={"Authorization": f"Bearer {bot.token}"}) as answer:
            assert (answer.status, answer.content_type) == (200, "image/png")

    client = await company.client("mari")
    path = f"/_matrix/client/v3/profile/{mari}"
    await client.request("PUT", f"{path}/avatar_url", {"avatar_url": theirs})
    await client.request("PUT", f"{path}/displayname", {"displayname": "The Queen"})
    await client.set_state(sales, "m.room.avatar", {"url": own})

    async def put_back() -> bool:
        profile = await company.homeserver.profile(mari) or {}
        return (profile["avatar_url"], profile["displayname"], await logo()) == (own, "Mari", theirs)

    await wait_until(put_back)

    async def told() -> bool:
        others = await client.joined_rooms() - set((await company.managed()).values())
        said = [event["content"].get("body", "") for room in others for event in await client.messages(room)]
        return any(body.startswith("In your profile ") for body in said)

    await wait_until(told)

    company.policy.write_text(PICTURED.replace("avatar: initials", "avatar: off"))

    async def gone() -> bool:
        return not await picture()

    await wait_until(gone)
    assert await logo() == theirs
