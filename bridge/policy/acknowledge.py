"""How long people have to acknowledge what a desk announces, and who is told when they do not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final

from bridge.document import Kind, Section, Value, choice, duration, list_of, placed

LONGEST: Final = timedelta(days=365)


class Escalation(StrEnum):
    """Who is told of those who have not acknowledged in time."""

    MANAGER = "manager"
    """Their manager; after as long again the manager's manager, and so on up the line."""
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """By when an announcement is to be acknowledged, counted from when somebody got it."""

    within: timedelta
    remind: tuple[timedelta, ...] = ()
    """When those who have not are reminded; ascending."""
    escalate: Escalation = Escalation.NOBODY


def read(section: Section) -> Acknowledge:
    """Return what a desk says under `acknowledge`."""
    remind = section.optional("remind", list_of(placed(_span)), ())
    for earlier, later in pairwise(remind):
        if earlier.value >= later.value:
            later.problem("expected each reminder to come after the one before it")
    return Acknowledge(
        within=section.required("within", _span),
        remind=tuple(each.value for each in remind),
        escalate=section.optional("escalate", choice(*Escalation), Escalation.NOBODY),
    )


def _bounded(value: Value) -> timedelta:
    found = duration.make(value)
    if not timedelta(0) < found <= LONGEST:
        value.expected(f"a duration of up to {LONGEST.days}d, and not nothing")
    return found


_span = Kind(_bounded, duration.stand_in)
