"""Quiet hours are set and lifted on the homeserver at people's own times, whatever is killed in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bridge.announcements import quiet_store
from bridge.announcements.hours import Hours
from bridge.announcements.hours_store import load_hours
from bridge.announcements.quiet import Wish
from bridge.announcements.quiet_hours import QUIET_RULE, SILENCE, URGENT_RULE, QuietHours
from bridge.directory.local_day import zone_of
from bridge.directory.selector import parse
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.ids import UserId
from bridge.policy.working_time import WorkingTime, times, week
from tests.integration.membership.conftest import Company, user
from tests.integration.membership.homeserver import BOT

if TYPE_CHECKING:
    from bridge.database import Pool

OFFICE = WorkingTime(
    week=week("mon-fri 08:00-17:00"), laws={"Asia/Tokyo": times("20:00-07:00")}, quiet=parse('title ne "Guard"')
)
ANN, BOB, CID = user("ann"), user("bob"), user("cid")
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)  # a Monday


class KilledError(Exception):
    """The end of our process."""


class Phones:
    """The homeserver's push rules, the first first."""

    bot = BOT

    def __init__(self) -> None:
        self.rules: defaultdict[UserId, list[str]] = defaultdict(list)
        self.told: list[tuple[UserId, str]] = []
        self.refusals: dict[UserId, HomeserverError | KilledError] = {}

    async def put_push_rule(
        self, user_id: UserId, rule: str, content: Mapping[str, object], *, after: str | None = None
    ) -> None:
        """Put it first, or after the other."""
        assert (content == SILENCE) == (rule == QUIET_RULE)
        self._take(user_id, rule)
        self.rules[user_id].insert(0 if after is None else self.rules[user_id].index(after) + 1, rule)

    async def delete_push_rule(self, user_id: UserId, rule: str) -> None:
        """Take it away."""
        self._take(user_id, f"no {rule}")

    def _take(self, user_id: UserId, what: str) -> None:
        self.told.append((user_id, what))
        rule = what.removeprefix("no ")
        if rule in self.rules[user_id]:
            self.rules[user_id].remove(rule)
        if (refusal := self.refusals.get(user_id)) is not None:
            raise refusal


class House:
    """The company, its phones, and who keeps them quiet."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.company = Company(pool)
        self.company.policy = replace(self.company.policy, hours=OFFICE)
        self.company.now = NOON
        self.phones = Phones()
        self.restart()

    def restart(self) -> None:
        """Begin anew, with what the database knows."""
        policy = lambda: self.company.policy  # noqa: E731 - as the service does it
        self.quiet = QuietHours(self.pool, self.phones, policy, clock=self.company.clock)

    async def hire(self, name: str, **said: Any) -> None:
        """Hire somebody who has an account."""
        await self.company.say(name, **said)
        await self.give_account(name)

    async def give_account(self, name: str) -> None:
        """Make the account of somebody whom HR knows."""
        await self.pool.execute(
            "INSERT INTO account (person_id, user_id, display_name, enabled) VALUES ($1, $2, '', true)",
            self.company.ids[name],
            user(name),
        )

    async def at(self, moment: datetime) -> list[UserId]:
        """Let it be that moment; return for whom it is quiet then."""
        self.company.now = moment
        assert not await self.quiet.keep()
        return self.quiet_ones()

    def quiet_ones(self) -> list[UserId]:
        """Return for whom it is quiet; what is urgent always stands before it."""
        assert all(rules in ([], [URGENT_RULE, QUIET_RULE]) for rules in self.phones.rules.values())
        return sorted(user_id for user_id, rules in self.phones.rules.items() if rules)


@pytest.fixture
async def house(pool: Pool) -> House:
    """Ann in the company's zone, Bob in Tokyo, and Cid, who is left in peace by nobody."""
    house = House(pool)
    await house.hire("ann")
    await house.hire("bob", timezone="Asia/Tokyo")
    await house.hire("cid", title="Guard")
    return house


def _clock(hour: float, day: int = 0) -> datetime:
    return NOON.replace(hour=0) + timedelta(days=day, hours=hour)


async def test_it_is_quiet_for_each_at_the_own_times(house: House) -> None:
    """Set and lifted at the moments of each time zone, and the homeserver is told of changes only."""
    assert await house.at(_clock(12)) == [BOB]
    assert await quiet_store.next_due(house.pool) == _clock(17)
    told = len(house.phones.told)
    assert await house.at(_clock(16.9)) == [BOB]
    assert len(house.phones.told) == told
    assert await house.at(_clock(17)) == [ANN, BOB]
    assert await house.at(_clock(23)) == [ANN]  # 8 o'clock in Tokyo
    assert await house.at(_clock(8, 1)) == [BOB]


async def test_what_passed_while_muster_was_away_is_made_good(house: House) -> None:
    """After a start everything is as the clock says by then."""
    await house.at(_clock(12))
    house.restart()
    assert await house.at(_clock(20)) == [ANN, BOB]
    house.restart()
    assert await house.at(_clock(12, 1)) == [BOB]


async def test_a_kill_in_between_leaves_nobody_quiet_for_ever(house: House) -> None:
    """The homeserver had been told, and nobody wrote it down; by the next start it is day."""
    await house.at(_clock(12))
    house.phones.refusals[ANN] = KilledError()
    with pytest.raises(ExceptionGroup):
        await house.at(_clock(17))
    house.phones.rules[ANN] = [URGENT_RULE, QUIET_RULE]
    house.phones.refusals.clear()
    house.restart()
    assert await house.at(_clock(9, 1)) == [BOB]


async def test_it_waits_while_the_homeserver_is_away(house: House) -> None:
    """And goes on where it was; a user whom it refuses keeps nobody else waiting."""
    away = HomeserverUnavailableError("away")
    house.phones.refusals = {ANN: away, BOB: away}
    house.company.now = _clock(20)
    assert await house.quiet.keep() is away
    house.phones.refusals = {ANN: HomeserverError("broken", status=500), BOB: HomeserverError("no", status=403)}
    assert await house.quiet.keep() is None
    assert await house.pool.fetchval("SELECT error FROM quiet_rule WHERE user_id = $1", BOB) == "no"
    told = len(house.phones.told)
    house.phones.refusals.clear()
    await house.quiet.keep()
    assert {name for name, _ in house.phones.told[told:]} == {ANN}
    assert await house.at(_clock(23.5)) == [ANN]  # Bob's day has begun
    assert await house.at(_clock(9, 1)) == [BOB]


@pytest.mark.parametrize("leaves", [False, True])
async def test_what_the_homeserver_refused_and_yet_did_is_lifted(house: House, leaves: bool) -> None:
    """With the next change, or when the person leaves."""
    house.phones.refusals[BOB] = HomeserverError("no", status=403)
    await house.at(_clock(13))
    house.phones.rules[BOB] = [URGENT_RULE, QUIET_RULE]
    house.phones.refusals.clear()
    if leaves:
        await house.company.say("bob", active=False)
    assert await house.at(_clock(14)) == ([] if leaves else [BOB])
    assert await house.at(_clock(23.5)) == [ANN]


async def test_a_rule_removed_by_hand_is_back_the_next_night(house: House) -> None:
    """And not sooner: it is not fought over."""
    await house.at(_clock(17))
    house.phones.rules[ANN] = []
    assert await house.at(_clock(18)) == [BOB]
    assert await house.at(_clock(8, 1)) == [BOB]
    assert await house.at(_clock(17, 1)) == [ANN, BOB]


async def test_a_choice_holds_at_once_and_never_below_the_law(house: House) -> None:
    """Bob gives up the company's quiet hours and keeps the law's; Cid takes some."""
    assert await house.at(_clock(9)) == [BOB]  # 18 o'clock in Tokyo
    await quiet_store.put_choice(house.pool, BOB, Wish.OFF, NOON)
    await quiet_store.call_up(house.pool, BOB, _clock(9))
    await quiet_store.put_choice(house.pool, CID, times("09:00-10:00"), NOON)
    await quiet_store.call_up(house.pool, CID, _clock(9))
    assert await house.at(_clock(9)) == [CID]
    assert await house.at(_clock(12)) == [BOB]  # 21 o'clock there


async def test_whoever_leaves_has_no_rule_any_more(house: House) -> None:
    """It is lifted, and what was chosen is forgotten with the account."""
    await quiet_store.put_choice(house.pool, ANN, Wish.ON, NOON)
    assert await house.at(_clock(20)) == [ANN, BOB]
    await house.company.say("ann", active=False)
    assert await house.at(_clock(20)) == [BOB]
    assert await quiet_store.load_choices(house.pool) == {ANN: Wish.ON}
    await house.pool.execute("UPDATE account SET enabled = false WHERE user_id = $1", ANN)
    house.restart()
    assert await house.at(_clock(20)) == [BOB]
    assert await quiet_store.load_choices(house.pool) == {}
    assert await house.pool.fetchval("SELECT count(*) FROM quiet_rule WHERE user_id = $1", ANN) == 0


async def test_without_hours_in_the_policy_only_choices_hold(house: House) -> None:
    """What was set by an earlier policy is lifted."""
    assert await house.at(_clock(20)) == [ANN, BOB]
    house.company.policy = replace(house.company.policy, hours=None, digest="policy-2")
    await quiet_store.put_choice(house.pool, CID, times("18:00-22:00"), NOON)
    assert await house.at(_clock(20)) == [CID]
    assert await house.at(_clock(22)) == []


async def test_whoever_has_an_account_by_then_is_noticed_within_the_hour(house: House) -> None:
    """Also where HR said nothing new: somewhere a first day has begun."""
    await house.company.say("dot")
    assert await house.at(_clock(4)) == [ANN]
    await house.give_account("dot")
    assert await house.at(_clock(4.9)) == [ANN]
    assert await house.at(_clock(5)) == [ANN, user("dot")]


async def test_the_hours_of_users_are_those_of_their_people(house: House) -> None:
    """Strangers have none, and whoever has left is away."""
    await house.company.say("ann", active=False)
    found = await load_hours(house.pool, [ANN, BOB, user("stranger")], OFFICE, "UTC", NOON)
    assert found[BOB] == Hours(zone_of("Asia/Tokyo", "UTC"), OFFICE.week)
    assert found[ANN].away
    assert set(found) == {ANN, BOB}
    assert set(await load_hours(house.pool, None, OFFICE, "UTC", NOON)) == {ANN, BOB, CID}
