"""Bringing a file of people into the directory, in one database transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import asyncpg

from bridge.directory import file_store, group_store, history_store, reuse_store
from bridge.directory import resource_store as store
from bridge.directory.csv_file import read_csv
from bridge.directory.file_mapping import PLAIN, FileMapping
from bridge.directory.import_plan import ImportPlan, group_of, plan_import
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import Shape, comparison_key
from bridge.errors import ImportFileError

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

ANALYZE_FROM: Final = 100
"""So many people change what PostgreSQL should believe about its tables."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How many people an import concerns."""

    created: int
    changed: int
    """Also those of whom only the groups change."""
    removed: int
    unchanged: int
    warnings: tuple[str, ...]

    def sentence(self, beginning: str = "People") -> str:
        """Return it in words; `beginning` may be that of a dry run, "Would be"."""
        return (
            f"{beginning} added: {self.created}, changed: {self.changed}, no longer working here: {self.removed}, "
            f"unchanged: {self.unchanged}."
        )


async def import_csv(
    pool: Pool,
    data: bytes,
    name: str,
    *,
    custom: Sequence[str] = (),
    mapping: FileMapping = PLAIN,
    complete: bool = False,
    allow_removals: int | None = None,
    dry_run: bool = False,
    claim: str | None = None,
) -> ImportReport:
    """Import a CSV file called `name`, all of it or nothing; with `dry_run` only say what would change.

    A file with a `claim` is imported once, however often it is asked for. Raises `ImportFileError` and `RefusedError`
    as `read_csv` and `plan_import` do.
    """
    # Reading 10,000 rows takes a second, which the service has better uses for.
    file = await asyncio.to_thread(read_csv, data, name, custom=custom, mapping=mapping)
    shapes = shapes_for(custom)
    async with pool.acquire() as connection, connection.transaction():
        await history_store.lock_directory(connection)
        done = None if claim is None else await file_store.find_import(connection, claim)
        if done is not None:
            return ImportReport(**{**done, "warnings": tuple(done["warnings"])})
        plan = await asyncio.to_thread(
            plan_import,
            file,
            await store.load_users(connection),
            shapes["User"],
            new_id=lambda: str(uuid4()),
            gone=await store.load_users(connection, deleted=True),
            confirmed=await reuse_store.load_confirmed(connection),
            complete=complete or mapping.complete,
            shrink=mapping.shrink,
            allow_removals=allow_removals,
        )
        report = _report(plan)
        if not dry_run:
            await write_plan(connection, plan, shapes["Group"], f"csv:{name}")
            if claim is not None:
                await file_store.record_import(connection, claim, asdict(report))
    log.info("read %d people from a file", len(file.rows), extra={"action": "import"})
    return report


async def write_plan(connection: Connection, plan: ImportPlan, groups: Shape, source: str) -> None:
    """Write what was decided, under the lock of the directory. Raises `ImportFileError` when names are exchanged."""
    await reuse_store.put_suspicions(connection, plan.held)
    if not (plan.created or plan.changed or plan.removed or plan.regrouped):
        return
    try:
        async with connection.transaction():
            await _write(connection, plan, groups, source)
    except asyncpg.UniqueViolationError as error:
        raise ImportFileError(
            f"{source.partition(':')[2]}: people exchange their userNames in this file. Nothing was changed. "
            "Give one of them another name first.",
            ["userName"],
        ) from error


def _report(plan: ImportPlan) -> ImportReport:
    changed = len(plan.changed) + len(plan.regrouped)
    return ImportReport(len(plan.created), changed, len(plan.removed), plan.unchanged, plan.warnings)


async def _write(connection: Connection, plan: ImportPlan, shape: Shape, source: str) -> None:
    version = await history_store.next_version(connection)
    await store.insert_resources(connection, plan.created, version)
    await store.update_resources(connection, (*plan.changed, *plan.removed), version)
    await history_store.touch_reports(connection, plan.renamed, version)
    await _write_groups(connection, plan, shape, version)
    created = [each.id for each in plan.created]
    changed = [each.id for each in (*plan.changed, *plan.removed)]
    for action, ids in (("created", created), ("changed", changed), ("groups", plan.regrouped)):
        await history_store.record_history(connection, ids, version=version, source=source, action=action)
    if len(created) + len(changed) > ANALYZE_FROM:
        await store.analyze(connection)
    await history_store.wake(connection, [*created, *changed, *plan.regrouped])


async def _write_groups(connection: Connection, plan: ImportPlan, shape: Shape, version: int) -> None:
    """Make the groups that are missing, and change who is in them."""
    ids = await group_store.group_ids(connection)
    missing = {comparison_key(name): name for name, _ in plan.joins if comparison_key(name) not in ids}
    groups = [group_of(name, str(uuid4()), shape) for name in missing.values()]
    await store.insert_resources(connection, groups, version)
    ids |= {group.name_key: group.id for group in groups}
    joins = [(ids[comparison_key(name)], person) for name, person in plan.joins]
    leaves = [(ids[comparison_key(name)], person) for name, person in plan.leaves]
    await group_store.add_members(connection, joins)
    await group_store.remove_members(connection, leaves)
    await group_store.touch_groups(connection, {group for group, _ in (*joins, *leaves)}, version)
    await history_store.touch_people(connection, plan.regrouped, version)
