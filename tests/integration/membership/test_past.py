"""`why` and `who` of past moments, from real tables and archived events."""

from __future__ import annotations

import argparse
import csv
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.archive.ingest import ingest
from bridge.cli import who as who_verb
from bridge.cli.audit import audit
from bridge.cli.who import list_people, verify
from bridge.cli.why import why
from bridge.directory.history_store import record_history
from bridge.directory.local_day import LocalDays
from bridge.directory.past_store import load_states, load_states_of
from bridge.directory.scim_shape import ENTERPRISE
from bridge.directory.store import directory_version
from bridge.errors import InputError, RefusedError, UnknownNameError
from bridge.ids import PersonId, UserId
from bridge.membership.past_store import read_holders, undone
from bridge.policy.source import good_policy
from bridge.policy.store import keep_policy, policy_at
from tests.integration.membership.conftest import Company, user
from tests.integration.membership.homeserver import SERVER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.app import Services
    from bridge.database import Pool
    from bridge.homeserver.event import Event

_STORY_ENDS = datetime(2026, 7, 1, tzinfo=UTC)
"""What was recorded after this was recorded by the machine's clock."""
MARCH = datetime(2026, 3, 2, 9, tzinfo=UTC)
POLICY = """\
version: 1
company: Nordwind
rooms:
  lounge: {name: Lounge, members: active eq true}
  department:
    for_each: department
    name: "{department}"
    members: userType ne "Contractor"
    moderators: title eq "Head"
    exclusive: true
"""
WITHOUT_LOUNGE = POLICY.replace("  lounge: {name: Lounge, members: active eq true}\n", "")


class Past:
    """A company whose every step is a day later than the last, with an archive."""

    def __init__(self, company: Company, folder: Path) -> None:
        self.company = company
        self.pool = company.pool
        self.folder = folder
        company.now = MARCH
        company.homeserver._time = int(MARCH.timestamp() * 1000)
        self.services = cast(
            "Services",
            SimpleNamespace(
                config=SimpleNamespace(
                    attributes=(), directory=SimpleNamespace(timezone="UTC"), data=folder / "data", path=folder
                ),
                pool=company.pool,
                homeserver=company.homeserver,
                accounts=company.homeserver,
                clock=company.clock,
                policy=lambda: company.policy,
                local_days=lambda: LocalDays(company.clock()),
            ),
        )

    async def rule(self, text: str) -> None:
        self.company.policy = good_policy(text, "policy.yaml", ())
        await keep_policy(self.pool, self.company.policy.digest, text, self.company.clock())

    async def say(self, name: str, **said: Any) -> None:
        """Have HR say something of a person over SCIM."""
        await say(self.company, name, **said)

    async def settle(self) -> None:
        """Reconcile, and archive what happened with what the clock says; then a day passes."""
        await self.company.reconcile()
        await self.archive(self.company.homeserver.deliver())
        await self.next_day()

    async def archive(self, events: Sequence[Event]) -> None:
        await self.company.consumer.handle(events)
        await ingest(self.pool, [raw(event) for event in events])

    async def next_day(self) -> None:
        """Let a day pass; what was recorded until now is dated to the day that it was."""
        assert self.company.now is not None
        today = self.company.now
        await self.pool.execute(
            "UPDATE person_history SET recorded_at = $1, valid_from = $2 WHERE recorded_at > $3",
            today,
            today.date(),
            _STORY_ENDS,
        )
        await self.pool.execute(
            "UPDATE event SET received_at = $1::timestamptz + seq * interval '1 microsecond' WHERE received_at > $2",
            today,
            _STORY_ENDS,
        )
        self.company.now = today + timedelta(days=1)
        self.company.homeserver._time = int(self.company.now.timestamp() * 1000)


async def say(company: Company, name: str, **said: Any) -> None:
    """Have HR say something of a person, and keep the state."""
    await company.say(name, **said)
    async with company.pool.acquire() as connection:
        version = await directory_version(connection)
        id_ = company.ids[name]
        await record_history(connection, [id_], version=version, source="scim:okta", action="changed")


def raw(event: Event) -> dict[str, Any]:
    """Return an event as the homeserver sends it."""
    return {
        "event_id": event.event_id,
        "room_id": event.room_id,
        "type": event.type,
        "sender": event.sender,
        "state_key": event.state_key,
        "content": dict(event.content),
        "origin_server_ts": event.timestamp,
    }


@pytest.fixture
async def past(empty_company: Company, tmp_path: Path) -> Past:
    """Ann and Bob are hired on the 2nd of March; Bob moves to IT on the 3rd; Ann leaves on the 4th; it is the 5th."""
    story = Past(empty_company, tmp_path)
    await story.rule(POLICY)
    await story.say("ann", department="Sales", title="Head")
    await story.say("bob", department="Sales")
    await story.settle()
    await story.say("bob", department="IT")
    await story.settle()
    await story.say("ann", department="Sales", title="Head", active=False)
    await story.settle()
    return story


def at(day: int, hour: int = 12) -> str:
    return f"2026-03-{day:02}T{hour:02}:00"


async def explained(
    past: Past, capsys: pytest.CaptureFixture[str], person: str, when: str | None, room: str | None = None
) -> Any:
    capsys.readouterr()
    assert await why(argparse.Namespace(json=True, person=person, room=room, at=when), past.services) == 0
    return json.loads(capsys.readouterr().out)


def who_args(room: str | None, when: str | None = None, **more: Any) -> argparse.Namespace:
    plain = {"json": True, "room": room, "at": when, "all": room is None, "report": None, "by": None, "verify": None}
    return argparse.Namespace(**{**plain, **more})


async def listed(past: Past, capsys: pytest.CaptureFixture[str], room: str | None, when: str | None = None) -> Any:
    capsys.readouterr()
    assert await list_people(who_args(room, when), past.services) == 0
    return json.loads(capsys.readouterr().out)


def people(occupancy: Any) -> list[str]:
    return [one["person"] for one in occupancy["occupants"] if one["person"]]


async def test_why_before_between_and_after(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who moved: each moment tells the room, rule, source, policy, entry, plan and event of then."""
    first = await explained(past, capsys, "bob", at(2))
    second = await explained(past, capsys, "bob", at(3))

    inside = [{room["room"]: room["there"] for room in found["rooms"]} for found in (first, second)]
    assert inside == [{"department/Sales": "in", "lounge": "in"}, {"department/IT": "in", "lounge": "in"}]
    sales = next(room for room in first["rooms"] if room["room"] == "department/Sales")
    assert (sales["rule"], sales["wanted"]) == ("rooms.department", True)
    assert (sales["answers"][0]["values"], sales["answers"][0]["source"]["at"][:10]) == (["Sales"], "2026-03-02")
    assert (sales["event"]["membership"], sales["event"]["sender"]) == ("join", user("bob"))
    assert sales["since"]["plan_digest"]
    assert sales["since"]["outcome"] == "done"
    assert second["policy"]["since"][:10] == "2026-03-02"
    left = await explained(past, capsys, "bob", at(3), "department/Sales")
    assert (left["rooms"][0]["there"], left["rooms"][0]["event"]["membership"]) == ("not in", "leave")
    assert left["rooms"][0]["since"]["action"] == "remove"


async def test_why_now_has_sources_and_events_too(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """The same witnesses, as of now; a leaver is explained as well, by user ID too."""
    found = await explained(past, capsys, "bob", None, "department/IT")
    (room,) = found["rooms"]
    assert room["answers"][0]["source"]["at"][:10] == "2026-03-03"
    assert room["event"]["event_id"].startswith("$")
    assert found["policy"]["since"][:10] == "2026-03-02"
    gone = await explained(past, capsys, user("ann"), at(4))
    assert (gone["works_here"], gone["enabled"], gone["rooms"]) == (False, False, [])


async def test_who_before_between_and_after(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """A room's people at each moment, with power, rule and event; who has left since is among them."""
    first = await listed(past, capsys, "department/Sales", at(2))
    assert people(first) == ["Ann", "Bob"]
    ann = first["occupants"][0]
    assert (ann["level"], ann["rule"], ann["title"], ann["since"][:10]) == (
        50,
        "rooms.department",
        "Head",
        "2026-03-02",
    )
    assert people(await listed(past, capsys, "department/Sales", at(3))) == ["Ann"]
    assert people(await listed(past, capsys, "department/Sales", at(4))) == []
    assert people(await listed(past, capsys, "department/Sales")) == []
    everything = await listed(past, capsys, None, at(3))
    assert {room["key"]: people(room) for room in everything} == {
        "department/IT": ["Bob"], "department/Sales": ["Ann"], "lounge": ["Ann", "Bob"],
    }  # fmt: skip


async def test_what_happened_before_anything_is_known_is_not_guessed(
    past: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first event, hire and policy there is nobody, and it is said."""
    with pytest.raises(UnknownNameError, match="did not know this person by 2026-03-01"):
        await explained(past, capsys, "bob", "2026-03-01")
    early = await listed(past, capsys, "!room0", "2026-03-01")
    assert (early["occupants"], early["complete"]) == ([], False)
    assert "oldest event of this room is of 2026-03-02" in early["completeness"]
    with pytest.raises(InputError, match="yet to come"):
        await listed(past, capsys, "lounge", "2026-03-06")


async def test_a_rule_that_is_gone_is_asked_as_it_was(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """The policy of then answers, also one that came back into force a second time."""
    await past.rule(WITHOUT_LOUNGE)
    await past.settle()
    await past.rule(POLICY)
    await past.next_day()

    rules = [(await listed(past, capsys, "lounge", at(day)))["rule"] for day in (4, 5, 6)]
    assert rules == ["rooms.lounge", "", "rooms.lounge"]
    found = await policy_at(past.pool, datetime(2026, 3, 6, 12, tzinfo=UTC))
    assert found is not None
    assert (found.text, found.since.day) == (POLICY, 6)


async def test_unmanaged_renamed_and_forgotten_rooms_are_found(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """By ID, alias and former name; a managed room whose row is gone keeps its key; guests name who let them in."""
    homeserver = past.company.homeserver
    guest = UserId("@guest:elsewhere.example")
    club = homeserver.make_room(user("bob"))
    homeserver.set_state(club, user("bob"), "m.room.name", {"name": "Chess"})
    homeserver.act(club, user("bob"), "invite", guest)
    homeserver.act(club, guest, "join", guest)
    await past.archive(homeserver.deliver())
    await past.next_day()
    homeserver.set_state(club, user("bob"), "m.room.name", {"name": "Draughts"})
    homeserver.set_state(club, user("bob"), "m.room.canonical_alias", {"alias": f"#club:{SERVER}"})
    await past.archive(homeserver.deliver())
    await past.pool.execute("DELETE FROM managed_room")
    await past.next_day()

    for name in (club, "chess", "Draughts", f"#club:{SERVER}"):
        found = await listed(past, capsys, name)
        assert {one["user_id"]: one["reason"] for one in found["occupants"]} == {
            user("bob"): "came in without an invitation",
            guest: f"invited by {user('bob')}",
        }
    assert people(await listed(past, capsys, "department/IT")) == ["Bob"]
    with pytest.raises(UnknownNameError, match="Did you mean lounge"):
        await listed(past, capsys, "lounges")
    (mine,) = [room for room in (await explained(past, capsys, "bob", at(5)))["rooms"] if room["room"] == club]
    assert (mine["there"], mine["name"], mine["wanted"]) == ("in", "Chess", False)


async def test_events_that_were_fetched_late_are_in_their_place(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """The moment of sending counts, not that of archiving; the statement of completeness follows the comparison."""
    room = past.company.homeserver.room("lounge")
    late = {
        "event_id": "$late", "room_id": room, "type": "m.room.member", "sender": "@late:x", "state_key": "@late:x",
        "content": {"membership": "join"}, "origin_server_ts": int(MARCH.timestamp() * 1000) + 3_600_000,
    }  # fmt: skip
    await ingest(past.pool, [late], "backfill")
    await past.pool.execute("INSERT INTO room_seen VALUES ($1, '$late', 9, 1, $2)", room, MARCH + timedelta(days=2))

    assert "@late:x" not in str(await listed(past, capsys, "lounge", at(2, 9)))
    found = await listed(past, capsys, "lounge", at(2))
    assert "@late:x" in [one["user_id"] for one in found["occupants"]]
    assert found["complete"]
    assert "1 events were fetched afterwards" in found["completeness"]
    assert not (await listed(past, capsys, "lounge", at(4)))["complete"]


async def test_an_event_dated_in_the_future_counts_when_it_came(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """Else nobody would ever have been there."""
    room = past.company.homeserver.room("lounge")
    await ingest(past.pool, [{
        "event_id": "$future", "room_id": room, "type": "m.room.member", "sender": "@f:x", "state_key": "@f:x",
        "content": {"membership": "join"}, "origin_server_ts": 2**53 - 1,
    }])  # fmt: skip
    await past.next_day()
    assert "@f:x" in str(await listed(past, capsys, "lounge"))
    assert "@f:x" not in str(await listed(past, capsys, "lounge", at(4)))


async def test_a_report_is_written_signed_and_recorded(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """CSV and HTML with a signature that --verify accepts until a byte changes; the audit log says for whom."""
    file = past.folder / "access.csv"
    assert await list_people(who_args(None, at(3), report=file, by="bob"), past.services) == 0
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert [(row["name"], row["room"]) for row in rows if row["name"]] == [
        ("Bob", "department/IT"), ("Ann", "department/Sales"), ("Ann", "lounge"), ("Bob", "lounge"),
    ]  # fmt: skip
    await list_people(who_args("lounge", report=past.folder / "lounge.html"), past.services)
    assert "Access report, Nordwind" in (past.folder / "lounge.html").read_text()
    capsys.readouterr()
    await audit(argparse.Namespace(json=True, person="bob", room=None, limit=1), past.services)
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["action"], entry["outcome"], entry["cause"]) == ("make report", "done", "report")
    assert entry["set_off_by"] == "Bob"
    signature = json.loads((past.folder / "access.csv.sig").read_text())
    assert entry["value"] == f"access.csv, SHA-256 {signature['sha256']}"
    assert entry["reason"] == "asked for by bob, as of 2026-03-03T12:00:00+00:00"


async def test_verify_needs_neither_database_nor_homeserver(
    past: Past, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts a report that is as it was signed, and refuses every other."""
    file = past.folder / "access.html"
    await list_people(who_args("lounge", report=file), past.services)
    monkeypatch.setattr(who_verb, "load_config", lambda path: past.services.config)
    checking = argparse.Namespace(json=False, verify=file, config=past.folder / "config.yaml")
    capsys.readouterr()
    assert await verify(checking) == 0
    assert "is as it was signed at 2026-03-05" in capsys.readouterr().out
    file.write_text(file.read_text().replace("Bob", "Rob"))
    with pytest.raises(RefusedError, match=r"access\.html: The file is not the one that was signed"):
        await verify(checking)


@pytest.mark.parametrize("name", ["access.pdf", "taken.csv", "signed.csv"])
async def test_a_report_that_cannot_be_written_is_not_recorded(past: Past, name: str) -> None:
    """Another ending, and a file or signature that exists, are refused before anything is done."""
    (past.folder / "taken.csv").write_text("mine")
    (past.folder / "signed.csv.sig").write_text("mine")
    with pytest.raises((InputError, RefusedError)):
        await list_people(who_args("lounge", report=past.folder / name), past.services)
    assert (past.folder / "taken.csv").read_text() == "mine"
    assert await past.pool.fetchval("SELECT count(*) FROM entry WHERE action = 'make report'") == 0


async def test_a_report_that_fails_on_the_way_is_recorded_as_failed(past: Past) -> None:
    """The entry comes first, so that no report is without one."""
    with pytest.raises(Exception, match="cannot be written"):
        await list_people(who_args("lounge", report=past.folder / "none" / "a.csv"), past.services)
    assert await past.pool.fetchval("SELECT outcome FROM entry WHERE action = 'make report'") == "failed"


async def test_managers_are_those_of_then(empty_company: Company) -> None:
    """A state of the past has the manager that HR named, by the name of then, when the directory had that person."""
    await say(empty_company, "eve", title="Chief")
    await say(empty_company, "bob", title="Clerk")
    await empty_company.pool.execute(
        "UPDATE person_history SET document = document || jsonb_build_object($1::text,"
        " jsonb_build_object('manager', jsonb_build_object('value', $2::text))) WHERE person_id = $3",
        ENTERPRISE,
        empty_company.ids["eve"],
        empty_company.ids["bob"],
    )
    bob = empty_company.ids["bob"]
    states = await load_states(empty_company.pool, datetime.now(UTC) + timedelta(days=1))
    (job,) = states[bob].person.employments
    assert (job.manager, job.manager_name) == (empty_company.ids["eve"], "Eve")
    assert await load_states_of(empty_company.pool, bob, datetime(2000, 1, 1, tzinfo=UTC)) == []


async def test_an_account_was_its_former_holders_before_a_relink(pool: Pool) -> None:
    """Who has come back under a new id has the old account since then, and not before."""
    old, new = PersonId("old"), PersonId("new")
    assert undone({UserId("@a:x"): new, UserId("@b:x"): old}, [(old, new)]) == {"@a:x": old, "@b:x": new}
    assert await read_holders(pool, datetime.now(UTC)) == {}


async def test_the_log_of_policies_begins_with_what_the_runs_tell(pool: Pool) -> None:
    """A version that stays in force is written once, however often it is loaded."""
    for day, digest in enumerate(["a", "a", "b", "a"], start=1):
        await keep_policy(pool, digest, digest, MARCH + timedelta(days=day))
    rows = await pool.fetch("SELECT digest, since FROM policy_in_force ORDER BY id")
    assert [(row["digest"], row["since"].day) for row in rows] == [("a", 3), ("b", 5), ("a", 6)]
    assert await policy_at(pool, MARCH) is None
