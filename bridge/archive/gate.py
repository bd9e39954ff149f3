"""Who may look at what of the archive: the one decision behind search, show, prove, trace and export. Pure.

Rooms that are not direct are open to whoever may use the archive. Direct rooms of two people are closed, but for those
that a case opens: one that is open, approved by a second person, about that part of the archive, and whose people the
looker is one of. Whoever names a case must be one of its people, whatever is looked at. Facts are gathered by
`access`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.archive.case import Case, is_approved
from bridge.ids import PersonId


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody who wants to look, perhaps for a case."""

    person: PersonId | None
    """None when `--as` names nobody."""
    case: Case | None
    now: datetime
    lifetime: timedelta
    """How long an approval holds that nobody has used."""


def refusal(look: Look, *, direct: bool, in_scope: bool) -> str:
    """Return in words why a record is not shown; empty when it is.

    `direct` is whether it was said in a direct room, `in_scope` whether it is in the case's scope.
    """
    if look.case is None:
        return "It was said in a direct room, which only a case opens: --case NUMBER." if direct else ""
    if reason := refusal_of_case(look):
        return reason
    if not direct:
        return ""
    if reason := refusal_of_direct(look):
        return reason
    return "" if in_scope else f"It was said in a direct room that case {look.case.number} is not about."


def refusal_of_case(look: Look) -> str:
    """Return in words why this person may not look for this case at all; empty when they may, and without a case."""
    case = look.case
    if case is None:
        return ""
    if case.closing is not None:
        return f"Case {case.number} was closed {case.closing.at:%Y-%m-%d} by {case.closing.by}."
    if look.person is None:
        return f"Case {case.number} is for the people it allows: say with --as who you are."
    if look.person not in case.allowed:
        return f"Case {case.number} does not allow you in. Whom it allows, `muster archive case show` tells."
    return ""


def refusal_of_direct(look: Look) -> str:
    """Return in words why the case, which this person may look for, opens no direct rooms; empty when it does."""
    case = look.case
    if case is None:
        return "Direct rooms are closed: only a case opens them."
    if is_approved(case, look.now, look.lifetime):
        return ""
    mend = f"a second person approves it: `muster archive case approve {case.number} --as PERSON`"
    if case.approval is None:
        return f"Case {case.number} opens no direct rooms before {mend}."
    if case.approval.digest != case.digest:
        return f"Case {case.number} was changed after its approval, and opens no direct rooms before {mend}."
    return f"The approval of case {case.number} lapsed unused, and it opens no direct rooms before {mend}."
