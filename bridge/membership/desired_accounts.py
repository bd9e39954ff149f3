"""The accounts that people ought to have, one for each who works here.

Pure. Everything about an account is worked out when it is asked for; but user IDs depend on one another, so all that
are new are chosen when the first of them is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, ValuesView
from functools import cached_property
from itertools import repeat, starmap

from bridge.directory.census import Census
from bridge.directory.expression import fold
from bridge.directory.person import Attributes, Person, is_employed, values_of
from bridge.directory.template import display_name, placeholders
from bridge.ids import PersonId, UserId, localpart_of
from bridge.membership.localpart import localpart
from bridge.membership.values import CurrentAccount, DesiredAccount
from bridge.policy.schema import Accounts


class DesiredAccounts(Mapping[PersonId, DesiredAccount]):
    """An enabled account for everybody who works here, a disabled one for whoever else has one already."""

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
        if row is None or not (row in self._census.active or person in self._known):
            raise KeyError(person)
        return self._account(self._census.person(row), row in self._census.active)

    def __iter__(self) -> Iterator[PersonId]:
        return (person.id for person, _ in self._people())

    def __len__(self) -> int:
        return sum(1 for _ in self._people())

    def values(self) -> ValuesView[DesiredAccount]:
        """Return every account, without looking each person up."""
        return _Values(self)

    def _people(self) -> Iterator[tuple[Person, bool]]:
        """Yield everybody who has or needs an account, with whether it is to be enabled."""
        census = self._census
        yield from zip(map(census.people.__getitem__, census.active), repeat(True))
        others = map(census.person, census.everyone - census.active)
        yield from ((person, False) for person in others if person.id in self._known)

    def _account(self, person: Person, enabled: bool) -> DesiredAccount:
        known = self._known.get(person.id)
        if known is not None and not enabled:
            barred = is_employed(person, self._census.day_of(person))
            return DesiredAccount(person.id, known.user_id, known.display_name, False, barred)
        day = self._census.day_of(person)
        name = display_name(self._templates.display_name, lambda path: values_of(person, path, day))
        return DesiredAccount(person.id, known.user_id if known is not None else self._fresh[person.id], name, True)

    @cached_property
    def _fresh(self) -> Mapping[PersonId, UserId]:
        return _fresh_user_ids(self._templates.user_id, self._census, self._known, self._server_name, self._taken)


class _Values(ValuesView[DesiredAccount]):
    def __init__(self, accounts: DesiredAccounts) -> None:
        super().__init__(accounts)
        self._accounts = accounts

    def __iter__(self) -> Iterator[DesiredAccount]:
        return starmap(self._accounts._account, self._accounts._people())


def _fresh_user_ids(
    template: str, census: Census, known: Mapping[PersonId, CurrentAccount], server_name: str, taken: Collection[str]
) -> dict[PersonId, UserId]:
    """Choose user IDs for those who need one, in the order of their user names, whatever order they came in."""
    newcomers = [person for person in map(census.person, census.active) if person.id not in known]
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
    """Return those of the person's attributes that a localpart can be made of."""
    day = census.day_of(person)
    return {path: values_of(person, path, day) for path in (*placeholders(template), "externalid", "id")}
