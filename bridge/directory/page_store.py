"""The statement that searches and sorts resources: how many match, and a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.directory.filter_sql import ANY, Condition
from bridge.directory.group_store import RELATED_TO
from bridge.directory.scim_resource import StoredText
from bridge.directory.token_store import HOLDS

if TYPE_CHECKING:
    import asyncpg

    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Selection:
    """Which resources of one kind are wanted, and the SQL text they are sorted by.

    The arguments of several selections' conditions are numbered on through all of them.
    """

    kind: str
    condition: Condition = ANY
    order: str = "NULL::text"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The resource beside which a page lies: by what it is sorted, and which it is."""

    place: str | None
    created: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of the sorted matches is wanted."""

    offset: int = 0
    limit: int | None = None
    anchor: Anchor | None = None
    """Only what lies behind it, whether or not it is there still."""
    is_before: bool = False
    """What lies before the anchor instead, of which the `limit` nearest to it; or without an anchor, the last."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A resource with its place in a sorted list."""

    stored: StoredText
    anchor: Anchor


@dataclass(frozen=True, slots=True)
class Part:
    """How many match, and those of them in one span."""

    total: int
    found: list[Placed]


async def select_resources(
    db: Connection | Pool,
    selections: Sequence[Selection],
    span: Span,
    *,
    descending: bool,
    related: bool,
    token: bytes | None = None,
) -> Part | None:
    """Return a part of several kinds as one collection, sorted by text in code point order, and how many there are.

    Resources without a sort value come last, or first when descending; equal ones in the order of their creation.
    Returns None for the bearer of a `token`, told by its hash, that is not valid.
    """
    values = [*_values(selections), token]
    holds, matching, condition = HOLDS.format(hash=f"${len(values)}"), _matching(selections), ""
    if span.anchor is not None:
        condition = f"WHERE {_beside(span, first=len(values) + 1, descending=descending)}"
        values += [span.anchor.place, span.anchor.created, span.anchor.id]
    page = f"OFFSET {span.offset:d}" if span.limit is None else f"OFFSET {span.offset:d} LIMIT {span.limit:d}"
    rows = await db.fetch(
        f"""WITH page AS (SELECT id, place FROM ({matching}) AS matching {condition}
                          ORDER BY {_order("created, id", descending, span.is_before)} {page}),
                 found AS (SELECT r.*, place, {RELATED_TO.format(wanted="true" if related else "false")}
                           FROM page JOIN scim_resource r USING (id)),
                 whole AS (SELECT (SELECT count(*) FROM ({matching}) AS matching) AS total WHERE {holds})
            SELECT total, id, kind, document::text, version, changed, created, modified, place, related::text
            FROM whole LEFT JOIN found ON true
            ORDER BY {_order("created, id", descending, False)}""",  # noqa: S608
        *values,
    )
    placed = [
        Placed(_text_of(row), Anchor(row["place"], row["created"], row["id"])) for row in rows if row["id"] is not None
    ]
    return Part(rows[0]["total"], placed) if rows else None


def _text_of(row: asyncpg.Record) -> StoredText:
    return StoredText(
        row["id"],
        row["kind"],
        row["document"],
        row["version"],
        row["changed"],
        row["created"],
        row["modified"],
        row["related"],
    )


def _matching(selections: Sequence[Selection]) -> str:
    return " UNION ALL ".join(
        f"SELECT r.id, {each.order} AS place, r.created FROM scim_resource r "  # noqa: S608
        f"WHERE r.kind = '{each.kind}' AND NOT r.deleted AND ({each.condition.sql})"
        for each in selections
    )


def _order(equals: str, descending: bool, is_before: bool) -> str:
    """Return what to sort by: `place`, then `equals`; backwards for what lies before an anchor."""
    place = "DESC NULLS FIRST" if descending != is_before else "ASC NULLS LAST"
    return f'place COLLATE "C" {place}, ' + (equals.replace(",", " DESC,") + " DESC" if is_before else equals)


def _beside(span: Span, *, first: int, descending: bool) -> str:
    """Return the condition of lying behind the anchor, or before it, whose values are numbered from `first`."""
    place, created, id_ = f"${first}::text", f"${first + 1}::timestamptz", f"${first + 2}::text"
    equal = f"(created, id) {'<' if span.is_before else '>'} ({created}, {id_})"
    is_upwards = descending == span.is_before
    if span.anchor is None or span.anchor.place is None:
        # Nothing lies above what has no place.
        return f"{place} IS NULL AND (place IS {'NULL AND' if is_upwards else 'NOT NULL OR'} {equal})"
    further = f'place COLLATE "C" > {place} OR place IS NULL' if is_upwards else f'place COLLATE "C" < {place}'
    return f"({further} OR place = {place} AND {equal})"


def _values(selections: Sequence[Selection]) -> list[object]:
    return [argument for each in selections for argument in each.condition.arguments]
