"""Why somebody is in a room, or not, as values: what `why` and `why_then` find and `why_text` shows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bridge.membership.audit import Entry
from bridge.membership.presence import Presence
from bridge.membership.question import Answer, Source

WORDS = {"join": "in", "invite": "invited", "knock": "has asked to come in", "ban": "banned", "leave": "not in"}
"""What a membership is called."""


@dataclass(frozen=True, slots=True)
class Since:
    """The last entry of the audit log about a person in a room."""

    entry: int
    at: str
    """ISO 8601, UTC."""
    action: str
    outcome: str
    error: str | None
    rule: str
    reason: str
    run: int
    cause: str
    set_off_by: str
    """The service, somebody by name, or the system's user of a command."""
    approved_by: str | None
    """The name of whoever approved what was held of the run."""
    plan_digest: str
    approval: str | None
    """Digest of the held plan whose approval let it go."""
    directory_version: int
    policy_digest: str


@dataclass(frozen=True, slots=True)
class Happening:
    """The Matrix event that made somebody's membership what it is, as archived."""

    event_id: str
    membership: str
    sender: str
    at: str
    """ISO 8601, UTC."""
    invited_by: str | None


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """The version of the policy that was asked."""

    digest: str
    since: str | None
    """ISO 8601, UTC; None while it has never been in force."""


@dataclass(frozen=True, slots=True)
class ExceptionReason:
    """An exception of a rule that is about the person."""

    adds: bool
    until: str
    """The last day, ISO 8601."""
    owner: str
    reason: str
    source: str
    """Where it stands, or who made it and when."""


@dataclass(frozen=True, slots=True)
class BarrierReason:
    """A barrier that keeps the person out of a room."""

    reason: str
    side: str
    """The selector of the side that the person is on."""
    opposite: str
    answers: tuple[Answer, ...]
    """To `side`."""
    source: str


@dataclass(frozen=True, slots=True)
class PowerReason:
    """What of the policy gives the person power in a room."""

    level: int
    rule: str
    """`rooms.department.moderators`"""
    asks: str
    answers: tuple[Answer, ...]
    """To `asks`; none where the manager relation gives the power."""
    reports: tuple[str, ...]
    """Some of those below whom the person stands, each with the directory version that says so."""


@dataclass(frozen=True, slots=True)
class Grounds:
    """By what the policy has somebody in a room, or out of it."""

    ground: str
    """`rule`, `exception`, `manager relation`, `barrier`, `barred`, `does not work here` or `no rule`."""
    shadow: bool = False
    """Whether the rule is only told of, and not carried out."""
    exception: ExceptionReason | None = None
    barrier: BarrierReason | None = None
    power: PowerReason | None = None
    reports: tuple[str, ...] = ()
    """Some of those whose manager the person is here as."""


@dataclass(frozen=True, slots=True)
class Waits:
    """A change that waits for a second person."""

    action: str
    since: str
    """ISO 8601, UTC."""
    reason: str
    held_because: tuple[str, ...]
    digest: str
    """Of the held plan; empty where only the audit log tells."""
    entry: int | None
    """The audit log's, when there is one by now."""
    rejected_by: str | None = None


@dataclass(frozen=True, slots=True)
class RoomReason:
    """One room: whether the person is in it, ought to be, and why."""

    room: str
    """Its key, or the room ID of a room that Muster did not make."""
    name: str
    rule: str
    there: str
    """`in`, `invited`, `banned`, `has asked to come in` or `not in`."""
    wanted: bool
    selector: str
    """The whole question of the rule, empty for a room of no rule."""
    answers: tuple[Answer, ...]
    level: int | None
    """None is a creator's power, which nothing limits."""
    wanted_level: int
    remark: str
    """What the question alone does not explain, such as a guest or a change that waits."""
    since: Since | None
    room_id: str | None = None
    """None for a room that has not been made."""
    event: Happening | None = None
    complete: bool = True
    """Whether the archive is known to have every event of the room until then."""
    completeness: str = ""
    grounds: Grounds | None = None
    """None where no policy can be asked."""
    waits: Waits | None = None
    ranked: Since | None = None
    """The last entry about the person's power in the room."""
    handed_over: Since | None = None
    """The entry by which the person took the room over from a leaver, or passed it on."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one person, or about one room of theirs, now or at a past moment."""

    person: str
    user_name: str
    user_id: str
    """Empty while there is no account."""
    works_here: bool
    barred: bool
    """Employed, and to have no access."""
    enabled: bool | None
    """None when it is not known of then."""
    directory_version: int
    rooms: tuple[RoomReason, ...]
    policy: PolicyVersion | None
    state: Source | None
    """Who said last how this person is, and when."""
    at: str | None = None
    """The past moment, ISO 8601, UTC; None is now."""
    remark: str = ""


def since_of(entry: Entry | None) -> Since | None:
    """Return what an explanation tells of an entry of the audit log."""
    if entry is None:
        return None
    return Since(
        entry=entry.id,
        at=iso(entry.at),
        action=entry.action.value,
        outcome=entry.outcome,
        error=entry.error,
        rule=entry.rule,
        reason=entry.reason,
        run=entry.run_id,
        cause=entry.cause,
        set_off_by=entry.set_off_by,
        approved_by=entry.approver,
        plan_digest=entry.plan_digest,
        approval=entry.approval,
        directory_version=entry.directory_version,
        policy_digest=entry.policy_digest,
    )


def happening_of(presence: Presence | None) -> Happening | None:
    """Return what an explanation tells of a membership."""
    if presence is None:
        return None
    return Happening(presence.event_id, presence.membership, presence.sender, iso(presence.since), presence.invited_by)


def iso(moment: datetime) -> str:
    """Return a moment to the second, ISO 8601."""
    return moment.isoformat(timespec="seconds")
