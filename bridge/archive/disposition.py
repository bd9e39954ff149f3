"""What an entry says of records that were disposed of, and whether it accounts for one that is gone.

A disposition is an entry of the ledger with the deed `dispose`. Its details name the positions, as spans [first, last]
in order, and the digest of their leaves one after the other, so that neither more nor other records can be passed off
as disposed of. Carrying one out is left to `disposal`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

from bridge.archive.entry import Actor, Entry, entry_of
from bridge.homeserver import wire
from bridge.homeserver.event import Event

DEED = "dispose"
Span = tuple[int, int]
"""The first and the last position."""


@dataclass(frozen=True, slots=True)
class Order:
    """Why records are disposed of, and on whose word."""

    actor: Actor
    reason: str
    """`retention`, or what the person wrote who decided on an erasure."""
    basis: Mapping[str, Any]
    """What it rests on: the rule and its period, or whose request it was; JSON values without floats."""


@dataclass(frozen=True, slots=True)
class Disposition:
    """What an entry accounts for."""

    spans: Sequence[Span]

    @classmethod
    def of(cls, body: bytes, seq: int) -> Self:
        """Return what the archived bytes at a position account for; nothing when they are no disposition."""
        recorded = entry_of(Event.of(wire.decode(body), seq))
        if recorded is None or recorded.entry.deed != DEED:
            return cls(())
        named = recorded.entry.details.get("positions")
        return cls([(one[0], one[1]) for one in named] if isinstance(named, list) else ())

    def covers(self, seq: int) -> bool:
        """Return whether the record at a position was disposed of by this entry."""
        place = bisect_right(self.spans, seq, key=lambda span: span[0])
        return place > 0 and seq <= self.spans[place - 1][1]


def entry_for(order: Order, seqs: Sequence[int], leaves: Sequence[bytes]) -> Entry:
    """Return the entry that says that the records at these positions, in order, were disposed of."""
    details = {
        "reason": order.reason,
        **order.basis,
        "count": len(seqs),
        "positions": [list(span) for span in spans_of(seqs)],
        "leaves": sha256(b"".join(leaves)).hexdigest(),
    }
    return Entry(DEED, order.actor, details)


def spans_of(seqs: Iterable[int]) -> list[Span]:
    """Return ascending positions as the fewest spans."""
    spans: list[Span] = []
    for seq in seqs:
        if spans and spans[-1][1] == seq - 1:
            spans[-1] = (spans[-1][0], seq)
        else:
            spans.append((seq, seq))
    return spans


def accounted(gone: Mapping[int, int], entries: Mapping[int, bytes]) -> frozenset[int]:
    """Return which records are gone rightly: position → position of the entry; that → its archived bytes."""
    known = {seq: Disposition.of(body, seq) for seq, body in entries.items()}
    return frozenset(seq for seq, entry in gone.items() if entry in known and known[entry].covers(seq))
