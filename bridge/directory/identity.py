"""Who may be whom: people who come back under a new id, ids that come back with new people, circles of managers. Pure.

Nothing here decides about anybody: it finds what a person ought to look at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from bridge.directory.expression import fold
from bridge.directory.local_day import DayOf
from bridge.directory.person import Person, is_employed
from bridge.directory.scim_user import display_name_of
from bridge.ids import PersonId


@dataclass(frozen=True, slots=True)
class Rehire:
    """Somebody new who may be somebody who has left."""

    old: Person
    new: Person
    because: str
    """What both have, such as `e-mail` or `name and employeeNumber`; never the value."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Somebody sent under the externalId of a person who has left and seems to be another."""

    person: PersonId
    external_id: str
    user_name: str
    """Of who was sent."""
    source: str
    is_change: bool = False
    """It was sent as a change of the leaver's own record."""


def has_left(person: Person, day: date) -> bool:
    """Tell whether somebody worked here and does no more, so that the id may have been given to another.

    Nobody has who is only barred, or who has not come yet.
    """
    return not (person.active or person.barred or person.awaited) or (
        bool(person.employments) and all(job.end is not None and job.end < day for job in person.employments)
    )


def is_other(before: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    """Tell whether two User documents have neither userName, nor name, nor an e-mail address in common."""
    emails = [
        {fold(entry["value"]) for entry in each.get("emails") or () if entry.get("value")} for each in (before, sent)
    ]
    return (
        fold(before["userName"]) != fold(sent["userName"])
        and fold(display_name_of(before)) != fold(display_name_of(sent))
        and not emails[0] & emails[1]
    )


def suspected_rehires(
    people: Sequence[Person], day_of: DayOf, linked: Collection[tuple[PersonId, PersonId]] = ()
) -> list[Rehire]:
    """Return who has left and seems to be here anew: with the same e-mail, or name and employeeNumber.

    Pairs of ids in `linked` have been dealt with. In the order of the newcomers' userNames.
    """
    left: dict[tuple[str, ...], list[Person]] = {}
    for person in people:
        if not _is_coming(person, day_of):
            for key in _traits(person):
                left.setdefault(key, []).append(person)
    found: dict[tuple[PersonId, PersonId], Rehire] = {}
    for person in people:
        if _is_coming(person, day_of):
            for key in _traits(person):
                for old in left.get(key, ()):
                    found.setdefault((old.id, person.id), Rehire(old, person, key[0]))
    fresh = (rehire for pair, rehire in found.items() if pair not in linked)
    return sorted(fresh, key=lambda each: (fold(each.new.user_name), fold(each.old.user_name)))


def manager_cycles(people: Sequence[Person]) -> list[tuple[Person, ...]]:
    """Return circles of managers, so many that everybody who is in one is in one of these; of oneself is one too.

    Each is a shortest one, and begins with the first of its ids that is in none before it. Each one manages the one
    before, by any job.
    """
    by_id = {person.id: person for person in people}
    above = {
        person.id: sorted({job.manager for job in person.employments if job.manager in by_id}) for person in people
    }
    found: set[PersonId] = set()
    cycles = []
    for start in _in_circles(above):
        if start not in found and (circle := _shortest_circle(start, above)):
            found.update(circle)
            cycles.append(tuple(by_id[each] for each in circle))
    return cycles


def _in_circles(above: Mapping[PersonId, Sequence[PersonId]]) -> list[PersonId]:
    """Return, sorted, who is left when those without a manager, or without a report, are left out again and again."""
    below: dict[PersonId, list[PersonId]] = {person: [] for person in above}
    for person, managers in above.items():
        for manager in managers:
            below[manager].append(person)
    left = _without_ends(set(above), above, below)
    return sorted(_without_ends(left, below, above))


def _without_ends(
    people: set[PersonId], ahead: Mapping[PersonId, Sequence[PersonId]], behind: Mapping[PersonId, Sequence[PersonId]]
) -> set[PersonId]:
    """Return the people without those who have nobody ahead of them, those who then have nobody, and so on."""
    counts = {person: sum(each in people for each in ahead[person]) for person in people}
    ends = [person for person, count in counts.items() if not count]
    while ends:
        for each in behind[ends.pop()]:
            if each in counts:
                counts[each] -= 1
                if not counts[each]:
                    ends.append(each)
    return {person for person, count in counts.items() if count}


def _shortest_circle(start: PersonId, above: Mapping[PersonId, Sequence[PersonId]]) -> tuple[PersonId, ...]:
    """Return a shortest way from somebody over managers back to the same; empty when there is none."""
    reached: dict[PersonId, PersonId] = {}
    ways = deque([start])
    while ways:
        person = ways.popleft()
        for manager in above[person]:
            if manager == start:
                way = [person]
                while way[-1] != start:
                    way.append(reached[way[-1]])
                return tuple(reversed(way))
            if manager not in reached:
                reached[manager] = person
                ways.append(manager)
    return ()


def _is_coming(person: Person, day_of: DayOf) -> bool:
    """Tell whether somebody is employed here, or will be."""
    day = day_of(person)
    later = any(job.start is not None and job.start > day for job in person.employments)
    return is_employed(person, day) or person.awaited or ((person.active or person.barred) and later)


def _traits(person: Person) -> Iterator[tuple[str, ...]]:
    """Yield what two records of one person have in common."""
    for email in person.other.get("emails", ()):
        yield "e-mail", fold(str(email))
    for job in person.employments:
        if job.employee_number:
            yield "name and employeeNumber", fold(person.display_name), fold(job.employee_number)
