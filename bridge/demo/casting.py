"""Who does what in the demo's story, for a company of any size.

Pure. A part that nobody can play is None (or empty), and the story leaves it out and says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.demo.company import COMMUNICATIONS, CONTRACTOR, EXECUTIVE, Company, Employee

_TALKERS = 12


@dataclass(frozen=True, slots=True)
class Move:
    """Somebody who changes departments."""

    employee: Employee
    destination: str


@dataclass(frozen=True, slots=True)
class Cast:
    """The parts."""

    announcer: Employee | None
    """Writes in the announcement desk."""
    talkers: tuple[Employee, ...]
    """Sign in, talk and acknowledge; the others are at work elsewhere."""
    mover: Move | None
    leaver: Employee | None
    friend: Employee | None
    """Shares a private room with the leaver, stays, and redacts something."""
    guest: Employee | None
    """Whose account a visitor may look around with."""


def cast(company: Company) -> Cast:
    """Give out the parts: nobody on the board leaves, and whoever leaves does not move as well."""
    people = company.people
    announcer = _first(people, department=COMMUNICATIONS) or _first(people)
    ordinary = _ordinary(company, announcer)
    mover = _mover(ordinary, company)
    leaver = next((person for person in reversed(ordinary) if mover is None or person != mover.employee), None)
    if leaver is None and announcer is not None and announcer.department != EXECUTIVE:
        leaver = announcer
    staying = [person for person in people if person != leaver]
    named = [announcer, mover.employee if mover else None, leaver]
    talkers = dict.fromkeys(person for person in [*named, *_spread(staying)] if person is not None)
    return Cast(
        announcer=announcer,
        talkers=tuple(talkers)[:_TALKERS],
        mover=mover,
        leaver=leaver,
        friend=next((person for person in talkers if person != leaver), None),
        guest=_first(staying, title="Chief Information Officer") or _first(staying),
    )


def _ordinary(company: Company, announcer: Employee | None) -> list[Employee]:
    """Return those whom nobody reports to, who are on the payroll and have no other part."""
    managers = {person.manager for person in company.people}
    return [
        person
        for person in company.people
        if person.external_id not in managers
        and person.user_type != CONTRACTOR
        and person.department != EXECUTIVE
        and person != announcer
    ]


def _mover(ordinary: list[Employee], company: Company) -> Move | None:
    """Choose somebody and another department that exists, if two people at least can be spared."""
    if len(ordinary) < 2:
        return None
    mover = _first(ordinary, department="Sales") or ordinary[0]
    departments = dict.fromkeys(person.department for person in company.people)
    others = [name for name in ("Finance", *departments) if name in departments]
    destination = next((name for name in others if name not in (mover.department, EXECUTIVE, COMMUNICATIONS)), None)
    return Move(mover, destination) if destination else None


def _spread(people: Iterable[Employee]) -> list[Employee]:
    """Return people so that the first of every department come before the second of any."""
    seen: dict[str, int] = {}
    ranked: list[tuple[int, Employee]] = []
    for person in people:
        seen[person.department] = seen.get(person.department, 0) + 1
        ranked.append((seen[person.department], person))
    return [person for _, person in sorted(ranked, key=lambda pair: pair[0])]


def _first(people: Iterable[Employee], *, department: str = "", title: str = "") -> Employee | None:
    for person in people:
        if department in ("", person.department) and title in ("", person.title):
            return person
    return None
