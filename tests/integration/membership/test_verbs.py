"""The verbs about membership: what they print, for people and for scripts, and their exit codes."""

from __future__ import annotations

import argparse
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.cli.apply import apply
from bridge.cli.approve import approve
from bridge.cli.audit import audit
from bridge.cli.plan import plan
from bridge.cli.why import why
from bridge.config import Applying
from bridge.directory.local_day import LocalDays
from bridge.errors import HomeserverError, RefusedError
from bridge.membership.audit_store import read_held
from bridge.membership.rendering import By
from bridge.policy.source import good_policy
from tests.integration.membership.conftest import RULES, Company, user

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.app import Services

POLICY = """\
version: 1
company: Nordwind
rooms:
  lounge: {name: Lounge, members: active eq true}
"""


@pytest.fixture
def services(company: Company, tmp_path: Path) -> Services:
    """What the composition root would open, with the homeserver in memory."""
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    config = SimpleNamespace(
        policy=file,
        attributes=(),
        applying=Applying.AUTOMATIC,
        directory=SimpleNamespace(timezone="UTC"),
        homeserver=SimpleNamespace(concurrency=10),
    )
    return cast(
        "Services",
        SimpleNamespace(
            config=config,
            pool=company.pool,
            homeserver=company.homeserver,
            accounts=company.homeserver,
            clock=company.clock,
            policy=lambda: company.policy,
            local_days=lambda: LocalDays(company.clock()),
        ),
    )


PLAN_OPTIONS = {"format": "text", "policy": None, "directory": None, "mapping": None}


def args(**values: Any) -> argparse.Namespace:
    return argparse.Namespace(
        **{"json": False, **PLAN_OPTIONS, "by": None if "digest" in values else By.ROOM, **values}
    )


def fits(text: str) -> bool:
    return all(len(line) <= 80 for line in text.splitlines())


async def test_plan_shows_and_changes_nothing(
    services: Services, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan is printed with its digest and the command that carries it out, in 80 columns; nothing is done."""
    assert await plan(args(), services) == 0
    text = capsys.readouterr().out
    assert await plan(args(json=True), services) == 0
    digest = json.loads(capsys.readouterr().out)["digest"]

    assert fits(text)
    assert f"muster apply {digest[:12]}" in text
    assert not company.homeserver.requests


async def test_plan_says_what_would_be_held(
    services: Services, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the brake would hold is announced with its reasons before anybody applies anything."""
    company.rule(RULES, removals=1, floor=1)
    await company.settle()
    for name in ("bob", "cid"):
        await company.say(name, active=False)
    await plan(args(), services)

    text = capsys.readouterr().out
    assert fits(text)
    await plan(args(by=By.PERSON, format="markdown"), services)
    markdown = capsys.readouterr().out
    assert f"- **{user('bob')}**" in markdown
    assert "## Held" in markdown
    assert "The brake would hold" in text
    assert "2 people of 5 would lose something" in text


async def test_apply_carries_out_the_plan_and_says_so(
    services: Services, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """`apply` does the plan with that digest, shows lines of progress, keeps the policy, and ends with 0."""
    company.policy = good_policy(POLICY, "policy.yaml", ())
    seen = (await company.reconciler.survey(company.policy)).plan
    with pytest.raises(RefusedError, match="The plan has changed"):
        await apply(args(digest="0" * 12), services)
    with pytest.raises(RefusedError, match="at least its first 8"):
        await apply(args(digest=""), services)
    assert await apply(args(digest=seen.digest[:12]), services) == 0

    said = capsys.readouterr()
    assert f"{len(seen.changes)} of {len(seen.changes)} changes done." in said.out
    assert f"{len(seen.changes)} of {len(seen.changes)} changes\n" in said.err
    assert company.homeserver.people("lounge") == {"ann", "bob", "cid", "dot", "eve"}
    assert await company.pool.fetchval("SELECT text FROM policy_version") == POLICY


async def test_apply_ends_with_1_when_something_failed(
    services: Services, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refused change is named with the homeserver's words, and the exit code is 1; JSON says the same."""
    company.policy = good_policy(POLICY, "policy.yaml", ())
    company.homeserver.before = lambda number, name: (
        HomeserverError("no such room", status=400) if name == "create_room" else None
    )
    seen = (await company.reconciler.survey(company.policy)).plan
    assert await apply(args(digest=seen.digest), services) == 1
    text = capsys.readouterr().out
    assert fits(text)
    assert "  create room lounge: no such room\n" in text
    seen = (await company.reconciler.survey(company.policy)).plan
    assert await apply(args(digest=seen.digest, json=True), services) == 1

    failed = json.loads(capsys.readouterr().out)["failed"]
    assert failed[0] == {"action": "create room", "room": "lounge", "user_id": "", "error": "no such room"}


async def test_approve_says_what_happens_next(
    services: Services, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    """The approver learns how many changes go now."""
    company.rule(RULES, removals=1, floor=1)
    await company.settle()
    for name in ("bob", "cid"):
        await company.say(name, active=False)
    await company.reconcile()
    (held,) = await read_held(company.pool)
    assert await approve(args(digest=held.digest[:12], by="eve"), services) == 0

    assert f"carries out {len(held.changes)} changes" in capsys.readouterr().out


async def test_why_and_audit_explain(services: Services, company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    """`why` names rule, answers and entry of each room; `audit` lists entries by person and room; both as JSON too."""
    await company.settle()
    await company.say("bob", department="IT")
    await company.reconcile("bob")
    await company.deliver()
    assert await why(args(person="bob", room=None, at=None), services) == 0
    everything = capsys.readouterr().out
    assert await why(args(person="Bob", room="department/sales", at=None), services) == 0
    sales = capsys.readouterr().out

    assert fits(everything)
    assert "department/IT (department): in, as the policy says" in everything
    assert "department/Sales (department): not in, as the policy says" in sales
    assert 'no   department eq "Sales": department is IT' in sales
    assert "remove, done: not in the policy's rule any more" in sales

    assert await audit(args(person="bob", room="department/Sales", limit=10), services) == 0
    text = capsys.readouterr().out
    assert fits(text)
    assert text.index("join") < text.index("remove")
    await audit(args(person=user("bob"), room=None, limit=1, json=True), services)
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["action"], entry["room_key"], entry["outcome"]) == ("remove", "department/Sales", "done")
