"""Whom a plan is about, and in whose name the policy asks for a room. Pure.

People are told apart from strangers by their rows of the census, so that whole rooms are compared as sets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

from bridge.directory.census import Census
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import Person
from bridge.ids import PersonId, UserId, server_of
from bridge.membership.guests import NO_GUESTS, Guesthood, is_outside
from bridge.membership.values import Current, Departures, Desired, DesiredAccount, DesiredRoom
from bridge.policy.schema import RoomKind

LEAVER = "no longer works here"
BARRED = "is barred, and employed still"

_SECTIONS = {RoomKind.SPACE: "spaces", RoomKind.DESK: "announcements"}


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a plan is about."""

    accounts: Sequence[DesiredAccount]
    users: Sequence[UserId]
    """By row of the census; empty for those who neither have nor need an account, and so are in no room."""
    row_of: Mapping[UserId, int]
    rows: PeopleSet | None
    """None: everybody."""
    touched: frozenset[UserId] | None
    people: Sequence[Person]
    """By row."""
    others: Mapping[UserId, PersonId]
    """People with an account who are not in the census."""
    leavers: Mapping[UserId, str]
    """Those whose account is to be disabled, with why."""
    bot: UserId
    departures: Departures
    guests: Guesthood = NO_GUESTS

    def of(self, people: PeopleSet) -> PeopleSet:
        """Return those of the people whom the plan is about."""
        return people if self.rows is None else people & self.rows

    def among(self, users: Collection[UserId]) -> Users:
        """Return those of the users whom the plan is about, the people by row; never the bot."""
        if self.touched is not None:
            users = self.touched.intersection(users)
        nobody = len(self.users)
        rows = list(map(self.row_of.get, users, repeat(nobody)))
        people = PeopleSet.of(rows)
        if nobody not in people:
            return Users(people)
        strangers = frozenset(user for user, row in zip(users, rows, strict=True) if row == nobody)
        return Users(people - PeopleSet.of([nobody]), strangers - {self.bot})

    def sponsored(self, room: DesiredRoom) -> frozenset[UserId]:
        """Return the guests of a room whom the plan is about; somebody of the directory is nobody's guest."""
        users = room.sponsored.keys() if self.touched is None else room.sponsored.keys() & self.touched
        return frozenset(user for user in users if not self.person(user)) - {self.bot}

    def is_outside(self, user: UserId) -> bool:
        """Tell whether the account is one of another homeserver."""
        return is_outside(user, server_of(self.bot))

    def person(self, user: UserId) -> str:
        """Return the id of the person whose account it is, empty for strangers."""
        row = self.row_of.get(user)
        return self.others.get(user, "") if row is None else self.people[row].id

    def named(self, people: PeopleSet) -> Iterator[UserId]:
        """Yield the user IDs of the people."""
        return map(self.users.__getitem__, people)


@dataclass(frozen=True, slots=True)
class Users:
    """Users of the homeserver: people of the census, and others."""

    people: PeopleSet = PeopleSet.none
    strangers: frozenset[UserId] = frozenset()


def scope_of(
    desired: Desired,
    current: Current,
    census: Census,
    touched: frozenset[UserId] | None,
    bot: UserId,
    departures: Departures,
    guests: Guesthood = NO_GUESTS,
) -> Scope:
    everyone = {account.person: account for account in desired.accounts.values()}
    users = [everyone[person.id].user_id if person.id in everyone else UserId("") for person in census.people]
    row_of = {user: row for row, user in enumerate(users) if user and user != bot}
    rows = None if touched is None else PeopleSet.of([row_of[user] for user in touched if user in row_of])
    accounts = [account for account in everyone.values() if touched is None or account.user_id in touched]
    unseen = current.accounts.keys() - everyone.keys()
    others = {current.accounts[person].user_id: person for person in unseen}
    leavers = {account.user_id: BARRED if account.barred else LEAVER for account in accounts if not account.enabled}
    return Scope(accounts, users, row_of, rows, touched, census.people, others, leavers, bot, departures, guests)


def rule_of(room: DesiredRoom) -> str:
    """Return where the policy asks for the room: `rooms.department`."""
    if room.kind is RoomKind.ADMINISTRATORS:
        return "brake.approvers"
    return f"{_SECTIONS.get(room.kind, 'rooms')}.{room.rule}"
