"""What another policy and another file of people would come to: read, decided, and nothing kept.

The file goes through the same intake as an import, in a database transaction that is rolled back at the end; while it
lasts other writers to the directory wait. The homeserver is not asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from bridge.clock import Clock
from bridge.directory.file_mapping import FileMapping
from bridge.directory.intake import ImportReport, import_csv
from bridge.ids import RoomId, UserId
from bridge.membership.survey import Bot, Survey, survey_in
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


@dataclass(frozen=True, slots=True)
class Simulated:
    """What would be done, and what became of the file."""

    survey: Survey
    report: ImportReport | None
    """None without a file."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A file of people, and how to read it."""

    file: Path
    mapping: FileMapping
    custom: tuple[str, ...] = ()


async def simulate(
    pool: Pool, bot: Bot, policy: Policy, picture: Picture | None, clock: Clock, *, timezone: str = "UTC"
) -> Simulated:
    """Return what the policy would make of the directory with that file imported; nothing is stored.

    Raises what `import_csv` raises.
    """
    async with pool.acquire() as connection, _undone(connection):
        report = None if picture is None else await _import(connection, picture, clock)
        found = await survey_in(connection, bot, _Nowhere(), policy, clock(), timezone=timezone)
    return Simulated(found, report)


async def _import(connection: Connection, picture: Picture, clock: Clock) -> ImportReport:
    return await import_csv(
        cast("Pool", _Single(connection)),
        picture.file.read_bytes(),
        picture.file.name,
        custom=picture.custom,
        mapping=picture.mapping,
        clock=clock,
    )


@asynccontextmanager
async def _undone(connection: Connection) -> AsyncIterator[None]:
    """Keep nothing of what is written in the block."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


class _Single:
    """A pool of one connection, so that who asks for one writes into the transaction under way."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        yield self._connection


class _Nowhere:
    """Says of nobody where they are: a simulation believes the database."""

    async def joined_rooms(self, user_id: UserId) -> list[RoomId]:
        return []
