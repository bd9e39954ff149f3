"""The course of every open report: its room is made, those on call are brought in and asked, then those who are next.

What is to be done follows from the database alone and may be done again: a room is found by its alias, who is in it
stays in it, what is said has a key. What people answer comes by `hearing`. No leaf of this is a decision: see `course`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from bridge.announcements import outbox_store
from bridge.announcements.on_call import Call
from bridge.announcements.values import Act as Doing
from bridge.announcements.values import Outgoing, Priority, Role
from bridge.archive.entry import Entry
from bridge.archive.gate_store import seal_room
from bridge.archive.log import append_entry
from bridge.clock import Clock, system_clock
from bridge.concern import store, wording
from bridge.concern.course import Ask, Due, Report, due, needs_room
from bridge.concern.intake import SERVICE, key_of
from bridge.database.turns import take_turns
from bridge.directory.local_day import zone_of
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.errors import HomeserverError, HomeserverUnavailableError, MusterError
from bridge.homeserver.own_room import Host, RoomMaker, let_in, own_room
from bridge.ids import EventId, RoomId, UserId
from bridge.membership.rooms import power_levels
from bridge.patience import Backoff, Wake, until
from bridge.policy.schema import RoomKind
from bridge.selfservice import replies
from bridge.selfservice.store import Act, Kind, add_act

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

_BACKOFF = Backoff(1.0, 30.0)
_LOOK_SECONDS = 60.0
"""After so long it looks by itself."""
_BREATH_SECONDS = 0.1


class Homeserver(RoomMaker, Host, Protocol):
    """What it takes to bring people together."""

    async def leave(self, room_id: RoomId, *, as_user: UserId, reason: str = "") -> None: ...


class Reports:
    """Looks after reports; any number of processes may do so at once. `timezone` is the company's."""

    def __init__(
        self, pool: Pool, homeserver: Homeserver, *, clock: Clock = system_clock, timezone: str = "UTC"
    ) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._clock = clock
        self._zone = zone_of(None, timezone)

    async def run(self, wake: Wake) -> None:
        """Do what is due until cancelled; `wake` is set when something may be (channel `SELFSERVICE`)."""

        async def turn() -> float:
            problem = await self.go_on()
            next_at = await store.next_due(self._pool)
            if problem:
                raise MusterError(problem)
            return until(next_at, self._clock(), _LOOK_SECONDS)

        await take_turns(
            turn, wake, what="looking after reports", action="report.wait", breath=_BREATH_SECONDS, backoff=_BACKOFF
        )

    async def go_on(self) -> str:
        """Do what is due with every report; return why some of it must wait, or an empty text."""
        problem = ""
        for number in await store.due_reports(self._pool, self._clock()):
            async with self._pool.acquire() as db, db.transaction():
                if await store.lock_report(db, number):
                    problem = await self._look_after(number) or problem
        return problem

    async def _look_after(self, number: int) -> str:
        """Do what is due with one report."""
        report = await store.load_report(self._pool, number)
        now = self._clock()
        decided = due(report, await store.load_asks(self._pool, number), now)
        await self._write_down(report, decided)
        try:
            room_id = report.room_id or await self._make_room(report)
        except HomeserverError as error:
            return error.message
        problem, arrived = "", list[UserId]()
        if report.closed_at is None:
            problem, arrived = await self._bring_together(report, room_id)
        async with self._pool.acquire() as db, db.transaction():
            await self._speak(db, number, room_id, arrived, decided)
            if not problem:
                await store.put_due(db, report, decided.next_at)
        return problem

    async def _write_down(self, report: Report, decided: Due) -> None:
        """Write down who is asked now, before anybody is."""
        now = self._clock()
        async with self._pool.acquire() as db, db.transaction():
            for users, instead in ((decided.call.ask, False), (decided.call.instead, True)):
                await store.add_asks(db, report.number, users, now, instead=instead)
            if count := len(_called(decided.call)):
                details = {"report": report.number, "did": "ask", "people": count}
                await append_entry(db, Entry("report", SERVICE, details), now)
            if decided.in_vain:
                told = wording.nobody_takes_it(report.number, report.kind, now - report.opened_at)
                await put_notice(db, Notice(f"report:{report.number}", told))

    async def _make_room(self, report: Report) -> RoomId:
        """Return the room of a report, which the gate has sealed before anything is said in it."""
        room_id = await own_room(self._homeserver, _room(report))
        async with self._pool.acquire() as db, db.transaction():
            await seal_room(db, room_id)
            await store.put_room(db, report.number, room_id)
        return room_id

    async def _bring_together(self, report: Report, room_id: RoomId) -> tuple[str, list[UserId]]:
        """Bring in those asked and a named reporter, take out who refused; return why some wait, and who came."""
        coming, going = needs_room(await store.load_asks(self._pool, report.number))
        problem, arrived = "", []
        for user_id in coming:
            try:
                await let_in(self._homeserver, room_id, user_id)
                arrived.append(user_id)
            except HomeserverUnavailableError as error:
                problem = error.message
            except HomeserverError as error:  # a locked account, say: as good as a refusal
                await self._give_up(report, user_id, error)
        for user_id in going:
            try:
                await self._homeserver.leave(room_id, as_user=user_id, reason="somebody else is asked")
                await store.mark_joined(self._pool, report.number, [user_id], joined=False)
            except HomeserverError as error:
                problem = error.message
        reporter = await store.reporter_of(self._pool, report.number)
        if reporter is not None and not reporter.anonymous and not reporter.joined:
            try:
                await let_in(self._homeserver, room_id, reporter.user_id)
                await store.mark_reporter_joined(self._pool, report.number)
            except HomeserverError as error:
                problem = error.message
        return problem, arrived

    async def _give_up(self, report: Report, user_id: UserId, error: HomeserverError) -> None:
        log.warning(
            "report %d: somebody cannot be asked: %s", report.number, error.message, extra={"action": "report.ask"}
        )
        now = self._clock()
        async with self._pool.acquire() as db, db.transaction():
            await store.put_answer(db, report.number, user_id, now, takes=False)
            await store.touch(db, report.number, now)

    async def _speak(
        self, db: Connection, number: int, room_id: RoomId, arrived: Sequence[UserId], decided: Due
    ) -> None:
        """Have the bot ask who came, and set the clock that is pinned."""
        if arrived:
            await store.add_board(db, number)
        report, now = await store.load_report(db, number), self._clock()
        asks = await store.load_asks(db, number)
        names = await store.names_of(db, [each.user_id for each in asks])
        if arrived and report.closed_at is None:
            await store.mark_joined(db, number, arrived, joined=True)
            reporter = await store.reporter_of(db, number)
            key = key_of(report.alias.encode(), EventId(" ".join(sorted(arrived))))
            content = wording.summons(
                number,
                report.kind,
                report.words,
                {user: names[user] for user in arrived},
                reporter=await self._named(db, reporter) if reporter and not reporter.anonymous else None,
            )
            content[replies.MARKER] = key
            await add_act(db, Act(key, Kind.SAY, room_id, self._homeserver.bot, content, urgent=True), now)
        await outbox_store.put(db, self._clock_of(report, room_id, asks, names, decided))

    async def _named(self, db: Connection, reporter: store.Reporter) -> tuple[UserId, str]:
        return reporter.user_id, (await store.names_of(db, [reporter.user_id]))[reporter.user_id]

    def _clock_of(
        self, report: Report, room_id: RoomId, asks: Sequence[Ask], names: Mapping[UserId, str], decided: Due
    ) -> list[Outgoing]:
        """Return what makes the pinned message true; for who comes it is a new one, and the one before goes."""
        status = wording.Status(
            number=report.number,
            kind=report.kind,
            anonymous=report.anonymous,
            opened_at=report.opened_at,
            needed=report.terms.needed,
            takers=[names[each.user_id] for each in asks if each.takes],
            asked=[names[each.user_id] for each in asks if each.takes is None],
            next_at=decided.call.next_at,
            closed_at=report.closed_at,
            closed_by=names.get(report.closed_by or UserId(""), report.closed_by or ""),
            zone=self._zone,
        )
        text, key = wording.status(status), _board(report, report.boards)
        content = {**replies.content(text, ""), "msgtype": "m.notice", wording.PART: wording.STATUS}
        content.pop(replies.MARKER)
        begun = {**content, **_words(wording.status_begun(status))}
        usual: dict[str, Any] = {"role": Role.BOARD, "rank": Priority.EMERGENCY, "due_at": report.opened_at}
        rows = [
            Outgoing(key, Doing.SEND, **usual, room_id=room_id, content=begun),
            Outgoing(f"{key}/pin", Doing.PIN, **usual, room_id=room_id, target=key),
            Outgoing(f"{key}/now", Doing.EDIT, **usual, room_id=room_id, target=key, content=content),
        ]
        if report.boards > 1:
            old = _board(report, report.boards - 1)
            rows += [
                Outgoing(f"{old}/unpin", Doing.UNPIN, **usual, room_id=room_id, target=old),
                Outgoing(f"{old}/redact", Doing.REDACT, **usual, room_id=room_id, target=old),
            ]
        return rows


def _board(report: Report, turn: int) -> str:
    return f"report/{report.number}/status/{turn}"


def _words(text: replies.Text) -> dict[str, str]:
    return {"body": text.plain, "formatted_body": text.rich}


def _called(call: Call) -> tuple[UserId, ...]:
    return (*call.ask, *call.instead)


def _room(report: Report) -> dict[str, object]:
    """Return the body of `POST /createRoom`: who is in it is settled by us alone."""
    return {
        "preset": "private_chat",
        "visibility": "private",
        "room_alias_name": report.alias,
        "name": f"Report {report.number} · {report.kind}",
        "power_level_content_override": {**power_levels(RoomKind.CHAT, {}), "invite": 100},
        "initial_state": [
            {"type": "m.room.guest_access", "state_key": "", "content": {"guest_access": "forbidden"}},
            {"type": "m.room.history_visibility", "state_key": "", "content": {"history_visibility": "joined"}},
        ],
    }
