"""Those who are missing from a whole picture: read, judged by `door`, and recorded.

Both are for one database transaction under the directory's lock, the one in which `intake` writes the picture.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.directory import door_store
from bridge.directory.door import WINDOW, AbsenceList, Judgement, judge
from bridge.directory.feed import Feed
from bridge.directory.import_plan import Known, works
from bridge.ids import PersonId

if TYPE_CHECKING:
    from bridge.database import Connection


async def judge_absence(
    connection: Connection, feed: Feed, present: Collection[PersonId], known: Sequence[Known], now: datetime
) -> Judgement:
    """Return what becomes of those whom the feed has named and who are not `present` in its whole picture."""
    named = await door_store.load_named(connection, feed.name)
    here = {PersonId(each.id) for each in known if works(each)}.intersection(named)
    missing = await door_store.load_missing(connection, feed.name, here.difference(present))
    recent = await door_store.load_removals(connection, feed.name, now - WINDOW)
    return judge(feed, missing, len(here), recent - here, now)


async def record_absence(
    connection: Connection, feed: Feed, present: Collection[PersonId], judgement: Judgement, now: datetime
) -> None:
    """Note who is missing, and let the list of the feed be those who wait; the same list stays as it was held."""
    staying = {*judgement.noted, *judgement.waiting, *judgement.kept}
    missing = set(await door_store.load_named(connection, feed.name)).difference(present)
    await door_store.note_absent(connection, feed.name, staying, now)
    await door_store.forget_named(connection, feed.name, missing - staying)
    await door_store.put_removals(connection, feed.name, judgement.leaving, now)
    waiting = AbsenceList(feed.name, judgement.waiting, judgement.reason, now)
    if not waiting.people:
        await door_store.drop_list(connection, feed.name)
    elif waiting.digest not in [each.digest for each in await door_store.load_lists(connection, feed.name)]:
        await door_store.put_list(connection, waiting)
