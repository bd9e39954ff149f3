"""Roll calls that go on: the board, the silent, second channels, responders, and what is said at the end.

Everything is decided from what the database holds, in one database transaction for each roll call, and written as rows
whose keys say what they are. So it may be done again at any moment, by any process, and goes on after a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from bridge.announcements import emergency_store, on_call, outbox_store
from bridge.announcements.emergency_store import Responder
from bridge.announcements.on_call import Terms
from bridge.announcements.roll_call import Present, RollCall, due, silent
from bridge.announcements.roll_call_report import Report, as_text, report_of
from bridge.announcements.roll_call_text import (
    Turn,
    ask,
    board,
    channel_lines,
    content,
    no_channel,
    outward,
    over,
    plea,
    reminder,
)
from bridge.announcements.values import Act, Outgoing, Priority, Role
from bridge.channels import store as channel_store
from bridge.channels.store import Outward, Tally
from bridge.clock import Clock, system_clock
from bridge.database.turns import take_turns
from bridge.directory.local_day import zone_of
from bridge.directory.notice_store import put_notice
from bridge.ids import RoomId, UserId
from bridge.patience import Backoff, Wake, until
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_BACKOFF = Backoff(1.0, 30.0)
_LOOK_SECONDS = 60.0
_BREATH_SECONDS = 0.25
"""Between two looks: many answers at once are one change of the board."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """What one look at a roll call sees."""

    call: RollCall
    people: Sequence[Present]
    personal: frozenset[UserId]
    desk_room: RoomId | None
    now: datetime


class RollCalls:
    """Who looks after roll calls; any number of processes may do so at once."""

    def __init__(
        self,
        pool: Pool,
        policy: Callable[[], Policy],
        *,
        channels: Sequence[str] = (),
        clock: Clock = system_clock,
        timezone: str = "UTC",
    ) -> None:
        """Take the policy as a function, because a new one may be loaded at any time; `channels` are names."""
        self._pool = pool
        self._policy = policy
        self._channels = tuple(channels)
        self._clock = clock
        self._timezone = timezone
        self._zone = zone_of(None, timezone)

    async def run(self, wake: Wake) -> None:
        """Look whenever something changed or is due, until cancelled (channel `EMERGENCY`)."""

        async def turn() -> float:
            return until(await self.go_on(), self._clock(), _LOOK_SECONDS)

        await take_turns(
            turn, wake, what="holding roll calls", action="emergency", breath=_BREATH_SECONDS, backoff=_BACKOFF
        )

    async def go_on(self) -> datetime | None:
        """Do what is due with every roll call, and return when there is more to do by the clock."""
        found: list[datetime] = []
        for announcement in await emergency_store.find_unsettled(self._pool):
            async with self._pool.acquire() as db, db.transaction():
                call = await emergency_store.lock_call(db, announcement)
                if call is not None and (next_at := await self._look(db, call)) is not None:
                    found.append(next_at)
        return min(found, default=None)

    async def _look(self, db: Connection, call: RollCall) -> datetime | None:
        scene = _Scene(
            call,
            await emergency_store.load_people(db, call.id),
            await emergency_store.load_personal(db, call.id),
            await emergency_store.load_desk_room(db, call.desk),
            self._clock(),
        )
        await emergency_store.drop_reminders(db, call.id)
        await emergency_store.drop_outward(db, call.id)
        moments = [await self._repeat(db, scene), await self._call_responders(db, scene)] if not call.ended_at else []
        line = await emergency_store.load_line(db, call.id)
        await outbox_store.put(db, list(_pleas(scene, line, self._zone)))
        await self._show(db, scene, line)
        if call.ended_at is not None:
            await self._conclude(db, scene)
        return min((moment for moment in moments if moment is not None), default=None)

    async def _repeat(self, db: Connection, scene: _Scene) -> datetime | None:
        """Ask the silent again, and by second channels, if that is due; return when it is next."""
        call, terms = scene.call, self._policy().emergency
        step = due(call, terms, scene.now)
        missing = [person.user_id for person in silent(scene.people) if person.user_id in scene.personal]
        if step.turn:
            text = reminder(call, step.turn, len(terms.repeat))
            key = f"{call.id}/reminder/{step.turn}"
            rows = [_told(scene, f"{key}/{user}", Role.REMINDER, text, user_id=user) for user in missing]
            await outbox_store.put(db, rows)
            await emergency_store.mark_said(db, call.id, step.turn)
        if step.channels and missing and not self._channels:
            await put_notice(db, no_channel())
        if step.channels:
            await channel_store.put(db, list(self._outward(scene, missing, *outward(call, self._policy().company))))
            await emergency_store.mark_channels(db, call.id, scene.now)
        return step.next_at

    def _outward(
        self, scene: _Scene, users: Iterable[UserId], subject: str, text: str, *, part: str = "alarm"
    ) -> Iterable[Outward]:
        for user in users:
            for channel in self._channels:
                key = f"{scene.call.id}/{part}/{channel}/{user}"
                yield Outward(key, channel, user, subject, text, scene.call.id, scene.now)

    async def _call_responders(self, db: Connection, scene: _Scene) -> datetime | None:
        """Ask who is next in the line, if somebody is; return when to look again."""
        call, terms = scene.call, self._policy().emergency
        line = await emergency_store.load_line(db, call.id)
        groups = [
            sorted(each.user_id for each in line if each.position == position)
            for position in sorted({each.position for each in line})
        ]
        step = on_call.decide(groups, _asked(line), Terms(terms.needed, terms.escalate), scene.now)
        for users, instead in ((step.ask, False), (step.instead, True)):
            if users:
                rows = [_told(scene, ask_key(call.id, user), Role.NOTE, ask(call), user_id=user) for user in users]
                await outbox_store.put(db, rows)
                await emergency_store.mark_asked(db, call.id, users, scene.now, instead=instead)
        return step.next_at

    async def _show(self, db: Connection, scene: _Scene, line: Sequence[Responder]) -> None:
        """Write the board, or what it says now."""
        before = await emergency_store.load_board(db, scene.call.id)
        tallies = await channel_store.count(db, scene.call.id)
        text = board_of(scene.call, scene.people, line, tallies, self._policy(), self._timezone)
        if scene.desk_room is not None and text != before:
            key = f"{scene.call.id}/board"
            row = Outgoing(
                key=f"{key}/now" if before else key,
                act=Act.EDIT if before else Act.SEND,
                role=Role.BOARD,
                rank=Priority.EMERGENCY,
                due_at=scene.call.started_at - Turn.HELP.before,
                room_id=scene.desk_room,
                content=content(text),
                target=key if before else None,
                announcement=scene.call.id,
            )
            await outbox_store.put(db, [row])
        await emergency_store.mark_seen(db, scene.call.id, text if scene.desk_room is not None else before)

    async def _conclude(self, db: Connection, scene: _Scene) -> None:
        """Tell everybody who was told that it is over, and the desk how fast it was; once."""
        call, company = scene.call, self._policy().company
        if await outbox_store.has(db, f"{call.id}/report"):
            return
        told = await emergency_store.load_told(db, call.id)
        text = over(call, company)
        rows = [
            _told(scene, f"{call.id}/over/{room or user}", Role.NOTE, text, room_id=room, user_id=user)
            for room, user in told
        ]
        if scene.desk_room is not None:
            report = await report_text(db, call, scene.people, self._timezone)
            rows.append(_told(scene, f"{call.id}/report", Role.NOTE, report, room_id=scene.desk_room))
        await outbox_store.put(db, rows)
        written = {user for _, user, at in await channel_store.load_moments(db, call.id) if at is not None}
        subject, _ = outward(call, company)
        await channel_store.put(db, list(self._outward(scene, sorted(written), subject, text, part="over")))


def ask_key(announcement: str, user_id: UserId) -> str:
    """Return the key of the question whether somebody comes to help."""
    return f"{announcement}/ask/{user_id}"


def board_of(
    call: RollCall,
    people: Sequence[Present],
    line: Sequence[Responder],
    tallies: dict[str, Tally],
    policy: Policy,
    timezone: str,
) -> str:
    """Return what the board says."""
    names = {each.user_id: each.name for each in line}
    channels = channel_lines({name: (t.sent, t.waiting, t.failed, t.error) for name, t in tallies.items()})
    return board(
        call,
        people,
        _asked(line),
        names,
        channels,
        needed=policy.emergency.needed,
        zone=zone_of(None, timezone),
    )


async def load_report(db: Connection, call: RollCall, people: Sequence[Present]) -> Report:
    """Return the figures of a roll call, as far as it has come."""
    sent = await channel_store.load_moments(db, call.id)
    outward_by = {name: [at for channel, _, at in sent if channel == name] for name, _, _ in sent}
    reached = frozenset(user for _, user, at in sent if at is not None)
    return report_of(call, people, await emergency_store.load_deliveries(db, call.id), outward_by, reached)


async def report_text(db: Connection, call: RollCall, people: Sequence[Present], timezone: str) -> str:
    """Return the timing report of a roll call."""
    return as_text(call, await load_report(db, call, people), people, zone_of(None, timezone))


def _asked(line: Iterable[Responder]) -> list[on_call.Asked]:
    return [each.asked for each in line if each.asked is not None]


def _pleas(scene: _Scene, line: Sequence[Responder], zone: tzinfo) -> Iterable[Outgoing]:
    """Yield what the desk and those who may come are told of everybody who asked for help, by the newest answer."""
    responders = on_call.reachable(_asked(line))
    for person in scene.people:
        if not person.asked_help:
            continue
        key, text = f"{scene.call.id}/plea/{person.user_id}", plea(scene.call, person, zone)
        if scene.desk_room is not None:
            yield _told(scene, key, Role.NOTE, text, room_id=scene.desk_room)
        for user in responders:
            if user != person.user_id:
                yield _told(scene, f"{key}/{user}", Role.NOTE, text, user_id=user)


def _told(
    scene: _Scene, key: str, role: Role, text: str, *, room_id: RoomId | None = None, user_id: UserId | None = None
) -> Outgoing:
    turn = Turn.REST if role is Role.REMINDER else Turn.HELP
    return Outgoing(
        key=key,
        act=Act.SEND,
        role=role,
        rank=Priority.EMERGENCY,
        due_at=scene.call.started_at - turn.before,
        room_id=room_id,
        user_id=user_id,
        content=content(text, mention=user_id),
        announcement=scene.call.id,
        version=1,
    )
