"""What people change by hand on a real Synapse, with the real service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bridge.homeserver.registration import Registration
from tests.acceptance.client import MatrixClient
from tests.acceptance.company import Company
from tests.waiting import wait_until

if TYPE_CHECKING:
    pass


async def test_what_is_changed_by_hand_is_put_right_and_explained(company: Company, registration: Registration) -> None:
    """A moderator invites into an exclusive room and is told why in vain; a ban is lifted; nothing was missed."""
    await company.hire("mo", title="Head of Sales")
    await company.hire("al")
    await company.hire("it", department="IT")
    await company.is_in("mo", {"square", "news", "department/Sales"})
    await company.is_in("al", {"square", "news", "department/Sales"})
    await company.is_in("it", {"square", "news", "department/IT"})
    assert (await company.muster("drift", "scan")).code == 0  # what others have left on this Synapse
    rooms = await company.managed()
    sales, square = rooms["department/Sales"], rooms["square"]
    moderator, guest = await company.client("mo"), await company.client("it")
    await company.has_level("mo", "department/Sales", 50)
    await moderator.invite(sales, company.user_id("it"))

    async def told() -> bool:
        others = await moderator.joined_rooms() - set(rooms.values())
        said = [event["content"].get("body", "") for room in others for event in await moderator.messages(room)]
        return any("You invited It into Sales" in body and "rooms.department" in body for body in said)

    await wait_until(told)
    assert sales not in (await guest.sync())["rooms"].get("invite", {})

    bot = await MatrixClient.of_token(company.http, company.synapse.url, registration.as_token)
    await bot.request("POST", f"/_matrix/client/v3/rooms/{square}/ban", {"user_id": company.user_id("al")})
    await bot.set_state(square, "m.room.name", {"name": "Square"})

    async def back() -> bool:
        return company.user_id("al") in await bot.members(square)

    await wait_until(back)
    await company.has_settled()
    last = await moderator.create_room(preset="private_chat")

    async def heard() -> bool:
        return bool(await company.pool.fetchval("SELECT EXISTS (SELECT FROM room_member WHERE room_id = $1)", last))

    await wait_until(heard)  # and so everything before it
    ended = await company.muster("drift", "scan", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["failed"]) == (0, 0), ended.err
    assert found["rooms"] >= len(rooms)
    assert found["repaired"] == 0
    assert (await company.muster("drift", "list")).out == "Nothing rests.\n"
