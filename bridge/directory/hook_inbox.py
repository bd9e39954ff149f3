"""Acting on HR's webhooks: from the inbox into the directory, one event in one database transaction.

The directory's change, the note of what became of the event, and the moments that keep older news from overwriting
newer are committed together, so nothing is done twice or by half. An event about somebody unknown without a name to
make a person of waits for the event that brings the name, and a manager may come after the reports; an event that
cannot be is set aside with its reason, and so is one under the id of a leaver who seems to be somebody else, until it
is decided. The administrators are told of both.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from bridge.database import AWAY
from bridge.database.turns import take_turns
from bridge.directory import history_store, hook_store, notice_store, resource_store, reuse_store
from bridge.directory.csv_file import CsvFile, Row
from bridge.directory.hook_mapping import HookEvent, fresh
from bridge.directory.hook_outcome import Outcome, notice_of
from bridge.directory.import_plan import Known, plan_import
from bridge.directory.intake import write_plan
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import comparison_key
from bridge.errors import ImportFileError
from bridge.patience import Wake

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)


class HookInbox:
    """Who acts on the events of the inbox; any number of them may run."""

    def __init__(self, pool: Pool, *, custom: Sequence[str] = ()) -> None:
        self._pool = pool
        self._shapes: Final = shapes_for(custom)

    async def run(self, wake: Wake) -> None:
        """Act on whatever comes until cancelled; while the database is away, wait."""

        async def turn() -> float | None:
            return 0.0 if await self.handle_next() else None

        await take_turns(turn, wake, what="acting on webhooks", action="hook.wait")

    async def handle_next(self) -> bool:
        """Act on the event that has waited longest; return whether there was one."""
        async with self._pool.acquire() as connection, connection.transaction():
            await history_store.lock_directory(connection)
            waiting = await hook_store.next_waiting(connection)
            if waiting is None:
                return False
            outcome, reason = await self._outcome(connection, waiting.source, waiting.event)
            await hook_store.finish(connection, waiting.seq, outcome, reason)
            if notice := notice_of(waiting.source, outcome, reason or ""):
                await notice_store.put_notice(connection, notice)
        log.info(
            "webhook event %d of %s: %s%s",
            waiting.seq,
            waiting.source,
            outcome,
            f" ({reason})" if reason else "",
            extra={"action": "hook.handle"},
        )
        return True

    async def _outcome(self, connection: Connection, source: str, event: HookEvent) -> tuple[Outcome, str | None]:
        """Act on one event and return what became of it, and why; a failed one leaves nothing behind."""
        try:
            async with connection.transaction():
                return await self._apply(connection, source, event)
        except ImportFileError as error:
            return Outcome.REFUSED, f"{', '.join(filter(None, error.columns)) or 'the person'} cannot be as it says"
        except AWAY:
            raise
        except Exception as error:  # one event nobody foresaw must not stop all others
            return Outcome.REFUSED, type(error).__name__

    async def _apply(self, connection: Connection, source: str, event: HookEvent) -> tuple[Outcome, str | None]:
        known = await resource_store.find_users(connection, _keys(event))
        found = _found(event, known)
        mine = await hook_store.people_of(connection, source, [each.id for each in known])
        if found is None and (other := _namesake(event, known)) is not None:
            if other.id not in mine:
                return Outcome.REFUSED, "the userName is that of somebody whom this source did not bring"
            found = other
        if found is None and "userName" not in event.attributes:
            return Outcome.UNKNOWN, "nobody has this id yet, and it names no userName"
        gone = [] if found else await resource_store.find_users(connection, _keys(event), deleted=True)
        former = found or _found(event, gone[::-1])
        told = await hook_store.told_at(connection, source, event.subject) if former is not None else {}
        news = fresh(event, told)
        if not news:
            return Outcome.OUTDATED, None
        person_id = former.id if former is not None else str(uuid4())
        plan = plan_import(
            _file(source, event.subject, news, found),
            known,
            self._shapes["User"],
            new_id=lambda: person_id,
            gone=gone,
            confirmed=await reuse_store.load_confirmed(connection) if former is not None else (),
        )
        await write_plan(connection, plan, self._shapes["Group"], f"hook:{source}")
        if plan.held:
            return Outcome.HELD, "muster directory review"
        told_now = dict.fromkeys(news, event.occurred_at)
        await hook_store.remember_person(connection, source, event.subject, person_id, told_now)
        if found is None:
            await hook_store.reopen_unknown(connection, source, event.subject)
        return Outcome.APPLIED, "the manager is not known yet" if plan.warnings else None


def _keys(event: HookEvent) -> Collection[str]:
    """Return the keys of everybody whom the event may be about, or who may be the manager."""
    names = [event.attributes[name] for name in ("userName", "manager") if event.attributes.get(name)]
    return {
        *(comparison_key(name, case_exact=exact) for name in names for exact in (False, True)),
        comparison_key(event.subject, case_exact=True),
    }


def _found(event: HookEvent, known: Sequence[Known]) -> Known | None:
    subject = comparison_key(event.subject, case_exact=True)
    return next(
        (each for each in known if comparison_key(each.document.get("externalId", ""), case_exact=True) == subject),
        None,
    )


def _namesake(event: HookEvent, known: Sequence[Known]) -> Known | None:
    name = event.attributes.get("userName")
    key = comparison_key(name) if name else None
    return next((each for each in known if comparison_key(each.document["userName"]) == key), None)


def _file(source: str, subject: str, news: Mapping[str, str], found: Known | None) -> CsvFile:
    """Return the event as a file of one row would say it."""
    name = {"userName": found.document["userName"]} if found is not None else {}
    values = {**name, "externalId": subject, **news}
    return CsvFile(source, tuple(values), (Row(1, values),))
