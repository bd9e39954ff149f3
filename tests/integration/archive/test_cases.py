"""Cases, and what they open: `muster archive case` and `--case`, on a real PostgreSQL."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.archive.access import Access, Looker
from bridge.archive.entry import Actor
from bridge.archive.gate_store import seal_room
from bridge.archive.log import entries
from bridge.cli import archive
from bridge.config import Config, read_config
from bridge.directory.intake import import_csv
from bridge.directory.local_day import LocalDays
from bridge.directory.notice_store import read_untold
from bridge.directory.store import load_person
from bridge.errors import InputError, RefusedError, UnknownNameError
from bridge.ids import EventId, RoomId, UserId
from bridge.membership.store import put_account
from bridge.membership.values import CurrentAccount
from bridge.policy.loader import load
from bridge.policy.schema import Policy
from tests.integration.archive.test_cli import FewHomeserver
from tests.integration.archive.test_search import archived, said
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.app import Services
    from bridge.database import Pool

POLICY = """
version: 1
company: Nordwind
brake: {approval: 24h, approvers: ['department eq "IT"']}
archive: {approvers: ['title eq "Works Council"']}
"""
PEOPLE = b"""userName,displayName,title,department
k.saar,Karl Saar,Counsel,Legal
l.lepp,Liis Lepp,Counsel,Legal
w.kask,Willem Kask,Works Council,Sales
i.rebane,Iida Rebane,Administrator,IT
m.tamm,Mari Tamm,Driver,Fleet
"""
MARI, OLEV = "@m.tamm:x", "@olev:x"
DAY = 1_700_000_000_000


@dataclass
class CaseServices:
    """What the verbs use of the services; the clock is set by hand."""

    pool: Pool
    config: Config
    now: datetime = datetime(2027, 3, 1, 12, tzinfo=UTC)
    text: str = POLICY
    homeserver: FewHomeserver = field(default_factory=FewHomeserver)

    def clock(self) -> datetime:
        """Return the moment that the test set, a little later each time."""
        self.now += timedelta(milliseconds=1)
        return self.now

    def policy(self) -> Policy:
        """Return the policy."""
        return load(self.text, "policy.yaml")

    def local_days(self) -> LocalDays:
        """Return which day it is."""
        return LocalDays(self.now, "UTC")


@dataclass
class Terminal:
    """Runs verbs as people type them."""

    services: CaseServices
    capsys: pytest.CaptureFixture[str]

    async def run(self, *words: str) -> str:
        """Return what a verb prints."""
        return await self._run(words, as_json=False)

    async def json(self, *words: str) -> Any:
        """Return what a verb prints with `--json`."""
        return json.loads(await self._run(words, as_json=True))

    async def _run(self, words: tuple[str, ...], *, as_json: bool) -> str:
        parser = argparse.ArgumentParser()
        archive.add_parser(parser.add_subparsers())
        args = parser.parse_args(["archive", *words])
        args.json = as_json
        self.capsys.readouterr()
        assert await args.handler.__wrapped__(args, cast("Services", self.services)) == 0
        return self.capsys.readouterr().out

    async def found(self, *words: str) -> list[str]:
        """Return which events a search finds."""
        return [hit["event_id"] for hit in (await self.json("search", *words))["hits"]]

    async def deeds(self) -> list[tuple[str, Any]]:
        """Return what the archive's log holds, the oldest first."""
        return [(one.entry.deed, one.entry.details) for one in reversed(await entries(self.services.pool))]


def member(event_id: str, user: str, room: str, *, direct: bool = False) -> dict[str, Any]:
    """Return how somebody joined, on the first day."""
    content = {"membership": "join", **({"is_direct": True} if direct else {})}
    return an_event(
        event_id,
        type="m.room.member",
        state_key=user,
        sender=user,
        room_id=room,
        origin_server_ts=1000,
        content=content,
    )


@pytest.fixture
async def terminal(pool: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Archive a direct room of Mari and Olev, one of others, and a room of everybody."""
    await import_csv(pool, PEOPLE, "hr.csv")
    mari = await load_person(pool, "m.tamm")
    await put_account(pool, CurrentAccount(mari.id, UserId(MARI), "Mari Tamm", enabled=True))
    await archived(
        pool,
        member("$1", MARI, "!two", direct=True),
        member("$2", OLEV, "!two", direct=True),
        member("$3", OLEV, "!pair", direct=True),
        member("$4", "@other:x", "!pair"),
        *(member(f"$all{number}", f"@n{number}:x", "!all") for number in range(3)),
        said("$secret", "the budget is ours", DAY, room_id="!two", sender=MARI),
        said("$late", "the budget is gone", DAY + 86_400_000, room_id="!two", sender=OLEV),
        said("$theirs", "their budget", DAY, room_id="!pair", sender=OLEV),
        said("$open", "everybody's budget", DAY - 1, room_id="!all", sender=OLEV),
    )
    config = read_config("homeserver: {url: 'http://localhost:8008', server_name: x}\n", tmp_path / "config.yaml")
    return Terminal(CaseServices(pool, config), capsys)


OPEN = ("case", "open", "2027-014", "--purpose", "a leak", "--person", "m.tamm", "--as", "k.saar")
LOOK = ("--case", "2027-014", "--as", "k.saar")


async def test_direct_rooms_open_to_a_case_that_a_second_person_approved(terminal: Terminal) -> None:
    """Search, show and prove refuse what was said in direct rooms until the case about it is approved."""
    await terminal.run(*OPEN)
    for verb in ("show", "prove"):
        with pytest.raises(RefusedError, match="which only a case opens"):
            await terminal.run(verb, "$secret", "--as", "k.saar")
        with pytest.raises(RefusedError, match="before a second person approves it"):
            await terminal.run(verb, "$secret", *LOOK)
    assert await terminal.found("budget", *LOOK) == ["$open"]
    assert "opens no direct rooms before" in await terminal.run("search", "budget", *LOOK)
    assert "direct rooms are open" in await terminal.run("case", "approve", "2027-014", "--as", "w.kask")
    assert await terminal.found("budget", *LOOK) == ["$late", "$secret", "$open"]
    assert "the budget is ours" in await terminal.run("show", "$secret", *LOOK)
    assert "muster-proof-1" in await terminal.run("prove", "$secret", *LOOK)
    with pytest.raises(RefusedError, match="is not about"):
        await terminal.run("show", "$theirs", *LOOK)
    assert await terminal.found("budget", "--as", "k.saar") == ["$open"]
    assert "everybody's budget" in await terminal.run("show", "$open")


async def test_sealed_rooms_open_as_direct_rooms_do(terminal: Terminal) -> None:
    """However many are in a room that was sealed, before or after, search, show and prove leave it to a case."""
    await seal_room(terminal.services.pool, RoomId("!all"))
    assert await terminal.found("budget", "--as", "k.saar") == []
    for verb in ("show", "prove"):
        with pytest.raises(RefusedError, match="which only a case opens"):
            await terminal.run(verb, "$open", "--as", "k.saar")
    case = ("case", "open", "2027-015", "--purpose", "a leak", "--room", "!all", "--as", "k.saar")
    await terminal.run(*case)
    look = ("--case", "2027-015", "--as", "k.saar")
    assert await terminal.found("budget", *look) == []
    await terminal.run("case", "approve", "2027-015", "--as", "w.kask")
    assert await terminal.found("budget", *look) == ["$open"]
    assert "everybody's budget" in await terminal.run("show", "$open", *look)


async def test_case_lets_in_whom_it_allows_and_nobody_else(terminal: Terminal) -> None:
    """Whoever is not among its people, or does not say who they are, is refused in plain words; that is an entry."""
    await terminal.run(*OPEN)
    await terminal.run("case", "approve", "2027-014", "--as", "w.kask")
    for words, reason in ((("--as", "l.lepp"), "does not allow you in"), ((), "say with --as who you are")):
        for verb in (("search", "budget"), ("show", "$open"), ("prove", "$open")):
            with pytest.raises(RefusedError, match=reason):
                await terminal.run(*verb, "--case", "2027-014", *words)
    deed, details = (await terminal.deeds())[-1]
    assert deed == "refuse"
    assert details["case"] == "2027-014"
    with pytest.raises(UnknownNameError, match="no case '9'"):
        await terminal.run("search", "budget", "--case", "9")


async def test_who_lets_more_people_in_needs_a_new_approval(terminal: Terminal) -> None:
    """An approval is for exactly the case as it was; after `allow` it opens nothing, approved again it does."""
    await terminal.run(*OPEN)
    await terminal.run("case", "approve", "2027-014", "--as", "w.kask")
    await terminal.run("show", "$secret", *LOOK)
    await terminal.run("case", "allow", "2027-014", "l.lepp", "--as", "k.saar")
    with pytest.raises(RefusedError, match="was changed after its approval"):
        await terminal.run("show", "$secret", *LOOK)
    await terminal.run("case", "approve", "2027-014", "--as", "w.kask")
    assert "ours" in await terminal.run("show", "$secret", "--case", "2027-014", "--as", "l.lepp")


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        ("i.rebane", "may not approve cases"),
        ("k.saar", "may not approve cases"),
        ("m.tamm", "may not approve cases"),
    ],
)
async def test_only_those_whom_the_policy_names_approve(terminal: Terminal, person: str, reason: str) -> None:
    """Whoever matches none of `archive.approvers` approves no case."""
    await terminal.run(*OPEN)
    with pytest.raises(RefusedError, match=reason):
        await terminal.run("case", "approve", "2027-014", "--as", person)


@pytest.mark.parametrize(
    ("person", "reason"), [("k.saar", "opened"), ("l.lepp", "is let into"), ("m.tamm", "is one of the custodians of")]
)
async def test_approver_is_a_second_person(terminal: Terminal, person: str, reason: str) -> None:
    """Neither who opened the case nor anybody it allows in or is about approves it; else the brake's approvers do."""
    terminal.services.text = (
        'version: 1\ncompany: N\nbrake: {approvers: [\'department eq "Legal" or department eq "Fleet"\']}\n'
    )
    await terminal.run(*OPEN, "--allow", "l.lepp")
    with pytest.raises(RefusedError, match=reason):
        await terminal.run("case", "approve", "2027-014", "--as", person)


async def test_approval_that_nobody_used_lapses(terminal: Terminal) -> None:
    """After `brake.approval` an approval opens nothing, unless direct rooms were opened by it before."""
    await terminal.run(*OPEN)
    await terminal.run("case", "approve", "2027-014", "--as", "w.kask")
    terminal.services.now += timedelta(hours=24)
    with pytest.raises(RefusedError, match="lapsed unused"):
        await terminal.run("show", "$secret", *LOOK)
    await terminal.run("case", "approve", "2027-014", "--as", "w.kask")
    assert "$secret" in await terminal.found("budget", *LOOK)
    terminal.services.now += timedelta(days=90)
    assert "ours" in await terminal.run("show", "$secret", *LOOK)


async def test_case_opens_its_dates_only(terminal: Terminal) -> None:
    """What was said in a direct room before or after the case's dates stays closed."""
    await terminal.run(*OPEN, "--until", "2023-11-15T12:00")
    await terminal.run("case", "approve", "2027-014", "--as", "w.kask")
    assert await terminal.found("budget", *LOOK) == ["$secret", "$open"]
    with pytest.raises(RefusedError, match="is not about"):
        await terminal.run("show", "$late", *LOOK)


async def test_closed_case_opens_nothing(terminal: Terminal) -> None:
    """A case that was closed is refused, and cannot be changed or approved again."""
    await terminal.run(*OPEN)
    await terminal.run("case", "approve", "2027-014", "--as", "w.kask")
    await terminal.run("case", "close", "2027-014", "--as", "k.saar")
    for words in (
        ("show", "$secret", *LOOK),
        ("case", "approve", "2027-014", "--as", "w.kask"),
        ("case", "allow", "2027-014", "l.lepp"),
        ("case", "close", "2027-014"),
    ):
        with pytest.raises(RefusedError, match=r"was closed 2027-03-01 by k\.saar"):
            await terminal.run(*words)


async def test_everything_done_for_a_case_is_an_entry(terminal: Terminal) -> None:
    """Opening, approving, looking and closing stand in the log, with the case."""
    await terminal.run(*OPEN)
    await terminal.run("case", "approve", "2027-014", "--as", "w.kask")
    await terminal.run("search", "budget", *LOOK)
    await terminal.run("show", "$secret", *LOOK)
    await terminal.run("case", "close", "2027-014", "--as", "k.saar")
    deeds = await terminal.deeds()
    assert [deed for deed, _ in deeds] == ["case", "case", "search", "view", "case"]
    assert [details.get("do") for _, details in deeds] == ["open", "approve", None, None, "close"]
    assert all(details["case"] == "2027-014" for _, details in deeds)
    assert deeds[0][1]["scope"]["people"] == [MARI]
    assert deeds[1][1]["digest"] == (await terminal.json("case", "show", "2027-014"))["digest"]


async def test_cases_are_listed_and_shown(terminal: Terminal) -> None:
    """Numbers are taken once; a case says why, whom it is about, and who may look."""
    assert await terminal.run("case", "list") == "There is no case.\n"
    await terminal.run(*OPEN)
    with pytest.raises(InputError, match="already"):
        await terminal.run(*OPEN)
    with pytest.raises(RefusedError, match="say with --as"):
        await terminal.run("case", "open", "2", "--purpose", "x", "--person", "m.tamm")
    assert "2027-014  2027-03-01 12:00:00Z  k.saar" in await terminal.run("case", "list")
    ((notice, _),) = await read_untold(terminal.services.pool)
    assert "waits for a second person" in notice.body
    assert not [word for word in ("a leak", MARI, "Mari") if word in notice.body]
    shown = await terminal.run("case", "show", "2027-014")
    assert "purpose   a leak\npeople    @m.tamm:x\nallowed   k.saar\n" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


async def test_exporters_ask_for_many_events_at_once(terminal: Terminal, pool: Pool) -> None:
    """`passing` lets through exactly what may be seen one by one."""
    person = (await load_person(pool, "k.saar")).id
    await terminal.run(*OPEN)
    await terminal.run("case", "approve", "2027-014", "--as", "w.kask")
    seqs = {row["event_id"]: row["seq"] for row in await pool.fetch("SELECT event_id, seq FROM event")}
    for number, seen in ((None, {"$open"}), ("2027-014", {"$open", "$secret", "$late"})):
        access = await Access.of(
            pool,
            Looker(Actor("k.saar", "root"), person),
            number,
            bot=terminal.services.homeserver.bot,
            lifetime=timedelta(hours=24),
            clock=terminal.services.clock,
        )
        asked = [EventId(event) for event in ("$open", "$secret", "$late", "$theirs")]
        passed = await access.passing(pool, [seqs[event] for event in asked])
        assert passed == {seqs[event] for event in seen}


async def test_room_of_many_is_open_from_when_the_third_came(terminal: Terminal, pool: Pool) -> None:
    """What two people said before a third came stays closed, however many come later; what was said since is open."""
    people = [f"@p{number}:x" for number in range(60)]
    await archived(
        pool,
        member("$a", people[0], "!grows", direct=True),
        member("$b", people[1], "!grows"),
        said("$alone", "budget of two", DAY, room_id="!grows", sender=people[0]),
        *(
            {**member(f"$m{number}", who, "!grows"), "origin_server_ts": DAY + 1}
            for number, who in enumerate(people[2:])
        ),
        said("$crowd", "budget of sixty", DAY + 2, room_id="!grows", sender=people[0]),
    )
    assert "of sixty" in await terminal.run("show", "$crowd")
    with pytest.raises(RefusedError, match="which only a case opens"):
        await terminal.run("show", "$alone")
