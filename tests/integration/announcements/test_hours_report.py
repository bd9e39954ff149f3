"""`muster hours report` on the archive."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.app import Services
from bridge.archive.ingest import ingest
from bridge.cli import hours
from bridge.errors import InputError, RefusedError
from bridge.policy.schema import Policy
from bridge.policy.working_time import WorkingTime, week
from tests.integration.membership.conftest import Company, user
from tests.integration.membership.homeserver import BOT

if TYPE_CHECKING:
    from bridge.database import Pool

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
SALES = [f"sales{number}" for number in range(5)]


class FewServices:
    """What the verb uses of the services."""

    def __init__(self, pool: Pool, company: Company) -> None:
        self.pool = pool
        self.company = company
        self.homeserver = SimpleNamespace(bot=BOT)
        self.config = SimpleNamespace(directory=SimpleNamespace(timezone="UTC"))

    def policy(self) -> Policy:
        return self.company.policy

    def clock(self) -> datetime:
        return NOON


@pytest.fixture
async def services(pool: Pool) -> FewServices:
    """Five people of Sales and a guest in a room, and what they said by day and by night."""
    company = Company(pool)
    company.policy = replace(company.policy, hours=WorkingTime(week("mon-fri 08:00-17:00")))
    for name in SALES:
        await company.say(name, department="Sales")
        await pool.execute(
            "INSERT INTO account (person_id, user_id, display_name, enabled) VALUES ($1, $2, '', true)",
            company.ids[name],
            user(name),
        )
    await pool.executemany(
        "INSERT INTO room_member VALUES ('!room', $1, 'join', NULL, $2)",
        [(member, NOON) for member in (*map(user, SALES), "@guest:other", BOT)],
    )
    said = [
        _said(1, user("sales0"), NOON - timedelta(hours=1)),
        _said(2, user("sales1"), NOON - timedelta(hours=15)),
        _said(3, "@guest:other", NOON - timedelta(hours=15)),
        _said(4, BOT, NOON - timedelta(hours=15)),
        _said(5, user("sales1"), NOON - timedelta(weeks=6)),
    ]
    await ingest(pool, said)
    return FewServices(pool, company)


def _said(number: int, sender: str, at: datetime) -> dict[str, Any]:
    return {
        "event_id": f"${number}",
        "room_id": "!room",
        "type": "m.room.message",
        "sender": sender,
        "content": {"msgtype": "m.text", "body": "words"},
        "origin_server_ts": int(at.timestamp() * 1000),
    }


async def _report(services: FewServices, *words: str) -> int:
    parser = argparse.ArgumentParser()
    hours.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["hours", "report", *[word for word in words if word != "--json"]])
    args.json = "--json" in words
    return await hours.show_report(args, cast("Services", services))


async def test_the_archive_is_counted_by_department_and_week(
    services: FewServices, capsys: pytest.CaptureFixture[str]
) -> None:
    """What people and guests said in the last weeks; not the bot's words, and nobody's name."""
    assert await _report(services, "--json") == 0
    out = capsys.readouterr().out
    [row] = json.loads(out)
    assert (row["week"], row["department"], row["people"]) == ("2026-03-02", "Sales", 5)
    assert (row["sent"], row["sent_outside"]) == (2, 1)
    assert (row["received"], row["received_outside"]) == (4 + 4 + 5, 4 + 5)
    assert "sales1" not in out


async def test_a_period_is_what_was_asked_for(services: FewServices, capsys: pytest.CaptureFixture[str]) -> None:
    """As a table and as CSV; one that ends before it begins is refused."""
    assert await _report(services, "--since", "2026-01-01", "--until", "2026-03-01", "--csv") == 0
    [_, line] = capsys.readouterr().out.splitlines()
    assert line.split(",")[:5] == ["2026-01-19", "Sales", "5", "1", "0"]
    assert await _report(services, "--since", "2026-02-28", "--until", "2026-03-01") == 0
    assert "Nobody said anything" in capsys.readouterr().out
    assert await _report(services) == 0
    assert "2026-03-02  Sales" in capsys.readouterr().out
    with pytest.raises(InputError, match="--since before --until"):
        await _report(services, "--since", "2026-03-02", "--until", "2026-02-01")


async def test_without_hours_there_is_nothing_to_count(services: FewServices) -> None:
    """The administrator is told what to say first."""
    services.company.policy = replace(services.company.policy, hours=None)
    with pytest.raises(RefusedError, match="`hours:`"):
        await _report(services)
