"""Garden leave, the return of a leaver, moves that are told beforehand, and words nobody has explained."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.directory.person import Standing
from bridge.directory.scim_shape import MUSTER
from bridge.directory.status_store import put_statuses
from bridge.membership.noticeboard import Noticeboard
from bridge.membership.plan_scope import BARRED, LEAVER
from tests.integration.membership.conftest import PROMPT, RULES, Company, user
from tests.integration.membership.homeserver import KilledError

BOARD = {"members": 'department eq "Board"'}
WITH_BOARD = {**RULES, "rooms": {**RULES["rooms"], "board": BOARD}}
STATUSES = {"Active": Standing.WORKS, "Garden leave": Standing.BARRED, "Terminated": Standing.LEFT}
MOVE = {
    "department": "Sales",
    MUSTER: {
        "start": "2020-01-01",
        "end": "2027-03-31",
        "employments": [{"department": "IT", "start": "2027-04-01"}],
    },
}


def status(word: str) -> dict[str, Any]:
    return {MUSTER: {"employmentStatus": word}}


def rooms_of(company: Company, name: str) -> set[str]:
    homeserver = company.homeserver
    keys = (room.content("io.muster.room")["key"] for room in homeserver.rooms.values())
    return {key for key in keys if name in homeserver.people(key)}


@PROMPT
async def test_restore_of_rooms_and_power(company: Company, prompt: bool) -> None:
    """Who leaves and comes back has every managed room again, also one as a guest, and the power of before."""
    if prompt:
        company.deliver_at_once()
    company.rule(WITH_BOARD)
    await company.settle()
    board = company.homeserver.room("board")
    company.homeserver.act(board, user("eve"), "join", user("ann"))
    await company.deliver()
    assert not (await company.settle()).plan.changes
    before, power = rooms_of(company, "ann"), company.homeserver.power("department/Sales")
    assert "board" in before
    assert power == {"ann": 50}

    await company.say("ann", active=False)
    await company.settle()
    assert rooms_of(company, "ann") == set()
    await company.say("ann", active=True)
    await company.settle()
    assert rooms_of(company, "ann") == before
    assert company.homeserver.power("department/Sales") == power
    assert not (await company.settle()).plan.changes, "a guest who is back is a guest still"
    company.homeserver.act(board, user("eve"), "leave", user("ann"))
    await company.deliver()
    assert not (await company.settle()).plan.changes, "and may be shown out"


async def test_restore_not_into_an_exclusive_room(company: Company) -> None:
    """A room that has become exclusive meanwhile does not take former guests back."""
    company.rule(WITH_BOARD)
    await company.settle()
    company.homeserver.act(company.homeserver.room("board"), user("eve"), "join", user("ann"))
    await company.deliver()
    await company.say("ann", active=False)
    await company.settle()
    company.rule({**RULES, "rooms": {**RULES["rooms"], "board": {**BOARD, "exclusive": True}}}, "policy-2")
    await company.say("ann", active=True)
    await company.settle()
    assert "board" not in rooms_of(company, "ann")
    assert "lounge" in rooms_of(company, "ann")


async def test_leave_of_absence_that_bars_and_ends(company: Company) -> None:
    """Garden leave takes access, rooms and sessions, says that it is no leaving, and gives all back."""
    await put_statuses(company.pool, STATUSES)
    await company.settle()
    before = rooms_of(company, "ann")
    for word, reason in (("Garden leave", BARRED), ("Terminated", LEAVER)):
        await company.say("ann", **status(word))
        barred = await company.settle()
        assert {change.reason for change in barred.plan.changes} == {reason}
        assert company.homeserver.users[user("ann")].locked
        assert rooms_of(company, "ann") == set()
        await company.say("ann", **status("Active"))
        await company.settle()
        assert not company.homeserver.users[user("ann")].locked
        assert rooms_of(company, "ann") == before


async def test_leave_of_absence_by_a_word_nobody_explained_is_told(company: Company) -> None:
    """The administrators are told in their room, once for each word, and never of whom it is said."""
    await put_statuses(company.pool, STATUSES)
    await company.settle()

    def told() -> list[str]:
        said = company.homeserver.rooms[company.homeserver.room("administrators")].said
        return [event.content["body"] for event in said]

    await company.say("ann", **status("Sabbatical"))
    await company.say("bob", **status("SABBATICAL"))
    board = Noticeboard(company.pool, company.homeserver)
    for _ in range(2):
        await company.settle()
        await board.tell()
    (notice,) = told()
    assert "'sabbatical' as employmentStatus" in notice
    assert "ann" not in notice
    await company.say("cid", **status("Elsewhere"))
    await company.upkeep.catch_up()
    await board.tell()
    assert len(told()) == 2


async def test_effective_dates_of_a_move_told_beforehand(company: Company) -> None:
    """A move of next month, sent today as a further job, is acted on at midnight of the day, and not before."""
    company.now = datetime(2027, 3, 15, 12, tzinfo=UTC)
    await company.say("bob", timezone="Australia/Melbourne", **MOVE)
    await company.upkeep.catch_up()
    await company.deliver()
    assert {"department/Sales"} == {key for key in rooms_of(company, "bob") if "/" in key}
    midnight = datetime(2027, 3, 31, 13, tzinfo=UTC)
    assert await company.upkeep._next_boundary(company.now) == midnight
    company.now = midnight
    await company.upkeep.catch_up()
    await company.deliver()
    assert {"department/IT"} == {key for key in rooms_of(company, "bob") if "/" in key}


async def test_effective_dates_that_passed_while_killed(company: Company) -> None:
    """Killed in the middle of acting on the day, the next process finishes it, weeks later too."""
    company.now = datetime(2027, 3, 15, 12, tzinfo=UTC)
    await company.say("bob", **MOVE)
    await company.upkeep.catch_up()
    await company.deliver()
    company.now = datetime(2027, 4, 20, tzinfo=UTC)
    company.homeserver.after = lambda number, name: KilledError() if name in ("kick", "join") else None
    with pytest.raises(KilledError):
        await company.upkeep.catch_up()
    company.homeserver.after = lambda number, name: None
    await company.restarted().catch_up()
    await company.deliver()
    assert {"department/IT"} == {key for key in rooms_of(company, "bob") if "/" in key}
