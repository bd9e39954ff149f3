"""A case: why a part of the archive is looked at, who may look, and who agreed. Pure.

An approval is for exactly one purpose, scope and list of people: whatever of that changes, it is gone. One that nobody
has made use of lapses like the approvals of plans (`brake.approval` in the policy); once direct rooms were opened by
it, it holds until the case is closed. Who may look at what is left to `gate`, reading and writing to `cases`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.archive import canonical
from bridge.archive.scope import Scope
from bridge.errors import InputError
from bridge.ids import PersonId

_NUMBER = re.compile(r"[\w.][\w./-]{0,63}")


@dataclass(frozen=True, slots=True)
class Approval:
    """That a second person agreed."""

    by: str
    """userName."""
    at: datetime
    digest: str
    """Of exactly what was agreed to."""
    used_at: datetime | None
    """When direct rooms were first opened by it."""


@dataclass(frozen=True, slots=True)
class Closing:
    """That a case is over."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """Why, about what, and by whom a part of the archive is looked at."""

    number: str
    purpose: str
    scope: Scope
    allowed: Mapping[PersonId, str]
    """Who may look, with their userNames."""
    opened_by: str
    opener: PersonId
    opened_at: datetime
    approval: Approval | None = None
    closing: Closing | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of what a second person agrees to."""
        said = {
            "number": self.number,
            "purpose": self.purpose,
            "scope": self.scope.as_json(),
            "allowed": sorted(self.allowed),
        }
        return hashlib.sha256(canonical.encode_value(said)).hexdigest()


def insist_on_number(number: str) -> str:
    """Return the number of a case or a hold; raises `InputError` for what cannot be one."""
    if not _NUMBER.fullmatch(number):
        raise InputError(
            f"Expected a number such as 2027-014, of at most 64 letters, digits and . _ / -, came {number[:80]!r}."
        )
    return number


def insist_on_narrow(scope: Scope, what: str) -> None:
    """Raise `InputError` for a scope that names neither people nor rooms."""
    if not scope.people and not scope.rooms:
        raise InputError(f"{what} is about people or rooms: name them with --person and --room.")


def is_approved(case: Case, now: datetime, lifetime: timedelta) -> bool:
    """Tell whether a second person agrees to exactly this case; what nobody has used lapses after `lifetime`."""
    approval = case.approval
    if approval is None or approval.digest != case.digest:
        return False
    return approval.used_at is not None or now - approval.at < lifetime
