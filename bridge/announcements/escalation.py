"""Who is reminded of an announcement now, and whose manager is told (pure).

Each step is said at most once for a person and a version of the text: what is `done` comes as an argument, and what is
due is to be written down together with what is said. Rules are the policy's, working hours those of `hours`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bridge.ids import UserId
from bridge.policy.acknowledge import Acknowledge, Escalation

Begins = Callable[[UserId, datetime], datetime | None]
"""Returns the moment itself within somebody's working hours, else when the next ones begin; None: not in sight."""

_COARSEST = timedelta(minutes=15)
_START = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Missing:
    """Somebody who has got an announcement and not acknowledged it."""

    user_id: UserId
    since: datetime
    """When the person got the text that counts now."""
    above: tuple[UserId, ...] = ()
    """The managers from the next to the top, those who can be told."""
    done: Mapping[str, datetime] = field(default_factory=dict)
    """The steps that were taken for this text, and when."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step for one person who is missing."""

    user_id: UserId
    name: str
    """`remind/1`; `escalate/@boss:company.example`."""
    told: UserId | None
    """Who is told; None when a later reminder says it as well."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done now, and when there may be more."""

    steps: tuple[Step, ...]
    next: datetime | None
    """None: nothing is in sight for these people."""


def decide(rule: Acknowledge, missing: Iterable[Missing], now: datetime, begins: Begins) -> Due:
    """Return the steps that are due for those who are missing.

    Reminders come within the working hours of who is reminded, and only to those who are not on leave. The manager is
    told within the manager's own hours, when the person had `within` and is there; as long after the last manager was
    told, the next one up the line. Nobody is told about themselves. A manager who is not in sight is passed over. Of
    several overdue reminders one is said.
    """
    steps: list[Step] = []
    moments: list[datetime] = []
    for person in missing:
        for step, moment in (*_reminders(rule, person, now, begins), *_escalation(rule, person, begins)):
            if moment <= now:
                steps.append(step)
            else:
                moments.append(moment)
    return Due(tuple(steps), min(moments, default=None))


def earliest(rule: Acknowledge, now: datetime) -> datetime:
    """Return before when nothing can be due for those who only get the announcement now or later."""
    return now + min([rule.within, *rule.remind])


def _reminders(rule: Acknowledge, person: Missing, now: datetime, begins: Begins) -> Iterator[tuple[Step, datetime]]:
    waiting = []
    for number, after in enumerate(rule.remind, 1):
        name = f"remind/{number}"
        if name not in person.done and (moment := begins(person.user_id, person.since + after)) is not None:
            waiting.append((name, moment))
    overdue = [name for name, moment in waiting if moment <= now]
    for name, moment in waiting:
        yield Step(person.user_id, name, None if name in overdue[:-1] else person.user_id), moment


def _escalation(rule: Acknowledge, person: Missing, begins: Begins) -> Iterator[tuple[Step, datetime]]:
    if rule.escalate is Escalation.NOBODY:
        return
    told = [moment for name, moment in person.done.items() if name.startswith("escalate/")]
    latest = max(told, default=person.since) + rule.within
    moment = begins(person.user_id, _rounded(latest, min(_COARSEST, rule.within / 10)))
    if moment is None:
        return
    for manager in _above(person):
        if (at := begins(manager, moment)) is not None:
            yield Step(person.user_id, _escalated(manager), manager), at
            return


def _above(person: Missing) -> list[UserId]:
    """Return the managers who come after the last one who was told."""
    line = [manager for manager in dict.fromkeys(person.above) if manager != person.user_id]
    told = [place for place, manager in enumerate(line, 1) if _escalated(manager) in person.done]
    return line[max(told, default=0) :]


def _escalated(manager: UserId) -> str:
    return f"escalate/{manager}"


def _rounded(moment: datetime, grain: timedelta) -> datetime:
    """Return the moment rounded up, so that a manager hears of those who got it at about the same time in one list."""
    return moment + (_START - moment) % grain
