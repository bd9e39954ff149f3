"""Finding events.

What was archived a moment ago may not be found yet (`index`). Deleted and edited messages are found like all others:
that is what an archive is for. Direct rooms are closed but for those that the query's scope opens, and what would be
found there is counted. Who may ask is left to `gate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from math import fsum, log
from typing import TYPE_CHECKING

from bridge.archive.search import store
from bridge.archive.search.document import document_of
from bridge.archive.search.hits import Found, Hit
from bridge.archive.search.lexemes import DELETED, EDITED, Group, exactly, groups_of, in_rooms, phrases_of
from bridge.archive.search.query import Order, Page, Query, insist_on_something
from bridge.archive.search.segment import LANGUAGES
from bridge.archive.search.snippet import snippet_of
from bridge.archive.search.store import Window
from bridge.archive.search.walk import Match, Walk
from bridge.archive.store import snapshot
from bridge.archive.values import edited_by
from bridge.errors import UnknownNameError
from bridge.homeserver import wire
from bridge.homeserver.event import Event

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_RANKED = 2000
"""Matches that are ranked at most, the newest."""
_PART_WEIGHT = 0.1
"""Of an inflection, or of a part of a longer word; a whole word counts 1."""
_MOST_ROOMS = 200
"""Allowed rooms that are looked up; of more, what was said elsewhere is left out one by one."""
_LATEST = 2**53
_FLAGS = exactly(DELETED), exactly(EDITED)


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
    2,000 matches are ranked. Raises `InputError` for a query or page that makes no sense, and `UnknownNameError` for
    a room that search does not know.
    """
    insist_on_something(query)
    behind = Page.of(page, query, order) if page else None
    async with snapshot(pool) as connection:
        await store.prepare_search(connection)
        required = await _required(connection, query, server_name, languages)
        window = Window(
            query.after or 0,
            query.before if query.before is not None else _LATEST,
            behind.newest if behind else await store.indexed_until(connection),
            query.scope,
        )
        whole = [exactly(group.whole) for group in required if group.whole is not None]
        walk = await Walk.of(connection, required, [*_FLAGS, *whole], window, phrases_of(query.terms))
        looked = await (_newest if order is Order.TIME else _best)(walk, behind, limit + 1)
        ranked = looked.ranked[:limit]
        hits = await _hits(connection, walk, [match.seq for _, match in ranked], query, languages)
    next_page = None
    if len(looked.ranked) > limit:
        rank, last = ranked[-1]
        next_page = Page(order, window.newest, rank, last.seq).token(query)
    return Found(tuple(hits), next_page, None if behind else looked.closed, looked.is_through)


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a walk has found."""

    ranked: Sequence[tuple[float, Match]]
    """The best open matches behind the page, the best first, each with its rank."""
    closed: int
    """Matches in closed rooms."""
    is_through: bool
    """Whether there are no more of those."""


async def _newest(walk: Walk, behind: Page | None, limit: int) -> _Looked:
    hits: list[Match] = []
    seen = closed = 0
    next_newest = -1
    async for matches, next_newest in walk.portions():
        seen, closed = seen + len(matches), closed + sum(match.is_closed for match in matches)
        new = [match for match in matches if not match.is_closed and _is_behind(match.timestamp, match.seq, behind)]
        hits = nlargest(limit, [*hits, *new])
        if len(hits) == limit and hits[-1].timestamp > next_newest and (behind or seen >= walk.least):
            break
    return _Looked([(float(match.timestamp), match) for match in hits], closed, next_newest < 0)


async def _best(walk: Walk, behind: Page | None, limit: int) -> _Looked:
    newest: list[Match] = []
    seen, next_newest = 0, -1
    async for matches, next_newest in walk.portions():
        seen += len(matches)
        newest = nlargest(_RANKED, [*newest, *matches])
        if len(newest) == _RANKED and newest[-1].timestamp > next_newest:
            break
    ranked = [(_rank(walk, match), match) for match in newest if not match.is_closed]
    hits = [(rank, match) for rank, match in ranked if _is_behind(rank, match.seq, behind)]
    best = nlargest(limit, hits, key=lambda hit: (hit[0], hit[1].seq))
    return _Looked(best, sum(match.is_closed for match in newest), next_newest < 0 and seen <= _RANKED)


def _rank(walk: Walk, match: Match) -> float:
    """Return how well it matches: by whole words among those that were sought, and by its length."""
    words = walk.others_of(match.seq)[len(_FLAGS) :]
    return fsum(1.0 if is_whole else _PART_WEIGHT for is_whole in words) / (1 + log(match.size))


def _is_behind(rank: float, seq: int, page: Page | None) -> bool:
    return page is None or (rank, seq) < (page.rank, page.seq)


async def _required(
    connection: Connection, query: Query, server_name: str, languages: Sequence[str]
) -> Sequence[Group]:
    """Return what a message must hold."""
    rooms = [number for name in query.rooms for number in await _rooms(connection, name)]
    groups = groups_of(query, languages, rooms, [_user(name, server_name) for name in query.senders])
    allowed = query.scope.allowed
    if allowed is not None and len(allowed) <= _MOST_ROOMS:
        groups = [*groups, in_rooms(await store.read_numbers_of(connection, allowed))]
    return groups


async def _rooms(connection: Connection, name: str) -> list[int]:
    found = await store.read_room_numbers(connection, name)
    if not found:
        raise UnknownNameError(
            f"there is no room {name!r} in the archive; give its name, or its ID, which begins with !"
        )
    return found


def _user(name: str, server_name: str) -> str:
    return name if name.startswith("@") and ":" in name else f"@{name.removeprefix('@')}:{server_name}"


async def _hits(
    connection: Connection, walk: Walk, seqs: Sequence[int], query: Query, languages: Sequence[str]
) -> list[Hit]:
    """Return the events at these positions as hits, in this order."""
    bodies = {row["seq"]: row["body"] for row in await store.read_bodies(connection, seqs)}
    hits: list[Hit] = []
    for seq in seqs:
        event = Event.of(wire.decode(bodies[seq]), seq)
        document = document_of(event)
        assert document is not None
        is_deleted, is_edited, *_ = walk.others_of(seq)
        hit = Hit(
            seq=seq,
            event_id=event.event_id,
            room_id=event.room_id,
            sender=event.sender,
            timestamp=event.timestamp,
            kind=document.kind,
            text=document.text,
            snippet=snippet_of(document.text, query.terms, languages),
            edits=edited_by(event),
            edited=is_edited,
            deleted=is_deleted,
        )
        hits.append(hit)
    return hits
