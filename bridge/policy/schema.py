"""The policy as values: what the company wants, checked and complete.

`loader` makes a `Policy` of YAML; nobody else does. Identifiers (`RuleId`) of spaces, rooms and desks share one
namespace, because they become room keys. `docs/policy.md` explains each field to administrators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from bridge.directory.selector import Selector

RuleId = str
"""What the policy calls a space, a room or a desk: lower-case letters, digits and `-`."""


class RoomKind(StrEnum):
    """What a managed room is for, which settles who may write in it."""

    SPACE = "space"
    CHAT = "chat"
    """Everyone in it may write."""
    ANNOUNCEMENT = "announcement"
    """Only posters and moderators write; everyone may react."""
    DESK = "desk"
    """Where posters write what is then announced."""
    ADMINISTRATORS = "administrators"
    """Where Muster tells those who approve what is waiting for them."""


class LeaverStep(StrEnum):
    """What is done to the account of somebody who has left."""

    LOCK = "lock"
    END_SESSIONS = "end_sessions"
    HAND_OVER_ROOMS = "hand_over_rooms"
    LEAVE_ROOMS = "leave_rooms"
    DEACTIVATE = "deactivate"
    """Cannot be undone: the homeserver forgets keys and account data."""


@dataclass(frozen=True, slots=True)
class LeaverStage:
    """What is done to a leaver so long after leaving."""

    after: timedelta
    do: tuple[LeaverStep, ...]


REVERSIBLE = (LeaverStep.LOCK, LeaverStep.END_SESSIONS, LeaverStep.LEAVE_ROOMS, LeaverStep.HAND_OVER_ROOMS)


@dataclass(frozen=True, slots=True)
class Accounts:
    """How a person becomes a Matrix account; templates name attributes as `{userName}`."""

    user_id: str = "{userName}"
    display_name: str = "{displayName}"
    leavers: tuple[LeaverStage, ...] = (LeaverStage(timedelta(), REVERSIBLE),)
    """In the order of time."""
    prepared: timedelta = timedelta()
    """So long before the first day the account is made, and locked until then."""


@dataclass(frozen=True, slots=True)
class Space:
    """A Matrix space: who is in it, and which rooms and spaces it lists."""

    id: RuleId
    name: str
    members: Selector
    rooms: tuple[RuleId, ...] = ()
    spaces: tuple[RuleId, ...] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """A rule that makes one room, or with `for_each` one room per value of an attribute."""

    id: RuleId
    name: str
    """A template; `{department}` is the value of `for_each`."""
    members: Selector
    topic: str = ""
    kind: RoomKind = RoomKind.CHAT
    moderators: Selector | None = None
    posters: Selector | None = None
    """Who writes in an announcement room, beside its moderators."""
    for_each: str | None = None
    """Canonical lower-case attribute path, such as `department`."""
    exclusive: bool = False
    """Nobody else may be here, also when somebody was invited by hand."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A room whose posters' messages are announced in the rooms made by the rules `rooms`."""

    id: RuleId
    name: str
    posters: Selector
    rooms: tuple[RuleId, ...]


@dataclass(frozen=True, slots=True)
class Brake:
    """How much may be taken away before a second person must agree."""

    removals: int = 25
    """People who may lose something within `window`, at the most."""
    fraction: float = 0.1
    """The same as a share of the people concerned (of the company; of a room for that room)."""
    floor: int = 5
    """So many may always lose something, so that `fraction` does not stop a small company or room."""
    window: timedelta = timedelta(hours=24)
    protected: tuple[Selector, ...] = ()
    """People who lose nothing without a second person's approval."""
    approvers: tuple[Selector, ...] = ()
    """Who may approve; they are the members of the administrators' room."""


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """What the policy must do with a made-up person."""

    given: Mapping[str, tuple[str | bool | int | float, ...]]
    """Attributes, as in `bridge.directory.person.Attributes`."""
    in_rooms: tuple[str, ...]
    not_in_rooms: tuple[str, ...]
    """Room keys: `announcements`, `department/Sales`."""
    line: int
    """Where it stands in the file, 1-based."""
    column: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of what the company wants."""

    company: str
    accounts: Accounts
    spaces: Mapping[RuleId, Space]
    rooms: Mapping[RuleId, Room]
    desks: Mapping[RuleId, Desk]
    brake: Brake
    tests: tuple[PolicyTest, ...]
    digest: str
    """SHA-256 of the file's bytes, hexadecimal: the policy's version."""
