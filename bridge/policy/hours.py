"""What the policy says under `hours:`: when people work, and when they are left in peace. Pure.

What it means for one person is for `bridge.announcements.hours` and `bridge.announcements.quiet`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TypeVar

from bridge.directory.local_day import is_zone
from bridge.document import Kind, Section, Value, a, line, list_of, mapping_of, placed
from bridge.policy.vocabulary import Vocabulary
from bridge.policy.working_time import EVERYWHERE, Shift, Times, Week, WorkingTime, WrongTimesError, times, week

T = TypeVar("T")

USUAL = week("mon-fri 08:00-17:00")


def read_hours(section: Section, vocabulary: Vocabulary) -> WorkingTime:
    """Return what stands under `hours:`."""
    country = section.optional("country", vocabulary.attribute, None)
    holidays = section.optional("holidays", _holidays, {})
    laws = section.optional("laws", mapping_of(placed(_times)), {})
    for name, law in laws.items():
        if problem := _unknown_place(name, country, "law"):
            law.problem(problem)
    for name in holidays:
        if name != EVERYWHERE and (problem := _unknown_place(name, country, "list of holidays")):
            section.problem(problem, key="holidays")
    return WorkingTime(
        week=section.optional("week", _week, USUAL),
        shifts=section.optional("shifts", list_of(a(lambda each: _read_shift(each, vocabulary))), ()),
        holidays={_normal(name): frozenset(days) for name, days in holidays.items()},
        country=country,
        laws={_normal(name): law.value for name, law in laws.items()},
        quiet=section.optional("quiet", vocabulary.selector, None),
    )


def _read_shift(section: Section, vocabulary: Vocabulary) -> Shift:
    return Shift(section.required("people", vocabulary.selector), section.required("week", _week))


def _unknown_place(name: str, country: str | None, what: str) -> str:
    """Return what is wrong with the name of a country or a time zone; empty when nothing is."""
    if "/" in name:
        return "" if is_zone(name) else f"there is no time zone `{name}`"
    if country is None:
        return (
            f"this {what} is for the country `{name}`: say in `country:` which attribute names people's country, "
            "or name a time zone such as Europe/Tallinn"
        )
    return ""


def _normal(name: str) -> str:
    return name if "/" in name else name.lower()


def _written(read: Callable[[str], T], stand_in: T) -> Kind[T]:
    def make(value: Value) -> T:
        try:
            return read(line.make(value))
        except WrongTimesError as error:
            value.refuse(str(error))

    return Kind(make, lambda: stand_in)


def _read_day(value: Value) -> date:
    written = line.make(value)
    try:
        return date.fromisoformat(written)
    except ValueError:
        value.expected("a day such as 2027-03-01")


def _read_holidays(value: Value) -> dict[str, tuple[date, ...]]:
    """Take a list of days, or one for each country or time zone."""
    if value.is_list:
        return {EVERYWHERE: _days.make(value)}
    return mapping_of(_days).make(value)


_week: Kind[Week] = _written(week, USUAL)
_times: Kind[Times] = _written(times, Times())
_days = list_of(Kind(_read_day, lambda: date.min))
_holidays: Kind[dict[str, tuple[date, ...]]] = Kind(_read_holidays, dict)
