"""What the bot answers in a desk (pure): the preview of a draft, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bridge.announcements.form import Form, Kind
from bridge.announcements.language import SAID_TO_ALL, endonym
from bridge.announcements.values import Priority

MOST_DEPARTMENTS = 6
"""Departments that are named; the others are added up."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a draft would reach."""

    people: int
    rooms: int
    """0 when each gets it in a room of their own."""
    departments: Mapping[str, int]
    """Department → people; those without one under the empty name."""
    later: int = 0
    """How many of them get it when their day begins."""
    silent: int = 0
    """How many get it at once, and without ringing."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A draft, as it is shown."""

    id: str
    reach: Reach
    languages: Sequence[str]
    """Those that it is in; `SAID_TO_ALL` alone when it says nothing of them."""
    missing: Sequence[str]
    """Those of the desk in which it is not."""
    priority: Priority
    form: Form
    due_at: datetime | None
    """None: at once."""
    lasts: timedelta | None
    zone: ZoneInfo
    undo: timedelta
    second_person: int | None
    """The limit that it is above, so that somebody else has to confirm; None: it is not."""
    by_poster: bool
    """Whether its author is one of those who read this."""


def preview(draft: Preview) -> str:
    """Return the bot's answer to a draft: whom it reaches, how, when, and how it is confirmed."""
    lines = [
        f"Draft {draft.id}, not announced yet.",
        f"For {count_of(draft.reach.people, draft.reach.rooms)}{_departments(draft.reach.departments)}",
        f"Goes {_moment(draft)}{_priority(draft.priority)}, {_lasts(draft.lasts)}",
        *_hours(draft),
        *_languages(draft),
        f"Acknowledged by: {_form(draft.form)}",
        "",
        _confirmation(draft),
    ]
    return "\n".join(lines)


def confirmed(announcement: str, by: str, due_at: datetime | None, *, undo: timedelta, zone: ZoneInfo) -> str:
    """Return what is said when a draft was confirmed and goes then; None: when the time to undo it is over."""
    when = f"in {_length(undo)}" if due_at is None else f"at {_local(due_at, zone)}"
    return f"{by} confirmed {announcement}: it goes {when}. React with ❌ to stop it until then."


def opened(announcement: str, *, people: int, rooms: int) -> str:
    """Return what is said when it is on its way."""
    return (
        f"Announced to {count_of(people, rooms)}: {announcement}. "
        f"`muster announcements {announcement}` shows who has acknowledged it."
    )


def count_of(people: int, rooms: int) -> str:
    """Return how many are reached, and where."""
    where = f"in {_count(rooms, 'room', 'rooms')}" if rooms else "each in a room of their own"
    return (
        f"{_count(people, 'person', 'people')} {where}" if rooms or people != 1 else "1 person in a room of their own"
    )


def _departments(found: Mapping[str, int]) -> str:
    if not found or set(found) == {""}:
        return "."
    ranked = sorted(found.items(), key=lambda pair: (not pair[0], -pair[1], pair[0]))
    named = [f"{name or 'without a department'} {number:,}" for name, number in ranked[:MOST_DEPARTMENTS]]
    rest = ranked[MOST_DEPARTMENTS:]
    if rest:
        people = sum(number for _, number in rest)
        named.append(f"{people:,} in {_count(len(rest), 'other', 'others')}")
    return f": {', '.join(named)}."


def _moment(draft: Preview) -> str:
    return "as soon as it is confirmed" if draft.due_at is None else f"at {_local(draft.due_at, draft.zone)}"


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"


def _priority(priority: Priority) -> str:
    match priority:
        case Priority.NORMAL:
            return ""
        case Priority.IMPORTANT:
            return " as important"
        case _:
            return f" as {priority.name.lower()}, which breaks quiet hours"


def _lasts(lasts: timedelta | None) -> str:
    return "until it is ended by hand." if lasts is None else f"pinned for {_length(lasts)}."


def _hours(draft: Preview) -> list[str]:
    reach, found = draft.reach, []
    if reach.later:
        found.append(
            f"{reach.later:,} of {reach.people:,} are outside their hours and get it when their day begins."
            if not reach.rooms
            else f"{reach.later:,} of {reach.people:,} get it when the day of half of their room has begun."
        )
    if reach.silent:
        found.append(f"{reach.silent:,} of {reach.people:,} are outside their hours and get it without ringing.")
    return found


def _languages(draft: Preview) -> list[str]:
    said = [endonym(tag) for tag in draft.languages if tag != SAID_TO_ALL]
    missing = ", ".join(endonym(tag) for tag in draft.missing)
    if not said:
        return [f"Languages: not said; this desk announces in {missing}."] if draft.missing else []
    return [f"Languages: {', '.join(said)}{f'; missing: {missing}' if missing else ''}."]


def _form(form: Form) -> str:
    match form.kind:
        case Kind.NONE:
            return "nobody is asked to."
        case Kind.BUTTON:
            return "a reaction."
        case Kind.STATEMENT:
            return f"✅ under “{form.statement}”."
        case Kind.QUIZ:
            return f"the right answer to “{form.question}” ({form.options[form.right or 0]})."
        case Kind.SURVEY if not form.options:
            return f"a written answer to “{form.question}”."
        case Kind.SURVEY:
            return f"a vote on “{form.question}” ({', '.join(form.options)})."
        case _:
            return "“I am safe” or “I need help”."


def _confirmation(draft: Preview) -> str:
    who = "React with ✅ to announce it"
    if draft.second_person is not None:
        other = "Somebody else than its author reacts with ✅" if draft.by_poster else "One of you reacts with ✅"
        who = f"It reaches more than {draft.second_person:,} people. {other} to announce it"
    undo = f" After ✅ there are {_length(draft.undo)} to stop it with ❌." if draft.undo else ""
    return f"{who}, with ❌ to drop it.{undo} A draft that nobody confirms is dropped after a day."


def _length(length: timedelta) -> str:
    for name, unit in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if length >= unit and not length % unit:
            return _count(length // unit, name, f"{name}s")
    return _count(int(length.total_seconds()), "second", "seconds")


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
