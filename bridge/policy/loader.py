"""`policy.yaml` → `Policy`, or every problem in it at once.

Text in, value out; reading the file is the caller's. What each key means to administrators is told in
`docs/policy.md`; whether the policy does what its tests expect is for `trial`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from bridge.directory.selector import Selector, all_of, any_of
from bridge.document import (
    Kind,
    Placed,
    Section,
    Value,
    a,
    boolean,
    choice,
    duration,
    integer,
    line,
    list_of,
    mapping_of,
    matching,
    nearest,
    number,
    placed,
    read,
)
from bridge.policy import acknowledge, desk_section, retention, room_section
from bridge.policy.accounts import joiners, leavers, profile_field
from bridge.policy.emergency import Emergency, read_emergency
from bridge.policy.expectations import Expectations
from bridge.policy.hours import read_hours
from bridge.policy.reports import read_reports
from bridge.policy.schema import (
    Accounts,
    Avatars,
    Barrier,
    Brake,
    Desk,
    Guests,
    Policy,
    Requests,
    Room,
    RoomKind,
    RuleId,
    Space,
    UnmanagedRooms,
)
from bridge.policy.settings import Join, Rank
from bridge.policy.vocabulary import EVERYONE, RESERVED, Vocabulary, identifier

VERSION = 1
"""Of the policy's language."""


def load(text: str, file: str, attributes: Collection[str] = ()) -> Policy:
    """Return the policy that a text says; raise `DocumentError` with every problem.

    `file` is the name to report problems under, `attributes` are the directory's custom ones, as they are spelt.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    return read(text, file, lambda section: _Reader(Vocabulary.of(attributes)).policy(section, digest))


class _Reader:
    """Reads one policy; each method reads one section, or makes one check across sections."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._selector = vocabulary.selector
        self._rooms: dict[RuleId, Room] = {}
        self._spaces: dict[RuleId, Space] = {}
        self._desks: dict[RuleId, Desk] = {}
        self._listed: dict[RuleId, tuple[Placed[str], ...]] = {}
        """Space → the spaces it lists."""
        self._expectations = Expectations(vocabulary)
        self._barriers: set[str] = set()
        self._retained: dict[RuleId, retention.Kept] = {}
        self._cases: tuple[tuple[Selector, ...], tuple[int, int]] = (), (0, 0)
        """Who approves cases, and where that stands."""
        """What rooms say themselves of how long they are kept."""

    def policy(self, section: Section, digest: str) -> Policy:
        rule_id = identifier({})
        section.required("version", _VERSION)
        company = section.required("company", line)
        accounts = section.optional("accounts", a(self._account), Accounts())
        self._rooms = section.optional("rooms", mapping_of(a(self._room), rule_id), {})
        self._spaces = section.optional("spaces", mapping_of(a(self._space), rule_id), {})
        self._desks = section.optional("announcements", mapping_of(a(self._desk), rule_id), {})
        brake = section.optional("brake", a(self._brake), Brake())
        barriers = section.optional("barriers", list_of(a(self._barrier)), ())
        requests = section.optional("requests", a(self._requests), Requests())
        archive = section.optional("archive", a(self._archive), retention.Said())
        retained = retention.retention(archive, self._retained)
        guests = section.optional("guests", a(self._guests), None)
        unmanaged = section.optional("unmanaged_rooms", choice(*UnmanagedRooms), UnmanagedRooms.REPORT)
        hours = section.optional("hours", a(lambda each: read_hours(each, self._vocabulary)), None)
        emergency = section.optional("emergency", a(self._emergency), Emergency())
        tests = section.optional("tests", list_of(a(self._expectations.read)), ())
        self._check_listed_spaces()
        self._check_open_rooms(section)
        self._expectations.check(self._rooms, (*self._spaces, *self._desks))
        return Policy(
            company,
            accounts,
            self._spaces,
            self._rooms,
            self._desks,
            brake,
            tests,
            digest,
            barriers,
            requests,
            retained,
            guests,
            unmanaged,
            *self._cases,
            reports=read_reports(section, self._selector),
            newcomers=section.optional("newcomers", a(_newcomers), None),
            hours=hours,
            emergency=emergency,
        )

    def _emergency(self, section: Section) -> Emergency:
        return read_emergency(section, self._selector, self._vocabulary.attribute)

    def _account(self, section: Section) -> Accounts:
        template = self._vocabulary.person_template
        profile = section.optional("profile", mapping_of(template, profile_field), {})
        return Accounts(
            user_id=section.optional("user_id", template, Accounts().user_id),
            display_name=section.optional("display_name", template, Accounts().display_name),
            profile=profile,
            avatar=section.optional("avatar", choice(*Avatars), None),
            leavers=section.optional("leavers", leavers, Accounts().leavers),
            prepared=section.optional("joiners", a(joiners), timedelta()),
            successors=section.optional("successors", list_of(self._vocabulary.successor), ()),
        )

    def _room(self, section: Section) -> Room:
        for_each = section.optional("for_each", self._vocabulary.attribute, None)
        everyone_by_default = for_each is not None
        kind = section.optional("kind", choice(RoomKind.CHAT, RoomKind.ANNOUNCEMENT), RoomKind.CHAT)
        exclusive = section.optional("exclusive", boolean, False)
        role = room_section.role(self._selector, for_each)
        ranks, managers = room_section.divided(
            {
                "admins": section.optional("admins", role, None),
                "moderators": section.optional("moderators", role, None),
                "posters": section.optional("posters", role, None),
            }
        )
        join, settings = room_section.read_settings(section, kind, exclusive=exclusive)
        if (retained := section.optional("retain", retention.kept, None)) is not None:
            self._retained[section.name] = retained
        room = Room(
            id=section.name,
            name=section.required("name", self._vocabulary.room_template(for_each, must=True)),
            topic=section.optional("topic", self._vocabulary.room_template(for_each, must=False), ""),
            kind=kind,
            members=section.optional("members", self._selector, EVERYONE)
            if everyone_by_default
            else section.required("members", self._selector),
            admins=ranks["admins"],
            moderators=ranks["moderators"],
            posters=ranks["posters"],
            managers=managers,
            for_each=for_each,
            exclusive=exclusive,
            join=join,
            settings=settings,
            exceptions=section.optional(
                "exceptions", list_of(a(lambda each: room_section.read_exception(each, section.name, for_each))), ()
            ),
            renamed=room_section.read_renamed(section, for_each),
            shadow=section.optional("shadow", boolean, False),
            place=room_section.place_of(section),
        )
        if (room.posters is not None or Rank.POSTERS in managers) and kind is not RoomKind.ANNOUNCEMENT:
            section.problem(
                "`posters` is for rooms of `kind: announcement`; in a chat everyone may write", key="posters"
            )
        return room

    def _space(self, section: Section) -> Space:
        rooms = section.optional("rooms", list_of(self._one_of(self._rooms, "room")), ())
        spaces = section.optional("spaces", list_of(placed(line)), ())
        self._listed[section.name] = spaces
        _refuse_repetition(rooms)
        _refuse_repetition(spaces)
        return Space(
            id=section.name,
            name=section.required("name", line),
            members=section.required("members", self._selector),
            rooms=tuple(room.value for room in rooms),
            spaces=tuple(space.value for space in spaces),
            place=room_section.place_of(section),
        )

    def _desk(self, section: Section) -> Desk:
        listed = section.required("rooms", list_of(self._one_of(self._rooms, "room"), least=1))
        _refuse_repetition(listed)
        for each in listed:
            if each.value and self._rooms[each.value].kind is not RoomKind.ANNOUNCEMENT:
                each.problem(f"expected a room of `kind: announcement`, came `{each.value}`")
        rooms = [self._rooms[each.value] for each in listed if each.value]
        names = ", ".join(room.name if room.for_each is None else room.id for room in rooms)
        posters = section.optional("posters", self._selector, None)
        return Desk(
            id=section.name,
            name=section.optional("name", line, f"Desk: {names}"),
            posters=posters or self._posters_of(rooms, section),
            rooms=tuple(room.id for room in rooms),
            place=room_section.place_of(section),
            people=section.optional("people", self._selector, None) or any_of([room.members for room in rooms]),
            acknowledge=section.optional("acknowledge", a(acknowledge.read), None),
            **desk_section.read(section, self._rooms),
        )

    def _posters_of(self, rooms: Collection[Room], section: Section) -> Selector:
        """Return the selector of those who may write in at least one of the rooms."""
        posters: list[Selector] = []
        for room in rooms:
            writers = [each for each in (room.posters, room.moderators, room.admins) if each is not None]
            if writers:
                here = [room.members] if room.members.normal != EVERYONE.normal else []
                posters.append(all_of([*here, any_of(writers)]))
        if posters:
            return any_of(posters)
        if rooms:
            section.problem("`posters` is missing: nobody may post in the rooms of this desk, so say who may here")
        return EVERYONE

    def _brake(self, section: Section) -> Brake:
        usual = Brake()
        return Brake(
            removals=section.optional("removals", integer(0), usual.removals),
            fraction=section.optional("fraction", number(0, 1), usual.fraction),
            floor=section.optional("floor", integer(0), usual.floor),
            per_run=section.optional("per_run", integer(0), usual.per_run),
            window=section.optional("window", duration, usual.window),
            approval=section.optional("approval", duration, usual.approval),
            protected=section.optional("protected", list_of(self._selector), ()),
            approvers=section.optional("approvers", list_of(self._selector), ()),
            place=room_section.place_of(section),
        )

    def _barrier(self, section: Section) -> Barrier:
        exempt = section.optional("except", list_of(self._one_of(self._rooms, "room")), ())
        _refuse_repetition(exempt)
        barrier = Barrier(
            one=section.required("between", self._selector),
            other=section.required("and", self._selector),
            reason=section.required("reason", line),
            exempt=tuple(room.value for room in exempt),
            place=room_section.place_of(section),
        )
        if barrier.one.normal == barrier.other.normal:
            section.problem("`between` and `and` ask the same: nobody could share a room with anybody", key="and")
        if barrier.id in self._barriers:
            section.problem("these two sides have a barrier already")
        self._barriers.add(barrier.id)
        return barrier

    def _requests(self, section: Section) -> Requests:
        usual = Requests()
        requests = Requests(
            until=section.optional("until", duration, usual.until),
            remind=section.optional("remind", duration, usual.remind),
            escalate=section.optional("escalate", duration, usual.escalate),
            expire=section.optional("expire", duration, usual.expire),
        )
        if requests.expire <= max(requests.remind, requests.escalate):
            section.problem(
                "`expire` must be longer than `remind` and `escalate`: else nobody has time to answer", key="expire"
            )
        return requests

    def _archive(self, section: Section) -> retention.Said:
        self._cases = section.optional("approvers", list_of(self._selector), ()), room_section.place_of(section)
        return retention.read_archive(section, (*self._rooms, *self._desks, RESERVED))

    def _guests(self, section: Section) -> Guests:
        domains = section.optional("domains", list_of(placed(_DOMAIN)), ())
        _refuse_repetition(domains)
        guests = Guests(
            sponsors=section.required("sponsors", self._selector),
            domains=tuple(domain.value for domain in domains),
            review=section.optional("review", duration, timedelta(days=90)),
        )
        if guests.review < timedelta(days=1) or guests.review % timedelta(days=1):
            section.problem("`review` is in whole days, one at least, such as 90d", key="review")
        return guests

    def _one_of(self, known: Mapping[RuleId, object], what: str) -> Kind[Placed[str]]:
        """Return the kind of ids that exist."""

        def make(value: Value) -> str:
            found = line.make(value)
            if found not in known:
                value.refuse(f"there is no {what} `{found}`{nearest(found, known)}")
            return found

        return placed(Kind(make, str))

    def _check_listed_spaces(self) -> None:
        for space, listed in self._listed.items():
            for each in listed:
                if each.value not in self._spaces:
                    each.problem(f"there is no space `{each.value}`{nearest(each.value, self._spaces)}")
                elif way := self._way(each.value, space):
                    each.problem(f"spaces must not contain each other in a circle: {' → '.join((space, *way))}")

    def _check_open_rooms(self, section: Section) -> None:
        """Insist that a room open to a space is listed by one."""
        for room in self._rooms.values():
            listing = [space.id for space in self._spaces.values() if room.id in space.rooms]
            if room.join is Join.SPACE and len(listing) != 1:
                came = f"`{'` and `'.join(listing)}` list it" if listing else "none lists it"
                section.problem(
                    f"`join: space` lets in the members of the one space that lists `{room.id}`: {came}", key="rooms"
                )

    def _way(self, start: RuleId, goal: RuleId) -> tuple[RuleId, ...]:
        """Return how one space is reached from another by what spaces list, both included; empty when it is not."""
        ways: list[tuple[RuleId, ...]] = [(start,)]
        seen = {start}
        for way in ways:
            if way[-1] == goal:
                return way
            further = [each.value for each in self._listed.get(way[-1], ()) if each.value not in seen]
            seen.update(further)
            ways += [(*way, each) for each in further]
        return ()


def _refuse_repetition(listed: Iterable[Placed[str]]) -> None:
    seen: set[str] = set()
    for each in listed:
        if each.value in seen:
            each.problem(f"`{each.value}` is listed twice")
        seen.add(each.value)


_DOMAIN = matching(r"[a-z0-9][a-z0-9.-]*(:[0-9]+)?", "the name of a homeserver, such as partner.example")


def _newcomers(section: Section) -> timedelta:
    return section.optional("since", duration, timedelta(days=30))


def _version(value: Value) -> int:
    if value.scalar("int") != str(VERSION):
        value.expected(f"{VERSION}, the version of the policy language that this Muster reads")
    return VERSION


_VERSION = Kind(_version, lambda: VERSION)
