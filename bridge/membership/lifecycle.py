"""The stages in which leavers lose what they have, and when each is due.

Pure. Days count where the person works: a stage of `30d` is due at midnight there, thirty days after the day of
leaving. Whoever is barred, as on garden leave, is no leaver, and has no later stage. What is done at a stage is for
`plan`, when Muster wakes for one is for `upkeep`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from bridge.policy.schema import LeaverStage, LeaverStep

UNTIL_RETURN = frozenset(LeaverStep) - {LeaverStep.DEACTIVATE}
"""What is done at once to whoever is barred: everything that can be undone."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of one leaver."""

    number: int
    """From 1."""
    steps: tuple[LeaverStep, ...]
    due_at: datetime
    """UTC."""


def stages_of(stages: Sequence[LeaverStage], left_at: datetime, place: tzinfo) -> tuple[Stage, ...]:
    """Return when the stages of somebody who left at that moment are due, in their order."""
    return tuple(
        Stage(number, stage.do, due_at(stage.after, left_at, place)) for number, stage in enumerate(stages, start=1)
    )


def due_at(after: timedelta, left_at: datetime, place: tzinfo) -> datetime:
    """Return the moment so long after leaving; whole days end at midnight at the place of work.

    Where a clock is put forward at midnight, that is one o'clock.
    """
    if after < _DAY or after % _DAY:
        return left_at.astimezone(UTC) + after
    day = left_at.astimezone(place).date() + after
    return datetime.combine(day, time(), place).astimezone(UTC)


def due_steps(stages: Sequence[Stage], now: datetime) -> frozenset[LeaverStep]:
    """Return everything that is due by now."""
    return frozenset(step for stage in stages if stage.due_at <= now for step in stage.steps)
