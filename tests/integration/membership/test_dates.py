"""Employments begin and end by the calendar of the place of work, without anybody sending anything."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from bridge.directory.scim_shape import MUSTER
from bridge.membership.upkeep import LONGEST_WAIT
from tests.integration.membership.conftest import Company, user
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.membership.upkeep import Upkeep

NOON = datetime(2027, 2, 28, 12, tzinfo=UTC)
MELBOURNE = datetime(2027, 2, 28, 13, tzinfo=UTC)
"""When 1 March begins in Melbourne."""
LOS_ANGELES = datetime(2027, 3, 1, 8, tzinfo=UTC)


def job(**days: str) -> dict[str, Any]:
    return {MUSTER: days}


@pytest.fixture
async def february(company: Company) -> Company:
    """The company at noon of 28 February 2027, with leavers and a newcomer in Melbourne and Los Angeles."""
    company.now = NOON
    await company.say("ann", timezone="Australia/Melbourne", **job(end="2027-02-28"))
    await company.say("bob", timezone="America/Los_Angeles", **job(end="2027-02-28"))
    await company.say("fay", timezone="Australia/Melbourne", **job(start="2027-03-01"))
    await company.upkeep.catch_up()
    await company.deliver()
    return company


async def acted(company: Company, upkeep: Upkeep, moment: datetime) -> set[str]:
    """Let the time come, and return the localparts for whom something was done."""
    company.now = moment
    results = await upkeep.catch_up()
    await company.deliver()
    return {change.user_id[1:].split(":")[0] for result in results for change in result.plan.changes}


async def test_a_record_with_a_future_start_is_no_hire_yet(february: Company) -> None:
    """Nobody has an account before the first day, and everybody has one until the last day is over."""
    assert user("fay") not in february.homeserver.users
    assert not february.homeserver.users[user("ann")].locked


async def test_only_the_people_of_the_day_are_looked_at_when_it_begins(february: Company) -> None:
    """Melbourne's leaver goes and its newcomer comes at midnight there; Los Angeles has nineteen hours left."""
    assert await acted(february, february.upkeep, MELBOURNE.replace(hour=12, minute=59)) == set()
    assert await acted(february, february.upkeep, MELBOURNE) == {"ann", "fay"}
    assert february.homeserver.users[user("ann")].locked
    assert user("fay") in february.homeserver.users
    assert not february.homeserver.users[user("bob")].locked
    assert await acted(february, february.upkeep, LOS_ANGELES) == {"bob"}
    assert february.homeserver.users[user("bob")].locked


async def test_a_date_that_passed_while_muster_was_down_is_acted_on_at_the_start(february: Company) -> None:
    """After a restart days later everything is as if Muster had been there."""
    assert await acted(february, february.restarted(), LOS_ANGELES.replace(day=4)) == {"ann", "bob", "fay"}
    assert february.homeserver.users[user("bob")].locked


async def test_nobody_polls(february: Company) -> None:
    """The next moment at which anything is due is the next beginning of such a day."""
    assert await february.upkeep._next_boundary(NOON) == MELBOURNE
    assert await february.upkeep._next_boundary(MELBOURNE) == LOS_ANGELES
    assert await february.upkeep._next_boundary(LOS_ANGELES) is None
    february.now = MELBOURNE.replace(hour=12, minute=50)
    assert await february.upkeep._seconds_to_next() == 600
    february.now = LOS_ANGELES
    await february.upkeep.catch_up()
    assert await february.upkeep._seconds_to_next() == LONGEST_WAIT


async def test_the_loop_wakes_by_itself_when_the_day_begins(february: Company) -> None:
    """Nobody sets a wake-up: a moment before midnight in Melbourne the loop sleeps, and acts after it."""
    february.run_from(MELBOURNE.replace(hour=12, minute=59, second=59, microsecond=900_000))
    running = asyncio.create_task(february.upkeep.run([asyncio.Event()]))
    try:
        await wait_until(lambda: february.homeserver.users[user("ann")].locked)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_corrected_date_counts(february: Company) -> None:
    """HR takes back the last day, so nothing happens on it."""
    for leaver in ("ann", "bob"):
        await february.say(leaver, **job(end="2027-06-30"))
    await february.say("fay", **job(start="2027-03-02"))
    assert await acted(february, february.upkeep, MELBOURNE) == set()
    assert await acted(february, february.upkeep, MELBOURNE.replace(month=3, day=1)) == {"fay"}


async def test_a_policy_of_the_default_zone(company: Company) -> None:
    """Who has no time zone works where the configuration says."""
    company.timezone = "Australia/Melbourne"
    company.now = NOON
    await company.say("ann", **job(end="2027-02-28"))
    upkeep = company.restarted()
    await acted(company, upkeep, NOON)
    assert await acted(company, upkeep, MELBOURNE) == {"ann"}
