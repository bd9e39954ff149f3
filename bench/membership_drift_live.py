"""How fast drift is put right from end to end, with a real Synapse that delivers to us.

Somebody leaves an exclusive room that the policy has them in. The clock runs from the sending of that request until
Synapse has answered the join that undoes it: more than the second that is promised, which begins with the event.
Between are Synapse's delivery, the archive, the decision, the audit log, an invitation and the join. In turns with it
the three requests alone, in a room that Muster does not manage.
"""

from __future__ import annotations

import asyncio
import functools
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from bench.live import heard, running
from bench.membership_apply import Scene, scene, user_id
from bench.report import Figure
from bridge.archive.feed import run_consumer
from bridge.clock import system_clock
from bridge.database.listen import DIRECTORY, EVENTS, MEMBERSHIP, Listener
from bridge.directory.selector import parse
from bridge.ids import RoomId
from bridge.membership.current import Membership
from bridge.membership.upkeep import Upkeep
from bridge.policy.schema import Accounts, Brake, Policy, Room
from bridge.process import free_port

PEOPLE = 24
WARM = 4
"""The first ones, which fill caches and are not counted."""
LIMIT = 1.0


async def _latencies() -> tuple[list[float], list[float]]:
    """Return the seconds from each person's leaving until being back, and those of the same three requests alone."""
    port = free_port()
    names = [f"p{number}" for number in range(PEOPLE)]
    async with scene(heard_at=f"http://127.0.0.1:{port}") as stage, heard(stage.pool, port):
        await stage.make_accounts(names, known=True)
        await stage.tell(names, "staff")
        await stage.reconciler().reconcile(_policy(), cause="bench")
        lab = await stage.pool.fetchval("SELECT room_id FROM managed_room WHERE key = 'lab'")
        other = await _room_of_nobodys_business(stage, names)
        ours, bare = [], []
        async with _upkeep(stage):
            for name in names:
                back = stage.joined(user_id(name))
                begun = time.perf_counter()
                await stage.homeserver.leave(lab, as_user=user_id(name))
                await back.wait()
                ours.append(time.perf_counter() - begun)
                begun = time.perf_counter()
                await stage.homeserver.leave(other, as_user=user_id(name))
                await stage.homeserver.invite(other, user_id(name))
                await stage.homeserver.join(other, as_user=user_id(name))
                bare.append(time.perf_counter() - begun)
    return ours[WARM:], bare[WARM:]


async def _room_of_nobodys_business(stage: Scene, names: Sequence[str]) -> RoomId:
    """Make a room that Muster does not manage, with these people in it."""
    room_id = await stage.homeserver.create_room({"preset": "private_chat"})
    for name in names:
        await stage.homeserver.invite(room_id, user_id(name))
        await stage.homeserver.join(room_id, as_user=user_id(name))
    return room_id


def _policy() -> Policy:
    room = Room("lab", "Lab", parse("active eq true"), exclusive=True)
    brake = Brake(removals=10_000, fraction=1.0)
    return Policy("Bench", Accounts(), {}, {room.id: room}, {}, brake, (), "drift")


@asynccontextmanager
async def _upkeep(stage: Scene) -> AsyncIterator[None]:
    """Run what the service runs for memberships, woken as the service is; all that was heard is taken in before."""
    membership = Membership(stage.pool, bot=stage.homeserver.bot, clock=system_clock)
    upkeep = Upkeep(stage.reconciler(), stage.pool, _policy, clock=system_clock)
    listener = Listener(stage.database_url)
    events, wakes = listener.subscribe(EVENTS), [listener.subscribe(DIRECTORY), listener.subscribe(MEMBERSHIP)]
    await upkeep.catch_up()
    async with running(run_consumer(stage.pool, membership, events), upkeep.run(wakes), listener.run()):
        yield


@functools.cache
def _measured() -> tuple[list[float], list[float]]:
    return asyncio.run(_latencies())


def undone_p50() -> Figure:
    """By hand → undone on Synapse, the median, beside the second that is promised."""
    return Figure("drift.undone.p50", statistics.median(_measured()[0]), "s", "limit", LIMIT)


def undone_p95() -> Figure:
    """The same, of which one in twenty is slower."""
    return Figure("drift.undone.p95", _p95(_measured()[0]), "s", "limit", LIMIT)


def undone_beside() -> Figure:
    """The median beside what the three requests take alone, one right after another: what Muster adds."""
    ours, bare = _measured()
    return Figure("drift.undone.requests", statistics.median(ours), "s", "synapse.bare", statistics.median(bare))


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


FIGURES: Mapping[str, Callable[[], Figure]] = {
    "drift.undone.p50": undone_p50,
    "drift.undone.p95": undone_p95,
    "drift.undone.requests": undone_beside,
}
