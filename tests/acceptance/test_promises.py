"""The README's promises, one test each: a real service, a real PostgreSQL, a real Synapse, and clients of people."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.client import ClientError
from tests.acceptance.company import ENTERPRISE, POLICY, Company
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

SALES = {"square", "news", "department/Sales"}


async def test_a_change_in_hr_is_true_in_the_chat(company: Company) -> None:
    """A person pushed over SCIM gets account, rooms and power; a move changes exactly what it must."""
    mari = await company.hire("mari")
    await company.hire("hedy", title="Head of Sales")
    await company.is_in("mari", SALES)
    await company.is_in("hedy", SALES)
    await company.has_level("hedy", "department/Sales", 50)
    await company.has_level("mari", "department/Sales", 0)

    await company.change(mari, f"{ENTERPRISE}:department", "Finance")

    await company.is_in("mari", {"square", "news", "department/Finance"})
    await company.is_in("hedy", SALES)
    why = await company.muster("why", company.user_name("mari"), "department/Finance")
    assert why.code == 0
    assert "Finance" in why.out


async def test_who_leaves_is_out(company: Company) -> None:
    """Sessions end, the account is locked, and every room is left, direct chats and rooms of others included."""
    leo = await company.hire("leo")
    await company.hire("mari")
    await company.is_in("leo", SALES)
    await company.is_in("mari", SALES)
    client, colleague = await company.client("leo"), await company.client("mari")
    await client.create_room(preset="trusted_private_chat", is_direct=True, invite=[company.user_id("mari")])
    club = await colleague.create_room(preset="private_chat", invite=[company.user_id("leo")])
    await client.join(club)

    await company.change(leo, "active", False)

    async def is_out() -> bool:
        return not await company.accounts.joined_rooms(company.user_id("leo"))

    await wait_until(is_out)
    with pytest.raises(ClientError) as refused:
        await client.whoami()
    assert refused.value.status == 401
    assert await company.accounts.devices(company.user_id("leo")) == []
    account = await company.accounts.get(company.user_id("leo"))
    assert account is not None
    assert account.locked
    await company.is_in("mari", SALES)


async def test_rooms_stay_as_the_policy_wants_them(company: Company) -> None:
    """A stranger in an exclusive room, a changed power level and a kicked member are put right."""
    for name, title in (("hedy", "Head of Sales"), ("mari", "Clerk")):
        await company.hire(name, title=title)
        await company.is_in(name, SALES)
    await company.hire("otto", department="Finance")
    await company.is_in("otto", {"square", "news", "department/Finance"})
    room = (await company.managed())["department/Sales"]
    head = await company.client("hedy")

    await head.invite(room, company.user_id("otto"))
    await head.request("POST", f"/_matrix/client/v3/rooms/{room}/kick", {"user_id": company.user_id("mari")})

    async def is_put_right() -> bool:
        members = await head.members(room)
        state = await company.homeserver.state(room)
        invited = {
            event.state_key
            for event in state
            if event.type == "m.room.member" and event.content.get("membership") == "invite"
        }
        return company.user_id("mari") in members and not invited

    await wait_until(is_put_right)
    levels = await head.state(room, "m.room.power_levels")
    # The head of a department may not change levels; Synapse's administrator, acting through the bot, may.
    levels["users"] = {company.user_id("mari"): 50, company.user_id("hedy"): 50}
    await company.homeserver.send_state(room, "m.room.power_levels", "", levels)
    await company.has_level("mari", "department/Sales", 0)


async def test_a_broken_feed_does_not_empty_the_company(company: Company) -> None:
    """Above the limit nobody loses anything until a second person approves exactly that; who is new still gets in."""
    people = [await company.hire(f"p{number}") for number in range(6)]
    await company.hire("ines", title="Chief Information Officer", department="IT")
    await company.is_in("ines", {"square", "news", "department/IT", "administrators"})
    for number in range(6):
        await company.is_in(f"p{number}", SALES)

    for person in people[:4]:
        await company.change(person, "active", False)
    await company.hire("nora")

    await company.is_in("nora", SALES)
    kept = [name for name in (f"p{number}" for number in range(4)) if "square" in await company.rooms_of(name)]
    assert len(kept) >= 2
    await company.notice("ines", "muster approve")
    plan = json.loads((await company.muster("plan", "--json")).out)
    refused = await company.muster("approve", plan["held"]["digest"], "--by", company.user_name("nora"))
    assert refused.code == 1
    approved = await company.muster("approve", plan["held"]["digest"], "--by", company.user_name("ines"))
    assert approved.code == 0, approved.err

    async def are_out() -> bool:
        return not any([await company.rooms_of(name) for name in kept])

    await wait_until(are_out)


async def test_a_shrunk_file_takes_nobody_away(company: Company) -> None:
    """Whoever is missing from it stays until a second person lets exactly them go; who is new still gets in."""
    drop = company.folder / "drop"
    config = json.loads((company.folder / "config.yaml").read_text())
    columns = {"name": "userName", "shown": "displayName", "title": "title", "department": "department"}
    payroll = {"columns": columns, "complete": True, "digest": True, "grace": "0s"}
    config["directory"] = {
        "files": {"payroll": payroll},
        "watch": {"folder": str(drop), "mapping": "payroll", "every": "1s"},
    }
    await company.stop()
    (company.folder / "config.yaml").write_text(json.dumps(config))
    await company.start()

    def send(names: list[str]) -> None:
        rows = [f"{company.user_name(name)},{name.title()},Clerk,Sales\n" for name in names]
        boss = f"{company.user_name('ines')},Ines,Chief Information Officer,IT\n"
        data = "".join(["name,shown,title,department\n", boss, *rows]).encode()
        (drop / "hr.csv.part").write_bytes(data)
        (drop / "hr.csv.sha256").write_text(f"{hashlib.sha256(data).hexdigest()}  hr.csv\n")
        (drop / "hr.csv.part").rename(drop / "hr.csv")

    staff = [f"p{number}" for number in range(7)]
    await wait_until((drop / "done").is_dir)
    send(staff)
    for name in staff:
        await company.is_in(name, SALES)
    await company.is_in("ines", {"square", "news", "department/IT", "administrators"})
    send(["p0", "nora"])
    await company.is_in("nora", SALES)
    notice = await company.notice("ines", "are missing from it; the limit is 5.")
    assert "P6" in notice
    for name in staff:
        await company.is_in(name, SALES)

    waiting = json.loads((await company.muster("directory", "waiting", "--json")).out)["waiting"]
    digest = waiting[0]["digest"]
    assert f"muster approve {digest[:12]}" in notice
    assert (await company.muster("approve", digest, "--by", company.user_name("nora"))).code == 1
    approved = await company.muster("approve", digest, "--by", company.user_name("ines"))
    assert approved.code == 0, approved.err

    async def are_out() -> bool:
        return not any([await company.rooms_of(name) for name in staff[1:]])

    await wait_until(are_out)
    await company.is_in("p0", SALES)
    await company.has_settled()


async def test_a_bad_policy_changes_nothing(company: Company) -> None:
    """The last good policy stays in force, also after a restart; the message names line and column."""
    await company.hire("mari")
    await company.is_in("mari", SALES)
    company.policy.write_text(POLICY.replace("members: active eq true, posters", "members: activ eq true, posters"))

    await wait_until(lambda: "policy.yaml:" in company.log())
    assert "did you mean `active`" in company.log()
    await company.hire("nora")
    await company.is_in("nora", SALES)
    await company.stop()
    await company.start()
    await company.hire("otto")

    await company.is_in("otto", SALES)
    checked = await company.muster("check")
    assert checked.code == 1
    assert "policy.yaml:9:51: error: " in checked.out + checked.err


async def test_what_was_said_stays_findable(company: Company, owner: Pool) -> None:
    """A redacted message is found and shown; the ledger verifies, and names a record that was altered."""
    await company.hire("mari")
    await company.is_in("mari", SALES)
    mari, square = await company.client("mari"), (await company.managed())["square"]
    event_id = await mari.send(square, "The Zebra contract is void")
    await mari.redact(square, event_id)

    async def is_found() -> bool:
        ended = await company.muster("archive", "search", "zebra", "--json")
        return ended.code == 0 and event_id in ended.out and "deleted" in ended.out

    await wait_until(is_found)
    shown = await company.muster("archive", "show", event_id)
    assert "The Zebra contract is void" in shown.out
    assert (await company.muster("archive", "verify")).code == 0

    await owner.execute(
        "UPDATE event SET body = convert_to(replace(convert_from(body, 'UTF8'), 'void', 'fine'), 'UTF8') "
        "WHERE event_id = $1",
        event_id,
    )

    altered = await company.muster("archive", "verify")
    assert altered.code == 1
    assert event_id in altered.out


async def test_an_announcement_is_delivered_once_and_heard_is_counted(company: Company) -> None:
    """A message in the desk stands once in every room of the audience; a reaction counts; the missing have names."""
    await company.hire("petra", department="Press")
    await company.hire("mari")
    await company.is_in("petra", {"square", "news", "department/Press", "desk"})
    await company.is_in("mari", SALES)
    petra, mari = await company.client("petra"), await company.client("mari")
    rooms = await company.managed()
    with pytest.raises(ClientError):
        await mari.send(rooms["news"], "I only read here")

    draft = await petra.send(rooms["desk"], "The canteen moves to the second floor")
    await petra.react(rooms["desk"], draft)  # with ✅: it may go

    async def announced() -> list[str]:
        return [
            event["event_id"]
            for event in await mari.messages(rooms["news"])
            if "canteen" in str(event["content"].get("body", ""))
        ]

    async def is_announced() -> bool:
        return bool(await announced())

    await wait_until(is_announced)
    await mari.react(rooms["news"], (await announced())[0])

    async def is_counted() -> bool:
        (summary,) = json.loads((await company.muster("announcements", "--json")).out)
        return int(summary["acknowledged"]) == 1

    await wait_until(is_counted)
    (summary,) = json.loads((await company.muster("announcements", "--json")).out)
    report = await company.muster("announcements", summary["id"])
    assert company.user_id("petra") in report.out
    assert company.user_id("mari") not in report.out
    assert len(await announced()) == 1


async def test_a_crash_loses_nothing_and_does_nothing_twice(company: Company) -> None:
    """After kill -9 of Muster in the middle of its work, and of Synapse, the work goes on where it was."""
    names = [f"c{number}" for number in range(8)]
    for name in names:
        await company.hire(name)

    async def has_begun() -> bool:
        return bool(await company.pool.fetchval("SELECT count(*) > 5 FROM entry WHERE outcome = 'done'"))

    await wait_until(has_begun)
    await company.kill()
    await company.start()
    for name in names:
        await company.is_in(name, SALES)

    client, square = await company.client(names[0]), (await company.managed())["square"]
    await company.kill()
    said = [await client.send(square, f"while you were away {number}") for number in range(20)]
    await company.synapse.kill()
    await company.synapse.start()
    await company.start()

    async def is_archived() -> bool:
        found = await company.pool.fetchval("SELECT count(*) FROM event WHERE event_id = ANY($1)", said)
        return int(found) == len(said)

    await wait_until(is_archived)
    await company.has_settled()
    rooms = await company.pool.fetchval("SELECT count(*) FROM managed_room")
    made = await company.pool.fetchval("SELECT count(*) FROM entry WHERE action = 'create room' AND outcome = 'done'")
    assert made <= rooms
    assert (await company.muster("archive", "verify")).code == 0
    joins = await company.pool.fetch(
        "SELECT user_id, room_key FROM entry WHERE action = 'join' AND outcome = 'done' "
        "GROUP BY user_id, room_key HAVING count(*) > 1"
    )
    assert joins == []
