"""Proving to ourselves that the archive is whole: every row read, every leaf and the root computed again.

It sees the archive as of one moment, reads it block by block, the next while one is hashed, and needs the memory of a
few thousand events whatever the size. What counts as wrong is left to `inspection`, what is signed to `checkpoint`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bridge.archive import proof_store, store
from bridge.archive.checkpoint import Checkpoint
from bridge.archive.disposition import accounted
from bridge.archive.filing import first_misfiled
from bridge.archive.inspection import Finding, Inspection, Mark, Problem, Verdict
from bridge.archive.ledger import BLOCK, EMPTY, Frontier, root, whole_blocks
from bridge.archive.proof_store import Stored
from bridge.archive.rotation import Span, check_in_span, spans_of
from bridge.errors import InputError, RefusedError, UnknownNameError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from bridge.database import Connection, Pool


def _ignore(_done: int, _of: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose checkpoints count."""

    origin: str
    key: Ed25519PublicKey
    """The one that is trusted."""
    rotations: tuple[str, ...] = ()
    """Statements about new keys, unchecked."""
    spans: tuple[Span, ...] = ()
    """What follows from them: where each key counts; without any, the trusted one does everywhere."""

    def check(self, note: str) -> Checkpoint:
        """Return what was signed; raises `InputError` and `RefusedError`."""
        return check_in_span(note, self.origin, self.spans or (Span(self.key, 0, None),))


async def signer_of(db: Connection | Pool, origin: str, trusted: Ed25519PublicKey) -> Signer:
    """Return who has signed the archive, as far as it follows from a trusted key."""
    notes = await proof_store.read_rotations(db)
    try:
        spans = spans_of(origin, trusted, notes)
    except InputError as error:
        raise RefusedError(f"What is stored of the archive's keys was altered. {error.message}") from error
    return Signer(origin, trusted, tuple(notes), spans)


async def verify(
    pool: Pool,
    progress: Callable[[int, int], None] = _ignore,
    *,
    signer: Signer | None = None,
    kept: Sequence[Checkpoint] = (),
    since: int = 0,
    filing: bool = False,
) -> Verdict:
    """Recompute the ledger from the stored events and name the first position that does not agree.

    With a `signer` every stored checkpoint must be theirs and agree, and those `kept` elsewhere, which were checked.
    `since` is the size of a stored checkpoint; what it covers is believed. With `filing` the columns by which events
    are found are compared with the events too, which takes several times as long. `progress` is called with the events
    done and the events of the ledger. Raises `DatabaseUnavailableError`, and `UnknownNameError` for an unknown `since`.
    """
    async with store.snapshot(pool) as connection:
        size, joined = await store.read_head(connection)
        stored = await proof_store.read_checkpoints(connection) if signer else []
        signed, forged = _signed(stored, signer) if signer else (set(), None)
        start = _start(stored, signer, since) if signer and since else EMPTY
        marks = signed | _later(kept, signed, since)
        try:
            head = Frontier.of(size, joined)
        except ValueError:
            return Verdict(size, root(EMPTY), Finding(Problem.REWRITTEN, 1))
        inspection = Inspection(head, start=start, marks={mark for mark in marks if mark.size >= since})
        await inspect(connection, inspection, size, lambda: progress(inspection.seen.size, size))
        verdict = replace(inspection.conclude(), since=since)
        finding = verdict.finding or await _surplus(connection, size) or forged
        if finding is None and filing:
            finding = await _misfiled(connection, since, size, lambda done: progress(done, size))
        return replace(verdict, finding=finding and await _named(connection, finding))


async def inspect(connection: Connection, inspection: Inspection, size: int, looked: Callable[[], None]) -> None:
    """Show the inspection block after block up to `size`, until something is wrong; `looked` is called after each."""
    place = inspection.seen.size
    reading = asyncio.ensure_future(proof_store.read_portion(connection, place, min(place + BLOCK, size)))
    try:
        while place < size and inspection.finding is None:
            portion = await reading
            end = min(place + BLOCK, size)
            reading = asyncio.ensure_future(proof_store.read_portion(connection, end, min(end + BLOCK, size)))
            await asyncio.sleep(0)  # the next question is on its way while this block is hashed
            if not inspection.agrees(portion):
                await asyncio.wait([reading])
                rows = await proof_store.read_rows(connection, place, end)
                disposed = accounted(*await proof_store.read_disposed(connection, place, end))
                inspection.look_at(rows, disposed, portion.root)
            if inspection.seen.size < end:
                return
            looked()
            place = end
    finally:
        await asyncio.wait([reading])


def _signed(stored: Sequence[Stored], signer: Signer) -> tuple[set[Mark], Finding | None]:
    """Return what is signed, and the first stored checkpoint that is not what the signer has signed."""
    marks: set[Mark] = set()
    forged = None
    for one in stored:
        try:
            marks.add(Mark(one.size, root(frontier_of_checkpoint(one, signer))))
        except (InputError, RefusedError):
            forged = forged or Finding(Problem.FORGED, one.size, checkpoint=one.size)
    return marks, forged


def frontier_of_checkpoint(stored: Stored, signer: Signer) -> Frontier:
    """Return the right edge of the tree that a stored checkpoint is about; raises `InputError` and `RefusedError`."""
    checkpoint = signer.check(stored.note)
    try:
        frontier = Frontier.of(stored.size, stored.frontier)
    except ValueError:
        frontier = EMPTY
    if (checkpoint.size, checkpoint.root) != (frontier.size, root(frontier)):
        raise RefusedError(f"What is stored beside the checkpoint of {stored.size} events was altered.")
    return frontier


def _start(stored: Sequence[Stored], signer: Signer, since: int) -> Frontier:
    """Return where to begin: at the last whole block below a checkpoint."""
    for one in stored:
        if one.size == since:
            return whole_blocks(frontier_of_checkpoint(one, signer))
    known = ", ".join(str(one.size) for one in stored[-5:]) or "none; make one with `muster archive checkpoint`"
    raise UnknownNameError(f"There is no checkpoint of {since} events to begin at. There are: {known}.")


def _later(kept: Sequence[Checkpoint], signed: set[Mark], since: int) -> set[Mark]:
    """Return what is kept elsewhere; refuse to skip what the archive has no checkpoint of."""
    marks = {Mark(checkpoint.size, checkpoint.root) for checkpoint in kept}
    for mark in marks - signed:
        if mark.size < since:
            raise InputError(
                f"The checkpoint of {mark.size} events is from before {since}, and the archive has not the same. "
                "Verify without --since."
            )
    return marks


async def _surplus(connection: Connection, size: int) -> Finding | None:
    seq = await proof_store.first_outside(connection, size)
    return None if seq is None else Finding(Problem.SURPLUS, seq)


async def _misfiled(connection: Connection, place: int, size: int, looked: Callable[[int], None]) -> Finding | None:
    while place < size:
        end = min(place + BLOCK, size)
        if found := first_misfiled(await proof_store.read_filed(connection, place, end)):
            return Finding(Problem.MISFILED, found[0], column=found[1])
        looked(end)
        place = end
    return None


async def _named(connection: Connection, finding: Finding) -> Finding:
    """Return the finding with the event and the room that are indexed at its position."""
    if finding.problem is Problem.FORGED:
        return finding
    seq = finding.seq
    if finding.problem is Problem.REORDERED:
        seq = await store.first_arrived_after(connection, seq)
    event_id, room_id = await proof_store.event_and_room_at(connection, seq)
    return replace(finding, seq=seq, event_id=event_id, room_id=room_id)
