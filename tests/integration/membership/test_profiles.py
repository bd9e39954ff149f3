"""Fields of people's profiles are what the policy makes of the directory, whatever people do to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bridge.errors import HomeserverError
from bridge.membership import profile_audit, store
from bridge.membership.member_store import read_drift
from bridge.membership.profile_audit import Compared, ProfileAudit
from bridge.policy.schema import REVERSIBLE, LeaverStage, LeaverStep
from tests.integration.membership.conftest import Company, user

RULES: dict[str, Any] = {
    "accounts": {"profile": {"m.tz": "{timezone}", "org.example.title": "{title}"}},
    "rooms": {"lounge": {}},
}
CLOSED_AT_ONCE = (LeaverStage(timedelta(), (*REVERSIBLE, LeaverStep.DEACTIVATE)),)
EVERY = timedelta(seconds=10)


@pytest.fixture
async def company(company: Company) -> Company:
    """The company with profiles in place."""
    company.rule(RULES)
    await company.say("ann", timezone="Europe/Tallinn")
    await company.settle()
    await company.upkeep.catch_up()
    company.homeserver.requests.clear()
    return company


def audit_of(company: Company) -> ProfileAudit:
    return ProfileAudit(company.pool, company.homeserver, lambda: company.policy, clock=company.clock)


def profile_of(company: Company, name: str) -> dict[str, Any]:
    return company.homeserver.users[user(name)].profile


async def test_profiles_follow_the_directory(company: Company) -> None:
    """A new account has its fields; a change of HR's changes them, a value that goes deletes the field."""
    assert profile_of(company, "ann") == {"m.tz": "Europe/Tallinn", "org.example.title": "Head"}
    assert profile_of(company, "bob") == {}

    await company.say("bob", title="Clerk")
    await company.say("ann", timezone="")
    await company.reconcile("ann", "bob")
    assert profile_of(company, "ann") == {"org.example.title": "Head"}
    assert profile_of(company, "bob") == {"org.example.title": "Clerk"}
    known = await store.read_accounts(company.pool)
    assert known[company.ids["ann"]].profile == {"org.example.title": "Head"}
    assert not (await company.reconcile()).plan.changes
    assert set((await company.entries())[-2:]) == {"change profile ann done", "change profile bob done"}


async def test_a_closed_account_keeps_its_profile_and_gets_todays_on_coming_back(company: Company) -> None:
    """The homeserver keeps the profile (tried on Synapse), so a value that HR has no more is deleted at once."""
    company.rule({**RULES, "accounts": {**RULES["accounts"], "leavers": CLOSED_AT_ONCE}})
    await company.say("ann", active=False)
    company.run_from(company.clock())
    await company.upkeep.catch_up()
    await company.deliver()
    await company.upkeep.catch_up()
    assert company.homeserver.users[user("ann")].deactivated

    await company.say("ann", active=True, timezone="", title="Chief")
    await company.upkeep.catch_up()
    assert profile_of(company, "ann") == {"org.example.title": "Chief"}


async def test_a_refused_field_keeps_nobody_out_of_rooms(company: Company) -> None:
    """The field fails, is recorded as failed, and is tried again; the person is in the room."""

    def refuse(number: int, name: str) -> HomeserverError | None:
        full = HomeserverError("Profile too large", status=400, errcode="M_PROFILE_TOO_LARGE")
        return full if name == "put_profile_field" else None

    company.homeserver.before = refuse
    await company.say("fay", title="Clerk")
    done = await company.reconcile("fay")
    assert [failure.change.value for failure in done.applied.failures] == ["org.example.title Clerk"]
    assert "fay" in company.homeserver.people("lounge")

    company.homeserver.before = lambda number, name: None
    await company.reconcile()
    assert profile_of(company, "fay") == {"org.example.title": "Clerk"}


async def test_what_people_change_is_found_and_put_right(company: Company) -> None:
    """A changed, a deleted and a new field come back to what the directory says; fields of their own stay."""
    profile_of(company, "ann").update({"org.example.title": {"is": "Queen"}, "org.example.own": "hers"})
    del profile_of(company, "eve")["org.example.title"]
    profile_of(company, "bob")["m.tz"] = "Mars/Olympus"

    assert await audit_of(company).scan() == Compared(5, 3)
    assert set(await read_drift(company.pool)) == {user("ann"), user("bob"), user("eve")}
    await company.upkeep.catch_up()
    assert profile_of(company, "ann") == {
        "m.tz": "Europe/Tallinn",
        "org.example.title": "Head",
        "org.example.own": "hers",
    }
    assert (profile_of(company, "eve"), profile_of(company, "bob")) == ({"org.example.title": "Chief"}, {})
    assert await audit_of(company).scan() == Compared(5, 0)
    assert await company.upkeep.catch_up() == []


async def test_the_audit_goes_on_where_it_was_and_begins_anew_in_an_hour(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each turn reads some accounts, also after a restart; after the last one it rests until the hour is over."""
    monkeypatch.setattr(profile_audit, "AT_A_TURN", 2)
    company.now = company.clock()
    turns = [await audit_of(company).turn(EVERY) for _ in range(4)]
    assert turns == [EVERY, EVERY, EVERY, profile_audit.SHORTEST_PASS]
    assert company.homeserver.requests == [("profile", user(name)) for name in ("ann", "bob", "cid", "dot", "eve")]

    company.now += profile_audit.SHORTEST_PASS
    assert await audit_of(company).turn(EVERY) == EVERY
    assert len(company.homeserver.requests) == 5
    await audit_of(company).turn(EVERY)
    assert company.homeserver.requests[5:] == [("profile", user("ann")), ("profile", user("bob"))]


async def test_without_fields_in_the_policy_nobodys_profile_is_read(company: Company) -> None:
    """Fields that the policy no longer names are the people's own again: they stay, and are not looked at."""
    company.rule({"rooms": {"lounge": {}}})
    profile_of(company, "ann")["org.example.title"] = "Queen"
    assert await audit_of(company).scan() == Compared()
    assert not (await company.reconcile()).plan.changes
    assert profile_of(company, "ann")["org.example.title"] == "Queen"
    assert company.homeserver.requests == []
