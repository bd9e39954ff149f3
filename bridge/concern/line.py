"""Who may be asked to take a report, and in which order (pure).

Nobody is asked about their own report, nobody whom HR says to be away, nobody above the reporter where the policy
says so, and nobody whom an information barrier parts from the reporter or from somebody asked before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bridge.directory.census import Census
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import Person, Standing
from bridge.ids import PersonId, UserId
from bridge.membership.barriers import Seat, seats_of, walls_of
from bridge.policy.reports import ReportKind
from bridge.policy.schema import Barrier

_HIGHEST = 20
"""So many levels above somebody are looked at."""


def line_of(
    kind: ReportKind,
    census: Census,
    accounts: Mapping[PersonId, UserId],
    reporter: PersonId,
    barriers: Sequence[Barrier],
) -> tuple[tuple[UserId, ...], ...]:
    """Return the groups in the order in which they are asked, each sorted; nobody is in two.

    `accounts` are those that are enabled; a census holds everybody.
    """
    row = census.row(reporter)
    itself = PeopleSet.of([row] if row is not None else [])
    above = PeopleSet.of(
        each for levels in range(1, _HIGHEST + 1) if kind.not_manager for each in census.managers(itself, levels)
    )
    users = [accounts.get(person.id, UserId("")) for person in census.people]
    seats = seats_of(walls_of(barriers, census), users)
    # Guests aside, a person's seats are those of the account; a reporter has one, having written to the bot.
    taken = set(seats.get(accounts.get(reporter, UserId("")), frozenset()))
    seen: set[UserId] = {UserId("")}
    groups = []
    for selector in (kind.responders, *kind.next):
        asked = sorted(_available(census, (census.select(selector) & census.active) - itself - above, users))
        groups.append(tuple(user for user in asked if user not in seen and _sits(user, seats, taken)))
        seen.update(asked)
    return tuple(group for group in groups if group)


def _available(census: Census, people: PeopleSet, users: Sequence[UserId]) -> Iterator[UserId]:
    for row in people:
        if not _is_away(census.person(row)):
            yield users[row]


def _is_away(person: Person) -> bool:
    return Standing.AWAY.value in person.other.get("standing", ())


def _sits(user: UserId, seats: Mapping[UserId, frozenset[Seat]], taken: set[Seat]) -> bool:
    """Tell whether somebody may sit with those whose seats are taken, and take theirs."""
    own = seats.get(user, frozenset[Seat]())
    if any(seat.opposite in taken for seat in own):
        return False
    taken.update(own)
    return True
