"""Bringing a file of people into the directory, in one database transaction."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg

from bridge.directory import resource_store as store
from bridge.directory import reuse_store
from bridge.directory.csv_file import read_csv
from bridge.directory.import_plan import ImportPlan, group_of, plan_import
from bridge.directory.scim_schema import Shape, comparison_key, shapes_for
from bridge.errors import ImportFileError

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How many people an import concerns."""

    created: int
    changed: int
    """Also those of whom only the groups change."""
    removed: int
    unchanged: int
    warnings: tuple[str, ...]


async def import_csv(
    pool: Pool,
    data: bytes,
    name: str,
    *,
    custom: Sequence[str] = (),
    complete: bool = False,
    allow_removals: int | None = None,
    dry_run: bool = False,
) -> ImportReport:
    """Import a CSV file called `name`, all of it or nothing; with `dry_run` only say what would change.

    Raises `ImportFileError` and `RefusedError` as `read_csv` and `plan_import` do.
    """
    shapes = shapes_for(custom)
    file = read_csv(data, name, custom=custom)
    async with pool.acquire() as connection, connection.transaction():
        await store.lock_directory(connection)
        plan = plan_import(
            file,
            await store.load_users(connection),
            shapes["User"],
            new_id=lambda: str(uuid4()),
            gone=await store.load_users(connection, deleted=True),
            confirmed=await reuse_store.load_confirmed(connection),
            complete=complete,
            allow_removals=allow_removals,
        )
        if not dry_run:
            await reuse_store.put_suspicions(connection, plan.held)
        if not dry_run and plan.unchanged < len(file.rows) - len(plan.held) + len(plan.removed):
            try:
                await _write(connection, plan, shapes["Group"], f"csv:{name}")
            except asyncpg.UniqueViolationError as error:
                raise ImportFileError(
                    f"{name}: people exchange their userNames in this file. Nothing was changed. "
                    "Give one of them another name first."
                ) from error
    changed = len(plan.changed) + len(plan.regrouped)
    log.info("read %d people from a file", len(file.rows), extra={"action": "import"})
    return ImportReport(len(plan.created), changed, len(plan.removed), plan.unchanged, plan.warnings)


async def _write(connection: Connection, plan: ImportPlan, shape: Shape, source: str) -> None:
    version = await store.next_version(connection)
    await store.insert_resources(connection, plan.created, version)
    await store.update_resources(connection, (*plan.changed, *plan.removed), version)
    await store.touch_reports(connection, plan.renamed, version)
    await _write_groups(connection, plan, shape, version)
    created = [each.id for each in plan.created]
    changed = [each.id for each in (*plan.changed, *plan.removed)]
    for action, ids in (("created", created), ("changed", changed), ("groups", plan.regrouped)):
        await store.record_history(connection, ids, version=version, source=source, action=action)
    await store.analyze(connection)
    await store.wake(connection, [*created, *changed, *plan.regrouped])


async def _write_groups(connection: Connection, plan: ImportPlan, shape: Shape, version: int) -> None:
    """Make the groups that are missing, and change who is in them."""
    ids = await store.group_ids(connection)
    missing = {comparison_key(name): name for name, _ in plan.joins if comparison_key(name) not in ids}
    groups = [group_of(name, str(uuid4()), shape) for name in missing.values()]
    await store.insert_resources(connection, groups, version)
    ids |= {group.name_key: group.id for group in groups}
    joins = [(ids[comparison_key(name)], person) for name, person in plan.joins]
    leaves = [(ids[comparison_key(name)], person) for name, person in plan.leaves]
    await store.add_members(connection, joins)
    await store.remove_members(connection, leaves)
    await store.touch_groups(connection, {group for group, _ in (*joins, *leaves)}, version)
    await store.touch_people(connection, plan.regrouped, version)
