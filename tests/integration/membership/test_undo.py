"""Undoing a run: what lasts comes back, and what policy or directory would at once do again is said and left."""

from __future__ import annotations

import argparse
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.cli.undo import undo_run
from bridge.errors import RefusedError, UnknownNameError
from bridge.membership.audit_store import read_entries
from tests.integration.membership.conftest import RULES, Company, user

if TYPE_CHECKING:
    from bridge.app import Services

CLOSED = {**RULES, "rooms": {**RULES["rooms"], "news": {**RULES["rooms"]["news"], "exclusive": True}}}
WITHOUT_BOB = {**RULES, "rooms": {**RULES["rooms"], "lounge": {"members": 'userName ne "bob"'}}}


@pytest.fixture
async def company(company: Company) -> Company:
    """The company in place, with a guest among those who read the news."""
    await company.settle()
    company.homeserver.act(company.homeserver.room("news"), user("guest"), "join", user("guest"))
    await company.deliver()
    return company


async def last_run(company: Company) -> int:
    number: int = await company.pool.fetchval("SELECT max(id) FROM run")
    return number


async def undo(company: Company, run: int, *, json_: bool = True, **options: Any) -> int:
    services = SimpleNamespace(
        config=SimpleNamespace(
            directory=SimpleNamespace(timezone="UTC"), homeserver=SimpleNamespace(concurrency=10), attributes=()
        ),
        pool=company.pool,
        homeserver=company.homeserver,
        accounts=company.homeserver,
        clock=company.clock,
        policy=lambda: company.policy,
    )
    args = argparse.Namespace(**{"run": run, "apply": None, "by": None, "json": json_, **options})
    return await undo_run(args, cast("Services", services))


async def test_guests_whom_a_policy_has_thrown_out_come_back_when_it_is_taken_back(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """The policy put back gives the members their places by itself; undoing the run gives guests theirs, who stay."""
    company.rule(CLOSED, "policy-2")
    await company.settle()
    run = await last_run(company)
    assert "guest" not in company.homeserver.people("news")
    company.rule(RULES, "policy-3")
    await company.settle()
    assert "guest" not in company.homeserver.people("news")

    assert await undo(company, run) == 0
    digest = json.loads(capsys.readouterr().out)["digest"]
    assert await undo(company, run, apply=digest, by="eve") == 0

    assert "guest" in company.homeserver.people("news")
    told = (await read_entries(company.pool, limit=1))[0]
    assert (told.cause, told.set_off_by) == (f"undo of run {run}", "Eve")
    await company.deliver()
    assert not (await company.reconcile()).plan.changes


async def test_what_the_policy_would_do_again_is_named_and_left(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the policy still asks for it nothing is undone; the policy to go back to is named, in 80 columns."""
    company.rule(WITHOUT_BOB, "policy-2")
    await company.settle()
    run = await last_run(company)
    assert await undo(company, run, json_=False) == 1
    text = capsys.readouterr().out

    assert "1 would at once be done again" in text
    assert "  remove @bob:example.org in lounge: not in the policy's rule any more" in text
    assert "policy-1 was in force before" in " ".join(text.split())
    assert all(len(line) <= 80 for line in text.splitlines())
    before = len(company.homeserver.requests)
    with pytest.raises(RefusedError, match="Nothing was done"):
        await undo(company, run, apply="0" * 12)
    assert len(company.homeserver.requests) == before


async def test_once_the_policy_is_back_an_undo_is_its_plan(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the service has looked, the undo carries out what the policy asks for those concerned, and names it."""
    company.rule(WITHOUT_BOB, "policy-2")
    await company.settle()
    run = await last_run(company)
    company.rule(RULES, "policy-3")
    assert await undo(company, run) == 0
    seen = json.loads(capsys.readouterr().out)
    assert [(change["action"], change["room"]) for change in seen["changes"]] == [("join", "lounge")]
    assert await undo(company, run, apply=seen["digest"][:12]) == 0
    assert "bob" in company.homeserver.people("lounge")


async def test_an_undo_goes_through_the_brake(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    """What undoing takes away from too many waits for somebody else than who undoes."""
    company.rule(WITHOUT_BOB, "policy-2")
    await company.settle()
    company.rule(RULES, "policy-3")
    await company.settle()
    run = await last_run(company)
    company.rule(WITHOUT_BOB, "policy-4", removals=0, floor=0)
    await undo(company, run)
    digest = json.loads(capsys.readouterr().out)["digest"]
    await undo(company, run, apply=digest, by="eve")

    assert "bob" in company.homeserver.people("lounge")
    assert await company.pool.fetchval("SELECT caused_by FROM held") == company.ids["eve"]


async def test_a_run_that_is_not_there_is_refused(company: Company) -> None:
    """The message says where the runs are."""
    with pytest.raises(UnknownNameError, match="muster audit"):
        await undo(company, 4711)


async def test_nobody_comes_back_whom_the_directory_says_has_left(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """A leaver's account and rooms are HR's to give back."""
    await company.say("bob", active=False)
    await company.settle()
    assert await undo(company, await last_run(company)) == 1
    assert not json.loads(capsys.readouterr().out)["changes"]
