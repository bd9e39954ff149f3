"""Finding events.

What was archived a moment ago may not be found yet (`search_index`). Deleted and edited messages are found like all
others: that is what an archive is for. Direct rooms are closed but for those that the query's scope opens, and what
would be found there is counted. Who may ask is left to `gate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.archive import search_store, store
from bridge.archive.hits import Found, Hit
from bridge.archive.search_document import document_of
from bridge.archive.search_expression import expression, words_expression
from bridge.archive.search_query import Order, Page, Query, insist_on_something
from bridge.archive.search_store import Ask, Looked
from bridge.archive.segment import LANGUAGES
from bridge.archive.snippet import snippet_of
from bridge.archive.values import edited_by
from bridge.errors import UnknownNameError
from bridge.homeserver import wire
from bridge.homeserver.event import Event

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_WALK = 4000
"""Events in the order of time that are looked at before the index is: what is frequent is found there."""
_WALK_A_HIT = 20
_WALK_TO_RANK = 5000
_ENOUGH_TO_RANK = 100
"""Matches among those, from which on no older ones are ranked."""
_RANKED = 2000
"""Matches that are ranked at most, the newest."""
_LATEST = 2**53


async def search(
    pool: Pool,
    query: Query,
    *,
    server_name: str,
    order: Order = Order.TIME,
    page: str | None = None,
    limit: int = 20,
    languages: Sequence[str] = LANGUAGES,
) -> Found:
    """Return what the query finds, the newest or the best first, and where the next page begins.

    A page holds what the first could have found: what is archived later moves nothing. By relevance, only the newest
    matches are ranked: those among the newest 5,000 events if they are 100, else the newest 2,000. Raises `InputError`
    for a query or page that makes no sense, and `UnknownNameError` for a room that search does not know.
    """
    insist_on_something(query)
    behind = Page.of(page, query, order) if page else None
    async with store.snapshot(pool) as connection:
        await search_store.prepare_search(connection)
        rooms = [number for name in query.rooms for number in await _rooms(connection, name)]
        ask = Ask(
            expression(query, languages, rooms, [_user(name, server_name) for name in query.senders]),
            words_expression(query.terms, languages),
            query.after or 0,
            query.before if query.before is not None else _LATEST,
            behind.newest if behind else await search_store.indexed_until(connection),
            query.scope,
            behind,
            limit + 1,
        )
        looked, exact = await (_newest if order is Order.TIME else _best)(connection, ask)
        hits = looked.hits[:limit]
        rows = {row["seq"]: row for row in await search_store.read_hits(connection, [seq for seq, _ in hits])}
    seq, rank = hits[-1] if hits else (0, 0.0)
    return Found(
        tuple(_hit(rows[seq], query, languages) for seq, _ in hits if seq in rows),
        Page(order, ask.newest, rank, seq).token(query) if len(looked.hits) > limit else None,
        None if behind else looked.closed,
        exact,
    )


async def _newest(connection: Connection, ask: Ask) -> tuple[Looked, bool]:
    """Return the newest hits, and whether what is closed was counted to the end."""
    walk = max(_WALK, _WALK_A_HIT * ask.limit)
    looked = await search_store.find_newest(connection, ask, walk)
    if looked.looked_at < walk:
        return looked, True
    if len(looked.hits) >= ask.limit:
        return looked, False
    return await search_store.find_newest(connection, ask, None), True


async def _best(connection: Connection, ask: Ask) -> tuple[Looked, bool]:
    looked = await search_store.find_best(connection, ask, _WALK_TO_RANK, _RANKED)
    if looked.looked_at < _WALK_TO_RANK:
        return looked, True
    if looked.matches >= _ENOUGH_TO_RANK:
        return looked, False
    looked = await search_store.find_best(connection, ask, None, _RANKED)
    return looked, looked.looked_at < _RANKED


async def _rooms(connection: Connection, name: str) -> list[int]:
    found = await search_store.read_room_numbers(connection, name)
    if not found:
        raise UnknownNameError(
            f"there is no room {name!r} in the archive; give its name, or its ID, which begins with !"
        )
    return found


def _user(name: str, server_name: str) -> str:
    return name if name.startswith("@") and ":" in name else f"@{name.removeprefix('@')}:{server_name}"


def _hit(row: store.Row, query: Query, languages: Sequence[str]) -> Hit:
    event = _event(row)
    document = document_of(event)
    assert document is not None
    return Hit(
        seq=event.seq,
        event_id=event.event_id,
        room_id=event.room_id,
        sender=event.sender,
        timestamp=event.timestamp,
        kind=document.kind,
        text=document.text,
        snippet=snippet_of(document.text, query.terms, languages),
        edits=edited_by(event),
        edited=row["edited"],
        deleted=row["deleted"],
    )


def _event(row: store.Row) -> Event:
    return Event.of(wire.decode(row["body"]), row["seq"])
