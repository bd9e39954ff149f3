"""`muster announcements show`: figures, departments, who is missing, and the files of evidence."""

from __future__ import annotations

import argparse
import csv
import io
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from bridge.announcements.form import Form, Kind
from bridge.app import Services
from bridge.cli import announcements
from bridge.errors import RefusedError, UnknownNameError
from tests.integration.announcements.company import ANNA, BO, CY, NEWS, NOW, found, reaction
from tests.integration.announcements.heard_company import ID, POLL, consumer, open_announcement, put_said, vote

if TYPE_CHECKING:
    from bridge.database import Pool


@dataclass
class FewServices:
    """What the verb uses of the services."""

    pool: Pool

    def clock(self) -> datetime:
        """Return noon."""
        return NOW


@pytest.fixture
async def services(pool: Pool) -> Services:
    """The services, as far as they are needed, with the company in the database."""
    await found(pool)
    return cast("Services", FewServices(pool))


def _args(*words: str, as_json: bool = False) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    announcements.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["announcements", *words])
    args.json = as_json
    return args


async def test_show_says_who_is_missing_where(
    pool: Pool, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures, a line for each department, and the names."""
    await open_announcement(pool)
    await pool.execute("UPDATE recipient SET department = CASE user_id WHEN $1 THEN 'Board' ELSE 'Drivers' END", ANNA)
    await consumer(pool).handle([reaction(BO, NEWS, "$news")])
    assert await announcements.announcements(_args("show", ID.upper()), services) == 0
    printed = capsys.readouterr().out
    assert "1 of 3 acknowledged (33 %) · 3 delivered · 0 seen" in printed
    assert "Missing (2):" in printed
    assert "Anna Tamm · CEO  @anna:company.example  Board" in printed
    lines = [line.split() for line in printed.splitlines()]
    assert ["Drivers", "2", "2", "0", "1", "50", "%"] in lines
    assert max(map(len, printed.splitlines())) <= 80


async def test_show_for_scripts_has_everybody(
    pool: Pool, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    """The results of a survey are counted by option, beside who answered what."""
    await open_announcement(pool, Form(Kind.SURVEY, question="Canteen?", options=("Yes", "No")))
    await put_said(pool, NEWS, POLL, "poll")
    await consumer(pool).handle([vote(BO, 1)])
    await announcements.announcements(_args("show", ID, as_json=True), services)
    shown = json.loads(capsys.readouterr().out)
    assert shown["results"] == {"Yes": 0, "No": 1}
    assert (shown["targeted"], shown["acknowledged"], shown["answered"]) == (3, 1, 1)
    assert [one["answer"] for one in shown["people"] if one["user_id"] == BO] == ["No"]


async def test_the_evidence_names_the_leaf_of_each_acknowledgement(
    pool: Pool, services: Services, tmp_path: Path
) -> None:
    """CSV and page have the event and its hash in the ledger; they are new files that only their owner reads."""
    await open_announcement(pool)
    answer = reaction(BO, NEWS, "$news", "=1+1")
    await consumer(pool).handle([answer])
    await pool.execute(
        "INSERT INTO event (seq, origin_ts, received_at, backfilled, event_id, room_id, type, sender, salt, leaf, body)"
        " VALUES (1, 0, $1, false, $2, $3, 'm.reaction', $4, '', '\\xabcd', '')",
        NOW,
        answer.event_id,
        NEWS,
        BO,
    )
    args = ("show", ID, "--csv", str(tmp_path / "a.csv"), "--html", str(tmp_path / "a.html"))
    assert await announcements.announcements(_args(*args), services) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text("utf-8-sig"))))
    [bo] = [row for row in rows if row["user_id"].endswith(BO)]
    assert (bo["event_id"], bo["leaf"], bo["answer"]) == (answer.event_id, "abcd", "'=1+1")
    page = (tmp_path / "a.html").read_text()
    assert f"<code>{answer.event_id}</code><br><code>abcd</code>" in page
    assert (tmp_path / "a.csv").stat().st_mode & 0o077 == 0
    with pytest.raises(RefusedError, match="exists already"):
        await announcements.announcements(_args(*args), services)


async def test_an_anonymous_survey_names_no_event(
    pool: Pool, services: Services, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The vote's event says what was voted; it is in no report, and results wait until there are enough answers."""
    await open_announcement(pool, Form(Kind.SURVEY, question="Canteen?", options=("Yes", "No"), anonymous=True))
    await put_said(pool, NEWS, POLL, "poll")
    cast_vote = vote(CY, 1)
    await consumer(pool).handle([cast_vote])
    files = ("--csv", str(tmp_path / "a.csv"), "--html", str(tmp_path / "a.html"))
    await announcements.announcements(_args("show", ID, *files), services)
    printed = capsys.readouterr().out
    await announcements.announcements(_args("show", ID, as_json=True), services)
    printed += capsys.readouterr().out
    for shown in (printed, (tmp_path / "a.csv").read_text(), (tmp_path / "a.html").read_text()):
        assert cast_vote.event_id not in shown
    assert "1 of 3 have answered (33 %)." in printed
    assert "shown when more have answered" in printed
    assert '"results": null' in printed


@pytest.mark.parametrize("words", [("show",), ("show", ID, ID), (ID, ID), (ID, "--csv", "x"), ("--html", "x")])
async def test_what_is_no_question_is_refused(services: Services, words: tuple[str, ...]) -> None:
    """One announcement at a time, and files only with `show`."""
    with pytest.raises(RefusedError, match="show ID"):
        await announcements.announcements(_args(*words), services)


async def test_an_unknown_announcement_is_named(services: Services) -> None:
    """A typing error gets a sentence."""
    with pytest.raises(UnknownNameError, match="There is no announcement"):
        await announcements.announcements(_args("show", "7kq2-m9xe"), services)
