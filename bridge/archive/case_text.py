"""Cases as text for a terminal and as JSON for scripts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from bridge.archive.case import Case, is_approved
from bridge.archive.rendering import printable, short, wrapped
from bridge.archive.scope import Scope
from bridge.directory.notice import Notice


def case_as_text(case: Case, now: datetime, lifetime: timedelta, width: int) -> str:
    """Return everything about a case."""
    lines = [f"case      {printable(case.number)}"]
    lines += field_lines("purpose", [case.purpose], width)
    lines += scope_lines(case.scope, width)
    lines += field_lines("allowed", sorted(case.allowed.values()), width)
    lines.append(f"opened    {short(case.opened_at)} by {printable(case.opened_by)}")
    if case.approval:
        lines.append(f"approved  {short(case.approval.at)} by {printable(case.approval.by)}")
    if case.closing:
        lines.append(f"closed    {short(case.closing.at)} by {printable(case.closing.by)}")
    return "\n".join([*lines, *field_lines("direct", [standing_of(case, now, lifetime)], width)])


def cases_as_text(cases: Sequence[Case], now: datetime, lifetime: timedelta, width: int) -> str:
    """Return the cases, two lines each."""
    lines = []
    for case in cases:
        lines.append(f"{printable(case.number)}  {short(case.opened_at)}  {printable(case.opened_by)}")
        lines += wrapped(f"{case.purpose}; {standing_of(case, now, lifetime)}", width)
    return "\n".join(lines)


def standing_of(case: Case, now: datetime, lifetime: timedelta) -> str:
    """Return in words whether direct rooms are open for the case."""
    if case.closing:
        return "closed"
    if is_approved(case, now, lifetime):
        assert case.approval is not None
        lapses = "" if case.approval.used_at else f"; the approval lapses {short(case.approval.at + lifetime)} unused"
        return f"direct rooms are open{lapses}"
    if case.approval is None:
        return "direct rooms are closed: nobody has approved it"
    changed = case.approval.digest != case.digest
    return f"direct rooms are closed: {'it was changed after its approval' if changed else 'its approval has lapsed'}"


def awaiting_approval(case: Case) -> Notice:
    """Return what the administrators are told of a case that opens direct rooms once it is approved.

    Neither the purpose nor the people: not everybody in that room is to know.
    """
    return Notice(
        f"case:{case.number}:{case.digest}",
        f"Case {case.number} of {case.opened_by} is to open direct rooms of the archive and waits for a second person: "
        f"`muster archive case show {case.number}`, then `muster archive case approve {case.number} --as PERSON`.",
    )


def case_as_json(case: Case, now: datetime, lifetime: timedelta) -> dict[str, Any]:
    """Return everything about a case as JSON."""
    approval, closing = case.approval, case.closing
    return {
        "number": case.number,
        "purpose": case.purpose,
        "scope": case.scope.as_json(),
        "allowed": sorted(case.allowed.values()),
        "opened": {"by": case.opened_by, "at": case.opened_at.isoformat()},
        "digest": case.digest,
        "approved": approval and {"by": approval.by, "at": approval.at.isoformat(), "digest": approval.digest},
        "closed": closing and {"by": closing.by, "at": closing.at.isoformat()},
        "opens_direct_rooms": closing is None and is_approved(case, now, lifetime),
    }


def scope_lines(scope: Scope, width: int) -> Iterator[str]:
    """Yield what a scope names, a line or more for each kind."""
    yield from field_lines("people", sorted(scope.people), width)
    yield from field_lines("rooms", sorted(scope.rooms), width)
    if scope.since:
        yield f"since     {short(scope.since)}"
    if scope.until:
        yield f"until     {short(scope.until)}"


def field_lines(name: str, values: Sequence[str], width: int) -> Iterator[str]:
    """Yield values below each other, behind their name."""
    lead = f"{name:<10}"
    for value in values:
        for line in wrapped(value, width, indent=" " * len(lead)):
            yield lead + line[len(lead) :]
            lead = " " * len(lead)
