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
from bridge.directory.file_mapping import Ends, FileMapping
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Standing
from bridge.directory.status_store import put_statuses
from bridge.directory.token_store import Bearer, find_token
from bridge.errors import ImportFileError, RefusedError, UnknownNameError

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
    dry = await command.run("import", file, "--dry-run")
    assert dry.splitlines()[:4] == [
        "Would be added: 3, changed: 0, no longer working here: 0, unchanged: 0.",
        "",
        "Added:",
        "  anna  Anna Õun, Chief of a very long and winding title of hers, Sales",
    ]
    assert await command.run("import", file) == (
        "People added: 3, changed: 0, no longer working here: 0, unchanged: 0.\n"
    )
    assert json.loads(await command.run("import", file, "--json")) == {
        "dry_run": False,
        "created": 0,
        "changed": 0,
        "removed": 0,
        "unchanged": 3,
        "missing": 0,
        "waiting": {"people": 0, "digest": ""},
        "warnings": [],
    }


async def test_dry_run_shows_the_difference(command: Command, file: str, tmp_path: Path) -> None:
    """Who would change and how, also as JSON; nothing is written."""
    await command.run("import", file)
    news = tmp_path / "news.csv"
    news.write_text("userName,department,manager,groups\nbo,Finance,late,Drivers\n")

    assert (await command.run("import", str(news), "--dry-run")).splitlines()[2:] == [
        "Changed:",
        "  bo  department: Sales → Finance",
        "      manager: anna → late",
        "      joins Drivers",
    ]
    (changed,) = json.loads(await command.run("import", str(news), "--dry-run", "--json"))["diff"]["changed"]
    assert changed["changes"][0] == {"attribute": "department", "before": "Sales", "after": "Finance"}
    assert "Finance" not in await command.run("show", "bo")


async def test_dated_file_tells_past_and_future(command: Command, file: str, tmp_path: Path) -> None:
    """`show --at` knows each day of the history from the first row on, and of the moves to come."""
    columns = {"name": ("userName",), "dept": ("department",), "first": ("from",), "last": ("to",)}
    mapping = FileMapping(columns=columns, ends=Ends.INCLUSIVE, dates="DD.MM.YYYY")
    config = cast("FewServices", command.services).config
    config.directory.feeds = SimpleNamespace(files={"history": mapping})
    history = tmp_path / "history.csv"
    rows = ["bo;IT;01.01.2020;31.12.2023", "bo;Sales;01.01.2024;30.06.2027", "bo;Finance;01.07.2027;"]
    history.write_text("\n".join(["name;dept;first;last", *rows, ""]))
    await command.run("import", file)
    await command.run("import", str(history), "--mapping", "history")

    for day, department in [
        ("2020-01-01", "IT"),
        ("2023-12-31", "IT"),
        ("2024-01-01", "Sales"),
        ("2027-07-01", "Finance"),
    ]:
        shown = json.loads(await command.run("show", "bo", "--at", day, "--json"))
        assert (shown["attributes"]["department"], shown["attributes"]["title"]) == ([department], ["Clerk"])
    with pytest.raises(UnknownNameError, match="Nothing was known"):
        await command.run("show", "bo", "--at", "2019-12-31")
    with pytest.raises(RefusedError, match="removes nobody by absence"):
        await command.run("import", str(history), "--mapping", "history", "--complete", "--rows", "3")


async def test_complete_import_needs_a_proof(command: Command, file: str) -> None:
    """Nobody is missing from a file that nothing proves whole; a count that is not right refuses it."""
    with pytest.raises(RefusedError, match="Expected --rows N, --sha256 HEX, or a mapping with a trailer"):
        await command.run("import", file, "--complete")
    with pytest.raises(ImportFileError, match="expected 4 people, came 3"):
        await command.run("import", file, "--complete", "--rows", "4")
    assert "added: 3" in await command.run("import", file, "--complete", "--rows", "3")


async def test_waiting_names_who_is_missing(command: Command, tmp_path: Path) -> None:
    """First the list that waits for a second person, with how to approve it; then who is noted, and since when."""
    assert await command.run("waiting") == "Nobody is missing.\n"
    path = tmp_path / "hr.csv"
    for count in (9, 3):
        path.write_text("userName,displayName\n" + "".join(f"u{each},Person {each}\n" for each in range(count)))
        await command.run("import", str(path), "--complete", "--rows", str(count))
    noted = await command.run("waiting")
    assert noted.startswith("Missing from file:csv:\n  u3  Person 3  since 2026-06-01 12:00 UTC\n")
    await command.services.pool.execute("UPDATE feed_person SET absent_since = absent_since - interval '1 day'")
    said = await command.run("import", str(path), "--complete", "--rows", "3")

    found = json.loads(await command.run("waiting", "--json"))
    digest = found["waiting"][0]["digest"]
    assert f"muster approve {digest[:12]} --by PERSON" in said
    assert sorted(each["userName"] for each in found["waiting"][0]["people"]) == [f"u{each}" for each in range(3, 9)]
    assert {each["userName"]: each["waits"] for each in found["missing"]} == {f"u{each}": True for each in range(3, 9)}
    shown = await command.run("waiting")
    assert "6 of 9 people of file:csv are missing from it; the limit is 5." in shown
    assert "  u8  Person 8\n" in shown
    assert "Missing from" not in shown

    with pytest.raises(UnknownNameError, match=r"no source 'file:cvs'; did you mean `file:csv`\?"):
        await command.run("waiting", "--forget", "file:cvs")
    assert await command.run("waiting", "--forget", "file:csv") == "Nobody is missing.\n"
    assert (await command.run("import", str(path), "--complete", "--rows", "3")).startswith(
        "People added: 0, changed: 0"
    )


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

    assert await find_token(pool, token) == Bearer("okta", "okta")
    assert (await command.run("token", "list")).split()[2:] == ["valid", "okta"]
    await command.run("token", "revoke", "okta")
    assert (await command.run("token", "list")).split()[2:] == ["revoked", "okta"]
    assert await find_token(pool, token) is None
    shown = json.loads(await command.run("token", "list", "--json"))[0]
    assert set(shown) == {"name", "source", "created_at", "revoked_at"}


async def test_next_token_of_a_source_is_made_and_listed_as_its(command: Command, pool: Pool) -> None:
    """With --source a token stands for a source that has one already; the list says so."""
    token = (await command.run("token", "create", "okta-2027", "--source", "okta")).strip()

    assert await find_token(pool, token) == Bearer("okta-2027", "okta")
    assert (await command.run("token", "list")).split()[2:] == ["valid", "okta-2027", "of", "okta"]


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
