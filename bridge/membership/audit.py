"""The audit log's values: what was done and why, what is held, what was lost. Kept by `audit_store`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bridge.ids import PersonId, RoomId, UserId
from bridge.membership.values import Action, Change

SERVICE = "service"
"""Who sets off a run when nobody in particular does."""
COMMAND_LINE = "command line"
"""Who does by a command, where the system does not tell its user."""


class Act(StrEnum):
    """What the audit log has besides the changes of plans."""

    REPORT = "make report"
    """Somebody asked who has access; `value` names the file and its digest."""


@dataclass(frozen=True, slots=True)
class Run:
    """One plan being carried out, and what it was made from."""

    id: int
    directory_version: int
    policy_digest: str
    approval: str | None = None
    """Digest of the held plan whose approval lets this run take away."""
    pardons: Mapping[PersonId, str] = field(default_factory=dict)
    """Whom a second person has let go already → the digest of that list, which is the approval for them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the audit log."""

    id: int
    run_id: int
    at: datetime
    action: Action | Act
    room_key: str
    room_id: RoomId | None
    user_id: UserId
    person_id: PersonId
    value: str
    rule: str
    reason: str
    directory_version: int
    policy_digest: str
    outcome: str
    """`done`, `failed`, `held`, `begun` while it is under way, or `interrupted` when the run ended before it."""
    error: str | None
    sessions_ended: int | None
    cause: str
    """What set the run off."""
    set_off_by: str = SERVICE
    """Who did: the service by itself, somebody of the directory by name, or the system's user of a command."""
    approved_by: PersonId | None = None
    """Who approved what was held of the run, if somebody had to."""
    approver: str | None = None
    """The same by name."""
    plan_digest: str = ""
    """Of the run's whole plan."""
    approval: str | None = None
    """Digest of the held plan whose approval let this go."""


def told_cause(cause: str, set_off_by: str, approver: str | None) -> str:
    """Return what set a run off and who, as people are told: `apply, by mari, approved by Kadri Saar`."""
    by = "by the service" if set_off_by == SERVICE else f"by {set_off_by}"
    return f"{cause}, {by}" + (f", approved by {approver}" if approver else "")


@dataclass(frozen=True, slots=True)
class Held:
    """Changes that wait for a second person."""

    digest: str
    changes: tuple[Change, ...]
    reasons: tuple[str, ...]
    held_at: datetime
    told: bool
    """Whether the administrators have been told."""
    approved_by: str | None = None
    """Who has let it go, while that holds."""
    rejected_by: str | None = None
    caused_by: PersonId | None = None
    """Who set off the run that held it, where that is known: not the second person."""
    protected: tuple[PersonId, ...] = ()
    """Whom the policy protected in it."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that was taken from somebody."""

    user_id: UserId
    person: PersonId
    room: str
    """A room key or room ID; empty for an account."""
