"""What waits for a second person: how the administrators are told, and who may say yes.

Holding is decided by `brake`; carrying out what was approved is left to `upkeep`, or to the next `muster apply`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bridge.clock import Clock
from bridge.directory.local_day import LocalDays
from bridge.directory.person import attributes_of
from bridge.directory.selector import matches
from bridge.directory.store import load_person
from bridge.errors import RefusedError, UnknownNameError
from bridge.membership import audit_store
from bridge.membership.audit import Held
from bridge.membership.values import Change
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

NAMED = 25
"""So many changes a notice names; `muster plan` names all."""
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


def transaction_id_of(held: Held) -> str:
    """Return what makes a repeated notice the same event on the homeserver. Pure."""
    return f"held-{held.digest[:32]}-{int(held.held_at.timestamp() * 1000)}"


def find_held(plans: Sequence[Held], digest: str) -> Held:
    """Return the held plan whose digest begins so; raises `UnknownNameError` unless there is exactly one. Pure."""
    found = [plan for plan in plans if plan.digest.startswith(digest)] if len(digest) >= SHORTEST_PREFIX else []
    if len(found) != 1:
        waiting = ", ".join(plan.digest[:12] for plan in plans) or "nothing"
        raise UnknownNameError(
            f"No plan {digest!r} is held: expected the digest of one, or its first {SHORTEST_PREFIX} characters or"
            f" more. Held is: {waiting}."
        )
    return found[0]


async def approve(pool: Pool, policy: Policy, digest: str, by: str, clock: Clock, *, timezone: str = "UTC") -> Held:
    """Record that a second person lets a held plan go, and wake the service.

    Raises `UnknownNameError` when no such plan is held or nobody is called so, and `RefusedError` unless the person
    matches one of the policy's `brake.approvers` today and loses nothing by the plan.
    """
    held = find_held(await audit_store.read_held(pool), digest)
    person = await load_person(pool, by)
    now = clock()
    attributes = attributes_of(person, LocalDays(now, timezone)(person))
    working = attributes.get("active") == (True,)
    if not working or not any(matches(selector, attributes) for selector in policy.brake.approvers):
        expected = " or ".join(selector.text for selector in policy.brake.approvers) or "nobody: the policy names none"
        raise RefusedError(
            f"{person.display_name} may not approve. Expected somebody of `brake.approvers` who works here: {expected}."
        )
    if any(change.person == person.id for change in held.changes):
        raise RefusedError(f"{person.display_name} is among those whom plan {held.digest[:12]} concerns; ask another.")
    await audit_store.approve(pool, held.digest, person.id, now)
    return held


def _described(change: Change) -> str:
    place = f" in {change.room}" if change.room else ""
    level = f" to {change.value}" if change.value else ""
    return textwrap.shorten(f"{change.action.value} {change.user_id}{place}{level}: {change.reason}", 200)
