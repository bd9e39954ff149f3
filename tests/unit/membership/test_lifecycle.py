"""When the stages of leaving are due: `tests/cases/lifecycle`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.membership.lifecycle import due_steps, stages_of
from bridge.policy.loader import load
from bridge.policy.schema import Accounts, LeaverStage, LeaverStep

from .notation import case_files, read_case

ZONES = st.sampled_from(["UTC", "Asia/Tokyo", "America/Santiago", "Pacific/Kiritimati", "Europe/Tallinn"])
MOMENTS = st.integers(1_577_836_800, 1_893_456_000).map(lambda second: datetime.fromtimestamp(second, UTC))


@pytest.mark.parametrize("file", case_files("lifecycle"), ids=lambda file: file.stem)
def test_steps_are_due_as_the_case_says(file: Path) -> None:
    """The file's name is the requirement."""
    case = read_case(file)
    stages = stages_of(_policy(case["stages"]).leavers, _moment(case["left"]), ZoneInfo(case["timezone"]))
    assert {moment: due_steps(stages, _moment(moment)) for moment in case["due"]} == {
        moment: frozenset(map(LeaverStep, steps.split())) for moment, steps in case["due"].items()
    }


@given(MOMENTS, ZONES, st.integers(1, 400), MOMENTS, MOMENTS)
def test_what_is_due_stays_due(left: datetime, zone: str, days: int, one: datetime, other: datetime) -> None:
    """Stages only come: at a later moment everything is due that was due before, and all of it in the end."""
    stages = (*Accounts().leavers, LeaverStage(timedelta(days=days), (LeaverStep.DEACTIVATE,)))
    found = stages_of(stages, left, ZoneInfo(zone))
    early, late = sorted((one, other))
    assert due_steps(found, early) <= due_steps(found, late)
    assert due_steps(found, left) == set(LeaverStep) - {LeaverStep.DEACTIVATE}
    assert due_steps(found, left + timedelta(days=days + 1)) == set(LeaverStep)


@given(MOMENTS, ZONES, st.integers(1, 400))
def test_nobody_is_deactivated_a_day_early(left: datetime, zone: str, days: int) -> None:
    """A stage of so many days comes at the beginning of the day that is so many after the day of leaving."""
    place = ZoneInfo(zone)
    (stage,) = stages_of([LeaverStage(timedelta(days=days), (LeaverStep.DEACTIVATE,))], left, place)
    due = stage.due_at.astimezone(place)
    assert due.date() - left.astimezone(place).date() == timedelta(days=days)
    assert (due - timedelta(minutes=1)).date() < due.date() or due.hour == 1


def _policy(stages: list[dict[str, Any]]) -> Accounts:
    written = ", ".join(f"{{after: {stage['after']}, do: [{', '.join(stage['do'])}]}}" for stage in stages)
    return load(f"version: 1\ncompany: N\naccounts: {{leavers: [{written}]}}\n", "policy.yaml").accounts


def _moment(text: str | datetime) -> datetime:
    moment = text if isinstance(text, datetime) else datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("UTC"))
