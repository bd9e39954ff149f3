"""`muster plan --policy FILE --directory FILE`: what would be, with nothing stored."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.cli import parser
from bridge.cli.plan import plan
from bridge.membership.rehearsal import rehearse
from bridge.membership.rendering import By
from bridge.policy.loader import load
from bridge.policy.store import keep_policy
from tests.integration.membership.conftest import RULES, Company

if TYPE_CHECKING:
    from bridge.app import Services

CLOSED = """\
version: 1
company: Nordwind
rooms:
  lounge: {name: lounge, members: department eq "Sales"}
brake: {removals: 2, floor: 2}
"""

WIDE = """\
version: 1
company: Nordwind
rooms:
  lounge: {name: lounge, members: active eq true}
"""


async def simulated(company: Company, **options: Any) -> int:
    config = SimpleNamespace(attributes=(), directory=SimpleNamespace(timezone="UTC"))
    services = SimpleNamespace(
        config=config,
        pool=company.pool,
        homeserver=company.homeserver,
        accounts=company.homeserver,
        clock=company.clock,
        policy=lambda: company.policy,
    )
    given = {"json": False, "by": By.ROOM, "format": "text", "policy": None, "directory": None, "mapping": None}
    return await plan(argparse.Namespace(**{**given, **options}), cast("Services", services))


async def state(company: Company) -> list[Any]:
    """Return everything that a simulation could have left behind."""
    return [
        await company.pool.fetch(f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608
        for table in ("scim_resource", "person_history", "directory_version", "feed", "feed_person", "held", "run")
    ]


async def test_a_new_policy_is_tried_on_the_people_there_are(
    company: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan of another policy, with what its own brake would hold; nothing is stored and no apply is offered."""
    await company.settle()
    before = await state(company)
    file = tmp_path / "new.yaml"
    file.write_text(CLOSED)
    assert await simulated(company, policy=file) == 0

    text = capsys.readouterr().out
    assert "removed: @cid:example.org" in text
    assert "3 people of 5 would lose something; the limit is 2." in text
    assert text.endswith("This is a simulation: nothing of it is stored.\n")
    assert await state(company) == before


async def test_a_new_file_of_people_goes_through_the_intake(
    company: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is read as an import would read it, and its consequences are planned; the directory stays as it was."""
    await company.settle()
    before = await state(company)
    requests = len(company.homeserver.requests)
    file = tmp_path / "new.csv"
    file.write_text("userName,displayName,department,active\nbob,Bob,IT,true\nann,Ann,Sales,false\nfay,Fay,IT,true\n")
    company.rule(RULES, removals=1, floor=1)
    assert await simulated(company, directory=file, json=True) == 0

    seen = json.loads(capsys.readouterr().out)
    changes = {(change["action"], change["room"], change["user_id"]) for change in seen["changes"]}
    assert ("join", "department/IT", "@bob:example.org") in changes
    assert ("create account", "", "@fay:example.org") in changes
    assert ("disable account", "", "@ann:example.org") in changes
    assert (seen["import"]["created"], seen["import"]["changed"]) == (1, 2)
    assert seen["reasons"][0] == "2 people of 5 would lose something; the limit is 1."
    assert await state(company) == before
    assert len(company.homeserver.requests) == requests


async def test_a_policy_is_replayed_over_what_hr_has_changed(company: Company) -> None:
    """The recorded states of the last days are run through the policy in force and through another one."""
    await keep_policy(company.pool, "old", WIDE, company.clock())
    await company.pool.execute("UPDATE person_history SET recorded_at = now() - interval '5 days'")
    await company.say("bob", department="IT")
    await company.say("cid", active=False)
    found = await rehearse(company.pool, load(CLOSED, "new.yaml"), 3, company.clock())

    assert found.changes == 2
    assert found.old is not None
    assert found.old.removals == {"lounge": 1, "accounts": 1}
    assert (found.new.removals, found.new.joins) == ({"lounge": 1, "accounts": 1}, {})
    assert not found.new.stops
    assert (await rehearse(company.pool, load(WIDE, "new.yaml"), 3, company.clock())).old is None


async def test_check_replays_from_the_command_line(
    company: Company, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`muster check FILE --replay 3d` prints the table after the check; as JSON it is one document."""
    file, config = tmp_path / "new.yaml", tmp_path / "config.yaml"
    file.write_text(CLOSED)
    config.write_text(
        "homeserver: {url: http://127.0.0.1:1, server_name: example.org}\n"
        f"appservice: {{registration: {tmp_path}/registration.yaml}}\ndatabase: {database_url}\n"
    )
    args = parser(["check"]).parse_args(["check", str(file), "--replay", "3d", "-c", str(config)])
    assert await args.handler(args) == 0
    text = capsys.readouterr().out
    assert "ok: 1 room" in text
    assert "5 recorded changes of the last 3 days" in text
    args = parser(["check"]).parse_args(["check", str(file), "--replay", "3d", "-c", str(config), "--json"])
    assert await args.handler(args) == 0
    assert json.loads(capsys.readouterr().out)["replay"]["new"]["joins"] == {"accounts": 5, "lounge": 2}


async def test_check_holds_a_policy_against_the_people_there_are(
    company: Company, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Warnings of what only directory and rooms can tell; `--no-directory` does without, and so does a database that
    does not answer, which is said. Nothing is stored."""
    await company.settle()
    await keep_policy(company.pool, "old", WIDE, company.clock())
    before = await state(company)
    file = tmp_path / "new.yaml"
    file.write_text(
        "version: 1\ncompany: N\nrooms:\n"
        '  department: {name: D, members: title eq "Cook"}\n'
        "  news: {name: News, kind: announcement, members: active eq true}\n"
    )

    async def check(database: str, *options: str) -> tuple[int, str, str]:
        config = tmp_path / "config.yaml"
        config.write_text(
            "homeserver: {url: http://127.0.0.1:1, server_name: example.org}\n"
            f"appservice: {{registration: {tmp_path}/registration.yaml}}\ndatabase: {database}\n"
        )
        args = parser(["check"]).parse_args(["check", str(file), "-c", str(config), *options])
        code: int = await args.handler(args)
        return code, *capsys.readouterr()

    code, out, err = await check(database_url, "--strict")
    assert code == 1
    assert "not checked" not in out
    assert [line.partition("warning: ")[2].partition(";")[0] for line in err.splitlines()] == [
        '`members` of `department` matches nobody who works here today: title eq "Cook"',
        "the id `department` is reused: it has a room for each value (department) and is to be a room of its own",
        "the id `news` is of a rule that was taken out: its room (news) is taken up again, with what was said there",
    ]
    told = json.loads((await check(database_url, "--json"))[1])
    assert [problem["severity"] for problem in told["problems"]] == ["warning"] * 3
    assert await check(database_url, "--strict", "--no-directory") == (
        0,
        f"{file}: ok: 2 rooms, 0 spaces, 0 tests passed\n",
        "",
    )
    code, out, err = await check("postgresql://nobody@127.0.0.1:1/none", "--strict")
    assert (code, err) == (0, "")
    assert "not checked against the directory: " in out
    assert await state(company) == before
