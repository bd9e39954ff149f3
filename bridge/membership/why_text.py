"""Explanations as text for a terminal and as JSON for scripts. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from bridge.membership.audit import told_cause
from bridge.membership.explanation import Explanation, Grounds, Happening, PowerReason, RoomReason, Since, Waits
from bridge.membership.question import Answer, Source

_RANKS = {100: "administrator", 50: "moderator", 20: "poster"}


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation in values that `json.dumps` takes."""
    return asdict(explanation)


def as_text(explanation: Explanation, width: int = 80) -> str:
    """Return the explanation as lines of at most `width` columns: first the rooms the person is in."""
    lines = list(_head_lines(explanation))
    for reason in sorted(explanation.rooms, key=lambda reason: (reason.there == "not in", reason.room)):
        lines += ["", *_reason_lines(reason)]
    return in_lines(lines, width)


def in_lines(lines: Sequence[str], width: int) -> str:
    """Return the lines, each wrapped to the width; what would move a terminal's cursor becomes a stand-in."""
    return "".join(f"{line}\n" for text in lines for line in _wrapped(text, width))


def rank(level: int | None) -> str:
    """Return a power level with what it is called; None is a creator's."""
    if level is None:
        return "creator"
    return f"{level} ({_RANKS[level]})" if level in _RANKS else str(level)


def moment(text: str) -> str:
    """Return an ISO 8601 moment in UTC as people read it."""
    return f"{text[:19].replace('T', ' ')} UTC"


def _head_lines(explanation: Explanation) -> Iterator[str]:
    state = "is barred" if explanation.barred else "works here" if explanation.works_here else "does not work here"
    account = {True: ", account enabled", False: ", account disabled", None: ""}[explanation.enabled]
    at = f" at {moment(explanation.at)}" if explanation.at else ""
    yield f"{explanation.person} ({explanation.user_name}){at}"
    yield f"  {explanation.user_id or '-'}  {state}{account if explanation.user_id else ', no account'}"
    said = f", {_source(explanation.state)}" if explanation.state else ""
    yield f"  directory version {explanation.directory_version}{said}"
    if explanation.policy is not None:
        since = f", in force since {moment(explanation.policy.since)}" if explanation.policy.since else ""
        yield f"  policy {explanation.policy.digest[:12]}{since}"
    if explanation.remark:
        yield f"  {explanation.remark}"


def _reason_lines(reason: RoomReason) -> Iterator[str]:
    agrees = reason.wanted == (reason.there == "in")
    verdict = "as the policy says" if agrees else f"the policy says {'in' if reason.wanted else 'not in'}"
    if reason.grounds is not None and reason.grounds.shadow:
        verdict += " (in shadow)"
    named = f" ({reason.name})" if reason.name != reason.room else ""
    yield f"{reason.room}{named}: {reason.there}, {verdict}"
    if reason.rule:
        yield f"  {reason.rule} asks: {reason.selector}"
    yield from _answer_lines(reason.answers)
    if reason.grounds is not None:
        yield from _grounds_lines(reason.grounds)
    if reason.level != 0 or reason.wanted_level:
        yield f"  power {rank(reason.level)}, by the policy {rank(reason.wanted_level)}"
    if reason.grounds is not None and reason.grounds.power is not None:
        yield from _power_lines(reason.grounds.power)
    if reason.remark:
        yield f"  {reason.remark}"
    if reason.waits is not None:
        yield from _waits_lines(reason.waits)
    if reason.event is not None:
        yield from _event_lines(reason.event)
    for since in (reason.since, reason.ranked, reason.handed_over):
        if since is not None:
            yield from _since_lines(since)
    if reason.completeness and not reason.complete:
        yield f"  {reason.completeness}"


def _answer_lines(answers: Sequence[Answer]) -> Iterator[str]:
    for answer in answers:
        has = ", ".join(answer.values) if answer.values else "nothing"
        yield f"    {'yes' if answer.holds else 'no '}  {answer.asked}: {answer.attribute} is {has}"
        if answer.source is not None:
            yield f"         {_source(answer.source)}"


def _grounds_lines(grounds: Grounds) -> Iterator[str]:
    """Yield where the ground is written; what it is, the remark says."""
    if grounds.exception is not None:
        does = "admits" if grounds.exception.adds else "keeps out"
        yield f"  exception {does} until {grounds.exception.until}: {grounds.exception.source}"
    if grounds.barrier is not None:
        yield f"  barrier {grounds.barrier.reason!r}: {grounds.barrier.source}"
        yield f"  this side: {grounds.barrier.side}"
        yield from _answer_lines(grounds.barrier.answers)
        yield f"  the other side: {grounds.barrier.opposite}"
    for report in grounds.reports:
        yield f"  manager of {report}"


def _power_lines(power: PowerReason) -> Iterator[str]:
    yield f"  {power.rule} asks: {power.asks}"
    yield from _answer_lines(power.answers)
    for report in power.reports:
        yield f"    yes  {report}"


def _waits_lines(waits: Waits) -> Iterator[str]:
    digest = f" as {waits.digest[:12]}" if waits.digest else ""
    entry = f", entry {waits.entry}" if waits.entry is not None else ""
    why = f": {waits.reason}" if waits.reason else ""
    yield f"  {waits.action} waits for a second person{digest} since {moment(waits.since)}{entry}{why}"
    for because in waits.held_because:
        yield f"    {because}"
    if waits.rejected_by:
        yield f"    {waits.rejected_by} has said no"


def _event_lines(event: Happening) -> Iterator[str]:
    invited = f", invited by {event.invited_by}" if event.invited_by else ""
    yield f"  {moment(event.at)}  {event.membership} by {event.sender}{invited}"
    yield f"    event {event.event_id}"


def _since_lines(since: Since) -> Iterator[str]:
    why = f": {since.error}" if since.error else f": {since.reason}" if since.reason else ""
    yield f"  {moment(since.at)}  {since.action}, {since.outcome}{why}"
    approved = f"approved as {since.approval[:12]}, " if since.approval else ""
    plan = f"plan {since.plan_digest[:12]}, " if since.plan_digest else ""
    cause = told_cause(since.cause, since.set_off_by, since.approved_by)
    yield f"    entry {since.entry} of run {since.run} ({cause})"
    yield f"    {plan}{approved}directory version {since.directory_version}, policy {since.policy_digest[:12]}"


def _source(source: Source) -> str:
    return f"{source.source}, {moment(source.at)}, version {source.version}"


def _wrapped(text: str, width: int) -> Sequence[str]:
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    indent = " " * (len(shown) - len(shown.lstrip()) + 2)
    return textwrap.wrap(shown, width, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True) or [""]
