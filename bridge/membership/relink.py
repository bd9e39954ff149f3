"""Giving somebody who has come back under a new id the account of before.

The directory keeps both records, because HR's system goes on with the new one: it is the accounts that change places.
So the returner has the old user ID, and with it the old rooms and messages, and what was made for the new record
meanwhile is shut out as the account of somebody who has left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.clock import Clock
from bridge.directory import history_store
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Person, works_here
from bridge.errors import RefusedError
from bridge.membership import store
from bridge.membership.reconcile import LOCK

if TYPE_CHECKING:
    from bridge.database import Pool


async def relink(pool: Pool, old: Person, new: Person, *, clock: Clock, timezone: str = "UTC") -> None:
    """Let `new` go on with the account of `old`, who has left; the service, which is woken, does the rest.

    Raises `RefusedError`, and changes nothing, when they are one record or the old one works here.
    """
    if old.id == new.id:
        raise RefusedError(f"{old.user_name} is one record. Expected two: who has left, and who has come back.")
    if works_here(old, LocalDays(clock(), timezone)(old)):
        raise RefusedError(
            f"{old.user_name} works here. Expected somebody who has left as OLD; is it the other way round?"
        )
    async with pool.acquire() as connection, connection.transaction():
        await store.wait_for_applier(connection, LOCK)  # who may be making an account for the new record
        await history_store.lock_directory(connection)
        version = await history_store.next_version(connection)
        await store.exchange_accounts(connection, old.id, new.id)
        await history_store.put_link(connection, old.id, new.id)
        await history_store.touch_people(connection, [old.id, new.id], version)
        await history_store.wake(connection, [old.id, new.id])
