"""Those who are missing are reminded, and those above them told: each step once, whatever ends in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bridge.announcements.form import POLL_START, Form, Kind
from bridge.announcements.nudging import Nudging
from bridge.directory.intake import import_csv
from bridge.ids import UserId
from bridge.policy.acknowledge import Acknowledge, Escalation
from bridge.policy.schema import Policy
from tests.integration.announcements import company
from tests.integration.announcements.company import ANNA, BO, CY, NEWS, NIGHT, NOW, found, reaction
from tests.integration.announcements.heard_company import ID, consumer, open_announcement, put_text

if TYPE_CHECKING:
    from bridge.database import Pool

DAY = timedelta(days=1)
RULE = Acknowledge(within=2 * DAY, remind=(DAY,), escalate=Escalation.MANAGER)
# Anna manages Bo and Cy, and Di manages Anna, who is not among those it is for.
PEOPLE = b"""externalId,userName,displayName,department,manager
4,di,Di,Board,
1,anna,Anna,Board,4
2,bo,Bo,Drivers,1
3,cy,Cy,Drivers,1
"""
DI = UserId("@di:company.example")


def policy() -> Policy:
    """The company's policy, whose desk wants to be heard within two days."""
    known = company.policy()
    return replace(known, desks={"desk": replace(known.desks["desk"], acknowledge=RULE)})


@pytest.fixture
async def pool(pool: Pool) -> Pool:
    """The company, with its managers and accounts in the database."""
    await found(pool)
    await pool.execute("DELETE FROM account")
    await import_csv(pool, PEOPLE, "hr.csv")
    await pool.execute(
        "INSERT INTO account (person_id, user_id, display_name, enabled)"
        " SELECT id, '@' || (document->>'userName') || ':company.example', initcap(document->>'userName'), true"
        " FROM scim_resource WHERE kind = 'User'"
    )
    return pool


async def _look(pool: Pool, at: datetime) -> datetime:
    return await Nudging(pool, policy, clock=lambda: at).look()


async def _said(pool: Pool, role: str) -> list[tuple[UserId, str]]:
    rows = await pool.fetch("SELECT user_id, content FROM outgoing WHERE role = $1 ORDER BY user_id, id", role)
    return [(UserId(row["user_id"]), row["content"].get("body", "")) for row in rows]


async def test_only_those_missing_are_reminded_once(pool: Pool) -> None:
    """A day after they got it, each in the own room; looking again, also in another process, says nothing."""
    await open_announcement(pool, at=NOW)
    await consumer(pool).handle([reaction(BO, NEWS, "$news")])
    assert await _look(pool, NOW) == NOW + timedelta(minutes=15)
    for hours in (23, 24, 24, 25):
        await _look(pool, NOW + timedelta(hours=hours))
    reminded = await _said(pool, "reminder")
    assert [user for user, _ in reminded] == [ANNA, CY]
    assert "“The gate is closed.”\n\nReact with ✅ to acknowledge." in reminded[0][1]


async def test_the_manager_gets_the_list_of_the_own_people_and_then_the_next_above(pool: Pool) -> None:
    """After two days Anna hears of Bo and Cy and Di of Anna; two days later Di hears of Bo and Cy."""
    await open_announcement(pool, at=NOW)
    await _look(pool, NOW + 2 * DAY)
    notes = dict(await _said(pool, "note"))
    assert set(notes) == {ANNA, DI}
    assert notes[ANNA].startswith("⏰ 2 of your people have not acknowledged")
    assert "• Bo\n• Cy" in notes[ANNA]
    assert "• Anna" in notes[DI]
    assert "Bo" not in notes[DI]
    await _look(pool, NOW + 4 * DAY)
    assert [user for user, _ in await _said(pool, "note")] == [ANNA, DI, DI]
    assert "• Bo\n• Cy" in (await _said(pool, "note"))[2][1]
    await _look(pool, NOW + 40 * DAY)
    assert len(await _said(pool, "note")) == 3


@pytest.mark.parametrize("state", ["over", "retracted"])
async def test_it_stops_when_the_announcement_is_over_or_taken_back(pool: Pool, state: str) -> None:
    """Nobody is reminded of what does not count any more."""
    await open_announcement(pool, at=NOW)
    await pool.execute("UPDATE announcement SET state = $1", state)
    await _look(pool, NOW + 9 * DAY)
    assert await _said(pool, "reminder") == await _said(pool, "note") == []


async def test_it_stops_when_it_is_acknowledged(pool: Pool) -> None:
    """Once everybody has answered nothing is said to anybody."""
    await open_announcement(pool, at=NOW)
    await consumer(pool).handle([reaction(who, NEWS, "$news") for who in (ANNA, BO, CY)])
    await _look(pool, NOW + 9 * DAY)
    assert await _said(pool, "reminder") == await _said(pool, "note") == []


async def test_whoever_is_on_leave_is_left_alone(pool: Pool) -> None:
    """Cy is away: not reminded, and not on the list."""
    await open_announcement(pool, at=NOW)
    await pool.execute("UPDATE scim_resource SET standing = 'away' WHERE document->>'userName' = 'cy'")
    await _look(pool, NOW + 2 * DAY)
    assert [user for user, _ in await _said(pool, "reminder")] == [ANNA, BO]
    assert "One of your people has not acknowledged" in dict(await _said(pool, "note"))[ANNA]


async def test_a_reminder_brings_the_poll_along(pool: Pool) -> None:
    """One can vote where one is reminded; the poll comes once."""
    await open_announcement(pool, Form(Kind.SURVEY, question="Canteen?", options=("Yes", "No")), at=NOW, people=(BO,))
    await _look(pool, NOW + DAY)
    rows = await pool.fetch("SELECT user_id, event_type FROM outgoing WHERE role = 'poll'")
    assert [tuple(row) for row in rows] == [(BO, POLL_START)]


async def test_a_new_text_starts_anew(pool: Pool) -> None:
    """Who acknowledged the text before is reminded of the new one, and told that it is another."""
    await open_announcement(pool, at=NOW, people=(BO,))
    await consumer(pool).handle([reaction(BO, NIGHT, "$night")])
    await put_text(pool, 2, at=NOW + DAY)
    await pool.execute("UPDATE recipient SET acknowledged_at = NULL")
    await _look(pool, NOW + DAY)
    assert await _said(pool, "reminder") == []
    await _look(pool, NOW + 2 * DAY)
    [(_, words)] = await _said(pool, "reminder")
    assert words.endswith("What you acknowledged was an earlier text: please answer this message anew.")
    assert await pool.fetchval("SELECT count(*) FROM nudge WHERE version = 2 AND announcement = $1", ID) == 1
