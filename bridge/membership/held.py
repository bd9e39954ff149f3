"""What waits for a second person: how the administrators are told, and who may say yes.

Holding is decided by `brake`, and for those who are missing from a feed by `bridge.directory.door`; carrying out what
was approved is left to `upkeep`, or to the next `muster apply`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bridge.clock import Clock
from bridge.directory import door_store
from bridge.directory.door import AbsenceList
from bridge.directory.expression import fold
from bridge.directory.intake import let_go
from bridge.directory.local_day import LocalDays
from bridge.directory.person import Attributes, Person, attributes_of
from bridge.directory.selector import matches
from bridge.directory.store import load_person
from bridge.errors import RefusedError, UnknownNameError
from bridge.ids import PersonId
from bridge.membership import audit_store
from bridge.membership.audit import Held
from bridge.membership.values import Change
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

Waiting = Held | AbsenceList

NAMED = 25
"""So many changes or people a notice names; `muster plan` and `muster directory waiting` name all."""
SHORTEST_PREFIX = 8
"""Characters of a digest that must be given at least."""


def notice(held: Held) -> dict[str, Any]:
    """Return the message that tells the administrators what waits, why, and how to let it go. Pure."""
    more = len(held.changes) - NAMED
    lines = [
        f"Muster holds back {len(held.changes)} change{'s' if len(held.changes) != 1 else ''} that would take"
        " something away:",
        *held.reasons,
        "",
        *(f"• {_described(change)}" for change in held.changes[:NAMED]),
        *([f"… and {more} more; `muster plan` names them all."] if more > 0 else []),
        "",
        f"To let exactly these go: muster approve {held.digest[:12]} --by YOUR-NAME",
        "To keep things as they are: put the directory or the policy right.",
    ]
    return {"msgtype": "m.text", "body": "\n".join(lines)}


def absence_notice(waiting: AbsenceList, people: Sequence[Person]) -> dict[str, Any]:
    """Return the message that tells the administrators who is missing from a feed and has not left. Pure."""
    named = sorted(people, key=lambda person: (fold(person.display_name), person.id))
    more = len(waiting.people) - NAMED
    lines = [
        f"{waiting.reason} They stay as they are, everything else goes on:",
        "",
        *(f"• {person.display_name} ({person.user_name})" for person in named[:NAMED]),
        *([f"… and {more} more; `muster directory waiting` names them all."] if more > 0 else []),
        "",
        f"If exactly these have left: muster approve {waiting.digest[:12]} --by YOUR-NAME",
        "If not: put the source right; the next whole picture with them in it withdraws this list.",
    ]
    return {"msgtype": "m.text", "body": "\n".join(lines)}


def transaction_id_of(held: Waiting) -> str:
    """Return what makes a repeated notice the same event on the homeserver. Pure."""
    return f"held-{held.digest[:32]}-{int(held.held_at.timestamp() * 1000)}"


def find_held(plans: Sequence[Waiting], digest: str) -> Waiting:
    """Return what waits under a digest that begins so; raises `UnknownNameError` unless there is exactly one. Pure."""
    found = [plan for plan in plans if plan.digest.startswith(digest)] if len(digest) >= SHORTEST_PREFIX else []
    if len(found) != 1:
        waiting = ", ".join(plan.digest[:12] for plan in plans) or "nothing"
        raise UnknownNameError(
            f"Nothing is held as {digest!r}: expected the digest of what is, or its first {SHORTEST_PREFIX} characters"
            f" or more. Held is: {waiting}."
        )
    return found[0]


async def approve(
    pool: Pool,
    policy: Policy,
    digest: str,
    by: str,
    clock: Clock,
    *,
    timezone: str = "UTC",
    attributes: Sequence[str] = (),
) -> Waiting:
    """Record that a second person lets go what waits: a held plan, or those missing from a feed; and wake the service.

    Those of a feed become inactive at once. `attributes` are the company's own. Raises `UnknownNameError` when nothing
    waits under the digest or nobody is called so, and `RefusedError` unless the person matches one of the policy's
    `brake.approvers` today and loses nothing by it, or when the list has changed meanwhile.
    """
    plans, lists = await audit_store.read_held(pool), await door_store.load_lists(pool)
    waiting = find_held([*plans, *lists], digest)
    person = await load_person(pool, by)
    now = clock()
    _insist_on_approver(person, attributes_of(person, LocalDays(now, timezone)(person)), policy)
    if person.id in people_of(waiting):
        raise RefusedError(f"{person.display_name} is among those whom {waiting.digest[:12]} concerns; ask another.")
    if isinstance(waiting, Held):
        await audit_store.approve(pool, waiting.digest, person.id, now)
    else:
        await let_go(pool, waiting, person.id, now, custom=attributes)
    return waiting


def people_of(waiting: Waiting) -> frozenset[PersonId]:
    """Return who would lose something. Pure."""
    if isinstance(waiting, Held):
        return frozenset(PersonId(change.person) for change in waiting.changes if change.person)
    return frozenset(waiting.people)


def _insist_on_approver(person: Person, attributes: Attributes, policy: Policy) -> None:
    working = attributes.get("active") == (True,)
    if not working or not any(matches(selector, attributes) for selector in policy.brake.approvers):
        expected = " or ".join(selector.text for selector in policy.brake.approvers) or "nobody: the policy names none"
        raise RefusedError(
            f"{person.display_name} may not approve. Expected somebody of `brake.approvers` who works here: {expected}."
        )


def _described(change: Change) -> str:
    place = f" in {change.room}" if change.room else ""
    level = f" to {change.value}" if change.value else ""
    return textwrap.shorten(f"{change.action.value} {change.user_id}{place}{level}: {change.reason}", 200)
