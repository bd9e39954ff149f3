"""The values that travel from deciding to acting: desired, current, plan.

`desired` makes a `Desired`, `store` reads a `Current`, `plan` compares the two, `brake` divides the plan, `apply`
carries it out. All are immutable, sorted and printable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bridge.directory.people_set import PeopleSet
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.policy.schema import RoomKind, RuleId
from bridge.policy.settings import LEVELS, PLAIN, Rank, Settings

ADMIN = LEVELS[Rank.ADMINS]
MODERATOR = LEVELS[Rank.MODERATORS]
POSTER = LEVELS[Rank.POSTERS]
"""Power levels. In announcement rooms writing takes `POSTER`; everywhere 0 is the default and is never listed."""


@dataclass(frozen=True, slots=True)
class DesiredAccount:
    """The account a person ought to have."""

    person: PersonId
    user_id: UserId
    display_name: str
    enabled: bool
    """False for those who do not work here (any more)."""
    barred: bool = False
    """Not enabled, and employed still, as on garden leave: nobody who has left."""
    awaited: bool = False
    """Not enabled, and to work here within the days in which the policy prepares accounts."""
    profile: Mapping[str, str] = field(default_factory=dict)
    """The fields of the profile that the policy decides; an empty text is for those that are not to be there."""


@dataclass(frozen=True, slots=True)
class DesiredRoom:
    """A room that ought to exist, and who ought to be in it with which power."""

    key: RoomKey
    rule: RuleId
    kind: RoomKind
    name: str
    topic: str
    parents: tuple[RoomKey, ...]
    """Keys of the spaces that list it, sorted."""
    open_to: RoomKey | None
    """The parent space each of whose members is entitled to this room: joining may be `restricted` to it, which is
    the cheapest way in. None: by invitation."""
    exclusive: bool
    members: PeopleSet
    power: Mapping[int, PeopleSet]
    """Level → people; only levels above 0, each person at the highest level only, only members."""
    because: Mapping[int, str] = field(default_factory=dict)
    """Level → the selector that gives it, as the policy words it; level 0 is membership."""
    settings: Settings = PLAIN
    exempt: Mapping[int, str] = field(default_factory=dict)
    """Row → why somebody is a member, or is not, by exception."""
    sponsored: Mapping[UserId, str] = field(default_factory=dict)
    """People outside the directory who ought to be in it → why; see `guests`."""
    shadow: bool = False
    """Only to be told of, and not to be made so."""
    value: str = ""
    """Of `for_each`; empty for a room of its own."""
    order: tuple[str, ...] = ()
    """Its place among what each of the `parents` lists, in their order; see `listing`."""
    origins: tuple[str, ...] = ()
    """What the value was called before by the policy, first to last: its room is the first of theirs."""


@dataclass(frozen=True, slots=True)
class Desired:
    """What the policy makes of (some of) the people."""

    accounts: Mapping[PersonId, DesiredAccount]
    rooms: Mapping[RoomKey, DesiredRoom]
    vacant: Mapping[RuleId, bool] = field(default_factory=dict)
    """The `for_each` rules, each with whether its rooms are exclusive: a room of theirs that is not in `rooms` is for
    nobody (of these people), while a room of no rule at all is none of our business any more."""
    shadow: frozenset[RuleId] = frozenset()
    """The rules of which is only told what they would do."""


@dataclass(frozen=True, slots=True)
class CurrentAccount:
    """An account Muster made or took over for a person."""

    person: PersonId
    user_id: UserId
    display_name: str
    enabled: bool
    left_at: datetime | None = None
    """Since when the person is a leaver; None for whoever works here, or is only barred."""
    deactivated: bool = False
    profile: Mapping[str, str] = field(default_factory=dict)
    """The fields that Muster has set, or has found otherwise since."""
    face: str = ""
    """The `mxc:` address of the picture that was made for the person; empty before."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """A room that Muster does not manage, whose last administrator leaves."""

    room_id: RoomId
    giver: UserId
    """The leaver who passes power on."""
    heir: UserId


@dataclass(frozen=True, slots=True)
class Departures:
    """What the stages of leaving make of those whose account is, or ought to be, disabled."""

    staying: frozenset[UserId] = frozenset()
    """Not to leave their rooms yet."""
    ending: frozenset[UserId] = frozenset()
    """Whose account is to be deactivated."""
    hand_overs: tuple[HandOver, ...] = ()


@dataclass(frozen=True, slots=True)
class CurrentRoom:
    """A managed room as it is: who has joined (or is invited), and who has which power."""

    key: RoomKey
    room_id: RoomId
    kind: RoomKind
    name: str
    topic: str
    parents: tuple[RoomKey, ...]
    open_to: RoomKey | None
    members: frozenset[UserId]
    """Joined. The bot is never among them."""
    invited: frozenset[UserId] = frozenset()
    granted: frozenset[UserId] = frozenset()
    """Those whom Muster put in; others are left alone unless the room is exclusive."""
    guests: frozenset[UserId] = frozenset()
    """Those who were in it by hand when their account was disabled, and get it back with the account."""
    power: Mapping[UserId, int] = field(default_factory=dict)
    """Levels above 0 (or below), without the bot."""
    altered: frozenset[str] = frozenset()
    """Which of the fields above is not so any more on the homeserver, because somebody else has changed it."""
    settings: Settings = PLAIN
    order: tuple[str, ...] = ()
    """As in `DesiredRoom`; empty where no space has been told of one yet."""


@dataclass(frozen=True, slots=True)
class Current:
    """What there is."""

    accounts: Mapping[PersonId, CurrentAccount]
    rooms: Mapping[RoomKey, CurrentRoom]
    elsewhere: Mapping[RoomId, frozenset[UserId]] = field(default_factory=dict)
    """Rooms Muster does not manage → those in them who have an account of ours that is, or ought to be, disabled.
    Leavers leave these too."""
    served: Mapping[RoomKey, str] = field(default_factory=dict)
    """Room of a `for_each` rule → the value it is for now, where that is not the value in its key."""
    former: Mapping[RoomId, frozenset[UserId]] = field(default_factory=dict)
    """Rooms Muster does not manage → those who left them with their account, and can be let in again."""
    inhabited: frozenset[RoomKey] | None = None
    """The only rooms of which anything is said about anybody, or that are altered; None: any may be."""

    def inhabited_rooms(self) -> Iterator[CurrentRoom]:
        """Yield at least every room of which anything is said about anybody, or that is altered."""
        keys = self.rooms.keys() if self.inhabited is None else self.inhabited
        return map(self.rooms.__getitem__, keys)


FIELDS = ("name", "topic", "kind", "parents", "order", "open_to")
"""What of a room can be changed, in the order in which a change names it; fields of `DesiredRoom` and `CurrentRoom`."""

BY_HAND = ("guest_access", "children")
"""What others can change of a room that Muster makes alike everywhere: who enters without an account, and what a space
lists beside the policy's rooms."""


class Action(StrEnum):
    """What a change does; the order here is the order of applying."""

    DISABLE_ACCOUNT = "disable account"
    """Lock, and end every session."""
    HAND_OVER = "hand over room"
    """Have a leaver make `value` the administrator of a room that would have none."""
    CLOSE_ROOM = "close room"
    """Let nobody in any more into a room that people made; everybody is taken out by changes of their own."""
    REMOVE = "remove"
    """Take a member (or an invitation) out of a room."""
    LOWER_POWER = "lower power"
    DEACTIVATE_ACCOUNT = "deactivate account"
    """For good: keys and account data are gone, and a return begins anew."""
    PREPARE_ACCOUNT = "prepare account"
    """Create, and lock until the first day."""
    CREATE_ACCOUNT = "create account"
    ENABLE_ACCOUNT = "enable account"
    RENAME_ACCOUNT = "rename account"
    CHANGE_PROFILE = "change profile"
    """Set one field of the profile, or delete it; `value` is its name, and after a space the text, if any."""
    CREATE_ROOM = "create room"
    CHANGE_ROOM = "change room"
    """Whatever of `FIELDS` and settings differs; `value` lists which."""
    ADOPT_ROOM = "adopt room"
    """Make the bot an administrator of a room that people made, and with a `value` say there that it will be closed."""
    JOIN = "join"
    RAISE_POWER = "raise power"


TAKES_AWAY = frozenset(
    {
        Action.DISABLE_ACCOUNT,
        Action.HAND_OVER,
        Action.CLOSE_ROOM,
        Action.REMOVE,
        Action.LOWER_POWER,
        Action.DEACTIVATE_ACCOUNT,
    }
)
"""What the brake counts and may hold."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One step, complete enough to be carried out, printed and recorded."""

    order: int
    """Position of the action in `Action`; sorts a plan into the order of applying."""
    room: str = ""
    """A `RoomKey`; for a room that Muster does not manage its `RoomId`, which starts with `!`; empty for accounts."""
    user_id: str = ""
    value: str = ""
    """New display name (accounts), name (a new room), what differs (`name, parents`; a room that is), new level
    (power), as text; the user ID of who takes a room over."""
    person: str = ""
    """`PersonId`, empty for people outside the directory and for rooms."""
    rule: str = ""
    """The policy's rule that asks for it, such as `rooms.department`."""
    reason: str = ""
    """Why, in words for the audit log: `department eq "Sales"`, `no longer works here`."""

    @property
    def action(self) -> Action:
        return ACTIONS[self.order]


ACTIONS = tuple(Action)


@dataclass(frozen=True, slots=True)
class KeptOut:
    """People of a room's rule whom a barrier keeps out of the room."""

    room: RoomKey
    rule: str
    """`rooms.department`"""
    reason: str
    """The barrier's."""
    users: tuple[UserId, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in the order of applying, and the rooms they need to know."""

    changes: tuple[Change, ...]
    rooms: Mapping[RoomKey, DesiredRoom] = field(default_factory=dict, repr=False, compare=False)
    """The desired form of each room that a change names, for whoever creates or joins it."""
    digest: str = ""
    """SHA-256 over the canonical text of `changes`, hexadecimal; equal plans have equal digests."""
    kept_out: tuple[KeptOut, ...] = field(default=(), repr=False, compare=False)
    """What the rules ask for and barriers forbid."""
    divided: Mapping[RoomKey, frozenset[UserId]] = field(default_factory=dict, repr=False, compare=False)
    """Rooms that somebody must leave because of a barrier before these users may enter."""
    shadowed: tuple[Change, ...] = field(default=(), compare=False)
    """What rules in shadow would do besides; nobody carries it out, counts it or holds it."""
    resting: tuple[Change, ...] = field(default=(), compare=False)
    """What Muster leaves as it is because of a fight, until somebody says go."""
