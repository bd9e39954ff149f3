"""Whom the day's announcements reach by e-mail, and what each letter says (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from bridge.announcements.language import readable
from bridge.announcements.outlets.said import Said
from bridge.directory.census import Census
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import Person
from bridge.ids import PersonId
from bridge.policy.schema import Policy, RuleId


@dataclass(frozen=True, slots=True)
class Written:
    """A letter, as it is sent."""

    subject: str
    text: str


def sorted_out(
    policy: Policy, census: Census, said: Iterable[Said], holders: Collection[PersonId], attribute: str
) -> dict[PersonId, list[str]]:
    """Return who gets which announcements by e-mail: those who work here, have an address, and no account.

    `attribute` is the lower-case path of the address, `holders` those who have an account. An announcement for rooms
    is for whoever would be in one of them.
    """
    reachable = [
        row for row in census.active if census.person(row).id not in holders and census.person(row).other.get(attribute)
    ]
    without = PeopleSet.of(reachable)
    found: dict[PersonId, list[str]] = {}
    for announcement in said:
        for row in _meant(policy, census, announcement) & without:
            found.setdefault(census.person(row).id, []).append(announcement.id)
    return found


def write(company: str, person: Person, said: Sequence[Said], day: date) -> Written:
    """Return the letter with these announcements, each in the language that the person reads."""
    count = f"{len(said)} announcement{'' if len(said) == 1 else 's'}"
    head = f"{company} announced this in its chat. You get it by e-mail because you have no account there yet."
    parts = [_part(each, _wishes(person)) for each in said]
    return Written(f"{company}: {count}, {day.isoformat()}", "\n\n".join([head, *parts]) + "\n")


def _part(said: Said, wishes: Sequence[str]) -> str:
    languages = sorted(said.texts)
    title = f"{said.author_name}, {said.opened_at:%Y-%m-%d %H:%M} UTC"
    return f"{title}\n{'-' * len(title)}\n{said.text(readable(wishes, languages))}"


def _meant(policy: Policy, census: Census, said: Said) -> PeopleSet:
    if said.audience.people is not None:
        return census.select(said.audience.people) & census.active
    return PeopleSet.union([_members(policy, census, rule) for rule in said.audience.rooms])


def _members(policy: Policy, census: Census, rule: RuleId) -> PeopleSet:
    """Return who would be in a room of the rule."""
    room = policy.rooms.get(rule)
    if room is None:
        return PeopleSet.none
    members = census.select(room.members) & census.active
    if room.for_each is None:
        return members
    by_value: Mapping[str, PeopleSet] = census.by_value(room.for_each)
    return members & PeopleSet.union(by_value.values())


def _wishes(person: Person) -> list[str]:
    found = (person.other.get("preferredlanguage", ()), person.other.get("locale", ()))
    return [str(value) for values in found for value in values]
