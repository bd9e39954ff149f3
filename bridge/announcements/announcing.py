"""The life of an announcement: drafted, confirmed, scheduled, opened, edited, over or taken back.

Whatever its source, it goes through `announce`; each function writes rows within the caller's database transaction and
leaves the saying to `postman`. What a source's text means is its own; when something is due is `calendar`'s to notice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.announcements import announcing_store as rows
from bridge.announcements import store
from bridge.announcements.announcing_store import Announcement
from bridge.announcements.copies import changed, copies, taken_back, unpinned
from bridge.announcements.draft import LAPSES, Deed, Verdict, Wanted, goes_at, judge, lasting, needs_second
from bridge.announcements.outbox_store import cancel, put, wake
from bridge.announcements.preview import Preview, Reach, confirmed, opened, preview
from bridge.announcements.reach import Reached, count_departments, count_held_up, languages_of, reach, releases
from bridge.announcements.tracking import announcement_id
from bridge.announcements.values import Act, Outgoing, Priority, Role, State, Whom
from bridge.announcements.wording import Body, Link, Wording, check_size
from bridge.directory.local_day import zone_of
from bridge.errors import RefusedError, UnknownNameError
from bridge.ids import EventId, UserId, server_of
from bridge.policy.schema import Desk, Policy, RuleId

if TYPE_CHECKING:
    from bridge.database import Connection

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Announced:
    """An announcement, as it was written down."""

    id: str
    rooms: int
    """0 when each gets it in a room of their own."""
    people: int
    state: State
    """A draft waits to be confirmed in its desk."""


async def announce(
    db: Connection,
    policy: Policy,
    desk: RuleId,
    wanted: Wanted,
    *,
    origin: str,
    author: UserId,
    author_name: str,
    source_event_id: EventId | None = None,
    bot: UserId,
    seed: bytes,
    at: datetime,
    confirmed: bool = False,
) -> Announced:
    """Announce something, or show it in its desk as a draft unless it is `confirmed`; the same `seed` is the same one.

    What reaches more people than the desk's `second_person` is a draft in any case. Raises `UnknownNameError` when the
    policy has no such desk, and `RefusedError` when nothing can be announced, with the reason.
    """
    found = desk_of(policy, desk)
    row = Announcement(
        id=announcement_id(seed),
        desk=desk,
        source_event_id=source_event_id,
        author=author,
        author_name=author_name,
        origin=origin,
        state=State.DRAFT,
        priority=wanted.priority,
        whom=wanted.whom or Whom(rooms=found.rooms),
        form=wanted.form,
        created_at=at,
        due_at=wanted.due_at,
        lasts=lasting(wanted, found),
    )
    check_size(_wording(row, wanted.texts))
    reached = await reach(db, row.whom, desk, bot, at)
    if not await rows.add(db, row):
        return _announced(row, reached, await _standing_state(db, row))
    await rows.put_texts(db, row.id, row.version, wanted.texts, at)
    if not confirmed or needs_second(found, len(reached.people), origin):
        await _show(db, policy, row, wanted.texts, reached, at)
        return _announced(row, reached, State.DRAFT)
    if wanted.due_at is not None and wanted.due_at > at:
        await rows.mark_scheduled(db, row.id, wanted.due_at)
        await wake(db)
        return _announced(row, reached, State.SCHEDULED)
    await _open(db, policy, row, reached, bot, at)
    return _announced(row, reached, State.OPEN)


async def look(
    db: Connection, policy: Policy, desk: RuleId, wanted: Wanted, *, origin: str, bot: UserId, seed: bytes, at: datetime
) -> str:
    """Return the preview of what is not written down yet; raises as `announce` does."""
    found = desk_of(policy, desk)
    whom = wanted.whom or Whom(rooms=found.rooms)
    reached = await reach(db, whom, desk, bot, at)
    row = Announcement(
        id=announcement_id(seed),
        desk=desk,
        source_event_id=None,
        author=bot,
        author_name=policy.company,
        origin=origin,
        state=State.DRAFT,
        priority=wanted.priority,
        whom=whom,
        form=wanted.form,
        created_at=at,
        due_at=wanted.due_at,
        lasts=lasting(wanted, found),
    )
    check_size(_wording(row, wanted.texts))
    return preview(await _preview(db, policy, row, wanted.texts, reached, at))


async def draft_again(
    db: Connection, policy: Policy, row: Announcement, wanted: Wanted, *, bot: UserId, at: datetime
) -> str:
    """Let a draft, or what is scheduled, say something else; it has to be confirmed again. Returns what to tell.

    Raises as `announce` does; then the draft stays as it was, and unconfirmed.
    """
    found = desk_of(policy, row.desk)
    changed = replace(
        row,
        priority=wanted.priority,
        whom=wanted.whom or Whom(rooms=found.rooms),
        form=wanted.form,
        due_at=wanted.due_at,
        lasts=lasting(wanted, found),
    )
    check_size(_wording(changed, wanted.texts))
    reached = await reach(db, changed.whom, row.desk, bot, at)
    await rows.draft_again(db, changed)
    await rows.put_texts(db, row.id, row.version, wanted.texts, at)
    await _show(db, policy, changed, wanted.texts, reached, at, again=True)
    return f"The draft {row.id} is changed. React with ✅ to the message or to its preview to announce it as it is now."


async def unconfirm(db: Connection, row: Announcement) -> None:
    """Take what is scheduled back into a draft: what it says was changed, and could not be read."""
    await rows.draft_again(db, row)


async def act_on(
    db: Connection, policy: Policy, row: Announcement, deed: Deed, *, by: UserId, bot: UserId, at: datetime
) -> str:
    """Confirm or stop a draft; return what to tell, empty when there is nothing to be told."""
    match judge(deed, row.state, by=by, author=row.author, second=row.needs_second):
        case Verdict.CONFIRMED:
            return await _confirm(db, policy, row, by=by, bot=bot, at=at)
        case Verdict.DROPPED:
            await rows.mark_ended(db, row.id, State.DISCARDED, at)
            await wake(db)
            return f"{row.id} is dropped; nothing was announced."
        case Verdict.WANTS_ANOTHER:
            return f"{row.id} reaches so many people that somebody else than its author has to react with ✅."
        case Verdict.TOO_LATE:
            return f"{row.id} is announced already. Reply with !retract, or delete the message, to take it back."
        case Verdict.NOTHING:
            return ""


async def open_due(db: Connection, policy: Policy, row: Announcement, *, bot: UserId, at: datetime) -> None:
    """Open what was scheduled; when that cannot be, it is discarded, and its desk is told why."""
    try:
        desk_of(policy, row.desk)
        reached = await reach(db, row.whom, row.desk, bot, at)
        await _open(db, policy, row, reached, bot, at)
    except (RefusedError, UnknownNameError) as error:
        await rows.mark_ended(db, row.id, State.DISCARDED, at)
        await tell_desk(db, row, "failed", f"{row.id} could not be announced. {error.message}", at)
    else:
        text = opened(row.id, people=len(reached.people), rooms=len(reached.rooms))
        await tell_desk(db, row, "opened", text, at)


async def lapse(db: Connection, row: Announcement, at: datetime) -> None:
    """Discard a draft that nobody confirmed in time, and say so in its desk."""
    await rows.mark_ended(db, row.id, State.DISCARDED, at)
    text = f"Nobody confirmed the draft {row.id} within a day: it is dropped. Post it again to announce it."
    await tell_desk(db, row, "lapsed", text, at)


async def edit(
    db: Connection, announcement: str, texts: Mapping[str, Body], *, minor: bool, at: datetime, limit: int | None = None
) -> int:
    """Let every copy of an open announcement say this from now on; return its new version.

    With `limit`, the desk's `second_person`, what went to more people is not changed: somebody else confirmed what it
    says. `minor` is a change that nobody has to acknowledge anew. Raises `UnknownNameError` and `RefusedError`.
    """
    row = await _locked(db, announcement)
    _insist(row, State.OPEN)
    if limit is not None and await rows.count_recipients(db, row.id) > limit:
        raise RefusedError(
            f"{row.id} went to more than {limit:,} people, as somebody else than its author confirmed it, so it is not "
            "changed. Take it back with !retract and announce the new text."
        )
    row = replace(row, version=row.version + 1)
    wording = _wording(row, texts)
    check_size(wording)
    await rows.put_texts(db, row.id, row.version, texts, at, minor=minor)
    await rows.mark_version(db, row.id, row.version)
    standing = await rows.load_standing(db, row.id)
    people = [each.user_id for each in standing if each.user_id is not None]
    await put(db, changed(wording, standing, await languages_of(db, people, texts), at))
    log.info("announcement %s has version %d", row.id, row.version, extra={"action": "announce.edit"})
    return row.version


async def retract(db: Connection, announcement: str, *, by: UserId, at: datetime) -> None:
    """Take every copy back; a draft, or what is scheduled, is dropped. Doing it again changes nothing.

    Raises `UnknownNameError` when there is no such announcement.
    """
    row = await _locked(db, announcement)
    if row.state in (State.RETRACTED, State.DISCARDED):
        return
    if row.state in (State.DRAFT, State.SCHEDULED):
        await rows.mark_ended(db, row.id, State.DISCARDED, at)
        await wake(db)
        return
    await rows.mark_ended(db, row.id, State.RETRACTED, at)
    standing = [each for each in await rows.load_standing(db, row.id) if not each.untried]
    await cancel(db, row.id)
    await put(db, taken_back(row.id, standing, at))
    log.info("announcement %s is retracted by %s", row.id, by, extra={"action": "announce.retract"})


async def end(db: Connection, announcement: str, *, at: datetime) -> None:
    """Let an open announcement be over: it is unpinned, stays where it stands, and goes to nobody any more.

    Again changes nothing. Raises `UnknownNameError` when there is no such announcement and `RefusedError` when it was
    never open.
    """
    row = await _locked(db, announcement)
    if row.state == State.OVER:
        return
    _insist(row, State.OPEN)
    await rows.mark_ended(db, row.id, State.OVER, at)
    await cancel(db, row.id)
    await put(db, unpinned(row.id, await rows.load_standing(db, row.id), at))
    await wake(db)
    log.info("announcement %s is over", row.id, extra={"action": "announce.end"})


async def tell_desk(db: Connection, row: Announcement, what: str, text: str, at: datetime) -> None:
    """Say something of an announcement in its desk, once for each `what`."""
    await put(db, await _said(db, row, f"{row.id}/{what}", text, at))


def desk_of(policy: Policy, desk: RuleId) -> Desk:
    """Return a desk of the policy; raises `UnknownNameError` with those there are."""
    found = policy.desks.get(desk)
    if found is None:
        known = ", ".join(sorted(policy.desks)) or "none"
        raise UnknownNameError(f"The policy has no desk {desk!r} (there are: {known}); nothing was announced.")
    return found


async def _confirm(db: Connection, policy: Policy, row: Announcement, *, by: UserId, bot: UserId, at: datetime) -> str:
    desk = desk_of(policy, row.desk)
    due_at = goes_at(row.due_at, desk.undo, at)
    await rows.mark_confirmed(db, row.id, by)
    if due_at <= at:
        await open_due(db, policy, row, bot=bot, at=at)
        return ""
    await rows.mark_scheduled(db, row.id, due_at)
    await wake(db)
    zone = zone_of(None, await rows.load_timezone(db))
    later = None if due_at <= at + desk.undo else due_at
    return confirmed(row.id, await store.load_name(db, by), later, undo=desk.undo, zone=zone)


async def _open(db: Connection, policy: Policy, row: Announcement, reached: Reached, bot: UserId, at: datetime) -> None:
    """Write the copies of an announcement, and the people whom it is for."""
    texts = await rows.load_texts(db, row.id, row.version)
    row = replace(row, discussion=await _discussion(db, desk_of(policy, row.desk), bot))
    await rows.mark_open(db, row.id, at, row.discussion)
    await store.add_recipients(db, row.id, reached.people, at)
    readers = {} if reached.rooms else await languages_of(db, reached.people, texts)
    timed = await releases(db, policy, row.priority, reached, at)
    await put(db, copies(_wording(row, texts), reached.rooms, readers, timed, pinned=row.lasts is not None, at=at))
    log.info(
        "announcement %s goes to %d rooms and %d people",
        row.id,
        len(reached.rooms),
        len(reached.people),
        extra={"action": "announce"},
    )


async def _discussion(db: Connection, desk: Desk, bot: UserId) -> Link | None:
    room = await rows.load_named_room(db, desk.discussion) if desk.discussion is not None else None
    if room is None:
        return None
    return Link(room[1], f"https://matrix.to/#/{room[0]}?via={server_of(bot)}")


async def _show(
    db: Connection,
    policy: Policy,
    row: Announcement,
    texts: Mapping[str, Body],
    reached: Reached,
    at: datetime,
    *,
    again: bool = False,
) -> None:
    """Show a draft in its desk, or let what is shown there say what it is now."""
    desk = desk_of(policy, row.desk)
    second = needs_second(desk, len(reached.people), row.origin)
    await rows.put_draft(db, row.id, at + LAPSES, needs_second=second)
    shown = preview(await _preview(db, policy, row, texts, reached, at))
    key = f"{row.id}/preview"
    first = await _said(db, row, key, shown, at)
    if again:
        first = [
            replace(each, key=f"{key}/edit", act=Act.EDIT, target=key, event_type="m.room.message") for each in first
        ]
    await put(db, first)


async def _preview(
    db: Connection, policy: Policy, row: Announcement, texts: Mapping[str, Body], reached: Reached, at: datetime
) -> Preview:
    desk, people = desk_of(policy, row.desk), len(reached.people)
    opens = max(at, row.due_at or at)
    later, silent = count_held_up(reached, await releases(db, policy, row.priority, reached, opens), opens)
    second = needs_second(desk, people, row.origin)
    return Preview(
        id=row.id,
        reach=Reach(people, len(reached.rooms), await count_departments(db, reached.people, at), later, silent),
        languages=tuple(texts),
        missing=tuple(tag for tag in desk.languages if tag not in texts),
        priority=row.priority,
        form=row.form,
        due_at=row.due_at,
        lasts=row.lasts,
        zone=zone_of(None, await rows.load_timezone(db)),
        undo=desk.undo,
        second_person=desk.second_person if second else None,
        by_poster=row.source_event_id is not None,
    )


async def _said(db: Connection, row: Announcement, key: str, text: str, at: datetime) -> list[Outgoing]:
    room_id = await rows.load_desk_room(db, row.desk)
    if room_id is None:
        return []
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": row.source_event_id}}} if row.source_event_id else {}
    content = {"msgtype": "m.notice", "body": text, "m.mentions": {}, **reply}
    return [
        Outgoing(
            key=key,
            act=Act.SEND,
            role=Role.ANSWER,
            rank=Priority.IMPORTANT,
            due_at=at,
            room_id=room_id,
            content=content,
            announcement=row.id,
        )
    ]


async def _locked(db: Connection, announcement: str) -> Announcement:
    row = await rows.lock(db, announcement)
    if row is None:
        raise UnknownNameError(f"There is no announcement {announcement!r}; `muster announcements` lists them.")
    return row


def _insist(row: Announcement, state: State) -> None:
    if row.state != state:
        raise RefusedError(f"{row.id} is not {state} but {row.state}; nothing was changed.")


def _wording(row: Announcement, texts: Mapping[str, Body]) -> Wording:
    return Wording(row.id, row.version, row.author_name, texts, row.form, row.priority, row.discussion)


async def _standing_state(db: Connection, row: Announcement) -> State:
    known = row.id if row.source_event_id is None else await rows.find(db, row.source_event_id)
    return await rows.load_state(db, known or row.id)


def _announced(row: Announcement, reached: Reached, state: State) -> Announced:
    return Announced(row.id, len(reached.rooms), len(reached.people), state)
