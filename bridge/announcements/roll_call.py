"""A roll call: who is safe, who needs help, who is silent, and what is due by the clock (pure).

What is said is `roll_call_text`'s, the figures at the end are `roll_call_report`'s, and carrying it out `roll_calls`'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from bridge.announcements.form import HELP, SAFE
from bridge.ids import UserId
from bridge.policy.emergency import Emergency
from bridge.policy.schema import RuleId


@dataclass(frozen=True, slots=True)
class RollCall:
    """One roll call, as it was started and how far it has come."""

    id: str
    """The announcement's."""
    desk: RuleId
    text: str
    site: str | None
    """None: everywhere."""
    drill: bool
    started_at: datetime
    started_by: str
    """The name."""
    said: int = 0
    """So many of the policy's repetitions are over."""
    channels_at: datetime | None = None
    """When second channels went out."""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """One person of a roll call."""

    user_id: UserId
    name: str
    site: str
    """Empty where nobody knows."""
    department: str
    delivered_at: datetime | None = None
    answer: str | None = None
    """`SAFE`, `HELP`, or None: silent. The newest one counts."""
    answered_at: datetime | None = None
    asked_help: bool = False
    """At any time, whatever the newest answer is."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many of some people are where."""

    safe: int
    help: int
    silent: int

    @property
    def people(self) -> int:
        """All of them."""
        return self.safe + self.help + self.silent


@dataclass(frozen=True, slots=True)
class Due:
    """What the clock says is to be done."""

    turn: int = 0
    """The repetition that is due, from 1; 0: none."""
    channels: bool = False
    next_at: datetime | None = None
    """When there is more to do; None: nothing more by the clock."""


def due(call: RollCall, terms: Emergency, now: datetime) -> Due:
    """Return what is due; of several repetitions that were missed only the newest is said."""
    elapsed = now - call.started_at
    over = sum(each <= elapsed for each in terms.repeat)
    channels = call.channels_at is None and terms.channels <= elapsed
    ahead = [each for each in terms.repeat if each > elapsed]
    if call.channels_at is None and not channels:
        ahead.append(terms.channels)
    return Due(
        turn=over if over > call.said else 0,
        channels=channels,
        next_at=call.started_at + min(ahead) if ahead else None,
    )


def count(people: Iterable[Present]) -> Count:
    """Count people by their newest answers."""
    answers = [person.answer for person in people]
    return Count(safe := answers.count(SAFE), help_ := answers.count(HELP), len(answers) - safe - help_)


def silent(people: Iterable[Present]) -> list[Present]:
    """Return who has not answered, in the given order."""
    return [person for person in people if person.answer is None]


def in_need(people: Iterable[Present]) -> list[Present]:
    """Return whose newest answer asks for help, who has waited longest first."""
    found = [person for person in people if person.answer == HELP]
    return sorted(found, key=lambda person: (person.answered_at is None, person.answered_at, person.name))


def by_site(people: Sequence[Present]) -> list[tuple[str, list[Present]]]:
    """Return people by site, sorted; the unknown site last."""
    return _grouped(people, lambda person: person.site)


def by_department(people: Sequence[Present]) -> list[tuple[str, list[Present]]]:
    """Return people by department, sorted; the unknown department last."""
    return _grouped(people, lambda person: person.department)


def _grouped(people: Sequence[Present], key: Callable[[Present], str]) -> list[tuple[str, list[Present]]]:
    ordered = sorted(people, key=lambda person: (key(person) == "", key(person)))
    return [(name, list(members)) for name, members in groupby(ordered, key)]
