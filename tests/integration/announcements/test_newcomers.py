"""Whoever begins to work here gets one digest of what everybody has to acknowledge, and has to as well."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bridge.announcements.form import Form, Kind
from bridge.announcements.heard import HeardConsumer
from bridge.announcements.newcomers import SETTLING, Newcomers
from bridge.directory.resource_store import create_user
from bridge.directory.scim_resource import resource_of
from bridge.directory.scim_schema import shapes_for
from bridge.ids import UserId
from bridge.policy.schema import Policy
from bridge.policy.working_time import Span, WorkingTime
from tests.integration.announcements.company import BOT, NEWS, NOW, event, found, policy, put_member
from tests.integration.announcements.heard_company import ID, open_announcement

if TYPE_CHECKING:
    from bridge.database import Pool

NEW = UserId("@new:company.example")
WEEK = tuple(Span(day, 8 * 60, 17 * 60) for day in range(5))


class Desk:
    """Who welcomes newcomers, at a moment of the test's."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.now = NOW
        self.policy: Policy = replace(policy(), newcomers=timedelta(days=30))
        self.restart()

    def restart(self) -> None:
        """Begin anew, with what the database knows."""
        self.newcomers = Newcomers(self.pool, bot=BOT, policy=lambda: self.policy, clock=lambda: self.now)

    async def hire(self, user_id: UserId = NEW, *, timezone: str = "UTC") -> None:
        """Let somebody have an account, and be in the room of news."""
        name = user_id[1:].split(":")[0]
        person = resource_of({"userName": name, "active": True, "timezone": timezone}, name, shapes_for()["User"])
        async with self.pool.acquire() as db:
            assert await create_user(db, person, "test") is not None
        await self.enable(user_id, enabled=True)
        await put_member(self.pool, NEWS, user_id, "join")

    async def enable(self, user_id: UserId, *, enabled: bool) -> None:
        """Enable an account, or lock it."""
        await self.pool.execute(
            """INSERT INTO account (person_id, user_id, display_name, enabled) VALUES ($1, $2, $1, $3)
               ON CONFLICT (person_id) DO UPDATE SET enabled = excluded.enabled""",
            user_id[1:].split(":")[0],
            user_id,
            enabled,
        )

    async def pass_time(self, time: timedelta) -> datetime | None:
        """Let time pass and do what is due."""
        self.now += time
        return await self.newcomers.turn()

    async def said(self, user_id: UserId = NEW) -> list[str]:
        """Return what the bot is to say to somebody."""
        rows = await self.pool.fetch(
            "SELECT content FROM outgoing WHERE user_id = $1 AND act = 'send' ORDER BY id", user_id
        )
        return [row["content"]["body"] for row in rows]

    async def asked(self, user_id: UserId = NEW) -> list[str]:
        """Return which announcements somebody has to acknowledge."""
        rows = await self.pool.fetch("SELECT announcement FROM recipient WHERE user_id = $1", user_id)
        return [row["announcement"] for row in rows]


@pytest.fixture
async def desk(pool: Pool) -> Desk:
    """News of an hour ago asks everybody to acknowledge it."""
    await found(pool)
    await open_announcement(pool)
    desk = Desk(pool)
    await desk.newcomers.turn()
    await desk.pass_time(SETTLING)
    await pool.execute("DELETE FROM outgoing WHERE user_id IS NOT NULL")
    return desk


async def test_a_newcomer_gets_one_digest_and_has_to_acknowledge(desk: Desk) -> None:
    """When the rooms were joined; the reaction to the copy that stands there counts."""
    await desk.hire()
    await desk.newcomers.turn()
    assert await desk.said() == []
    await desk.pass_time(SETTLING)
    (digest,) = await desk.said()
    assert digest.startswith("Welcome to Nordwind Logistics! One announcement is current")
    assert "• The gate is closed. – Anna Tamm, 2026-03-02, in news: https://matrix.to/#/%21news/%24news" in digest
    assert await desk.asked() == [ID]
    relation = {"rel_type": "m.annotation", "event_id": "$news", "key": "✅"}
    reaction = event(NEWS, NEW, {"m.relates_to": relation}, "m.reaction")
    await HeardConsumer(desk.pool, bot=BOT, clock=lambda: NOW).handle([reaction])
    assert await desk.pool.fetchval("SELECT acknowledged_at IS NOT NULL FROM recipient WHERE user_id = $1", NEW)


async def test_once_for_life_also_after_a_restart(desk: Desk) -> None:
    """However often it is looked."""
    await desk.hire()
    await desk.newcomers.turn()
    await desk.pass_time(SETTLING)
    desk.restart()
    await desk.pass_time(timedelta(days=1))
    assert len(await desk.said()) == 1


async def test_who_is_hired_again_is_new_again(desk: Desk) -> None:
    """And has to acknowledge what was not."""
    await desk.hire()
    await desk.newcomers.turn()
    await desk.pass_time(SETTLING)
    await desk.enable(NEW, enabled=False)
    await desk.newcomers.turn()
    await desk.enable(NEW, enabled=True)
    await desk.pass_time(timedelta(days=1))
    await desk.pass_time(SETTLING)
    assert len(await desk.said()) == 2


async def test_it_waits_for_the_own_hours(desk: Desk) -> None:
    """Whoever begins in New York is not woken by Muster in Tallinn."""
    desk.policy = replace(desk.policy, hours=WorkingTime(WEEK))
    await desk.hire(timezone="America/New_York")
    due = await desk.newcomers.turn()
    assert due == NOW.replace(hour=13)
    await desk.pass_time(timedelta(minutes=30))
    assert await desk.said() == []
    await desk.pass_time(timedelta(hours=1))
    assert len(await desk.said()) == 1


async def test_nothing_is_said_where_nothing_is_mandatory(desk: Desk) -> None:
    """What asks for nothing, is over, too old, or stands where the newcomer is not."""
    changes = [
        'UPDATE announcement SET form = \'{"kind": "none"}\'',
        "UPDATE announcement SET state = 'over', form = '{\"kind\": \"button\"}'",
        "UPDATE announcement SET state = 'retracted'",
        "UPDATE announcement SET state = 'open', opened_at = opened_at - interval '31 days'",
        "WITH left_room AS (DELETE FROM room_member WHERE user_id LIKE '@new%')"
        " UPDATE announcement SET opened_at = opened_at + interval '31 days'",
    ]
    for number, change in enumerate(changes):
        newcomer = UserId(f"@new{number}:company.example")
        await desk.hire(newcomer)
        await desk.newcomers.turn()
        await desk.pool.execute(change)
        await desk.pass_time(SETTLING)
        assert await desk.said(newcomer) == [], change
        assert await desk.asked(newcomer) == [], change
    await desk.hire()
    await desk.newcomers.turn()
    await desk.pass_time(SETTLING)
    assert len(await desk.said()) == 1


async def test_without_the_policys_word_newcomers_get_nothing(desk: Desk) -> None:
    """Nor later, when the policy has it: they are no newcomers then."""
    desk.policy = policy()
    await desk.hire()
    await desk.newcomers.turn()
    desk.policy = replace(policy(), newcomers=timedelta(days=30))
    await desk.pass_time(timedelta(days=1))
    assert await desk.said() == []


async def test_what_is_for_people_comes_to_the_newcomer_too(desk: Desk) -> None:
    """Where the selector means them: with a copy of their own behind the digest."""
    for name, selector in (("aaaa-aaaa", 'userName eq "new"'), ("bbbb-bbbb", 'userName eq "other"')):
        await open_announcement(desk.pool, Form(Kind.STATEMENT, statement="I obey"), announcement=name, copies={})
        await desk.pool.execute("UPDATE announcement SET audience = $2 WHERE id = $1", name, {"people": selector})
    await desk.hire()
    await desk.newcomers.turn()
    await desk.pass_time(SETTLING)
    digest, copy = await desk.said()
    assert "2 announcements are" in digest
    assert "below, in this room" in digest
    assert "I obey" in copy
    assert sorted(await desk.asked()) == [ID, "aaaa-aaaa"]
