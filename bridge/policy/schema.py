"""The policy as values: what the company wants, checked and complete.

`loader` makes a `Policy` of YAML; nobody else does. Identifiers (`RuleId`) of spaces, rooms and desks share one
namespace, because they become room keys. `docs/policy.md` explains each field to administrators.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from bridge.directory.selector import Selector
from bridge.policy.acknowledge import Acknowledge
from bridge.policy.emergency import Emergency
from bridge.policy.period import Period
from bridge.policy.reports import ReportKind
from bridge.policy.settings import PLAIN, Join, Rank, Settings
from bridge.policy.working_time import WorkingTime

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


class Avatars(StrEnum):
    """What pictures people have."""

    PHOTO = "photo"
    """The company's photo; the initials of whoever has none."""
    INITIALS = "initials"
    OFF = "off"
    """None at all."""


REVERSIBLE = (LeaverStep.LOCK, LeaverStep.END_SESSIONS, LeaverStep.LEAVE_ROOMS, LeaverStep.HAND_OVER_ROOMS)


@dataclass(frozen=True, slots=True)
class Successor:
    """Who takes over the rooms of leavers: whom an attribute of the leaver's names, or one of those selected."""

    attribute: str = ""
    """Canonical lower-case path; empty where `people` says who. `manager` stands for the whole line up."""
    people: Selector | None = None


@dataclass(frozen=True, slots=True)
class Accounts:
    """How a person becomes a Matrix account; templates name attributes as `{userName}`."""

    user_id: str = "{userName}"
    display_name: str = "{displayName}"
    profile: Mapping[str, str] = field(default_factory=dict)
    """Profile field → template. Other fields are the person's own."""
    avatar: Avatars | None = None
    """None: people's pictures are their own."""
    leavers: tuple[LeaverStage, ...] = (LeaverStage(timedelta(), REVERSIBLE),)
    """In the order of time."""
    prepared: timedelta = timedelta()
    """So long before the first day the account is made, and locked until then."""
    successors: tuple[Successor, ...] = ()
    """In the order in which they are asked, after who is named by hand."""


@dataclass(frozen=True, slots=True)
class Space:
    """A Matrix space: who is in it, and which rooms and spaces it lists."""

    id: RuleId
    name: str
    members: Selector
    rooms: tuple[RuleId, ...] = ()
    spaces: tuple[RuleId, ...] = ()
    place: tuple[int, int] = field(default=(0, 0), compare=False)
    """Line and column in the file, 1-based."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """Somebody whom a rule admits, or keeps out, whatever its members are asked."""

    rule: RuleId
    value: str
    """The room of a `for_each` rule; empty for all its rooms, and for a rule that makes one."""
    person: str
    """A userName, or a `PersonId`."""
    adds: bool
    until: date
    """The last day, where the person works."""
    owner: str
    """Who answers for it."""
    reason: str
    place: tuple[int, int] = field(default=(0, 0), compare=False)
    """Line and column in the file, 1-based; zeros for one that does not stand in the policy."""
    made: tuple[str, datetime] | None = field(default=None, compare=False)
    """Who made it and when, where it does not stand in the policy."""


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
    admins: Selector | None = None
    managers: Mapping[Rank, int] = field(default_factory=dict)
    """Who has a rank by the manager relation: those who stand so many levels above somebody the rule asks for."""
    join: Join | None = None
    """None: by invitation, or through the space where Muster finds that this lets in nobody else."""
    settings: Settings = PLAIN
    exceptions: tuple[Exemption, ...] = ()
    shadow: bool = False
    """Planned and told, and not carried out."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Value of `for_each` → what it is called now."""
    place: tuple[int, int] = field(default=(0, 0), compare=False)
    """Line and column in the file, 1-based."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A room whose posters' messages are announced in the rooms made by the rules `rooms`."""

    id: RuleId
    name: str
    posters: Selector
    rooms: tuple[RuleId, ...]
    place: tuple[int, int] = field(default=(0, 0), compare=False)
    """Line and column in the file, 1-based."""
    people: Selector | None = None
    """Whom posters can reach by a selector, each in a room of their own; None: nobody."""
    undo: timedelta = timedelta(seconds=20)
    """So long after it was confirmed an announcement can still be stopped."""
    second_person: int | None = None
    """Above so many people somebody else than the author has to confirm; None: never."""
    languages: tuple[str, ...] = ()
    """Those in which announcements are expected (RFC 5646), in the order in which they are said; none: any."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """Name → text with keys in braces."""
    discussion: RuleId | None = None
    """The chat room in which announcements are talked about."""
    lasts: timedelta | None = timedelta(days=7)
    """How long an announcement is current, and pinned; None: until it is ended by hand, and not pinned."""
    acknowledge: Acknowledge | None = None
    """None: nobody is reminded."""


@dataclass(frozen=True, slots=True)
class Brake:
    """How much may be taken away before a second person must agree."""

    removals: int = 25
    """People who may lose something within `window`, at the most."""
    fraction: float = 0.1
    """The same as a share of the people concerned (of the company; of a room for that room)."""
    floor: int = 5
    """So many may always lose something, so that `fraction` does not stop a small company or room."""
    per_run: int | None = None
    """People who may lose something by one run; None: as many as within `window`."""
    window: timedelta = timedelta(hours=24)
    approval: timedelta = timedelta(hours=24)
    """How long an approval holds that has not been carried out."""
    protected: tuple[Selector, ...] = ()
    """People who lose nothing without a second person's approval."""
    approvers: tuple[Selector, ...] = ()
    """Who may approve; they are the members of the administrators' room."""
    place: tuple[int, int] = field(default=(0, 0), compare=False)
    """Line and column in the file, 1-based."""


@dataclass(frozen=True, slots=True)
class Barrier:
    """An information barrier: nobody of the one side shares a room with anybody of the other."""

    one: Selector
    other: Selector
    reason: str
    """Why, in the company's words; people who run into it are told."""
    exempt: tuple[RuleId, ...] = ()
    """Rules whose rooms both sides may share."""
    place: tuple[int, int] = field(default=(0, 0), compare=False)
    """Line and column in the file, 1-based."""

    @property
    def id(self) -> str:
        """What it is known by for as long as it divides the same people."""
        return hashlib.sha256(f"{self.one.normal}\n{self.other.normal}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Requests:
    """What comes of a room that somebody asks for and is let into by its owner."""

    until: timedelta = timedelta(days=30)
    """How long the exception lasts."""
    remind: timedelta = timedelta(days=1)
    """After so long without an answer whoever was asked last is reminded, once."""
    escalate: timedelta = timedelta(days=2)
    """After so long without an answer the next is asked too: another owner, then the administrators."""
    expire: timedelta = timedelta(days=14)
    """After so long a request is over, and whoever asked is told so."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Days that bound how long what is said is kept, whatever its period."""

    begins: date | None = None
    """What was said before is not kept."""
    ends: date | None = None
    """Until then everything is kept."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is said in rooms is kept; None: for ever."""

    default: Period | None = None
    """For rooms that are not named."""
    direct: Period | None = None
    """For direct rooms, which people made themselves."""
    unmanaged: Period | None = None
    """For all others that people made themselves."""
    rooms: Mapping[RuleId, Period | None] = field(default_factory=dict)
    """For all rooms of a rule or a desk."""
    keep: Mapping[str, Keep] = field(default_factory=dict)
    """For all rooms of a rule or a desk, for `direct` and for `unmanaged`."""
    unused: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Classes that no room names, and where they stand."""


@dataclass(frozen=True, slots=True)
class Guests:
    """Who of those whom HR does not know may be in managed rooms: whoever somebody here answers for, for a while."""

    sponsors: Selector
    """Who may answer for guests."""
    domains: tuple[str, ...] = ()
    """The other homeservers from which guests may come."""
    review: timedelta = timedelta(days=90)
    """After so long, at the latest, somebody has to say again that the guest is wanted; whole days."""


class UnmanagedRooms(StrEnum):
    """What becomes of rooms that people made themselves."""

    REPORT = "report"
    """They are listed, and left alone."""
    ADOPT = "adopt"
    """The bot becomes an administrator of each."""
    CLOSE = "close"
    """That, and after a notice everybody is taken out."""


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
    power: Mapping[str, Rank] = field(default_factory=dict)
    """Room key → exactly the rank that the person must have there."""
    company: tuple[Mapping[str, tuple[str | bool | int | float, ...]], ...] = ()
    """Attributes of the others who work there; empty: see `bridge.policy.trial`."""
    day: date | None = None
    """What day it is; None: one on which no exception is over."""


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
    barriers: tuple[Barrier, ...] = ()
    requests: Requests = Requests()
    retention: Retention = Retention()
    guests: Guests | None = None
    """None: there are no guests."""
    unmanaged_rooms: UnmanagedRooms = UnmanagedRooms.REPORT
    case_approvers: tuple[Selector, ...] = ()
    """Who may let a case open direct rooms, where that is not `brake.approvers`."""
    cases_place: tuple[int, int] = field(default=(0, 0), compare=False)
    """Line and column in the file, 1-based."""
    reports: Mapping[str, ReportKind] = field(default_factory=dict)
    """What employees may report in confidence, by the word that they write."""
    newcomers: timedelta | None = None
    """How old what a newcomer still gets may be; None: newcomers get nothing."""
    hours: WorkingTime | None = None
    """None: nothing waits for anybody's working hours."""
    emergency: Emergency = field(default_factory=Emergency)

    @property
    def approvers_of_cases(self) -> tuple[Selector, ...]:
        """Who may let a case open direct rooms."""
        return self.case_approvers or self.brake.approvers

    @property
    def exceptions(self) -> tuple[Exemption, ...]:
        """The exceptions of all rules."""
        return tuple(each for room in self.rooms.values() for each in room.exceptions)

    @property
    def levels_of_managers(self) -> int:
        """Up to how many levels above somebody the manager relation gives a rank; 0 where it gives none."""
        return max((levels for room in self.rooms.values() for levels in room.managers.values()), default=0)
