"""The brake: how much a plan may take away before a second person must agree.

Pure. Counted are people, not changes: whoever loses an account, a place in a room or power counts once, together with
those who lost something within the policy's window. Over any limit everything that takes away waits; what is added
goes on. So a broken feed that empties the company, or one department, harms nobody. Whom a second person has let go at
the directory's door (`bridge.directory.door`) is not asked about again. Keeping the window, the held plans and the
approvals is left to `store`, telling the administrators to `reconcile`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field

from bridge.ids import PersonId, RoomKey, UserId
from bridge.membership.barriers import BARRIERS
from bridge.membership.plan import plan_of
from bridge.membership.values import TAKES_AWAY, Action, Change, Plan
from bridge.policy.schema import Brake

NAMED = 5
"""So many protected people a reason names."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Who lost something; of the window: without what a second person had approved."""

    people: frozenset[PersonId] = frozenset()
    """People of the directory, whatever they lost."""
    rooms: Mapping[RoomKey, frozenset[UserId]] = field(default_factory=dict)
    """Managed room → who lost their place or power there, strangers to the directory too."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A plan divided into what goes and what waits; together they are the plan, but for those who may enter a room only
    once somebody whose removal waits has left it."""

    go: Plan
    held: Plan
    """Goes once its digest is approved."""
    reasons: tuple[str, ...]
    """Why something is held, as sentences with figures."""
    protected: frozenset[PersonId] = frozenset()
    """Those of `held` whom the policy protects."""
    waiting: tuple[Change, ...] = ()
    """Who may enter a room only once those whose removal is held have left it, because a barrier is between them."""


def brake(
    plan: Plan,
    limits: Brake,
    population: int,
    room_sizes: Mapping[RoomKey, int],
    recent: Losses,
    protected_people: frozenset[PersonId],
    approved: Collection[str],
    pardoned: Collection[PersonId] = (),
) -> Verdict:
    """Divide the plan: over a limit all that takes away is held, unless the digest of exactly that is approved.

    `population` are the people who work here, `room_sizes` the members of the rooms as they are, `recent` the losses
    of `limits.window`, `protected_people` whoever is or lately was protected, `approved` digests of held plans. What is
    taken from the `pardoned` goes and does not count.
    """
    taking = taking_of(plan, pardoned)
    nothing = plan_of((), {})
    if not taking.changes or taking.digest in approved:
        return Verdict(plan, nothing, ())
    new = losses_of(taking)
    reasons = (
        *_over_for_run(new, limits),
        *_over_for_company(new, limits, population, recent),
        *_over_for_rooms(new, limits, room_sizes, recent),
        *_over_for_protected(taking, protected_people),
    )
    if not reasons:
        return Verdict(plan, nothing, ())
    held = set(taking.changes)
    barred = {RoomKey(change.room) for change in held if change.rule == BARRIERS}
    waiting = tuple(change for change in plan.changes if _enters(change, barred, plan))
    left = held.union(waiting)
    going = plan_of((change for change in plan.changes if change not in left), plan.rooms)
    return Verdict(going, taking, reasons, new.people & protected_people, waiting)


def _enters(change: Change, barred: Collection[RoomKey], plan: Plan) -> bool:
    """Tell whether the change puts somebody beside those who must leave because of a barrier."""
    key = RoomKey(change.room)
    return change.action is Action.JOIN and key in barred and UserId(change.user_id) in plan.divided.get(key, ())


def taking_of(plan: Plan, pardoned: Collection[PersonId] = ()) -> Plan:
    """Return the part of the plan that takes something away, from others than these."""
    return plan_of(
        (change for change in plan.changes if change.action in TAKES_AWAY and change.person not in pardoned), plan.rooms
    )


def losses_of(plan: Plan) -> Losses:
    """Return who loses something by the plan."""
    people: set[PersonId] = set()
    rooms: dict[RoomKey, set[UserId]] = {}
    for change in plan.changes:
        if change.action not in TAKES_AWAY:
            continue
        if change.person:
            people.add(PersonId(change.person))
        if change.room and not change.room.startswith("!"):
            rooms.setdefault(RoomKey(change.room), set()).add(UserId(change.user_id))
    return Losses(frozenset(people), {key: frozenset(users) for key, users in rooms.items()})


def limit_of(limits: Brake, size: int) -> int:
    """Return how many of so many people may lose something within the window."""
    share = math.ceil(round(limits.fraction * size, 6))  # 0.07 × 100 is more than 7 in binary
    return min(limits.removals, max(limits.floor, share))


def _over_for_run(new: Losses, limits: Brake) -> Iterator[str]:
    if limits.per_run is not None and len(new.people) > limits.per_run:
        yield f"{_people(len(new.people))} would lose something in one run; the limit is {limits.per_run}."


def _over_for_company(new: Losses, limits: Brake, population: int, recent: Losses) -> Iterator[str]:
    limit, total = limit_of(limits, population), len(new.people | recent.people)
    if new.people and total > limit:
        yield (
            f"{_people(total)} of {population} would lose something{_lately(new.people, recent.people)}; "
            f"the limit is {limit}."
        )


def _over_for_rooms(new: Losses, limits: Brake, room_sizes: Mapping[RoomKey, int], recent: Losses) -> Iterator[str]:
    for key, users in sorted(new.rooms.items()):
        before = recent.rooms.get(key, frozenset())
        size, total = room_sizes.get(key, 0), len(users | before)
        limit = limit_of(limits, size)
        if total > limit:
            yield (
                f"In {key} {_people(total)} of {size} would lose their place or power{_lately(users, before)}; "
                f"the limit is {limit}."
            )


def _over_for_protected(taking: Plan, protected: frozenset[PersonId]) -> Iterator[str]:
    users = sorted({change.user_id for change in taking.changes if change.person in protected})
    if users:
        named = ", ".join(users[:NAMED])
        more = f" and {len(users) - NAMED} more" if len(users) > NAMED else ""
        yield f"{_people(len(users), 'protected ')} would lose something: {named}{more}."


def _people(count: int, kind: str = "") -> str:
    return f"{count} {kind}{'person' if count == 1 else 'people'}"


def _lately(new: Set[str], before: Set[str]) -> str:
    lately = len(before - new)
    return f", {lately} of them already within the window" if lately else ""
