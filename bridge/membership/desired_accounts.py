"""The accounts that people ought to have, one for each who works here.

Pure. Everything about an account is worked out when it is asked for; but user IDs depend on one another, so all that
are new are chosen when the first of them is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, ValuesView
from functools import cached_property
from itertools import repeat, starmap

from bridge.directory.census import Census
from bridge.directory.expression import fold
from bridge.directory.person import (
    Attributes,
    Person,
    Scalar,
    begins_within,
    first_day,
    is_employed,
    values_of,
)
from bridge.directory.template import display_name, placeholders
from bridge.ids import PersonId, UserId, localpart_of
from bridge.membership.localpart import localpart
from bridge.membership.profile import fill_profile, picture_of
from bridge.membership.values import CurrentAccount, DesiredAccount
from bridge.policy.schema import Accounts


class DesiredAccounts(Mapping[PersonId, DesiredAccount]):
    """An enabled account for everybody who works here, a disabled one for whoever else has one already, or will work
    here soon and is to find it made."""

    def __init__(
        self,
        templates: Accounts,
        census: Census,
        known: Mapping[PersonId, CurrentAccount],
        server_name: str,
        taken: Collection[str],
    ) -> None:
        self._templates = templates
        self._census = census
        self._known = known
        self._server_name = server_name
        self._taken = taken

    def __getitem__(self, person: PersonId) -> DesiredAccount:
        row = self._census.row(person)
        if row is None or not (row in self._census.active or person in self._known or self._is_awaited(row)):
            raise KeyError(person)
        return self._account(self._census.person(row), row in self._census.active)

    def __iter__(self) -> Iterator[PersonId]:
        return (person.id for person, _ in self._people())

    def __len__(self) -> int:
        return sum(1 for _ in self._people())

    def values(self) -> ValuesView[DesiredAccount]:
        """Return every account, without looking each person up."""
        return _Values(self)

    def first_choices(self) -> set[str]:
        """Return the localparts that newcomers would get if nobody else had one: what they do get begins so."""
        given = (_attributes(person, self._templates.user_id, self._census) for person in self._newcomers)
        return {localpart(each, self._templates.user_id, (), server_name=self._server_name) for each in given}

    def _people(self) -> Iterator[tuple[Person, bool]]:
        """Yield everybody who has or needs an account, with whether it is to be enabled."""
        census = self._census
        yield from zip(map(census.people.__getitem__, census.active), repeat(True))
        others = census.everyone - census.active
        yield from (
            (census.people[row], False)
            for row in others
            if census.people[row].id in self._known or self._is_awaited(row)
        )

    def _account(self, person: Person, enabled: bool) -> DesiredAccount:
        known, day = self._known.get(person.id), self._census.day_of(person)
        awaited = not enabled and begins_within(person, day, self._templates.prepared)
        if known is not None and not enabled:
            barred = is_employed(person, day)
            return DesiredAccount(person.id, known.user_id, known.display_name, False, barred, awaited)
        user_id = known.user_id if known is not None else self._fresh[person.id]
        asked = first_day(person, day) if awaited else day

        def lookup(path: str) -> tuple[Scalar, ...] | None:
            return values_of(person, path, asked)

        name = display_name(self._templates.display_name, lookup)
        face = known.face if known is not None else ""
        profile = fill_profile(self._templates.profile, lookup) | picture_of(self._templates.avatar, face)
        return DesiredAccount(person.id, user_id, name, enabled, awaited=awaited, profile=profile)

    def _is_awaited(self, row: int) -> bool:
        prepared = self._templates.prepared
        if not prepared:
            return False
        person = self._census.people[row]
        return begins_within(person, self._census.day_of(person), prepared)

    @cached_property
    def _newcomers(self) -> list[Person]:
        return [person for person, _ in self._people() if person.id not in self._known]

    @cached_property
    def _fresh(self) -> Mapping[PersonId, UserId]:
        return _fresh_user_ids(
            self._templates.user_id, self._newcomers, self._census, self._known, self._server_name, self._taken
        )


class _Values(ValuesView[DesiredAccount]):
    def __init__(self, accounts: DesiredAccounts) -> None:
        super().__init__(accounts)
        self._accounts = accounts

    def __iter__(self) -> Iterator[DesiredAccount]:
        return starmap(self._accounts._account, self._accounts._people())


def _fresh_user_ids(
    template: str,
    newcomers: Sequence[Person],
    census: Census,
    known: Mapping[PersonId, CurrentAccount],
    server_name: str,
    taken: Collection[str],
) -> dict[PersonId, UserId]:
    """Choose user IDs for those who need one, in the order of their user names, whatever order they came in."""
    if not newcomers:
        return {}
    used = {localpart_of(account.user_id) for account in known.values()}
    used.update(taken)
    chosen: dict[PersonId, UserId] = {}
    for person in sorted(newcomers, key=lambda person: (fold(person.user_name), person.id)):
        part = localpart(_attributes(person, template, census), template, used, server_name=server_name)
        used.add(part)
        chosen[person.id] = UserId(f"@{part}:{server_name}")
    return chosen


def _attributes(person: Person, template: str, census: Census) -> Attributes:
    """Return those what a localpart can be made of: the person's attributes, before the first day those of that day."""
    day = first_day(person, census.day_of(person))
    return {path: values_of(person, path, day) for path in (*placeholders(template), "externalid", "id")}
