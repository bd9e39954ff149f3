"""Bringing a picture of people into the directory, in one database transaction, and letting go whom one left out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import asyncpg

from bridge.clock import Clock, system_clock
from bridge.directory import door_store, file_store, group_store, history_store, reuse_store
from bridge.directory import resource_store as store
from bridge.directory.absence import judge_absence, record_absence
from bridge.directory.course_plan import plan_courses
from bridge.directory.csv_file import CsvFile, read_csv
from bridge.directory.door import AbsenceList, Judgement, digest_of, words_of
from bridge.directory.feed import Feed, Proof, prove
from bridge.directory.file_mapping import PLAIN, FileMapping
from bridge.directory.import_diff import ImportDiff, difference
from bridge.directory.import_plan import NOTHING, ImportPlan, group_of, plan_import, without, works
from bridge.directory.refusals import write_refused
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import Shape, comparison_key
from bridge.directory.store import directory_version
from bridge.errors import ImportFileError, RefusedError
from bridge.ids import PersonId

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
    missing: int = 0
    """Not named by a whole picture, and not for long enough to leave."""
    waiting: int = 0
    """Missing, and too many to leave without a second person."""
    waiting_digest: str = ""
    """What `muster approve` names."""
    diff: ImportDiff | None = None
    """Of a dry run."""

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
    rows: int | None = None,
    sha256: str | None = None,
    dry_run: bool = False,
    claim: str | None = None,
    clock: Clock = system_clock,
) -> ImportReport:
    """Import a CSV file called `name`, all of it or nothing; with `dry_run` only say what would change.

    `rows` and `sha256` are what the file ought to have, and prove it whole. A file with a `claim` is imported once,
    however often it is asked for. Raises `ImportFileError` as `read_csv`, `prove` and `plan_import` do.
    """
    # Reading 10,000 rows takes a second, which the service has better uses for.
    file = await asyncio.to_thread(read_csv, data, name, custom=custom, mapping=mapping)
    proof = prove(name, data, len(file.rows), trailer=bool(mapping.trailer), rows=rows, sha256=sha256)
    if mapping.ends is not None and complete:
        raise RefusedError(f"{name}: a file of dated rows removes nobody by absence. Leave out --complete.")
    if mapping.ends is not None:
        return await settle_courses(
            pool,
            file,
            mapping.feed,
            proven=proof is not None,
            custom=custom,
            dry_run=dry_run,
            claim=claim,
            clock=clock,
        )
    return await bring_in(
        pool,
        file,
        replace(mapping.feed, complete=complete or mapping.complete),
        proof=proof,
        source=f"csv:{name}",
        custom=custom,
        dry_run=dry_run,
        claim=claim,
        clock=clock,
    )


async def bring_in(
    pool: Pool,
    file: CsvFile,
    feed: Feed,
    *,
    proof: Proof | None,
    source: str,
    custom: Sequence[str] = (),
    dry_run: bool = False,
    claim: str | None = None,
    clock: Clock = system_clock,
) -> ImportReport:
    """Bring a picture of people into the directory, all of it or nothing, under the name of its `source`.

    Who is missing from it is judged only when the feed shows everybody and there is a `proof` that this one does.
    Raises `ImportFileError` when people cannot be told apart, and for a complete picture of nobody.
    """
    if feed.complete and not file.rows:
        raise ImportFileError(
            f"{file.name}: error: expected everybody of {feed.name}, came 0 entries; nobody is removed by absence."
            "\nNothing was changed."
        )
    shapes = shapes_for(custom)
    async with pool.acquire() as connection, connection.transaction():
        await history_store.lock_directory(connection)
        if (done := await _imported(connection, claim)) is not None:
            return done
        known = await store.load_users(connection)
        plan = await asyncio.to_thread(
            plan_import,
            file,
            known,
            shapes["User"],
            new_id=lambda: str(uuid4()),
            gone=await store.load_users(connection, deleted=True),
            confirmed=await reuse_store.load_confirmed(connection),
        )
        now = clock()
        judgement = None
        if feed.complete and proof is not None:
            judgement = await judge_absence(connection, feed, plan.named, known, now)
            plan = without(plan, judgement.leaving, known, shapes["User"])
        report = _report(plan, feed, judgement)
        if dry_run:
            report = replace(report, diff=difference(plan, known))
        if not dry_run:
            await write_plan(connection, plan, shapes["Group"], source, absence=feed.name)
            await door_store.put_feed(connection, feed.name, None if judgement is None else now)
            await door_store.put_named(connection, feed.name, plan.named)
            if judgement is not None:
                await record_absence(connection, feed, plan.named, judgement, now)
            await _record_import(connection, file, feed, claim, report)
    log.info("read %d people from %s", len(file.rows), feed.name, extra={"action": "import"})
    return report


async def settle_courses(
    pool: Pool,
    file: CsvFile,
    feed: Feed,
    *,
    proven: bool,
    custom: Sequence[str] = (),
    dry_run: bool = False,
    claim: str | None = None,
    clock: Clock = system_clock,
) -> ImportReport:
    """Settle the courses that a file of dated rows tells, all of it or nothing; with `dry_run` only say what changes.

    A file with a `claim` is imported once. Raises `ImportFileError` and `RefusedError` as `plan_courses` does.
    """
    shapes = shapes_for(custom)
    async with pool.acquire() as connection, connection.transaction():
        await history_store.lock_directory(connection)
        if (done := await _imported(connection, claim)) is not None:
            return done
        known = await store.load_users(connection)
        plan = await asyncio.to_thread(
            plan_courses,
            file,
            known,
            shapes["User"],
            today=clock().date(),
            held={each.person for each in await reuse_store.load_suspicions(connection)},
            proven=proven,
            shrink=feed.shrink,
        )
        report = ImportReport(0, len(plan.changed), len(plan.removed), plan.unchanged, plan.warnings)
        if dry_run:
            report = replace(report, diff=difference(plan, known))
        if not dry_run:
            source = f"csv:{file.name}"
            await write_plan(connection, plan, shapes["Group"], source, absence=source)
            await _record_import(connection, file, feed, claim, report)
    log.info("read %d dated rows from a file", len(file.rows), extra={"action": "import"})
    return report


async def _imported(connection: Connection, claim: str | None) -> ImportReport | None:
    """Return the report of the file with this claim, if it is in already."""
    done = None if claim is None else await file_store.find_import(connection, claim)
    return None if done is None else ImportReport(**{**done, "warnings": tuple(done["warnings"])})


async def _record_import(
    connection: Connection, file: CsvFile, feed: Feed, claim: str | None, report: ImportReport
) -> None:
    """Count what of the file was refused, and remember that the one with this claim is in."""
    await write_refused(connection, feed.name, dict.fromkeys(file.refused, len(file.rows)))
    if claim is not None:
        await file_store.record_import(connection, claim, asdict(report))


async def let_go(
    pool: Pool, waiting: AbsenceList, by: PersonId, now: datetime, *, custom: Sequence[str] = ()
) -> AbsenceList:
    """Make exactly the people of a list inactive, because a second person says so.

    Raises `RefusedError` when it is not the list any more, or somebody on it has been named again.
    """
    shapes = shapes_for(custom)
    async with pool.acquire() as connection, connection.transaction():
        await history_store.lock_directory(connection)
        lists = await door_store.load_lists(connection, waiting.feed)
        known = await store.load_users(connection)
        missing = await door_store.load_missing(connection, waiting.feed, waiting.people)
        here = {each.id for each in known if works(each)}.intersection(waiting.people)
        gone = {each.person for each in missing if each.since is not None and not each.kept_by}
        if waiting.digest not in [each.digest for each in lists] or here - gone:
            raise RefusedError(
                f"The list {waiting.digest[:12]} of {waiting.feed} has changed: somebody on it has been named again."
                " Nothing was changed. Look at `muster directory waiting`; the next whole picture makes a new list."
            )
        plan = without(NOTHING, waiting.people, known, shapes["User"])
        source = f"{waiting.feed}; approved by {by}"
        await write_plan(connection, plan, shapes["Group"], source, absence=source)
        await door_store.forget_named(connection, waiting.feed, waiting.people)
        await door_store.approve_list(connection, waiting, by, now, await directory_version(connection))
    log.info("%d people were let go as approved", len(plan.removed), extra={"action": "import"})
    return waiting


async def write_plan(
    connection: Connection, plan: ImportPlan, groups: Shape, source: str, *, absence: str = ""
) -> None:
    """Write what was decided, under the lock of the directory; `absence` is the source of who is removed.

    Raises `ImportFileError` when names are exchanged.
    """
    await reuse_store.put_suspicions(connection, [replace(each, source=source) for each in plan.held])
    if not (plan.created or plan.changed or plan.removed or plan.regrouped):
        return
    try:
        async with connection.transaction():
            await _write(connection, plan, groups, source, absence)
    except asyncpg.UniqueViolationError as error:
        raise ImportFileError(
            f"{source.partition(':')[2]}: people exchange their userNames in this file. Nothing was changed. "
            "Give one of them another name first.",
            ["userName"],
        ) from error


def _report(plan: ImportPlan, feed: Feed, judgement: Judgement | None) -> ImportReport:
    counts = len(plan.created), len(plan.changed) + len(plan.regrouped), len(plan.removed), plan.unchanged
    dated = tuple(f"{name}: does not count for those of whom dated rows say it" for name in plan.dated)
    if judgement is None:
        unproven = f"Nothing proves that this is everybody of {feed.name}, so whoever is missing stays."
        return ImportReport(*counts, (*plan.warnings, *dated, *([unproven] if feed.complete else [])))
    waiting = judgement.waiting
    return ImportReport(
        *counts,
        (*plan.warnings, *dated, *words_of(feed, judgement)),
        missing=len(judgement.noted),
        waiting=len(waiting),
        waiting_digest=digest_of(feed.name, waiting) if waiting else "",
    )


async def _write(connection: Connection, plan: ImportPlan, shape: Shape, source: str, absence: str) -> None:
    version = await history_store.next_version(connection)
    await store.insert_resources(connection, plan.created, version)
    await store.update_resources(connection, (*plan.changed, *plan.removed), version)
    await history_store.touch_reports(connection, plan.renamed, version)
    await _write_groups(connection, plan, shape, version)
    created = [each.id for each in plan.created]
    changed = [each.id for each in plan.changed]
    removed = [each.id for each in plan.removed]
    for action, ids in (("created", created), ("changed", changed), ("groups", plan.regrouped)):
        await history_store.record_history(connection, ids, version=version, source=source, action=action)
    await history_store.record_history(connection, removed, version=version, source=absence, action="changed")
    if len(created) + len(changed) + len(removed) > ANALYZE_FROM:
        await store.analyze(connection)
    await history_store.wake(connection, [*created, *changed, *removed, *plan.regrouped])


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
