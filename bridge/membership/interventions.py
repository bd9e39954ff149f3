"""What others did by hand: stopping before it becomes an endless fight, and telling people why it did not last.

Both are for whoever reconciles: `begin_rests` before looking, `answer_interventions` when it is done. Sending what
people are told is left to `remarks`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from bridge.directory.notice_store import put_notice
from bridge.ids import RoomKey, UserId
from bridge.membership import drift_store, place_store
from bridge.membership.fighting import PROFILE, SLOW_WINDOW, Intervention, answers, fights, notice
from bridge.membership.remark import Correction, profile_remark, remark

if TYPE_CHECKING:
    from bridge.database import Pool
    from bridge.membership.survey import Survey

log = logging.getLogger(__name__)

QUIET: Final = timedelta(hours=1)
"""Somebody is told of one room at most once in this time."""
PROFILE_QUIET: Final = timedelta(days=1)
"""The same for one's own profile."""


async def begin_rests(pool: Pool, now: datetime) -> None:
    """Leave alone what somebody has undone again and again, and tell the administrators."""
    found = fights(await drift_store.read_interventions(pool, now - SLOW_WINDOW), now)
    if not found:
        return
    names = {place.room_id: place.name for place in (await place_store.read_places(pool)).values()}
    for fight in found:
        async with pool.acquire() as connection, connection.transaction():
            number = await drift_store.begin_rest(connection, fight, now)
            if number is not None:
                log.warning("a fight over a managed room: rest %d", number, extra={"action": "drift.rest"})
                room_id = fight.about.room_id
                await put_notice(connection, notice(fight, names.get(room_id, room_id), number))


async def answer_interventions(pool: Pool, found: Survey, now: datetime) -> None:
    """Settle what was looked at: what was put right is told to who did it, what nobody minds is forgotten.

    What is held or has failed stays to be looked at.
    """
    if not found.interventions:
        return
    corrected = await drift_store.read_corrections(pool, found.interventions)
    corrected |= await drift_store.read_profile_corrections(pool, found.interventions)
    for number, (entry, correction) in corrected.items():
        async with pool.acquire() as connection, connection.transaction():
            await drift_store.settle_intervention(connection, number, entry, correction.rule, now)
            person, room_id = correction.done.sender, correction.done.room_id
            text = _text(correction, found, await drift_store.names_of(connection, {correction.done.subject}))
            quiet = PROFILE_QUIET if room_id == PROFILE else QUIET
            await drift_store.put_remark(connection, person, room_id, text, now, quiet)
    keys = {room.room_id: room.key for room in found.current.rooms.values()}
    others = [one for one in found.interventions if one.id not in corrected]
    done = [one.id for one in others if not _is_wanted(one, found, keys.get(one.room_id, one.room_id))]
    if done:
        await drift_store.drop_interventions(pool, done)


def _is_wanted(one: Intervention, found: Survey, room: str) -> bool:
    """Tell whether the plan would put it right."""
    return any(answers(change, one, room) for change in found.plan.changes)


def _text(correction: Correction, found: Survey, names: Mapping[UserId, str]) -> str:
    one = correction.done
    if one.room_id == PROFILE:
        return profile_remark(one.field)
    there = next((room for room in found.current.rooms.values() if room.room_id == one.room_id), None)
    return remark(
        correction,
        room=there.name if there is not None else "a room that Muster does not manage",
        whom=names.get(one.subject, one.subject),
        purpose=_purpose(there.key, found) if there is not None else "",
    )


def _purpose(key: RoomKey, found: Survey) -> str:
    """Return whom a room is for; a room of a value need not be among what a look at some of the people decides."""
    wanted = found.desired.rooms.get(key)
    if wanted is not None:
        return wanted.because.get(0, "")
    rule_id, _, value = key.partition("/")
    rule = found.policy.rooms.get(rule_id)
    return f'{rule.for_each} eq "{value}" and ({rule.members.text})' if rule is not None else ""
