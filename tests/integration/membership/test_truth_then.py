"""Exceptions, barriers, the manager relation, hand-overs, returns, renames and what waits, as `why` and `who` tell them
of past moments."""

from __future__ import annotations

import argparse
import csv
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from bridge.cli.who import list_people
from bridge.cli.why import why
from bridge.directory.scim_shape import ENTERPRISE
from bridge.membership.exemption_store import put_exemption
from bridge.policy.schema import Exemption
from tests.integration.membership.conftest import user
from tests.integration.membership.test_past import Past, at, explained, listed, who_args

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.membership.conftest import Company

BASE = """\
version: 1
company: Nordwind
rooms:
  lounge: {name: Lounge, members: active eq true, moderators: {managers: 1}}
  yard: {name: Yard, members: title eq "Driver"}
"""
WALLED = (
    BASE
    + """\
barriers:
  - {between: department eq "Research", and: department eq "Trading", reason: research independence}
"""
)
EACH = """\
version: 1
company: Nordwind
rooms:
  department: {for_each: department, name: "{department}"}
"""


@pytest.fixture
async def story(empty_company: Company, tmp_path: Path) -> Past:
    """Nobody works here yet; it is the 2nd of March."""
    return Past(empty_company, tmp_path)


async def room_of(story: Past, capsys: pytest.CaptureFixture[str], person: str, when: str | None, room: str) -> Any:
    (found,) = (await explained(story, capsys, person, when, room))["rooms"]
    return found


def one_of(occupancy: Any, person: str) -> Any:
    (found,) = [one for one in (*occupancy["occupants"], *occupancy["absent"]) if one["person"] == person]
    return found


async def test_an_exception_counts_from_when_it_was_made_until_its_day_is_over(
    story: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before it the rule alone answers, then the exception with who made it, afterwards the rule again."""
    await story.rule(BASE)
    await story.say("ann", department="Sales")
    await story.settle()
    made = Exemption("yard", "", story.company.ids["ann"], True, date(2026, 3, 4), "k.saar", "covers")
    async with story.pool.acquire() as db:
        await put_exemption(db, made, "@k.saar:x", story.company.clock())
    await story.settle()
    await story.settle()
    await story.settle()

    before, during, after = [await room_of(story, capsys, "ann", at(day), "yard") for day in (2, 3, 5)]
    assert [(one["there"], one["wanted"]) for one in (before, during, after)] == [
        ("not in", False), ("in", True), ("not in", False),
    ]  # fmt: skip
    exception = during["grounds"]["exception"]
    assert (exception["until"], exception["owner"], exception["reason"]) == ("2026-03-04", "k.saar", "covers")
    assert exception["source"].startswith("made by @k.saar:x at 2026-03-03")
    assert (before["grounds"]["exception"], after["grounds"]["exception"]) == (None, None)
    assert after["since"]["action"] == "remove"
    ann = one_of(await listed(story, capsys, "yard", at(3)), "Ann")
    assert (ann["ground"], ann["until"], ann["owner"]) == ("exception", "2026-03-04", "k.saar")


async def test_whom_a_barrier_kept_out_then_is_told_though_it_is_gone_now(
    story: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the barrier's reason, side and place in the policy of then; the report has them too."""
    await story.rule(WALLED)
    await story.say("ann", department="Research")
    await story.say("bob", department="Trading")
    await story.settle()
    await story.rule(BASE)
    await story.settle()

    found = await room_of(story, capsys, "bob", at(2), "lounge")
    assert (found["there"], found["wanted"], found["grounds"]["ground"]) == ("not in", False, "barrier")
    barrier = found["grounds"]["barrier"]
    assert (barrier["reason"], barrier["side"]) == ("research independence", 'department eq "Trading"')
    assert barrier["answers"][0]["source"]["at"][:10] == "2026-03-02"
    assert barrier["source"].endswith("line 7")
    assert (await room_of(story, capsys, "bob", at(3), "lounge"))["wanted"]
    bob = one_of(await listed(story, capsys, "lounge", at(2)), "Bob")
    assert (bob["membership"], bob["reason"]) == ("kept out", "kept out by the barrier 'research independence'")
    file = story.folder / "access.csv"
    assert await list_people(who_args("lounge", at(2), report=file, by="ann"), story.services) == 0
    rows = {row["name"]: row for row in csv.DictReader(file.read_text("utf-8-sig").splitlines())}
    assert (rows["Bob"]["membership"], rows["Bob"]["by"], rows["Ann"]["by"]) == ("kept out", "barrier", "rule")


async def test_the_side_that_was_there_first_kept_the_room_then_too(
    story: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who stays depends on who was inside, as the archive has it."""
    await story.rule(WALLED)
    await story.say("bob", department="Trading")
    await story.settle()
    await story.say("ann", department="Research")
    await story.settle()

    for when in (at(3), None):
        assert (await room_of(story, capsys, "bob", when, "lounge"))["wanted"]
        assert (await room_of(story, capsys, "ann", when, "lounge"))["grounds"]["ground"] == "barrier"
        assert one_of(await listed(story, capsys, "lounge", when), "Ann")["membership"] == "kept out"


async def test_a_manager_had_power_by_those_below(story: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """The report is named; before there was one, there was no power."""
    await story.rule(BASE)
    await story.say("ann", department="Sales")
    await story.say("bob", department="Sales")
    await story.settle()
    manager = {"manager": {"value": story.company.ids["ann"]}, "department": "Sales"}
    await story.say("bob", **{ENTERPRISE: manager})
    await story.settle()

    assert (await room_of(story, capsys, "ann", at(2), "lounge"))["grounds"]["power"] is None
    for when in (at(3), None):
        found = await room_of(story, capsys, "ann", when, "lounge")
        assert (found["level"], found["wanted_level"], found["grounds"]["power"]["reports"][0][:4]) == (50, 50, "Bob ")
        assert (found["ranked"]["action"], found["ranked"]["outcome"]) == ("raise power", "done")
        assert one_of(await listed(story, capsys, "lounge", when), "Ann")["power_by"].endswith("manager of Bob")


async def test_a_removal_that_waits_is_told_with_since_when(story: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """Now with the digest and the brake's words, of a past moment by the entry of the audit log."""
    await story.rule(BASE + "brake: {protected: ['department eq \"Board\"']}\n")
    await story.say("ann", department="Board", title="Driver")
    await story.settle()
    await story.say("ann", department="Board", title="Clerk")
    await story.settle()

    now = await room_of(story, capsys, "ann", None, "yard")
    (held,) = await story.pool.fetch("SELECT digest FROM held")
    assert (now["there"], now["wanted"], now["waits"]["digest"]) == ("in", False, held["digest"])
    assert now["waits"]["held_because"]
    then = await room_of(story, capsys, "ann", at(3), "yard")
    assert (then["waits"]["action"], then["waits"]["since"][:10], then["waits"]["entry"]) == (
        "remove", "2026-03-03", now["waits"]["entry"],
    )  # fmt: skip
    assert (await room_of(story, capsys, "ann", at(2), "yard"))["waits"] is None
    assert "waits for a second person since 2026-03-03" in one_of(await listed(story, capsys, "yard"), "Ann")["waits"]
    capsys.readouterr()
    await why(argparse.Namespace(json=False, person="ann", room="yard", at=None), story.services)
    assert "waits for a second person" in capsys.readouterr().out


async def test_an_heir_is_told_whose_room_it_was(story: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """A room that people made, passed on by its last administrator: to both, and in the room's list."""
    await story.rule(BASE)
    await story.say("ann", department="Sales")
    await story.say("bob", department="Sales")
    await story.settle()
    homeserver = story.company.homeserver
    club = homeserver.make_room(user("ann"))
    homeserver.act(club, user("bob"), "join", user("bob"))
    await story.archive(homeserver.deliver())
    await story.say("ann", department="Sales", active=False)
    await story.settle()

    for when in (at(3), None):
        found = await room_of(story, capsys, "bob", when, club)
        assert found["remark"].startswith(f"Took the room over from {user('ann')}")
        assert (found["handed_over"]["action"], found["handed_over"]["outcome"]) == ("hand over room", "done")
        bob = one_of(await listed(story, capsys, club, when), "Bob")
        assert (bob["ground"], bob["source"]) == ("hand-over", f"entry {found['handed_over']['entry']}")
    left = await room_of(story, capsys, "ann", at(3), club)
    assert (left["there"], left["handed_over"]["action"]) == ("not in", "hand over room")


async def test_a_guest_is_owed_the_place_while_away_and_has_it_back(
    story: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    """Told of each moment, also when the place was given back since."""
    await story.rule(BASE)
    await story.say("ann", department="Sales")
    await story.say("bob", department="Sales", title="Driver")
    await story.settle()
    homeserver = story.company.homeserver
    homeserver.act(homeserver.room("yard"), user("ann"), "join", user("ann"))
    await story.archive(homeserver.deliver())
    await story.next_day()
    await story.say("ann", department="Sales", active=False)
    await story.settle()
    await story.say("ann", department="Sales", active=True)
    await story.settle()

    told = [(await room_of(story, capsys, "ann", at(day), "yard"))["remark"] for day in (3, 4, 5)]
    assert [bool(one) for one in told] == [False, True, True]
    assert "was to get the place back" in told[1]
    assert "got the place back with the account" in told[2]
    assert one_of(await listed(story, capsys, "yard", at(5)), "Ann")["ground"] == "return"


async def test_a_room_is_asked_for_the_value_that_it_was_for(story: Past, capsys: pytest.CaptureFixture[str]) -> None:
    """Whose people went over to a new name together, in the same room."""
    await story.rule(EACH)
    names = ("ann", "bob", "cid")
    for name in names:
        await story.say(name, department="Sales")
    await story.settle()
    for name in names:
        await story.say(name, department="Revenue")
    await story.settle()

    for when, value in ((at(2), "Sales"), (at(3), "Revenue"), (None, "Revenue")):
        found = await room_of(story, capsys, "ann", when, "department/Sales")
        assert (found["there"], found["wanted"]) == ("in", True)
        assert found["selector"].startswith(f'department eq "{value}"')
        assert one_of(await listed(story, capsys, "department/Sales", when), "Ann")["rule"] == "rooms.department"
