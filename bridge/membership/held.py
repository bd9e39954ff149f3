"""What waits for a second person: who may say yes or no, and what is recorded of it.

Holding is decided by `brake`, and for those who are missing from a feed by `bridge.directory.door`; carrying out what
was approved is left to `upkeep`, or to the next `muster apply`; reading answers in the room to `approvals`, the words
to `held_notice`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.clock import Clock
from bridge.directory import door_store
from bridge.directory.local_day import LocalDays
from bridge.directory.notice_store import put_notice
from bridge.directory.person import Attributes, Person, attributes_of
from bridge.directory.selector import matches
from bridge.directory.store import load_person
from bridge.errors import RefusedError, UnknownNameError
from bridge.ids import PersonId
from bridge.membership import audit_store
from bridge.membership.audit import Held
from bridge.membership.held_notice import Waiting, answer_notice, expiry_notice
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

SHORTEST_PREFIX = 8
"""Characters of a digest that must be given at least."""


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
    said_at: datetime | None = None,
) -> Waiting:
    """Record that a second person lets go what waits: a held plan, or those missing from a feed; and wake the service.

    Those of a feed become inactive at once. `attributes` are the company's own, `said_at` is when it was said, if not
    now. Raises `UnknownNameError` when nothing waits under the digest or nobody is called so, and `RefusedError` unless
    the person matches one of the policy's `brake.approvers` today, has not caused it and loses nothing by it, or when
    it was said too long ago, or the list has changed meanwhile.
    """
    waiting, person, at = await _answered(pool, policy, digest, by, clock, timezone, said_at)
    if person.id in people_of(waiting):
        raise RefusedError(f"{person.display_name} is among those whom {waiting.digest[:12]} concerns; ask another.")
    if isinstance(waiting, Held) and waiting.caused_by == person.id:
        raise RefusedError(f"{person.display_name} has set off what {waiting.digest[:12]} holds; ask another.")
    if isinstance(waiting, Held):
        await audit_store.approve(pool, waiting.digest, person.id, at)
    else:
        from bridge.directory.intake import let_go  # loads the SCIM library, for which nothing else here shall wait

        await let_go(pool, waiting, person.id, at, custom=attributes)
    await put_notice(pool, answer_notice(waiting, person, at, "approved"))
    return waiting


async def reject(
    pool: Pool,
    policy: Policy,
    digest: str,
    by: str,
    clock: Clock,
    *,
    timezone: str = "UTC",
    said_at: datetime | None = None,
) -> Waiting:
    """Record that a second person wants things kept as they are; an approval is withdrawn, and nobody is asked again.

    It goes on waiting until it changes. Whom it concerns may say no too; otherwise raises what `approve` does.
    """
    waiting, person, at = await _answered(pool, policy, digest, by, clock, timezone, said_at)
    await audit_store.reject(pool, waiting.digest, person.id, at)
    await put_notice(pool, answer_notice(waiting, person, at, "rejected"))
    return waiting


async def expire(pool: Pool, lifetime: timedelta, now: datetime) -> None:
    """Forget the approvals of held plans that are older than that, and tell the administrators."""
    async with pool.acquire() as connection, connection.transaction():
        for digest in await audit_store.expire_approvals(connection, now - lifetime):
            await put_notice(connection, expiry_notice(digest, now))


async def _answered(
    pool: Pool, policy: Policy, digest: str, by: str, clock: Clock, timezone: str, said_at: datetime | None
) -> tuple[Waiting, Person, datetime]:
    """Return what an answer is about, who gives it, and when; refuse whoever may not, and what is too old."""
    plans, lists = await audit_store.read_held(pool), await door_store.load_lists(pool)
    waiting = find_held([*plans, *lists], digest)
    person = await load_person(pool, by)
    now = clock()
    at = now if said_at is None else min(said_at, now)
    _insist_on_approver(person, attributes_of(person, LocalDays(now, timezone)(person)), policy)
    if said_at is not None and (at < waiting.held_at or at <= now - policy.brake.approval):
        raise RefusedError(
            f"This was said {at:%Y-%m-%d %H:%M} UTC, which is before {waiting.digest[:12]} waited, or longer ago than"
            " an approval holds (`brake.approval`). Say it again if it still is right."
        )
    return waiting, person, at


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
