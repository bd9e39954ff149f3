"""Searches of Users and Groups: pages by index and by cursor (RFC 7644 section 3.4.2, RFC 9865)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from scim2_models import InvalidCursorException, SearchRequest

from bridge.directory.admission import Admission, refused
from bridge.directory.page_store import Anchor, Part, Selection, Span, select_resources
from bridge.directory.scim_resource import StoredText

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

_FARTHEST: Final = 2**63 - 1
"""The greatest offset that PostgreSQL knows."""


@dataclass(frozen=True, slots=True)
class Page:
    """How many match, one page of them, and the positions of the pages beside it where a cursor asked for it."""

    total: int
    found: list[StoredText]
    next: list[Any] | None = None
    previous: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """A search as the store takes it."""

    db: Connection | Pool
    selections: Sequence[Selection]
    descending: bool
    related: bool
    admission: Admission

    async def find_page(self, request: SearchRequest[Any], position: Any) -> Page:
        """Return how many match, and one page of them.

        A request with a cursor pages by the `position` that an earlier page gave, None for the first page; any other
        by its start index. Asks about a pending `admission` too. Raises `UnauthorizedException`.
        """
        if request.cursor is not None:
            return await self._page_at(request.count, position)
        part = await self._select(Span(min(request.start_index_0 or 0, _FARTHEST), request.count))
        return Page(part.total, [each.stored for each in part.found])

    async def _page_at(self, count: int | None, position: Any) -> Page:
        """Return the page at a position, with the positions of the pages beside it."""
        if count == 0:
            return Page((await self._select(Span(limit=0))).total, [])
        is_before, anchor = read_position(position)
        limit = None if count is None else count + 1
        part = await self._select(Span(limit=limit, anchor=anchor, is_before=is_before))
        total, found = part.total, part.found
        has_more = count is not None and len(found) > count
        if has_more:
            found = found[1:] if is_before else found[:-1]
        if not found:
            return Page(total, [])
        first, last = found[0].anchor, found[-1].anchor
        has_next = await self._has(last, is_before=False) if is_before else has_more
        has_previous = has_more if is_before else anchor is not None and await self._has(first, is_before=True)
        return Page(
            total,
            [each.stored for each in found],
            next=position_of(last, is_before=False) if has_next else None,
            previous=position_of(first, is_before=True) if has_previous else None,
        )

    async def _select(self, span: Span) -> Part:
        """Return a part, to the bearer of a token that holds. Raises `UnauthorizedException`."""
        asked = self.admission.pending
        part = await select_resources(
            self.db, self.selections, span, descending=self.descending, related=self.related, token=asked
        )
        if part is None:
            raise refused()
        self.admission.pending = None
        return part

    async def _has(self, anchor: Anchor, *, is_before: bool) -> bool:
        return bool((await self._select(Span(limit=1, anchor=anchor, is_before=is_before))).found)


def position_of(anchor: Anchor, *, is_before: bool) -> list[Any]:
    """Return the position of the page behind the resource, or before it, as JSON can hold it."""
    return [is_before, anchor.place, anchor.created.isoformat(), anchor.id]


def read_position(position: Any) -> tuple[bool, Anchor | None]:
    """Return whether a position is that of a page before its anchor, and the anchor; None is the first page.

    Positions come sealed and were made by `position_of`, if not always by this release of it: others are a
    `InvalidCursorException`.
    """
    if position is None:
        return False, None
    try:
        is_before, place, created, id_ = position
        return bool(is_before), Anchor(place, datetime.fromisoformat(created), id_)
    except (TypeError, ValueError) as error:
        raise InvalidCursorException from error
