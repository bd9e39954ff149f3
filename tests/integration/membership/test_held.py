"""What the brake holds: it waits, is told once, and goes when a second person has approved exactly that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.errors import RefusedError, UnknownNameError
from bridge.membership.audit import told_cause
from bridge.membership.audit_store import read_entries, read_held
from bridge.membership.held import approve
from tests.integration.membership.conftest import PEOPLE, RULES, Company, user


def notices(company: Company) -> list[str]:
    """Return what was said in the administrators' room."""
    said = company.homeserver.rooms[company.homeserver.room("administrators")].said
    return [event.content["body"] for event in said]


@pytest.fixture
async def company(company: Company) -> Company:
    """The company in place, where one person may lose something a day."""
    company.rule(RULES, removals=1, floor=1)
    await company.settle()
    await company.upkeep.catch_up()
    return company


async def dismiss(company: Company, *names: str) -> None:
    for name in names:
        await company.say(name, active=False)


async def test_too_many_losses_wait_and_the_rest_goes_on(company: Company) -> None:
    """Two leavers at once are over the limit: nothing is taken from anybody, what is added goes on."""
    await dismiss(company, "bob", "cid")
    await company.say("fay", department="IT")
    (result,) = await company.upkeep.catch_up()

    assert "fay" in company.homeserver.people("department/IT")
    assert {"bob", "cid"} <= company.homeserver.people("lounge")
    assert not company.homeserver.users[user("bob")].locked
    assert {change.user_id for change in result.held.changes} == {user("bob"), user("cid")}
    assert [entry for entry in await company.entries() if entry.endswith("held")]


async def test_administrators_are_told_once(company: Company) -> None:
    """One notice a held plan, with figures, names and the command; also after a restart and after a crash."""
    await dismiss(company, "bob", "cid")
    await company.upkeep.catch_up()
    await company.restarted().catch_up()
    await company.pool.execute("UPDATE held SET told_at = NULL")
    await company.restarted().catch_up()

    (text,) = notices(company)
    assert "2 people of 5 would lose something; the limit is 1." in text
    assert "@bob:example.org" in text
    (held,) = await read_held(company.pool)
    assert f"muster approve {held.digest[:12]} --by" in text
    assert len([entry for entry in await company.entries() if entry == "disable account bob held"]) == 1


async def test_approved_plan_goes_at_the_next_reconciliation(company: Company) -> None:
    """After the approval of an approver exactly the held plan is carried out, and does not use up the allowance."""
    await dismiss(company, "bob", "cid")
    await company.upkeep.catch_up()
    (held,) = await read_held(company.pool)
    await approve(company.pool, company.policy, held.digest[:12], "eve", company.clock)
    (result,) = await company.upkeep.catch_up()

    assert result.applied.done == len(held.changes)
    assert company.homeserver.people("lounge") == {"ann", "dot", "eve"}
    assert not await read_held(company.pool)
    told = (await read_entries(company.pool, limit=1))[0]
    assert (told.cause, told.set_off_by, told.approved_by) == ("approval", "service", company.ids["eve"])
    assert told_cause(told.cause, told.set_off_by, told.approver) == "approval, by the service, approved by Eve"
    await dismiss(company, "dot")
    await company.upkeep.catch_up()
    assert company.homeserver.users[user("dot")].locked


async def test_an_approval_is_used_up(company: Company) -> None:
    """The same losses a second time need a second approval."""
    await dismiss(company, "bob", "cid")
    await company.upkeep.catch_up()
    (held,) = await read_held(company.pool)
    await approve(company.pool, company.policy, held.digest, "eve", company.clock)
    await company.upkeep.catch_up()
    for name in ("bob", "cid"):
        await company.say(name, active=True)
    await company.upkeep.catch_up()
    await dismiss(company, "bob", "cid")
    await company.upkeep.catch_up()

    (again,) = await read_held(company.pool)
    assert (again.digest, again.approved_by) == (held.digest, None)
    assert len(notices(company)) == 2


async def test_approval_of_what_is_no_longer_the_plan_lets_nothing_go(company: Company) -> None:
    """When the plan has changed between the notice and the yes, it is held again under its new digest."""
    await dismiss(company, "bob", "cid", "dot")
    await company.upkeep.catch_up()
    (held,) = await read_held(company.pool)
    await company.say("bob", active=True)
    await approve(company.pool, company.policy, held.digest, "eve", company.clock)
    await company.upkeep.catch_up()

    (now,) = await read_held(company.pool)
    assert (now.digest != held.digest, now.approved_by) == (True, None)
    assert {change.user_id for change in now.changes} == {user("cid"), user("dot")}
    assert company.homeserver.people("lounge") == PEOPLE.keys()


async def test_held_changes_vanish_when_hr_takes_them_back(company: Company) -> None:
    """When the directory is put right nothing waits any more, and nobody has lost anything."""
    await dismiss(company, "bob", "cid")
    await company.upkeep.catch_up()
    for name in ("bob", "cid"):
        await company.say(name, active=True)
    await company.upkeep.catch_up()

    assert not await read_held(company.pool)
    assert company.homeserver.people("lounge") == PEOPLE.keys()


async def test_one_urgent_leaver_is_not_held_up_by_what_waits(company: Company) -> None:
    """While a plan is held, somebody else who leaves still goes at once."""
    await dismiss(company, "bob", "cid")
    await company.upkeep.catch_up()
    await dismiss(company, "dot")
    await company.upkeep.catch_up()

    assert company.homeserver.users[user("dot")].locked
    assert len(await read_held(company.pool)) == 1


async def test_what_waits_is_one_plan(company: Company) -> None:
    """What is held later joins what is held already, under the digest that `muster plan` shows; one approval does."""
    await dismiss(company, "bob", "cid")
    await company.upkeep.catch_up()
    await dismiss(company, "dot")
    await company.say("ann", department="IT")
    await company.upkeep.catch_up()

    (held,) = await read_held(company.pool)
    assert {change.user_id for change in held.changes} == {user(name) for name in ("ann", "bob", "cid", "dot")}
    assert held.digest == (await company.reconciler.survey(company.policy)).verdict.held.digest
    await approve(company.pool, company.policy, held.digest, "eve", company.clock)
    await company.upkeep.catch_up()
    assert company.homeserver.people("lounge") == {"ann", "eve"}


async def test_losses_add_up_over_the_window(company: Company) -> None:
    """One leaver after the other cannot pass the brake within its window; after it they can."""
    await dismiss(company, "bob")
    await company.upkeep.catch_up()
    await dismiss(company, "cid")
    await company.upkeep.catch_up()
    assert not company.homeserver.users[user("cid")].locked
    company.ahead = timedelta(hours=25)
    await company.restarted().catch_up()

    assert company.homeserver.users[user("cid")].locked


@pytest.mark.parametrize(("by", "refusal"), [("ann", "may not approve"), ("bob", "may not approve")])
async def test_only_an_approver_approves(company: Company, by: str, refusal: str) -> None:
    """Somebody who does not match `brake.approvers`, or does not work here any more, is refused."""
    await dismiss(company, "bob", "cid")
    await company.upkeep.catch_up()
    (held,) = await read_held(company.pool)

    with pytest.raises(RefusedError, match=refusal):
        await approve(company.pool, company.policy, held.digest, by, company.clock)
    await company.restarted().catch_up()
    assert not company.homeserver.users[user("bob")].locked


async def test_nobody_approves_a_plan_about_themselves(company: Company) -> None:
    """An approver who is among those concerned has to ask another."""
    await company.say("eve", department="IT")
    await company.say("bob", department="IT")
    await company.upkeep.catch_up()
    (held,) = await read_held(company.pool)

    with pytest.raises(RefusedError, match="ask another"):
        await approve(company.pool, company.policy, held.digest, "eve", company.clock)


@pytest.mark.parametrize("digest", ["", "0123456", "0123456789abcdef"])
async def test_approving_needs_a_digest_that_is_held(company: Company, digest: str) -> None:
    """A digest that is too short or that nothing is held under is refused, naming what is held."""
    await dismiss(company, "bob", "cid")
    await company.upkeep.catch_up()
    (held,) = await read_held(company.pool)

    with pytest.raises(UnknownNameError, match=held.digest[:12]):
        await approve(company.pool, company.policy, digest, "eve", company.clock)
