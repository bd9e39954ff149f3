"""The accounts that people ought to have, one for each who works here.

Pure. User IDs are chosen at once, because they depend on one another; everything else about an account is worked out
when it is asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property

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
        self._fresh = _fresh_user_ids(templates.user_id, census, known, server_name, taken)

    def __getitem__(self, person: PersonId) -> DesiredAccount:
        somebody, enabled = self._people[person]
        known = self._known.get(person)
        if known is not None and not enabled:
            barred = is_employed(somebody, self._census.day_of(somebody))
            return DesiredAccount(person, known.user_id, known.display_name, False, barred)
        day = self._census.day_of(somebody)
        name = display_name(self._templates.display_name, lambda path: values_of(somebody, path, day))
        return DesiredAccount(person, known.user_id if known is not None else self._fresh[person], name, True)

    def __iter__(self) -> Iterator[PersonId]:
        return iter(self._people)

    def __len__(self) -> int:
        return len(self._people)

    @cached_property
    def _people(self) -> Mapping[PersonId, tuple[Person, bool]]:
        """Everybody who has or needs an account, with whether it is to be enabled."""
        census = self._census
        staff = {person.id: (person, True) for person in map(census.person, census.active)}
        others = map(census.person, census.everyone - census.active)
        return staff | {person.id: (person, False) for person in others if person.id in self._known}


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
