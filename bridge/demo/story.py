"""The demo's story, from an empty company to a verified archive, with real parts only.

HR speaks SCIM, colleagues speak the client-server API, Muster runs as its own process; what is checked is asked of
Synapse where Synapse can say it. Times are measured here, by the wall clock, from the outside.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from mautrix.api import Method

from bridge.announcements import store as announcements
from bridge.announcements.tracking import Summary
from bridge.app import Services
from bridge.archive.backfill import count_missing
from bridge.archive.search import show
from bridge.archive.store import known_events
from bridge.archive.verify import verify
from bridge.demo.casting import Cast, Move, cast
from bridge.demo.colleague import Colleague
from bridge.demo.company import CONTRACTOR, Company, Employee
from bridge.demo.concurrency import settled, together
from bridge.demo.hr import HumanResources
from bridge.demo.narrator import Narrator
from bridge.demo.summary import AnnouncementFigures, ArchiveFigures, Entrance, Figures, LeaverFigures
from bridge.demo.workplace import Workplace
from bridge.errors import MusterError
from bridge.homeserver.transport import Transport, path
from bridge.ids import EventId, PersonId, RoomId, RoomKey, UserId
from bridge.membership.reconcile import Reconciler
from bridge.membership.rendering import as_text
from bridge.membership.rooms import alias_of
from bridge.membership.store import read_places
from bridge.membership.survey import Survey
from bridge.membership.values import Action
from bridge.policy.trial import run_tests

_PATIENCE = 30.0
"""Seconds that anything may take that ought to take one."""
_AT_ONCE = 6
_TOWN_SQUARE = RoomKey("town-square")
_DESK = RoomKey("desk")
_LINES = (
    "Good morning! The ferry from Tallinn is on time today.",
    "Guten Morgen, Halle 3 ist ab 14 Uhr wieder frei.",
    "Tere! Kas keegi läheb täna Narva?",
    "Καλημέρα σε όλους!",
    "Доброго ранку! Новий графік уже на столі.",
    "สวัสดีครับ รถออกเก้าโมงตรง",
    "おはようございます。東京便は予定どおりです。",
    "صباح الخير، الشحنة وصلت إلى دبي.",
)
_ANNOUNCEMENT = "From Monday on, the gate in Hamburg opens with the new badge only. Fetch yours from the service desk."
_REGRETTED = "The customs papers for Rotterdam have the wrong weight, better not tell anyone"


class Story:
    """One telling: the steps in order, each with its checks and figures."""

    def __init__(
        self, workplace: Workplace, services: Services, narrator: Narrator, company: Company, *, width: int
    ) -> None:
        self._workplace = workplace
        self._services = services
        self._narrator = narrator
        self._company = company
        self._width = width
        self._cast: Cast = cast(company)
        self._hr = HumanResources(workplace.session, workplace.scim_url, workplace.scim_token)
        self._reconciler = Reconciler(
            services.pool, services.homeserver, services.accounts, clock=services.clock, at_once=10
        )
        self._ids: dict[str, PersonId] = {}
        self._passwords: dict[UserId, str] = {}
        self._at_work: dict[str, Colleague] = {}
        self._figures = Figures(people=len(company.people))

    async def tell(self) -> Figures:
        """Tell everything and return the figures; the narrator holds the checks."""
        await self._push()
        await self._apply()
        await self._go_on_alone()
        if self._company.people:
            await self._talk()
            await self._announce()
            await self._move()
            await self._off_board()
            await self._redact()
        else:
            self._narrator.leave_out("Talk, announcement, move, off-boarding and redaction: nobody works here")
        await self._verify()
        self._figures = replace(self._figures, seconds=self._narrator.seconds)
        return self._figures

    def entrance(self) -> Entrance | None:
        """Return how a visitor gets in; None when nobody has an account."""
        guest = self._cast.guest
        if guest is None:
            return None
        return Entrance(
            homeserver=self._workplace.synapse.url,
            user_id=self._user_id(guest),
            password=self._passwords[self._user_id(guest)],
            muster=self._workplace.muster.url,
            config=str(self._workplace.config),
        )

    # The steps

    async def _push(self) -> None:
        people, groups = len(self._company.people), len(self._company.groups)
        with self._narrator.step(f"HR pushes {people} people over SCIM") as step:
            self._ids = await self._hr.push(self._company, step.advance)
            step.happened = f"HR pushed {people} people and {groups} groups over SCIM"
        self._narrator.check("people in the directory", expected=people, found=await self._hr.count())

    async def _apply(self) -> None:
        policy = self._services.policy()
        failures = run_tests(policy, policy.company)
        self._narrator.check("tests of the policy that fail", expected=0, found=len(failures))
        with self._narrator.step("Muster plans") as step:
            planned = await self._reconciler.survey(policy)
            step.happened = f"Muster planned {len(planned.plan.changes)} changes and changed nothing"
        self._narrator.say(f"\n{as_text(planned.plan, self._width)}")
        with self._narrator.step("Muster applies the plan") as step:
            began = time.monotonic()
            result = await self._reconciler.reconcile(
                policy, cause="the demo", digest=planned.plan.digest, progress=step.advance
            )
            seconds = time.monotonic() - began
            failed = [failure for failure in result.applied.failures if failure.change.action is Action.JOIN]
            joins = sum(change.action is Action.JOIN for change in planned.plan.changes) - len(failed)
            rooms = sum(change.action is Action.CREATE_ROOM for change in planned.plan.changes)
            step.happened = (
                f"Muster applied it: {rooms} rooms, {len(self._ids)} accounts, {joins} memberships"
                f" ({joins / seconds:.1f} joins/s)"
            )
        for failure in result.applied.failures[:3]:
            self._narrator.say(f"          {failure.change.action} {failure.change.user_id}: {failure.error}")
        self._narrator.check("changes that failed", expected=0, found=len(result.applied.failures))
        self._narrator.check("changes held by the brake", expected=0, found=len(result.held.changes))
        again = await self._reconciler.survey(policy)
        self._narrator.check("changes in a second plan", expected=0, found=len(again.plan.changes))
        await self._count(again, joins / seconds)

    async def _count(self, found: Survey, joins_per_second: float) -> None:
        """Compare what Synapse has with what the policy wants."""
        places = [place for place in (await read_places(self._services.pool)).values() if place.room_id]
        members = await together((self._members(place.room_id) for place in places if place.room_id), at_once=_AT_ONCE)
        memberships = sum(len(inside) for inside in members)
        wanted = sum(len(room.members) for room in found.desired.rooms.values())
        self._narrator.check("rooms on Synapse", expected=len(found.desired.rooms), found=len(places))
        self._narrator.check("memberships on Synapse", expected=wanted, found=memberships)
        self._figures = replace(
            self._figures,
            rooms=len(places),
            memberships=memberships,
            joins_per_second=joins_per_second if memberships else 0.0,
        )

    async def _go_on_alone(self) -> None:
        with self._narrator.step("Muster starts again, to apply changes by itself") as step:
            self._workplace.write_config(apply="automatic")
            await self._workplace.muster.stop()
            await self._workplace.muster.start()
            step.happened = "Muster started again; from now on it applies changes by itself"

    async def _talk(self) -> None:
        talkers = self._cast.talkers
        with self._narrator.step(f"{len(talkers)} people sign in and talk") as step:
            guest = [self._cast.guest] if self._cast.guest else []
            await together(map(self._give_password, dict.fromkeys([*talkers, *guest])), at_once=_AT_ONCE)
            signed_in = await together((self._sign_in(person, "Element on a laptop") for person in talkers), at_once=4)
            self._at_work = {person.external_id: at for person, at in zip(talkers, signed_in, strict=True)}
            said = await together((self._chat(person, line) for line, person in enumerate(talkers)), at_once=_AT_ONCE)
            events = [event_id for both in said for event_id in both]
            archived = await self._archived(events)
            step.happened = f"{len(talkers)} people signed in and said {len(events)} things in rooms made for them"
        self._narrator.check("messages in the archive", expected=len(events), found=archived)

    async def _announce(self) -> None:
        announcer = self._cast.announcer
        if announcer is None:
            return
        with self._narrator.step("Communications announces something") as step:
            await self._at_work[announcer.external_id].say(await self._room(_DESK), _ANNOUNCEMENT)
            sent = await self._announcement(lambda found: found.targeted == found.delivered)
            acknowledgers = list(self._at_work.values())
            for delivery in await announcements.load_deliveries(self._services.pool, sent.id):
                if delivery.event_id is not None:
                    target = (delivery.room_id, delivery.event_id, "✅")
                    await together((person.react(*target) for person in acknowledgers), at_once=_AT_ONCE)
            count = len(acknowledgers)
            sent = await self._announcement(lambda found: found.acknowledged >= count)
            step.happened = (
                f"{announcer.title} announced the new badges: {sent.delivered} people reached,"
                f" {sent.acknowledged} acknowledged with ✅"
            )
        self._narrator.check("people the announcement reached", expected=len(self._ids), found=sent.delivered)
        self._narrator.check("acknowledgements counted", expected=count, found=sent.acknowledged)
        figures = AnnouncementFigures(delivered=sent.delivered, acknowledged=sent.acknowledged)
        self._figures = replace(self._figures, announcement=figures)

    async def _move(self) -> None:
        move = self._cast.mover
        if move is None:
            self._narrator.leave_out("Moving somebody: there are not enough people and departments")
            return
        old = await self._room(RoomKey(f"department/{move.employee.department}"))
        new = await self._room(RoomKey(f"department/{move.destination}"))
        with self._narrator.step(f"HR moves somebody to {move.destination}") as step:
            await self._hr.move(self._ids[move.employee.external_id], move.destination)
            began = time.monotonic()
            rooms = await settled(
                lambda: self._joined(move.employee), lambda now: new in now and old not in now, seconds=_PATIENCE
            )
            step.happened = _moved(move, time.monotonic() - began)
        self._narrator.check(f"mover is in {move.destination}", expected=True, found=new in rooms)
        self._narrator.check(f"mover is still in {move.employee.department}", expected=False, found=old in rooms)

    async def _off_board(self) -> None:
        leaver, friend = self._cast.leaver, self._cast.friend
        if leaver is None or friend is None:
            self._narrator.leave_out("Off-boarding: the only people here are protected by the policy's brake")
            return
        with self._narrator.step("HR says that somebody has left") as step:
            sessions = [self._at_work[leaver.external_id], await self._sign_in(leaver, "Element X on a phone")]
            private = await sessions[0].open_room("Lunch", self._user_id(friend))
            await self._at_work[friend.external_id].join(private)
            rooms, devices = await self._joined(leaver), await self._devices(leaver)
            await self._hr.dismiss(self._ids[leaver.external_id])
            began = time.monotonic()
            waits: list[tuple[Callable[[], Awaitable[Collection[object]]], str]] = [
                (lambda: _still_let_in(sessions), "sessions let in"),
                (lambda: self._joined(leaver), "rooms"),
                (lambda: self._devices(leaver), "devices"),
            ]
            left = await asyncio.gather(*(settled(read, lambda now: not now, seconds=_PATIENCE) for read, _ in waits))
            seconds = time.monotonic() - began
            figures = LeaverFigures(seconds, len(rooms) - len(left[1]), len(devices) - len(left[2]))
            step.happened = (
                f"HR said that {leaver.title} {leaver.display_name} has left: {figures.sessions_ended} sessions ended"
                f" and {figures.rooms_left} rooms left, a private one too, {seconds:.2f} s later"
            )
        for (_, name), remaining in zip(waits, left, strict=True):
            self._narrator.check(f"leaver's {name}", expected=0, found=len(remaining))
        self._figures = replace(self._figures, leaver=figures)

    async def _redact(self) -> None:
        friend = self._cast.friend
        if friend is None:
            return
        with self._narrator.step("Somebody deletes a message") as step:
            room, person = await self._room(_TOWN_SQUARE), self._at_work[friend.external_id]
            event_id = await person.say(room, _REGRETTED)
            await self._archived([event_id])
            redaction = await person.redact(room, event_id)
            await self._archived([redaction])
            seen = await person.read(room, event_id)
            record = (await show(self._services.pool, event_id)).original
            step.happened = "Somebody deleted a message; in the archive it still stands, and who deleted it"
        self._narrator.check("text that Synapse still shows", expected="", found=seen.get("body", ""))
        self._narrator.check("text in the archive", expected=_REGRETTED, found=record.event.content.get("body"))
        deleted_by = record.redaction.sender if record.redaction else None
        self._narrator.check("who deleted it, by the archive", expected=person.user_id, found=deleted_by)

    async def _verify(self) -> None:
        with self._narrator.step("Muster verifies the archive") as step:
            missing = await settled(self._missing, lambda count: count == 0, seconds=_PATIENCE)
            verdict = await verify(self._services.pool, step.advance)
            step.happened = (
                f"Muster verified {verdict.size} events against the ledger and found {missing} of Synapse's missing"
            )
        self._narrator.check("ledger agrees with every event", expected=True, found=verdict.ok)
        self._narrator.check("events of Synapse missing in the archive", expected=0, found=missing)
        self._figures = replace(
            self._figures,
            archive=ArchiveFigures(verdict.size, verdict.size, verdict.root.hex(), verdict.ok, missing),
        )

    # What the steps ask and do

    def _user_id(self, person: Employee) -> UserId:
        """Return the user ID that the demo's policy gives: the user name."""
        return UserId(f"@{person.user_name}:{self._workplace.synapse.server_name}")

    async def _room(self, key: RoomKey) -> RoomId:
        room_id = await self._services.homeserver.resolve_alias(alias_of(key, self._workplace.synapse.server_name))
        assert room_id is not None, f"the room {key} was made by the plan"
        return room_id

    async def _members(self, room_id: RoomId) -> list[str]:
        """Return who is in a room, without Muster's bot, by Synapse's admin API."""
        admin = Transport(self._workplace.session, self._workplace.synapse.url, self._workplace.admin_token)
        answer = await admin.request(Method.GET, f"_synapse/admin/v1/{path('rooms', room_id, 'members')}")
        return [member for member in answer["members"] if member != self._services.homeserver.bot]

    async def _joined(self, person: Employee) -> Collection[RoomId]:
        return await self._services.accounts.joined_rooms(self._user_id(person))

    async def _devices(self, person: Employee) -> Collection[str]:
        return await self._services.accounts.devices(self._user_id(person))

    async def _give_password(self, person: Employee) -> None:
        """Give somebody a password, as single sign-on would let them in."""
        user_id = self._user_id(person)
        self._passwords[user_id] = secrets.token_urlsafe(9)
        await self._services.accounts.set_password(user_id, self._passwords[user_id])

    async def _sign_in(self, person: Employee, device: str) -> Colleague:
        user_id = self._user_id(person)
        url = self._workplace.synapse.url
        return await Colleague.sign_in(self._workplace.session, url, user_id, self._passwords[user_id], device=device)

    async def _chat(self, person: Employee, line: int) -> list[EventId]:
        """Say something to everybody, and something to the department, in which agency staff are not."""
        at_work = self._at_work[person.external_id]
        said = [await at_work.say(await self._room(_TOWN_SQUARE), _LINES[line % len(_LINES)])]
        if person.user_type != CONTRACTOR:
            room = await self._room(RoomKey(f"department/{person.department}"))
            said.append(await at_work.say(room, _LINES[(line + 1) % len(_LINES)]))
        return said

    async def _archived(self, events: Collection[EventId]) -> int:
        """Wait until all are in the archive, and return how many are."""

        async def count() -> int:
            return len(await known_events(self._services.pool, events))

        return await settled(count, lambda known: known == len(events), seconds=_PATIENCE)

    async def _missing(self) -> int:
        return await count_missing(self._services.homeserver, self._services.pool)

    async def _announcement(self, wanted: Callable[[Summary], bool]) -> Summary:
        """Wait until the newest announcement fares as wanted, and return how it does."""

        async def newest() -> list[Summary]:
            return await announcements.load_summaries(self._services.pool, 1)

        found = await settled(newest, lambda now: bool(now) and wanted(now[0]), seconds=_PATIENCE)
        if not found:
            raise MusterError("the message in the announcement desk was not announced; the log of Muster says why")
        return found[0]


async def _still_let_in(sessions: Collection[Colleague]) -> list[Colleague]:
    return [session for session in sessions if await session.is_let_in()]


def _moved(move: Move, seconds: float) -> str:
    return (
        f"HR moved {move.employee.title} {move.employee.display_name} from {move.employee.department}"
        f" to {move.destination}; the rooms followed {seconds:.2f} s later"
    )
