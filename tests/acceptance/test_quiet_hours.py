"""Quiet hours on a real Synapse: what rings is what its own push rules count."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bridge.announcements.quiet_hours import QUIET_RULE, URGENT_RULE, QuietHours
from bridge.announcements.release import Release, toned
from bridge.directory.selector import parse
from bridge.ids import RoomId
from bridge.policy.working_time import WorkingTime, week
from tests.acceptance.client import MatrixClient
from tests.integration.membership.conftest import Company
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool
    from bridge.homeserver.client import Homeserver

Human = Callable[[str], Awaitable[MatrixClient]]
NOON, NIGHT, MORNING = (datetime(2027, 3, day, hour, tzinfo=UTC) for day, hour in ((1, 12), (1, 17), (2, 8)))
_OVERRIDE = "/_matrix/client/v3/pushrules/global/override"


class Phone:
    """What somebody's client shows of one room."""

    def __init__(self, person: MatrixClient, room_id: RoomId) -> None:
        self._person = person
        self._room_id = room_id

    async def read(self, event_id: str) -> None:
        """Read up to an event, so that nothing is unread."""
        await self._person.read(self._room_id, event_id)

    async def unread(self) -> int:
        """Return how many messages have rung and are not read."""
        return (await self._person.unread(self._room_id))["notification_count"]

    async def rules(self) -> list[str]:
        """Return the person's own override rules, in the order in which they are asked."""
        found = await self._person.request("GET", "/_matrix/client/v3/pushrules/")
        return [rule["rule_id"] for rule in found["global"]["override"] if not rule["default"]]


async def test_nothing_rings_at_night_but_what_is_urgent(pool: Pool, homeserver: Homeserver, human: Human) -> None:
    """The rule comes at the end of the working day and goes at its beginning; what the bot calls urgent rings in
    between, what a colleague calls so does not; a rule of one's own is left alone."""
    mari, colleague = await human("quiet.mari"), await human("quiet.colleague")
    company = Company(pool)
    office = WorkingTime(week=week("mon-fri 08:00-17:00"), quiet=parse("active eq true"))
    company.policy = replace(company.policy, hours=office)
    await company.say("mari")
    await pool.execute(
        "INSERT INTO account (person_id, user_id, display_name, enabled) VALUES ($1, $2, '', true)",
        company.ids["mari"],
        mari.user_id,
    )
    await mari.request("PUT", f"{_OVERRIDE}/her.own", {"conditions": [], "actions": ["notify"]})
    room_id = await homeserver.create_room({"preset": "private_chat", "invite": [mari.user_id, colleague.user_id]})
    await mari.join(room_id)
    await colleague.join(room_id)
    phone = Phone(mari, room_id)
    quiet = QuietHours(pool, homeserver, lambda: company.policy, clock=company.clock)
    text = {"msgtype": "m.text", "body": "Hello"}
    urgent = toned(text, Release(NIGHT, urgent=True))
    sent = 0

    async def said() -> str:
        nonlocal sent
        sent += 1
        return await homeserver.send(room_id, "m.room.message", text, transaction_id=f"said-{sent}")

    async def rings(count: int) -> None:
        async def has_rung() -> bool:
            return await phone.unread() == count

        await wait_until(has_rung)

    company.now = NOON
    assert await quiet.keep() is None
    assert await phone.rules() == ["her.own"]
    await phone.read(await said())
    await said()
    await rings(1)

    company.now = NIGHT
    assert await quiet.keep() is None
    assert await phone.rules() == [URGENT_RULE, QUIET_RULE, "her.own"]
    last = await said()
    await phone.read(last)
    await rings(0)
    await said()
    await colleague.send(room_id, "Call me!", **{key: value for key, value in urgent.items() if key != "body"})
    assert await phone.unread() == 0
    await homeserver.send(room_id, "m.room.message", urgent, transaction_id="urgent")
    await rings(1)

    company.now = MORNING
    assert await quiet.keep() is None
    assert await phone.rules() == ["her.own"]
    await said()
    await rings(2)
