"""`muster directory`: what an administrator types and sees."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.app import Services
from bridge.cli import directory
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Standing
from bridge.directory.status_store import put_statuses
from bridge.directory.token_store import find_token
from bridge.errors import ImportFileError, UnknownNameError

if TYPE_CHECKING:
    from bridge.database import Pool

FILE = """userName,displayName,department,title,manager,start
anna,Anna Õun,Sales,Chief of a very long and winding title of hers,,2020-01-01
bo,Bo 王小明 王小明 王小明 王小明 王小明,Sales,Clerk,anna,2020-01-01
late,Late Comer,IT,Clerk,anna,2027-01-01
"""


@dataclass
class FewServices:
    """What this verb uses of the services."""

    pool: Pool
    config: Any = field(
        default_factory=lambda: SimpleNamespace(attributes=("shift",), directory=SimpleNamespace(timezone="UTC"))
    )

    def clock(self) -> datetime:
        """Return a moment before the latest start."""
        return datetime(2026, 6, 1, 12, tzinfo=UTC)

    def local_days(self) -> LocalDays:
        """Return the day of that moment."""
        return LocalDays(self.clock())


@dataclass
class Command:
    """The command line, without what opens the services."""

    services: Services
    capsys: pytest.CaptureFixture[str]

    async def run(self, *arguments: str, code: int = 0) -> str:
        parser = argparse.ArgumentParser()
        directory.add_parser(parser.add_subparsers())
        parsed = parser.parse_args(["directory", *[each for each in arguments if each != "--json"]])
        parsed.json = "--json" in arguments
        assert await parsed.handler.__wrapped__(parsed, self.services) == code
        return self.capsys.readouterr().out


@pytest.fixture
def command(pool: Pool, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(cast("Services", FewServices(pool)), capsys)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "hr.csv"
    path.write_text(FILE, encoding="utf-8")
    return str(path)


async def test_import_says_what_it_did(command: Command, file: str) -> None:
    """A dry run only says what would change; the import says what changed; both as JSON when asked."""
    assert await command.run("import", file, "--dry-run") == (
        "Would be added: 3, changed: 0, no longer working here: 0, unchanged: 0.\n"
    )
    assert await command.run("import", file) == (
        "People added: 3, changed: 0, no longer working here: 0, unchanged: 0.\n"
    )
    assert json.loads(await command.run("import", file, "--json")) == {
        "dry_run": False,
        "created": 0,
        "changed": 0,
        "removed": 0,
        "unchanged": 3,
        "warnings": [],
    }


async def test_file_that_is_not_there_is_told(command: Command, tmp_path: Path) -> None:
    """A missing file is one clear message."""
    with pytest.raises(ImportFileError, match=r"nothing\.csv: No such file"):
        await command.run("import", str(tmp_path / "nothing.csv"))


async def test_list_fits_eighty_columns_and_takes_a_selector(command: Command, file: str) -> None:
    """The list has a line a person, cut to 80 columns, with who is not active marked; a selector narrows it."""
    await command.run("import", file)

    lines = (await command.run("list")).splitlines()
    assert [line.split()[0] for line in lines] == ["USERNAME", "anna", "bo", "late", "3"]
    assert "…" in lines[1]
    assert all(len(line) + sum(ord(letter) > 0x2E80 for letter in line) <= 80 for line in lines)
    assert lines[3].endswith("inactive")
    clerks = await command.run("list", "--filter", 'department eq "sales" and title eq "clerk"')
    assert [line.split()[0] for line in clerks.splitlines()] == ["USERNAME", "bo", "1"]
    active = json.loads(await command.run("list", "--filter", "active eq true", "--json"))
    assert [each["userName"] for each in active] == ["anna", "bo"]


async def test_show_tells_everything_and_the_history(command: Command, file: str) -> None:
    """A person is shown with every attribute, the manager's name, and each change with its source."""
    await command.run("import", file)

    shown = await command.run("show", "BO")
    assert "manager.displayname  Anna Õun" in shown
    assert "  created   csv:hr.csv, true since 2020-01-01" in shown.splitlines()[-1]
    assert json.loads(await command.run("show", "bo", "--json"))["history"][0]["action"] == "created"
    with pytest.raises(UnknownNameError):
        await command.run("show", "nobody")


async def test_review_lists_what_needs_a_look(command: Command, tmp_path: Path) -> None:
    """Returners with the command that links them, unexplained statuses, circles of managers; or that all is well."""
    assert await command.run("review") == "Nothing needs a look.\n"
    file = tmp_path / "odd.csv"
    file.write_text(
        "userName,email,active,manager,employmentStatus\n"
        "old,m@x,no,,Active\nnew,m@x,yes,,Sabbatical\na,,yes,b,\nb,,yes,a,\n"
    )
    await command.run("import", str(file))
    await put_statuses(command.services.pool, {"Active": Standing.WORKS})

    shown = await command.run("review")
    assert "new: has come back? Same e-mail as old, who has left." in shown
    assert "new: employmentStatus 'Sabbatical' is not in directory.statuses" in shown
    assert "is their own manager, by way of" in shown
    found = json.loads(await command.run("review", "--json"))
    assert [len(found[kind]) for kind in ("rehires", "statuses", "managers")] == [1, 1, 1]
    await command.run("relink", "old", "new")
    assert json.loads(await command.run("review", "--json"))["rehires"] == []


async def test_show_tells_what_is_true_on_a_day(command: Command, file: str) -> None:
    """The employments are those of the day; of a day before anything was known there is nothing to tell."""
    await command.run("import", file)

    shown = json.loads(await command.run("show", "late", "--at", "2027-01-01", "--json"))
    assert (shown["active"], shown["attributes"]["department"]) == (True, ["IT"])
    shown = json.loads(await command.run("show", "late", "--at", "2026-12-31", "--json"))
    assert (shown["active"], "department" in shown["attributes"]) == (False, False)
    with pytest.raises(UnknownNameError, match="Nothing was known of Late Comer for 2027-01-01"):
        await command.run("show", "late", "--at", "2027-01-01", "--as-known", "2020-01-01")


async def test_token_is_made_listed_and_revoked(command: Command, pool: Pool) -> None:
    """A token is printed once and works until it is revoked."""
    token = (await command.run("token", "create", "okta")).strip()

    assert await find_token(pool, token) == "okta"
    assert (await command.run("token", "list")).split()[2:] == ["valid", "okta"]
    await command.run("token", "revoke", "okta")
    assert (await command.run("token", "list")).split()[2:] == ["revoked", "okta"]
    assert await find_token(pool, token) is None
    assert set(json.loads(await command.run("token", "list", "--json"))[0]) == {"name", "created_at", "revoked_at"}


async def test_review_and_list_name_who_waits_for_a_start_date_or_is_barred(command: Command, tmp_path: Path) -> None:
    """Who has no start date is named with what it needs; the list says why somebody is not active."""
    people = tmp_path / "hr.csv"
    people.write_text("userName,start,employmentStatus\nlate,,Active\ngarden,2020-01-01,Garden leave\n")
    await put_statuses(command.services.pool, {"Active": Standing.WORKS, "Garden leave": Standing.BARRED})
    await command.run("import", str(people))

    assert await command.run("review") == "late: no start date. Is hired when HR says the first day.\n"
    (awaited,) = json.loads(await command.run("review", "--json"))["awaited"]
    assert awaited["userName"] == "late"
    listed = (await command.run("list")).splitlines()
    assert [line.split()[0] for line in listed if line.endswith("barred")] == ["garden"]
    assert [line.split()[0] for line in listed if line.endswith("no start date")] == ["late"]
    both = {each["userName"]: each for each in json.loads(await command.run("list", "--json"))}
    assert (both["garden"]["barred"], both["late"]["barred"]) == (True, False)
    assert (both["garden"]["awaited"], both["late"]["awaited"]) == (False, True)
