"""Reading who comes into question to take over the rooms of leavers, in the order in which they are asked.

First the successor named by hand, then those whom the policy names (`accounts.successors`): these are brought in when
not inside. Then the managers, from the one next above to the top, as far as they are inside. Who of them it is, is
decided in `handover`. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from bridge.directory.census import Census
from bridge.directory.person import EMPLOYMENT_FIELDS, Person, Scalar, values_of
from bridge.directory.store import load_people, people_named
from bridge.ids import PersonId, UserId
from bridge.membership import lifecycle_store
from bridge.policy.schema import Successor

if TYPE_CHECKING:
    from bridge.database import Connection

_HIGHEST = 20
"""So many levels above somebody are looked at; who manages each other ends sooner."""


@dataclass(frozen=True, slots=True)
class Heirs:
    """Those who come into question for one leaver's rooms and whose account is enabled, the first ones first."""

    named: tuple[frozenset[UserId], ...] = ()
    """Of each group one, who is brought in when none of them is inside."""
    managers: tuple[UserId, ...] = ()

    def in_order(self, inside: Mapping[UserId, float]) -> list[UserId]:
        """Return those named one after the other; in each group those inside first, the most powerful of them first."""
        return [
            user
            for group in self.named
            for user in sorted(group, key=lambda user: (user not in inside, -inside.get(user, 0), user))
        ]


@dataclass(frozen=True, slots=True)
class _Chain:
    """The people who come into question for one leaver."""

    groups: list[frozenset[PersonId]] = field(default_factory=list)
    managers: list[PersonId] = field(default_factory=list)

    @property
    def everybody(self) -> frozenset[PersonId]:
        return frozenset(self.managers).union(*self.groups)


async def read_heirs(
    connection: Connection, leavers: Mapping[UserId, PersonId], asked: Collection[Successor], census: Census
) -> dict[UserId, Heirs]:
    """Return who comes into question for each leaver; `census` tells which day it is for whom."""
    people = {person.id: person for person in await load_people(connection, frozenset(leavers.values()))}
    by_hand = await lifecycle_store.successors_of(connection, people.keys())
    everyone: Census | None = None
    chains: dict[PersonId, _Chain] = {}
    for id_, person in people.items():
        chain = chains[id_] = _Chain(managers=await _line_up(connection, person))
        if id_ in by_hand:
            chain.groups.append(frozenset([by_hand[id_]]))
        for each in asked:
            if each.people is not None:
                everyone = everyone or Census(await load_people(connection), census.day_of)
                chosen = everyone.select(each.people) & everyone.active
                chain.groups.append(frozenset(everyone.person(row).id for row in chosen) - {id_})
            elif each.attribute == "manager":
                chain.groups.extend(frozenset([manager]) for manager in chain.managers)
            else:
                chain.groups.extend(await _named_by(connection, person, each.attribute))
    accounts = await lifecycle_store.enabled_users(
        connection, frozenset[PersonId]().union(*(chain.everybody for chain in chains.values()))
    )
    return {user: _heirs(chains[id_], accounts) for user, id_ in leavers.items() if id_ in chains}


def _heirs(chain: _Chain, accounts: Mapping[PersonId, UserId]) -> Heirs:
    groups = [frozenset(accounts[person] for person in group if person in accounts) for group in chain.groups]
    return Heirs(tuple(filter(None, groups)), tuple(accounts[each] for each in chain.managers if each in accounts))


async def _named_by(connection: Connection, person: Person, path: str) -> list[frozenset[PersonId]]:
    """Return whom an attribute of a leaver's names, by id, userName or externalId."""
    names = [str(value) for value in _ever(person, path)]
    found = await people_named(connection, names) if names else {}
    return [frozenset([found[name]]) for name in names if found.get(name, person.id) != person.id]


async def _line_up(connection: Connection, person: Person) -> list[PersonId]:
    """Return who stands above a person, from the next to the top."""
    found: list[PersonId] = []
    level = _managers([person])
    for _ in range(_HIGHEST):
        new = [each for each in level if each not in found and each != person.id]
        if not new:
            break
        found += new
        level = _managers(await load_people(connection, new))
    return found


def _managers(people: Iterable[Person]) -> list[PersonId]:
    return [PersonId(str(value)) for person in people for value in _ever(person, "manager")]


def _ever(person: Person, path: str) -> tuple[Scalar, ...]:
    """Return the values of an attribute, of past jobs too, the last job first: who has left has no other."""
    if path not in EMPLOYMENT_FIELDS:
        return values_of(person, path, date.min)  # the same on every day
    jobs = (getattr(job, EMPLOYMENT_FIELDS[path]) for job in reversed(person.employments))
    return tuple(dict.fromkeys(value for value in jobs if value is not None))
