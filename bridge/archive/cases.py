"""Opening, approving and closing cases; each deed is an entry of the ledger, in the same database transaction.

Who may look at what for a case is left to `gate`; who somebody is, and whom the policy names as approvers, to the
caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.archive import case_store, store
from bridge.archive.case import Case, insist_on_narrow, insist_on_number
from bridge.archive.entry import Actor, Entry
from bridge.archive.log import append_entry
from bridge.directory.person import Attributes, Person
from bridge.directory.selector import Selector, matches
from bridge.errors import InputError, RefusedError, UnknownNameError
from bridge.ids import PersonId, UserId

if TYPE_CHECKING:
    from bridge.database import Connection, Pool


async def open_case(pool: Pool, case: Case, actor: Actor) -> Case:
    """Store a new case; raises `InputError` for a number that is taken or a scope without people and rooms."""
    insist_on_number(case.number)
    insist_on_narrow(case.scope, "A case")
    if not case.purpose.strip():
        raise InputError("A case has a purpose: --purpose TEXT.")
    async with store.transaction(pool) as connection:
        if not await case_store.put_case(connection, case):
            raise InputError(f"There is a case {case.number} already. `muster archive case list` shows the numbers.")
        await case_store.put_people(connection, case.number, case.allowed)
        details = {"do": "open", "case": case.number, "purpose": case.purpose, "scope": case.scope.as_json()}
        allowed = sorted(case.allowed.values())
        await append_entry(connection, Entry("case", actor, {**details, "allowed": allowed}), case.opened_at)
    return case


async def allow(pool: Pool, number: str, people: Mapping[PersonId, str], actor: Actor, at: datetime) -> Case:
    """Let more people into a case, whose approval was for fewer and so is gone."""
    async with store.transaction(pool) as connection:
        await _locked(connection, number)
        await case_store.put_people(connection, number, people)
        details = {"do": "allow", "case": number, "allowed": sorted(people.values())}
        await append_entry(connection, Entry("case", actor, details), at)
        return await _locked(connection, number)


async def approve(
    pool: Pool,
    number: str,
    person: Person,
    users: frozenset[UserId],
    attributes: Attributes,
    approvers: tuple[Selector, ...],
    actor: Actor,
    at: datetime,
) -> Case:
    """Record that a second person lets the case, exactly as it is, open direct rooms.

    `users` are the person's accounts, `approvers` whom the policy names. Raises `RefusedError` for whoever opened the
    case, is let into it or is one of those it is about, and for whoever is none of the approvers.
    """
    if attributes.get("active") != (True,) or not any(matches(selector, attributes) for selector in approvers):
        expected = " or ".join(selector.text for selector in approvers) or "nobody: the policy names none"
        raise RefusedError(
            f"{person.display_name} may not approve cases. Expected somebody of `archive.approvers` or, without it, "
            f"`brake.approvers`, who works here: {expected}."
        )
    async with store.transaction(pool) as connection:
        case = await _locked(connection, number)
        if reason := _bias(case, person, users):
            raise RefusedError(f"{person.display_name} {reason} case {number}; ask another.")
        await case_store.approve_case(connection, number, case.digest, person.user_name, at)
        details = {"do": "approve", "case": number, "digest": case.digest, "scope": case.scope.as_json()}
        await append_entry(connection, Entry("case", actor, details), at)
        return await _locked(connection, number)


async def close(pool: Pool, number: str, actor: Actor, at: datetime) -> Case:
    """End a case: nobody looks for it any more. Its holds stay."""
    async with store.transaction(pool) as connection:
        await _locked(connection, number)
        await case_store.close_case(connection, number, actor.name, at)
        await append_entry(connection, Entry("case", actor, {"do": "close", "case": number}), at)
        return await known_case(connection, number)


async def known_case(db: Connection | Pool, number: str) -> Case:
    """Return a case; raises `UnknownNameError`."""
    case = await case_store.read_case(db, number)
    if case is None:
        raise UnknownNameError(f"There is no case {number!r}. `muster archive case list` shows the numbers.")
    return case


def _bias(case: Case, person: Person, users: frozenset[UserId]) -> str:
    if person.id == case.opener:
        return "opened"
    if person.id in case.allowed:
        return "is let into"
    return "is one of the custodians of" if users & case.scope.people else ""


async def _locked(connection: Connection, number: str) -> Case:
    """Return a case that is open, locked."""
    case = await case_store.lock_case(connection, number) or await known_case(connection, number)
    if case.closing is not None:
        raise RefusedError(f"Case {number} was closed {case.closing.at:%Y-%m-%d} by {case.closing.by}; open another.")
    return case
