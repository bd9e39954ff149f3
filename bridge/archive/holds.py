"""Placing and releasing legal holds, and acknowledging them; each is an entry in the same database transaction.

What a hold keeps is asked of `hold_store.held_seqs` by whoever would dispose of something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive import hold_store, store
from bridge.archive.case import insist_on_narrow, insist_on_number
from bridge.archive.cases import known_case
from bridge.archive.entry import Actor, Entry
from bridge.archive.hold import Hold, Release
from bridge.archive.log import append_entry
from bridge.errors import InputError, RefusedError, UnknownNameError
from bridge.ids import UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def place(pool: Pool, hold: Hold, actor: Actor) -> Hold:
    """Put a hold in force; raises `InputError` for a number that is taken or a scope without people and rooms."""
    insist_on_number(hold.number)
    insist_on_narrow(hold.scope, "A hold")
    if not hold.reason.strip():
        raise InputError("A hold has a reason: --reason TEXT.")
    async with store.transaction(pool) as connection:
        if hold.case:
            await known_case(connection, hold.case)
        if await hold_store.read_hold(connection, hold.number):
            raise InputError(f"There is a hold {hold.number} already. `muster archive hold list` shows the numbers.")
        details = {
            "do": "place",
            "hold": hold.number,
            "reason": hold.reason,
            "scope": hold.scope.as_json(),
            "silent": hold.silent,
            **({"case": hold.case} if hold.case else {}),
        }
        placed = replace(
            hold, entry=(await append_entry(connection, Entry("hold", actor, details), hold.since)).entry_id
        )
        await hold_store.put_hold(connection, placed)
        tell_at = None if hold.silent else hold.since
        await hold_store.put_custodians(connection, hold.number, hold.scope.people, tell_at)
    return placed


async def release(pool: Pool, number: str, actor: Actor, at: datetime) -> Hold:
    """End a hold; raises `UnknownNameError`, and `RefusedError` when it is over already."""
    async with store.transaction(pool) as connection:
        await hold_store.lock_hold(connection, number)
        hold = await insist_in_force(connection, number)
        details = {"do": "release", "hold": number, "placed": hold.entry, "scope": hold.scope.as_json()}
        entry = (await append_entry(connection, Entry("hold", actor, details), at)).entry_id
        over = replace(hold, release=Release(actor.name, at, entry))
        assert over.release is not None
        await hold_store.release_hold(connection, number, over.release)
    return over


async def acknowledge(pool: Pool, numbers: Sequence[str], user_id: UserId, at: datetime) -> list[str]:
    """Record that a custodian has read of these holds; return those that were not acknowledged before."""
    async with store.transaction(pool) as connection:
        return [number for number in numbers if await _acknowledge(connection, number, user_id, at)]


async def insist_in_force(db: Connection | Pool, number: str) -> Hold:
    """Return a hold that is not over; raises `UnknownNameError`, and `RefusedError` for one that is."""
    hold = await known_hold(db, number)
    if hold.release is not None:
        raise RefusedError(f"Hold {number} was released {hold.release.at:%Y-%m-%d} by {hold.release.by}.")
    return hold


async def known_hold(db: Connection | Pool, number: str) -> Hold:
    """Return a hold; raises `UnknownNameError`."""
    hold = await hold_store.read_hold(db, number)
    if hold is None:
        raise UnknownNameError(f"There is no hold {number!r}. `muster archive hold list` shows the numbers.")
    return hold


async def _acknowledge(connection: Connection, number: str, user_id: UserId, at: datetime) -> bool:
    if not await hold_store.acknowledge(connection, number, user_id, at):
        return False
    # The homeserver vouches for who reacted; no user of an operating system was there.
    await append_entry(connection, Entry("acknowledge", Actor(user_id, user_id), {"hold": number}), at)
    return True
