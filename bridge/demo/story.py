"""The demo's story, from an empty company to a verified archive, with real parts only.

HR speaks SCIM, colleagues speak the client-server API, Muster runs as its own process. Times are measured here, by the
clock on the wall, from the outside.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from bridge.app import Services
from bridge.archive.show import show
from bridge.archive.verify import verify
from bridge.demo.casting import Move, cast
from bridge.demo.colleague import Colleague
from bridge.demo.company import CONTRACTOR, Company, Employee
from bridge.demo.concurrency import settled, together
from bridge.demo.hr import HumanResources
from bridge.demo.narrator import Narrator
from bridge.demo.observer import PATIENCE, Observer
from bridge.demo.summary import AnnouncementFigures, ArchiveFigures, Entrance, Figures, LeaverFigures
from bridge.demo.workplace import Workplace
from bridge.ids import EventId, PersonId, RoomKey, UserId
from bridge.membership.reconcile import Reconciled, Reconciler
from bridge.membership.rendering import as_text
from bridge.membership.survey import Survey
from bridge.membership.values import Action
from bridge.policy.schema import Policy
from bridge.policy.trial import run_tests

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
        self._cast = cast(company)
        self._hr = HumanResources(workplace.session, workplace.scim_url, workplace.scim_token)
        self._observer = Observer(workplace, services)
        self._reconciler = Reconciler(services.pool, services.homeserver, services.accounts, clock=services.clock)
        self._ids: dict[str, PersonId] = {}
        self._passwords: dict[UserId, str] = {}
        self._at_work: dict[str, Colleague] = {}
        self._figures = Figures(people=len(company.people))

    async def tell(self) -> Figures:
        """Tell everything and return the figures; the narrator holds the checks."""
        await self._push()
        policy = self._load_policy()
        await self._apply(policy, await self._plan(policy))
        await self._go_on_alone()
        if self._company.people:
            await self._talk()
            await self._announce()
            await self._move()
            await self._off_board()
            await self._redact()
        else:
            self._narrator.leave_out("Talk, announcement, move, off-boarding, deletion: nobody works here")
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
            user_name=guest.user_name,
            password=self._passwords[self._user_id(guest)],
            scim=self._workplace.scim_url,
            command=sys.argv[0] if sys.argv[0].endswith("muster") else "muster",
            config=str(self._workplace.config),
        )

    # People and policy become rooms

    async def _push(self) -> None:
        people = counted(len(self._company.people), "person", "people")
        with self._narrator.step(f"HR pushes {people} over SCIM") as step:
            self._ids = await self._hr.push(self._company, step.advance)
            step.happened = f"HR pushed {people} and {counted(len(self._company.groups), 'group')} over SCIM"
        self._narrator.check("people in the directory", expected=len(self._ids), found=await self._hr.count())

    def _load_policy(self) -> Policy:
        policy = self._services.policy()
        failures = run_tests(policy, self._services.config.policy.name)
        self._narrator.check("tests of the policy that fail", expected=0, found=len(failures))
        return policy

    async def _plan(self, policy: Policy) -> Survey:
        with self._narrator.step("Muster plans") as step:
            planned = await self._reconciler.survey(policy)
            step.happened = f"Muster planned {counted(len(planned.plan.changes), 'change')} and changed nothing"
        self._narrator.say(f"\n{as_text(planned.plan, self._width)}")
        return planned

    async def _apply(self, policy: Policy, planned: Survey) -> None:
        with self._narrator.step("Muster applies the plan") as step:
            began = time.monotonic()
            result = await self._reconciler.reconcile(
                policy, cause="the demo", set_off_by="muster demo", digest=planned.plan.digest, progress=step.advance
            )
            rate = _done(result, Action.JOIN) / (time.monotonic() - began)
            step.happened = (
                f"Muster applied it: {counted(_done(result, Action.CREATE_ROOM), 'room')},"
                f" {counted(_done(result, Action.CREATE_ACCOUNT), 'account')},"
                f" {counted(_done(result, Action.JOIN), 'membership')} ({rate:.1f} a second)"
            )
        for failure in result.applied.failures[:3]:
            self._narrator.say(f"          {failure.change.action} {failure.change.user_id}: {failure.error}")
        self._narrator.check("changes that failed", expected=0, found=len(result.applied.failures))
        self._narrator.check("changes held by the brake", expected=0, found=len(result.held.changes))
        again = await self._reconciler.survey(policy)
        self._narrator.check("changes in a second plan", expected=0, found=len(again.plan.changes))
        await self._compare(again, rate)

    async def _compare(self, wanted: Survey, rate: float) -> None:
        """Compare what Synapse has with what the policy wants."""
        rooms = wanted.desired.rooms
        members = await self._observer.members()
        memberships = sum(map(len, members.values()))
        self._narrator.check("rooms on Synapse", expected=len(rooms), found=len(members))
        expected = sum(len(room.members) for room in rooms.values())
        self._narrator.check("memberships on Synapse", expected=expected, found=memberships)
        self._figures = replace(
            self._figures, rooms=len(members), memberships=memberships, joins_per_second=rate if memberships else 0.0
        )

    async def _go_on_alone(self) -> None:
        with self._narrator.step("Muster starts again, to apply changes by itself") as step:
            self._workplace.write_config(apply="automatic")
            await self._workplace.muster.stop()
            await self._workplace.muster.start()
            step.happened = "Muster started again; from now on it applies changes by itself"

    # People talk

    async def _talk(self) -> None:
        talkers, guest = self._cast.talkers, self._cast.guest
        people = counted(len(talkers), "person", "people")
        with self._narrator.step(f"{people} signing in to talk") as step:
            with_password = dict.fromkeys(person for person in (*talkers, guest) if person is not None)
            await together(map(self._give_password, with_password), at_once=_AT_ONCE)
            signed_in = await together((self._sign_in(person, "Laptop") for person in talkers), at_once=_AT_ONCE)
            self._at_work = {person.external_id: at for person, at in zip(talkers, signed_in, strict=True)}
            said = await together((self._chat(person, line) for line, person in enumerate(talkers)), at_once=_AT_ONCE)
            events = [event_id for both in said for event_id in both]
            archived = await self._observer.archived(events)
            step.happened = f"{people} signed in and said {len(events)} things in the rooms made for them"
        self._narrator.check("messages in the archive", expected=len(events), found=archived)

    async def _announce(self) -> None:
        announcer, listeners = self._cast.announcer, list(self._at_work.values())
        if announcer is None:
            return
        with self._narrator.step("Something is announced") as step:
            desk, author = await self._observer.room(_DESK), self._at_work[announcer.external_id]
            await author.react(desk, await author.say(desk, _ANNOUNCEMENT), "✅")
            sent = await self._observer.announcement(lambda now: 0 < now.targeted == now.delivered)
            for room_id, event_id in await self._observer.deliveries(sent.id):
                await together((person.react(room_id, event_id, "✅") for person in listeners), at_once=_AT_ONCE)
            sent = await self._observer.announcement(lambda now: now.acknowledged >= len(listeners))
            step.happened = (
                f"The {announcer.title} announced something in the desk:"
                f" {counted(sent.delivered, 'person', 'people')} reached, {sent.acknowledged} acknowledged with ✅"
            )
        self._narrator.check("people the announcement reached", expected=len(self._ids), found=sent.delivered)
        self._narrator.check("acknowledgements counted", expected=len(listeners), found=sent.acknowledged)
        figures = AnnouncementFigures(delivered=sent.delivered, acknowledged=sent.acknowledged)
        self._figures = replace(self._figures, announcement=figures)

    # HR changes something

    async def _move(self) -> None:
        move = self._cast.mover
        if move is None:
            self._narrator.leave_out("Moving somebody: there are not enough people and departments")
            return
        mover = self._user_id(move.employee)
        old = await self._observer.room(RoomKey(f"department/{move.employee.department}"))
        new = await self._observer.room(RoomKey(f"department/{move.destination}"))
        with self._narrator.step(f"HR moves somebody to {move.destination}") as step:
            await self._hr.move(self._ids[move.employee.external_id], move.destination)
            began = time.monotonic()
            rooms = await settled(
                lambda: self._observer.joined(mover), lambda now: new in now and old not in now, seconds=PATIENCE
            )
            step.happened = _moved(move, time.monotonic() - began)
        self._narrator.check(f"mover is in {move.destination} now", expected=True, found=new in rooms)
        self._narrator.check(f"mover is still in {move.employee.department}", expected=False, found=old in rooms)

    async def _off_board(self) -> None:
        leaver, friend = self._cast.leaver, self._cast.friend
        if leaver is None or friend is None:
            self._narrator.leave_out("Off-boarding: the only people here are protected by the policy's brake")
            return
        with self._narrator.step("HR says that somebody has left") as step:
            sessions = [self._at_work[leaver.external_id], await self._sign_in(leaver, "Phone")]
            private = await sessions[0].open_room("Lunch", self._user_id(friend))
            await self._at_work[friend.external_id].join(private)
            figures = await self._dismiss(leaver, sessions)
            step.happened = (
                f"HR said that {leaver.display_name} ({leaver.title}) has left:"
                f" {counted(figures.sessions_ended, 'session')} ended and {counted(figures.rooms_left, 'room')} left,"
                f" a private one too, {figures.seconds_to_no_access:.2f} s later"
            )
        self._figures = replace(self._figures, leaver=figures)

    async def _dismiss(self, leaver: Employee, sessions: Collection[Colleague]) -> LeaverFigures:
        """Measure from HR's answer until nothing is left: no session let in, no room, no device."""
        user_id = self._user_id(leaver)
        rooms, devices = await self._observer.joined(user_id), await self._observer.devices(user_id)
        await self._hr.dismiss(self._ids[leaver.external_id])
        began = time.monotonic()
        looks: dict[str, Callable[[], Awaitable[Collection[object]]]] = {
            "sessions let in": lambda: _let_in(sessions),
            "rooms": lambda: self._observer.joined(user_id),
            "devices": lambda: self._observer.devices(user_id),
        }
        waits = (settled(look, lambda now: not now, seconds=PATIENCE) for look in looks.values())
        left = dict(zip(looks, await asyncio.gather(*waits), strict=True))
        seconds = time.monotonic() - began
        for name, remaining in left.items():
            self._narrator.check(f"leaver's {name}", expected=0, found=len(remaining))
        return LeaverFigures(seconds, len(rooms) - len(left["rooms"]), len(devices) - len(left["devices"]))

    # What was said is kept

    async def _redact(self) -> None:
        friend = self._cast.friend
        if friend is None:
            return
        with self._narrator.step("Somebody deletes a message") as step:
            room, person = await self._observer.room(_TOWN_SQUARE), self._at_work[friend.external_id]
            event_id = await person.say(room, _REGRETTED)
            await self._observer.archived([event_id])
            await self._observer.archived([await person.redact(room, event_id)])
            seen = await person.read(room, event_id)
            record = (await show(self._services.pool, event_id)).original
            step.happened = f"{friend.display_name} deleted a message; the archive still has it, and who deleted it"
        deleted_by = record.redaction.sender if record.redaction else None
        self._narrator.check("text that colleagues still see", expected=None, found=seen.get("body"))
        self._narrator.check("deleted, by the archive, by", expected=person.user_id, found=deleted_by)
        self._narrator.check("text in the archive", expected=_REGRETTED, found=record.event.content.get("body"))

    async def _verify(self) -> None:
        with self._narrator.step("Muster verifies the archive") as step:
            missing = await self._observer.missing()
            agreeing = 0

            def advance(done: int, of: int) -> None:
                nonlocal agreeing
                agreeing = done
                step.advance(done, of)

            verdict = await verify(self._services.pool, advance)
            step.happened = f"Muster verified {agreeing} events against the ledger; {missing} of Synapse's are missing"
        self._narrator.check("ledger agrees with every event", expected=True, found=verdict.ok)
        self._narrator.check("events of Synapse missing in the archive", expected=0, found=missing)
        figures = ArchiveFigures(agreeing, verdict.size, verdict.root.hex(), verdict.ok, missing)
        self._figures = replace(self._figures, archive=figures)

    # What people do

    def _user_id(self, person: Employee) -> UserId:
        """Return the user ID that the demo's policy gives: the user name."""
        return UserId(f"@{person.user_name}:{self._workplace.synapse.server_name}")

    async def _give_password(self, person: Employee) -> None:
        """Give somebody a password, where a company would have single sign-on."""
        user_id = self._user_id(person)
        self._passwords[user_id] = secrets.token_urlsafe(9)
        await self._services.accounts.set_password(user_id, self._passwords[user_id])

    async def _sign_in(self, person: Employee, device: str) -> Colleague:
        user_id, url = self._user_id(person), self._workplace.synapse.url
        return await Colleague.sign_in(self._workplace.session, url, user_id, self._passwords[user_id], device=device)

    async def _chat(self, person: Employee, line: int) -> list[EventId]:
        """Say something to everybody, and something to the department, in which agency staff are not."""
        at_work = self._at_work[person.external_id]
        said = [await at_work.say(await self._observer.room(_TOWN_SQUARE), _LINES[line % len(_LINES)])]
        if person.user_type != CONTRACTOR:
            room = await self._observer.room(RoomKey(f"department/{person.department}"))
            said.append(await at_work.say(room, _LINES[(line + 1) % len(_LINES)]))
        return said


def counted(number: int, one: str, many: str = "") -> str:
    """Return the number with its noun; the plural is `one` with an s unless it is given."""
    return f"{number} {one if number == 1 else many or one + 's'}"


async def _let_in(sessions: Collection[Colleague]) -> list[Colleague]:
    return [session for session in sessions if await session.is_let_in()]


def _done(result: Reconciled, action: Action) -> int:
    """Count the changes of one kind that succeeded."""
    failed = sum(failure.change.action is action for failure in result.applied.failures)
    return sum(change.action is action for change in result.plan.changes) - failed


def _moved(move: Move, seconds: float) -> str:
    return (
        f"HR moved {move.employee.display_name} ({move.employee.title}) from {move.employee.department}"
        f" to {move.destination}; the rooms followed {seconds:.2f} s later"
    )
