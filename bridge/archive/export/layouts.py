"""Which form is laid out by which module. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from bridge.archive.export import actiance, concordance, csv_rows, eml, html, rsmf
from bridge.archive.export.conversation import Surroundings, conversation_of
from bridge.archive.export.order import Format, Order
from bridge.archive.export.portion import Portion
from bridge.archive.export.records import record_lines
from bridge.archive.export.values import Conversation, Rendered, Slice


def render(
    order: Order, piece: Slice, portion: Portion, content: Mapping[str, bytes], around: Surroundings | None
) -> Rendered:
    """Return the files of a slice: its records, and what the ordered form makes of them.

    `around` is there when the form is by conversation; `content` are the attachments that may be embedded.
    """
    path = f"records/{piece.number:06d}.jsonl"
    lines = record_lines(portion.records, portion.about, portion.known, order.size)
    if order.format is Format.CSV:
        made = Rendered({f"csv/{piece.number:06d}.csv": csv_rows.csv_of(portion.records, portion.about, portion.known)})
    elif around is None:
        made = Rendered({})
    else:
        conversation = replace(conversation_of(piece, portion.records, around), content=content)
        made = _rendered(order, conversation, path, lines)
    return Rendered({path: lines, **made.files}, made.index)


def close(order: Order, indexes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """Return the files that join the slices, from the index of each."""
    if order.format is Format.DAT:
        yield from concordance.close(indexes)
    if order.format is Format.HTML:
        yield from html.close(order, indexes)


def _rendered(order: Order, conversation: Conversation, path: str, lines: bytes) -> Rendered:
    match order.format:
        case Format.RSMF:
            return rsmf.render(conversation)
        case Format.EML:
            return eml.render(conversation)
        case Format.ACTIANCE:
            return actiance.render(conversation)
        case Format.DAT:
            return concordance.render(conversation, path, sha256(lines).hexdigest())
        case _:
            return html.render(conversation, order)
