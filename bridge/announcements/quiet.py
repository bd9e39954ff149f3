"""When somebody is left in peace, and who says so (pure).

Three have a say. The *law* of where somebody works holds always, except while they work: a night shift is no rest.
The *company* leaves certain people in peace outside their hours. The *person's* own choice replaces the company's word
and never the law's, so that one can have more and not less. What is quiet does not ring; `quiet_hours` sees to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from bridge.announcements.hours import Hours, at_clock, hours_of, places_of, stretches
from bridge.directory.person import Person, attributes_of
from bridge.directory.selector import matches
from bridge.policy.working_time import DAY, Times, WorkingTime, WrongTimesError, in_words, times

HORIZON = timedelta(days=8)
"""So far ahead a change is looked for."""
MOST_SPANS = 50
"""Nobody has more stretches in a week."""
LONGEST_CHOICE = 200
"""Characters."""
_DASH = re.compile(r"\s*[-–—]\s*")
_EARLIER = timedelta(days=2)

Stretch = tuple[datetime, datetime]


class Wish(StrEnum):
    """What somebody can choose beside certain times."""

    OFF = "off"
    """No more than the law."""
    ON = "on"
    """Whenever one does not work."""
    DEFAULT = "default"
    """What the company says."""


class Ground(StrEnum):
    """Who says that it is quiet."""

    LAW = "law"
    COMPANY = "company"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Rest:
    """What holds for one person."""

    hours: Hours
    laws: tuple[tuple[str, Times], ...] = ()
    """Of the countries and the time zone where the person works, each with its name."""
    company: bool = False
    """Whether the company leaves the person in peace outside the own hours."""
    choice: Wish | Times = Wish.DEFAULT
    planned: bool = True
    """Whether the company says at all when it works."""

    @property
    def may_be_quiet(self) -> bool:
        """Whether anybody has said anything by which it ever is."""
        chosen = isinstance(self.choice, Times) or self.choice is Wish.ON
        return bool(self.laws) or self.company or chosen


@dataclass(frozen=True, slots=True)
class Stand:
    """How it stands at a moment."""

    grounds: tuple[Ground, ...]
    """Empty: messages ring."""
    until: datetime | None
    """When that changes, in UTC; None: not within `HORIZON`."""

    @property
    def is_quiet(self) -> bool:
        return bool(self.grounds)


def read_choice(written: str) -> Wish | Times:
    """Return what somebody chose: `off`, `on`, `default`, or times as people type them; raise `WrongTimesError`."""
    if len(written) > LONGEST_CHOICE:
        raise WrongTimesError(f"expected at most {LONGEST_CHOICE} characters")
    word = _DASH.sub("-", written.strip().lower())
    if word in set(Wish):
        return Wish(word)
    chosen = times(word)
    if len(chosen.spans) > MOST_SPANS:
        raise WrongTimesError("these are too many different times for one week")
    return chosen


def write_choice(choice: Wish | Times) -> str:
    """Return the text that `read_choice` reads as this choice."""
    return choice.value if isinstance(choice, Wish) else in_words(choice)


def rest_of(person: Person, policy: WorkingTime | None, choice: Wish | Times, day: date, timezone: str) -> Rest:
    """Return what holds for a person who works here, as of that day; `timezone` is that of people without their own."""
    hours = hours_of(person, policy, day, timezone)
    if policy is None:
        return Rest(hours, choice=choice, planned=False)
    attributes = attributes_of(person, day)
    places = places_of(policy, attributes, hours.zone)
    laws = tuple((place, policy.laws[place]) for place in dict.fromkeys(places) if place in policy.laws)
    company = policy.quiet is not None and matches(policy.quiet, attributes)
    return Rest(hours, laws, company, choice)


def stand(rest: Rest, moment: datetime) -> Stand:
    """Return how it stands for somebody at a moment, and when that changes."""
    moment = moment.astimezone(UTC)
    calendar = _Calendar.of(rest, moment)
    grounds = calendar.grounds(moment)
    later = sorted(edge for edge in calendar.edges() if moment < edge <= moment + HORIZON)
    changes = (edge for edge in later if bool(calendar.grounds(edge)) != bool(grounds))
    return Stand(grounds, next(changes, None))


@dataclass(frozen=True, slots=True)
class _Calendar:
    """The days around a moment, as stretches of time."""

    rest: Rest
    work: Sequence[Stretch]
    law: Sequence[Stretch]
    own: Sequence[Stretch]

    @staticmethod
    def of(rest: Rest, moment: datetime) -> _Calendar:
        day = moment.astimezone(rest.hours.zone).date()
        first, last = day - _EARLIER, day + HORIZON + _EARLIER
        hours, choice = rest.hours, rest.choice
        work = () if hours.away else list(stretches(hours.week, hours.zone, first, last, hours.holidays))
        law = [each for _, said in rest.laws for each in _stretches(said, hours, first, last)]
        own = list(_stretches(choice, hours, first, last)) if isinstance(choice, Times) else ()
        return _Calendar(rest, work, law, own)

    def grounds(self, moment: datetime) -> tuple[Ground, ...]:
        """Return who says that it is quiet."""
        rest, working = self.rest, _covers(self.work, moment)
        off_duty = rest.planned and not working
        found = {
            Ground.LAW: not working and _covers(self.law, moment),
            Ground.COMPANY: off_duty and rest.company and rest.choice is Wish.DEFAULT,
            Ground.OWN: _covers(self.own, moment) or (off_duty and rest.choice is Wish.ON),
        }
        return tuple(ground for ground, holds in found.items() if holds)

    def edges(self) -> Iterator[datetime]:
        """Yield every moment at which something may change."""
        for stretch in (*self.work, *self.law, *self.own):
            yield from stretch


def _stretches(said: Times, hours: Hours, first: date, last: date) -> Iterator[Stretch]:
    """Yield when these times begin and end, from day to day."""
    yield from stretches(said.spans, hours.zone, first, last)
    day = first
    while day <= last:
        if (said.leave and hours.away) or (said.holidays and day in hours.holidays):
            yield at_clock(hours.zone, day, 0), at_clock(hours.zone, day, DAY)
        day += timedelta(days=1)


def _covers(found: Sequence[Stretch], moment: datetime) -> bool:
    return any(begins <= moment < ends for begins, ends in found)
