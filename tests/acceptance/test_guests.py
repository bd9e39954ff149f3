"""Guests, and rooms that people made, on a real Synapse."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from tests.acceptance.client import MatrixClient
from tests.acceptance.company import POLICY, Company
from tests.waiting import wait_until

GUESTED = f'{POLICY}guests: {{sponsors: department eq "Sales", domains: [partner.example]}}\n'


async def test_a_guest_comes_and_goes_with_the_sponsor(
    company: Company, human: Callable[[str], Awaitable[MatrixClient]]
) -> None:
    """Whom HR does not know is in the rooms named, reads and writes there, and is out when the sponsor leaves; an
    invitation that Synapse cannot deliver is told and harms nothing."""
    company.policy.write_text(GUESTED)
    sponsor = await company.hire("ann")
    await company.is_in("ann", {"square", "news", "department/Sales"})
    guest = await human(f"guest.{company.tag}")
    sales = (await company.managed())["department/Sales"]
    words = ["--sponsor", company.user_name("ann"), "--room", "department/Sales", "--reason", "audits our books"]

    added = await company.muster("guests", "add", guest.user_id, *words)
    assert (added.code, added.err) == (0, "")

    async def is_inside() -> bool:
        return guest.user_id in await (await company.client("ann")).members(sales)

    await wait_until(is_inside)
    await guest.send(sales, "Here are the figures.")
    listed = json.loads((await company.muster("guests", "list", "--json")).out)
    assert [(one["user_id"], one["over"]) for one in listed] == [(guest.user_id, None)]
    await company.has_settled()

    outside = await company.muster("guests", "add", "@kim:partner.example", *words)
    assert outside.code == 0

    async def has_failed() -> bool:
        rows = await company.pool.fetch("SELECT outcome FROM entry WHERE user_id = '@kim:partner.example'")
        return [row["outcome"] for row in rows][:1] == ["failed"]

    await wait_until(has_failed)
    refused = await company.muster("guests", "add", "@kim:other.example", *words)
    assert (refused.code, "admits no guests of other.example" in refused.err) == (1, True)

    await company.change(sponsor, "active", False)

    async def is_out() -> bool:
        return sales not in await guest.joined_rooms()

    await wait_until(is_out)
    audit = await company.muster("audit", "--room", "department/Sales")
    assert "the sponsor does not work here" in audit.out


async def test_rooms_that_people_made_are_adopted(company: Company) -> None:
    """In rooms of versions 11 and 12 the bot becomes an administrator, and nothing else changes; a chat of two is left
    alone."""
    clients = []
    for name in ("ann", "bob", "cid"):
        await company.hire(name)
    for name in ("ann", "bob", "cid"):
        await company.is_in(name, {"square", "news", "department/Sales"})
        clients.append(await company.client(name))
    ann, bob, cid = clients
    rooms = [
        await ann.create_room(preset="private_chat", name=f"Club {version}", room_version=version, invite=[bob.user_id])
        for version in ("11", "12")
    ]
    for room in rooms:
        await bob.join(room)
        await ann.invite(room, cid.user_id)
        await cid.join(room)
    chat = await ann.create_room(preset="trusted_private_chat", is_direct=True, invite=[bob.user_id])
    await bob.join(chat)

    async def are_known() -> bool:
        count = await company.pool.fetchval(
            "SELECT count(*) FROM room_member WHERE room_id = ANY($1) AND membership = 'join'", [*rooms, chat]
        )
        return bool(count == 8)

    await wait_until(are_known)
    company.policy.write_text(f"{POLICY}unmanaged_rooms: adopt\n")
    bot = company.homeserver.bot

    async def are_adopted() -> bool:
        levels = [(await ann.state(room, "m.room.power_levels"))["users"].get(bot) for room in rooms]
        return levels == [100, 100]

    await wait_until(are_adopted)
    for room in rooms:
        assert await ann.members(room) == {ann.user_id, bob.user_id, cid.user_id, bot}
        await cid.send(room, "Still here.")
    assert await ann.members(chat) == {ann.user_id, bob.user_id}
    await company.has_settled()
    for room in rooms:
        assert bot in await ann.members(room), "the bot has not declined its own invitation"
