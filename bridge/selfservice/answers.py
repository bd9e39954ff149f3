"""What the bot answers to a command: reads what one person may know, and has `replies` word it.

What is said of rooms goes through `known_rooms`, what is said of colleagues through the phone book; of nobody else is
anything read. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from bridge.directory.local_day import LocalDays
from bridge.directory.person import STANDARD_ATTRIBUTES, Attributes, Person, Scalar, attributes_of
from bridge.directory.selector import Selector
from bridge.ids import RoomKey, UserId
from bridge.membership.question import answers
from bridge.membership.ruling import Ground, rulings
from bridge.membership.survey import Bot, JoinedRooms, Scope, survey
from bridge.membership.values import Action
from bridge.policy.schema import Policy
from bridge.policy.settings import LEVELS, Rank
from bridge.selfservice import replies, store
from bridge.selfservice.closed_rooms import closed_rooms
from bridge.selfservice.command import Command, Word
from bridge.selfservice.known_rooms import KnownRoom, Who, find, known_rooms
from bridge.selfservice.look_up import View, look_up
from bridge.selfservice.phone_book import Found, name_of
from bridge.selfservice.replies import Account, Reason, Text

if TYPE_CHECKING:
    from bridge.database import Pool

_SPELLED = {name.lower(): name for name in STANDARD_ATTRIBUTES}
_NOT_TOLD = frozenset({"id", "active", "manager", "standing"})
"""What is Muster's own rather than HR's, or the id of somebody whose name is told."""
_NAMES = {"manager.displayname": "manager", "username": "user name", "displayname": "name"}
_BY_NAME = {"manager": "manager.displayname", "id": "username"}
"""Attributes that hold an id → those that say the same in words."""
_RANKS = {LEVELS[Rank.ADMINS]: "administrator", LEVELS[Rank.MODERATORS]: "moderator", LEVELS[Rank.POSTERS]: "poster"}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and when."""

    person: Person
    user_id: UserId
    now: datetime
    policy: Policy


class Answers:
    """Answers commands; `timezone` is that of people without one of their own."""

    def __init__(self, pool: Pool, homeserver: Bot, accounts: JoinedRooms, timezone: str) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._accounts = accounts
        self._timezone = timezone

    async def to(self, command: Command, asker: Asker) -> Text:
        """Return the answer to a command that only asks; requests are for `requests`."""
        match command.word:
            case Word.WHOAMI:
                return replies.describe_account(self._account(asker))
            case Word.WHO:
                return replies.list_people(await self._who(command.rest, asker))
            case Word.ROOMS:
                return replies.list_rooms(await self.rooms(asker))
            case Word.WHY:
                return await self._why(command.rest, asker)
            case _:
                return replies.usage()

    async def rooms(self, asker: Asker) -> tuple[KnownRoom, ...]:
        """Return the rooms that somebody may know of."""
        scope = Scope(people=frozenset({asker.person.id}))
        found = await survey(
            self._pool,
            self._homeserver,
            self._accounts,
            asker.policy,
            asker.now,
            scope,
            timezone=self._timezone,
        )
        decided = rulings(
            asker.policy,
            found.census,
            found.desired,
            found.current,
            bot=self._homeserver.bot,
            touched=found.touched,
            walls=found.walls,
            exemptions=found.exemptions,
        )
        waiting = {
            RoomKey(change.room)
            for plan in found.held
            for change in plan.changes
            if change.user_id == asker.user_id and change.action is Action.REMOVE
        }
        who = Who(asker.user_id, asker.person.id, frozenset(waiting))
        closed = closed_rooms(found.current.rooms, asker.user_id, found.seats, found.walls, found.plan.kept_out)
        return known_rooms(decided, await store.aliases(self._pool), who, closed)

    async def _who(self, text: str, asker: Asker) -> Found:
        view = View(asker.person, asker.policy.barriers)
        return await look_up(self._pool, text, asker.now, self._timezone, view)

    async def _why(self, text: str, asker: Asker) -> Text:
        found = find(text, await self.rooms(asker))
        if not found:
            return replies.unknown_room(text)
        if len(found) > 1:
            return replies.several_rooms(found)
        return replies.explain_room(self._reason(found[0], asker))

    def _reason(self, room: KnownRoom, asker: Asker) -> Reason:
        day = LocalDays(asker.now, self._timezone)(asker.person)
        attributes = attributes_of(asker.person, day)
        ruling = room.ruling
        question, power = (ruling.question, ruling.power) if ruling is not None else (None, None)
        by_rule = ruling is not None and room.wanted and ruling.ground is Ground.RULE
        ranked = power is not None and power.level == room.level
        selector = power.selector if power is not None and ranked else None
        return Reason(
            room=room,
            rule=question.rule if question else "",
            because=_own(question.selector, attributes, day) if question is not None and by_rule else (),
            rank=_RANKS.get(room.level, ""),
            rank_because=_own(selector, attributes, day) if selector is not None else (),
            ranks_as_manager=ranked and selector is None,
        )

    def _account(self, asker: Asker) -> Account:
        day = LocalDays(asker.now, self._timezone)(asker.person)
        return Account(asker.user_id, name_of(asker.person), tuple(_told(asker.person, day)))


def _own(selector: Selector, attributes: Attributes, day: date) -> tuple[tuple[str, str], ...]:
    """Return those of somebody's own attributes that a selector asks for and that are so, as names and values."""
    told = [
        (answer.attribute, ", ".join(map(_shown, attributes.get(_BY_NAME.get(answer.attribute, answer.attribute), ()))))
        for answer in answers(selector, attributes, (), day)
        if answer.holds
    ]
    return tuple(dict.fromkeys((_name(path), value) for path, value in told if value))


def _told(person: Person, day: date) -> Iterator[tuple[str, str]]:
    """Yield what HR says of a person, the attributes that every directory has first."""
    attributes = attributes_of(person, day)
    order = [*_SPELLED, *sorted(attributes.keys() - _SPELLED.keys())]
    for path in order:
        if path not in _NOT_TOLD and (values := attributes.get(path)):
            yield _name(path), ", ".join(map(_shown, values))


def _name(path: str) -> str:
    return _NAMES.get(path) or _SPELLED.get(path, path)


def _shown(value: Scalar) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
