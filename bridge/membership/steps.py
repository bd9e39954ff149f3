"""In which order a plan is carried out: what waits for what, and what may go on at the same time.

Pure. A room is a queue on the homeserver, so each room (and each account) is a lane in which one step runs at a time;
different lanes run at once. A step that needs another is given out only when that one has succeeded, and passed over
when it has failed. Who runs the steps, and how many at a time, is left to `apply`.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bridge.ids import RoomKey
from bridge.membership.barriers import BARRIERS
from bridge.membership.values import Action, Change, Plan

_ON_ACCOUNTS = frozenset({Action.PREPARE_ACCOUNT, Action.CREATE_ACCOUNT, Action.ENABLE_ACCOUNT, Action.RENAME_ACCOUNT})
"""What a room waits for. A profile that cannot be set keeps nobody out of rooms."""
_OF_POWER = frozenset({Action.LOWER_POWER, Action.RAISE_POWER})
_FOR_GOOD = "deactivation"
"""The lane of all deactivations: the homeserver has much to do for each, so they go one at a time."""


@dataclass(frozen=True, slots=True)
class Step:
    """Changes that are carried out together: one, or all of one room's power in one direction."""

    lane: str
    """The room or the account; never two steps of one lane at a time."""
    changes: tuple[Change, ...]
    needs: tuple[frozenset[int], ...]
    """For each change, the steps (by their index) without whose success it makes no sense."""
    after: frozenset[int] = frozenset()
    """Steps that only have to be over."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A step whose time has come: what to do of it, and what to pass over because something it needs has failed."""

    index: int
    go: tuple[Change, ...]
    passed_over: tuple[Change, ...]


def steps_of(plan: Plan, open_to: Mapping[RoomKey, RoomKey | None]) -> tuple[Step, ...]:
    """Return a plan's steps, in the plan's order.

    `open_to` says for each room, made or to be made, whose space lets its members in.
    """
    return tuple(_Builder(plan, open_to).steps())


class _Builder:
    """Remembers which step makes which room, account or membership, so that later steps can name it."""

    def __init__(self, plan: Plan, open_to: Mapping[RoomKey, RoomKey | None]) -> None:
        self._rooms = plan.rooms
        self._open_to = open_to
        self._groups = _grouped(_spaces_first(plan))
        self._made: dict[str, int] = {}
        self._disabled: dict[str, int] = {}
        self._accounts: dict[str, int] = {}
        self._joins: dict[tuple[str, str], int] = {}
        self._parted: dict[str, set[int]] = defaultdict(set)
        """Room → the removals because of a barrier, before which nobody enters."""
        self._before_leaving: dict[str, int] = {}
        """Room → what has to be done before people leave it: handing it over, or closing it."""
        self._departures: defaultdict[str, set[int]] = defaultdict(set)
        self._arrivals: defaultdict[str, set[int]] = defaultdict(set)
        for index, group in enumerate(self._groups):
            if group[0].action is Action.JOIN:
                self._arrivals[group[0].user_id].add(index)

    def steps(self) -> Iterator[Step]:
        for index, group in enumerate(self._groups):
            yield self._step(group)
            self._remember(index, group[0])

    def _step(self, group: tuple[Change, ...]) -> Step:
        first = group[0]
        lane = _FOR_GOOD if first.action is Action.DEACTIVATE_ACCOUNT else first.room or first.user_id
        shut_out = self._indices(self._disabled.get(first.user_id))
        if first.action is Action.HAND_OVER:
            return Step(lane, group, (frozenset(),), shut_out)
        if first.action is Action.REMOVE:
            # Who moves is first let into the new rooms: nobody is without a room in between. Barriers do not wait.
            after = shut_out if first.rule == BARRIERS else shut_out | self._arrivals[first.user_id]
            return Step(lane, group, (self._indices(self._before_leaving.get(first.room)),), after)
        return Step(lane, group, tuple(self._needs(change) for change in group))

    def _needs(self, change: Change) -> frozenset[int]:
        match change.action:
            case Action.DEACTIVATE_ACCOUNT:
                return self._indices(self._disabled.get(change.user_id)) | self._departures[change.user_id]
            case Action.CHANGE_PROFILE:
                return self._indices(self._accounts.get(change.user_id))
            case Action.CREATE_ROOM | Action.CHANGE_ROOM:
                room = self._rooms.get(RoomKey(change.room))
                spaces = () if room is None else (*room.parents, room.open_to)
                return self._indices(*(self._made.get(space) for space in spaces if space is not None))
            case Action.JOIN:
                space = self._open_to.get(RoomKey(change.room))
                through = None if space is None else self._joins.get((space, change.user_id))
                made = self._made.get(change.room), self._accounts.get(change.user_id), through
                return self._indices(*made, *self._parted.get(change.room, ()))
            case Action.RAISE_POWER:
                return self._indices(self._made.get(change.room), self._joins.get((change.room, change.user_id)))
            case _:
                return frozenset()

    def _remember(self, index: int, change: Change) -> None:
        match change.action:
            case Action.DISABLE_ACCOUNT:
                self._disabled[change.user_id] = index
            case Action.HAND_OVER | Action.CLOSE_ROOM:
                self._before_leaving[change.room] = index
            case Action.REMOVE:
                self._departures[change.user_id].add(index)
                if change.rule == BARRIERS:
                    self._parted[change.room].add(index)
            case Action.CREATE_ROOM:
                self._made[change.room] = index
            case Action.JOIN:
                self._joins[change.room, change.user_id] = index
            case action if action in _ON_ACCOUNTS and change.user_id not in self._accounts:
                self._accounts[change.user_id] = index

    def _indices(self, *found: int | None) -> frozenset[int]:
        return frozenset(index for index in found if index is not None)


def _grouped(changes: Sequence[Change]) -> list[tuple[Change, ...]]:
    """Put the power changes of one room and direction together: they are one state event."""
    groups: list[tuple[Change, ...]] = []
    places: dict[tuple[int, str], int] = {}
    for change in changes:
        at = places.get((change.order, change.room)) if change.action in _OF_POWER else None
        if at is not None:
            groups[at] += (change,)
            continue
        if change.action in _OF_POWER:
            places[change.order, change.room] = len(groups)
        groups.append((change,))
    return groups


def _spaces_first(plan: Plan) -> list[Change]:
    """Return the changes so that a space comes before what it lists or lets in, in creating as in joining."""
    depths: dict[RoomKey, int] = {}

    def depth(key: RoomKey) -> int:
        if key not in depths:
            room = plan.rooms.get(key)
            above = () if room is None else {*room.parents, room.open_to} - {None}
            depths[key] = 1 + max((depth(space) for space in above if space is not None), default=0)
        return depths[key]

    return sorted(plan.changes, key=lambda change: (change.order, depth(RoomKey(change.room)), change))


class Schedule:
    """Gives out steps as they become ready: the plan's order first, then the longest queue first.

    The longest queue (a space that everybody is in) is what the whole run waits for at the end.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._waiting = [set(step.after.union(*step.needs)) for step in steps]
        self._followers: dict[int, list[int]] = defaultdict(list)
        for index, waiting in enumerate(self._waiting):
            for needed in waiting:
                self._followers[needed].append(index)
        self._failed: set[int] = set()
        self._busy: set[str] = set()
        self._lengths = Counter(step.lane for step in steps)
        self._queues: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._heads: list[tuple[int, int, int, str]] = []
        self.left = len(steps)
        """Steps that are not over."""
        for index, waiting in enumerate(self._waiting):
            if not waiting:
                self._enqueue(index)

    def take(self) -> Ready | None:
        """Return the next step that may start now, or None when all wait for running ones or nothing is left."""
        while self._heads:
            _, _, index, lane = heapq.heappop(self._heads)
            if lane in self._busy or not self._queues[lane] or self._queues[lane][0][1] != index:
                continue
            heapq.heappop(self._queues[lane])
            self._busy.add(lane)
            return self._ready(index)
        return None

    def finish(self, index: int, *, succeeded: bool) -> None:
        """Say that a step is over, which frees its lane and lets those go that waited for it."""
        if not succeeded:
            self._failed.add(index)
        self.left -= 1
        lane = self._steps[index].lane
        self._busy.discard(lane)
        for follower in self._followers.pop(index, ()):
            self._waiting[follower].discard(index)
            if not self._waiting[follower]:
                self._enqueue(follower)
        self._lengths[lane] -= 1
        self._offer(lane)

    def _ready(self, index: int) -> Ready:
        step = self._steps[index]
        stuck = [bool(needs & self._failed) for needs in step.needs]
        return Ready(
            index,
            tuple(change for change, hopeless in zip(step.changes, stuck, strict=True) if not hopeless),
            tuple(change for change, hopeless in zip(step.changes, stuck, strict=True) if hopeless),
        )

    def _enqueue(self, index: int) -> None:
        step = self._steps[index]
        heapq.heappush(self._queues[step.lane], (step.changes[0].order, index))
        self._offer(step.lane)

    def _offer(self, lane: str) -> None:
        if lane not in self._busy and self._queues[lane]:
            order, index = self._queues[lane][0]
            heapq.heappush(self._heads, (order, -self._lengths[lane], index, lane))
