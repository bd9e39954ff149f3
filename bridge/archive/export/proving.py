"""Proving that the records of an export stand in the archive: one proof for all of them, `proof.json`.

It is made from the roots of whole blocks, and the leaves of the blocks in which something is exported; what it looks
like is left to `multiproof`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bridge.archive import proof_store
from bridge.archive.export.multiproof import steps_of
from bridge.archive.export.order import Order
from bridge.archive.ledger import BLOCK, EMPTY, Stretch, append, root, stretch_hash
from bridge.errors import RefusedError

if TYPE_CHECKING:
    from bridge.database import Connection

FORMAT = "muster-multiproof-1"


async def prove_leaves(connection: Connection, indexes: Sequence[int], order: Order) -> bytes:
    """Return the proof that the leaves at these indexes, sorted, are in the tree of the order's checkpoint.

    Raises `RefusedError` when leaves are missing in the archive.
    """
    tree = _Tree(connection, await proof_store.read_blocks(connection, order.size // BLOCK))
    steps = [base64.b64encode(await tree.hash_of(each)).decode() for each in steps_of(indexes, order.size)]
    proof = {"format": FORMAT, "checkpoint": order.note, "public_key": order.public_key, "steps": steps}
    return json.dumps(proof, ensure_ascii=False, indent=1).encode() + b"\n"


class _Tree:
    """The tree, read from left to right."""

    def __init__(self, connection: Connection, blocks: dict[int, bytes]) -> None:
        self._connection = connection
        self._blocks = blocks
        self._number = -1
        self._leaves: list[bytes] = []

    async def hash_of(self, stretch: Stretch) -> bytes:
        """Return the hash of a stretch; larger ones than a block begin where a block does."""
        end = stretch.start + stretch.count
        if stretch.count < BLOCK and stretch.start // BLOCK == (end - 1) // BLOCK:
            whole: list[bytes] = []
            leaves = await self._leaves_of(stretch.start // BLOCK)
            behind = leaves[stretch.start % BLOCK : stretch.start % BLOCK + stretch.count]
        else:
            whole = [await self._root_of(number) for number in range(stretch.start // BLOCK, end // BLOCK)]
            behind = (await self._leaves_of(end // BLOCK))[: end % BLOCK] if end % BLOCK else []
        try:
            return stretch_hash(stretch, whole, behind)
        except ValueError as error:
            raise RefusedError(f"Leaves are missing: {error}. `muster archive verify` says where.") from error

    async def _root_of(self, number: int) -> bytes:
        if number not in self._blocks:
            self._blocks[number] = root(append(EMPTY, await self._leaves_of(number)))
        return self._blocks[number]

    async def _leaves_of(self, number: int) -> list[bytes]:
        if number != self._number:
            self._leaves = await proof_store.read_leaves(self._connection, number * BLOCK, (number + 1) * BLOCK)
            self._number = number
        return self._leaves
