"""The life of an account on a real Synapse: handed over, closed, opened again; and whatever is killed in between."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Sequence

import pytest

from bridge.directory.history_store import lock_directory, next_version, wake
from bridge.directory.resource_store import insert_resources, update_resources
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.ids import PersonId
from tests.acceptance.client import ClientError, MatrixClient
from tests.acceptance.company import ENTERPRISE, POLICY, Company
from tests.waiting import wait_until

SALES = {"square", "news", "department/Sales"}
AT_ONCE = "{after: 0s, do: [lock, end_sessions, leave_rooms, hand_over_rooms]}"
CLOSING = POLICY.replace(
    'accounts:\n  display_name: "{displayName}"',
    f'accounts:\n  display_name: "{{displayName}}"\n  leavers: [{AT_ONCE}, {{after: 2s, do: [deactivate]}}]',
)
YARD = """\
version: 1
company: Yard
spaces: {everybody: {name: Yard, members: department eq "Yard"}}
rooms:
  gate: {name: Gate, members: department eq "Yard", exclusive: true}
  crane: {name: Crane, members: department eq "Yard", exclusive: true}
brake: {removals: 5000, fraction: 1, floor: 5000}
"""


async def closing(company: Company) -> dict[str, str]:
    """Hire four people into a company that closes accounts after two seconds; return their ids."""
    (company.folder / "policy.yaml").write_text(CLOSING)
    people = {name: await company.hire(name) for name in ("leo", "mari", "nina", "otto")}
    for name in people:
        await company.is_in(name, SALES)
    return people


async def is_closed(company: Company, name: str) -> None:
    """Wait until somebody is nowhere and the account is deactivated."""

    async def closed() -> bool:
        account = await company.accounts.get(company.user_id(name))
        return account is not None and account.deactivated

    await wait_until(closed)
    assert await company.accounts.joined_rooms(company.user_id(name)) == []


async def says_who_administrates(client: MatrixClient, company: Company, words: str) -> None:
    """Wait until the bot has told somebody in a direct room."""

    async def told() -> bool:
        for room in await client.joined_rooms():
            said = [str(event["content"].get("body", "")) for event in await client.messages(room)]
            if any(words in body and "You administrate it now" in body for body in said):
                return await client.members(room) == {company.homeserver.bot, client.user_id}
        return False

    await wait_until(told)


@pytest.mark.parametrize("version", ["11", "12"])
async def test_a_leavers_room_has_another_administrator_before_the_leaver_is_gone(
    company: Company, version: str
) -> None:
    """The heir does what an administrator does; the closed account opens again for a returner, rooms and power too."""
    people = await closing(company)
    leo, mari, nina = [await company.client(name) for name in ("leo", "mari", "nina")]
    others = [company.user_id("mari"), company.user_id("nina")]
    room = await leo.create_room(preset="private_chat", room_version=version, name="Plan", invite=others)
    for each in (nina, mari):
        await each.join(room)

    await company.change(people["leo"], "active", False)
    await is_closed(company, "leo")

    levels = await mari.state(room, "m.room.power_levels")
    assert levels["users"][company.user_id("nina")] == 100  # inside the longest
    await says_who_administrates(nina, company, "'Plan'")
    levels["users"][company.user_id("mari")] = 50
    await nina.set_state(room, "m.room.power_levels", levels)
    assert await nina.members(room) == set(others)

    await company.change(people["leo"], "active", True)
    await company.is_in("leo", SALES)

    async def is_back() -> bool:
        return room in await company.accounts.joined_rooms(company.user_id("leo"))

    await wait_until(is_back)
    again = await company.client("leo")
    levels = await again.state(room, "m.room.power_levels")
    levels["users"][company.user_id("mari")] = 0
    await again.set_state(room, "m.room.power_levels", levels)
    await company.has_settled()


async def test_a_successor_named_by_an_administrator_is_brought_in(company: Company) -> None:
    """`muster handover` names somebody who was never inside; afterwards that room is theirs."""
    people = await closing(company)
    leo, otto = await company.client("leo"), await company.client("otto")
    room = await leo.create_room(preset="private_chat", name="Budget", invite=[company.user_id("mari")])
    ended = await company.muster("handover", company.user_name("leo"), "--to", company.user_name("otto"))
    assert ended.code == 0, ended.err

    await company.change(people["leo"], "active", False)

    await is_closed(company, "leo")
    assert await otto.members(room) == {company.user_id("otto")}
    levels = await otto.state(room, "m.room.power_levels")
    assert levels["users"][company.user_id("otto")] == 100
    await says_who_administrates(otto, company, "'Budget'")


async def test_access_is_gone_also_when_synapse_is_killed_in_the_middle(company: Company) -> None:
    """After kill -9 of Synapse among the removals the sessions have ended, every room is left, every account closed."""
    people = await closing(company)
    clients = {name: await company.client(name) for name in ("leo", "mari", "nina")}
    rooms = [await clients[name].create_room(preset="private_chat", name=f"Of {name}") for name in clients]
    for room, owner in zip(rooms, clients.values(), strict=True):
        await owner.invite(room, company.user_id("otto"))
        await (await company.client("otto")).join(room)
    await company.change(people["leo"], "active", False)

    async def is_under_way() -> bool:
        return bool(
            await company.pool.fetchval(
                "SELECT EXISTS (SELECT FROM entry WHERE action IN ('disable account', 'remove'))"
            )
        )

    await wait_until(is_under_way)
    await company.synapse.kill()
    await company.change(people["mari"], "active", False)
    await company.synapse.start()

    for name in ("leo", "mari"):
        await is_closed(company, name)
        with pytest.raises(ClientError) as refused:
            await clients[name].whoami()
        assert refused.value.status == 401
        assert await company.accounts.devices(company.user_id(name)) == []
    otto = await company.client("otto")
    for room in rooms[:2]:
        assert await otto.members(room) == {company.user_id("otto")}
        levels = await otto.state(room, "m.room.power_levels")
        assert levels["users"][company.user_id("otto")] == 100
    await company.is_in("nina", SALES)
    await company.has_settled()


async def test_two_thousand_changes_survive_being_killed_among_them(company: Company) -> None:
    """Muster is killed three times during one plan: afterwards all is as it ought to be, and nothing was done twice.

    Not by its own account alone: Synapse has one event for each arrival and each departure.
    """
    (company.folder / "policy.yaml").write_text(YARD)

    async def is_in_force() -> bool:
        return {"gate", "crane"} <= (await company.managed()).keys()

    await wait_until(is_in_force)  # the policy before it would put them into other rooms, which they would leave too
    old = [f"old{number}" for number in range(50)]
    await tell(company, old, "Yard", {})

    async def are_in() -> bool:
        count = await company.pool.fetchval("SELECT count(*) FROM entry WHERE action = 'join' AND outcome = 'done'")
        return int(count) >= 150

    await wait_until(are_in, seconds=180)
    await company.has_settled()
    ids = await company.pool.fetch("SELECT id, document->>'userName' AS name FROM scim_resource WHERE kind = 'User'")
    known = {row["name"]: row["id"] for row in ids}
    sessions = [await company.client(name) for name in old[:3]]
    await company.kill()

    await tell(company, old, "Yard", known, active=False)  # 50 accounts and 150 places
    await tell(company, [f"new{number}" for number in range(50)], "Yard", {})  # the same
    await tell(company, [f"far{number}" for number in range(1600)], "Away", {})
    planned = await company.muster("plan", "--json")
    assert Counter(change["action"] for change in json.loads(planned.out)["changes"]) == {
        "disable account": 50,
        "remove": 150,
        "create account": 1650,
        "join": 150,
    }

    begun = await company.pool.fetchval("SELECT count(*) FROM entry")
    for share in (90, 700, 1500):
        await company.start()

        async def is_far(so_far: int = share) -> bool:
            return bool(await company.pool.fetchval("SELECT count(*) FROM entry") > begun + so_far)

        await wait_until(is_far, seconds=240)
        await company.kill()
    await company.start()
    await wait_until(lambda: _is_whole(company), seconds=240)
    await company.has_settled()

    new = [f"new{number}" for number in range(50)]
    for key in ("everybody", "gate", "crane"):
        assert await members(company, key) == set(new)
        expected = {**{(name, "join"): 1 for name in old + new}, **{(name, "leave"): 1 for name in old}}
        counted = await moves(company, key)
        assert {move: count for move, count in counted.items() if move[1] != "invite"} == expected
        assert set(counted.values()) == {1}
    for name in old:
        account = await company.accounts.get(company.user_id(name))
        assert account is not None
        assert account.locked
        assert await company.accounts.joined_rooms(company.user_id(name)) == []
        assert await company.accounts.devices(company.user_id(name)) == []
    for session in sessions:
        with pytest.raises(ClientError) as refused:
            await session.whoami()
        assert refused.value.status == 401
    twice = await company.pool.fetch(
        """SELECT action, user_id, room_key FROM entry WHERE outcome = 'done'
           GROUP BY action, user_id, room_key HAVING count(*) > 1"""
    )
    assert twice == []
    assert not await company.pool.fetch("SELECT FROM entry WHERE outcome IN ('begun', 'failed')")


async def _is_whole(company: Company) -> bool:
    """Tell whether every change was tried; what was interrupted may have been done, and is then not done again."""
    done = await company.pool.fetchval(
        """SELECT count(DISTINCT (action, user_id, room_key)) FROM entry WHERE outcome IN ('done', 'interrupted')
           AND (user_id LIKE '@new%' OR user_id LIKE '@far%' OR (user_id LIKE '@old%' AND action IN ('remove',
               'disable account')))"""
    )
    return int(done) == 2000


async def members(company: Company, key: str) -> set[str]:
    """Return who is in a managed room, by Synapse itself, without the bot."""
    state = await company.homeserver.state((await company.managed())[key])
    return {
        str(event.state_key)[1:].split(".")[0]
        for event in state
        if event.type == "m.room.member"
        and event.content["membership"] == "join"
        and event.state_key != company.homeserver.bot
    }


async def moves(company: Company, key: str) -> Counter[tuple[str, str]]:
    """Return how many events Synapse has of who came into a managed room or left it, without the bot's."""
    found: Counter[tuple[str, str]] = Counter()
    room_id, before = (await company.managed())[key], None
    while True:
        page, before = await company.homeserver.messages(room_id, before=before)
        for event in page:
            if event["type"] == "m.room.member" and event["state_key"] != company.homeserver.bot:
                found[event["state_key"][1:].split(".")[0], event["content"]["membership"]] += 1
        if before is None or not page:
            return found


async def tell(
    company: Company, names: Sequence[str], department: str, known: dict[str, str], *, active: bool = True
) -> None:
    """Have the directory say many things at once."""
    resources = [
        resource_of(
            {
                "userName": company.user_name(name),
                "displayName": name,
                "active": active,
                ENTERPRISE: {"department": department},
            },
            PersonId(known.get(company.user_name(name)) or str(uuid.uuid4())),
            shapes_for()["User"],
        )
        for name in names
    ]
    async with company.pool.acquire() as connection, connection.transaction():
        await lock_directory(connection)
        version = await next_version(connection)
        await (update_resources if known else insert_resources)(connection, resources, version)
        await wake(connection, [resource.id for resource in resources])
