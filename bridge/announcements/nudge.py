"""What those are told who are missing, and their managers (pure). Who is told when is decided in `escalation`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.announcements.escalation import Step
from bridge.announcements.form import POLL_START, Form, poll_of, request_of
from bridge.announcements.values import Act, Outgoing, Priority, Role
from bridge.ids import UserId

_LONGEST_TEXT = 500
_MOST_NAMES = 100


@dataclass(frozen=True, slots=True)
class Subject:
    """The announcement that somebody has not acknowledged."""

    id: str
    version: int
    """Of the text that is to be acknowledged."""
    text: str
    author_name: str
    opened_at: datetime
    form: Form


def nudges(
    subject: Subject,
    steps: Iterable[Step],
    names: Mapping[UserId, str],
    earlier: frozenset[UserId],
    now: datetime,
) -> list[Outgoing]:
    """Return what is said for these steps: to each missing person alone, to each manager one list.

    `names` are display names; `earlier` are those who acknowledged a text before this one. A poll comes again beside
    the reminder, once, so that one can vote where one is reminded.
    """
    said: list[Outgoing] = []
    lists: dict[UserId, list[UserId]] = defaultdict(list)
    for step in steps:
        if step.told is None:
            continue
        if step.told == step.user_id:
            said += _reminder(subject, step, now, again=step.user_id in earlier)
        else:
            lists[step.told].append(step.user_id)
    return said + [_escalation(subject, manager, sorted(people), names, now) for manager, people in lists.items()]


def _reminder(subject: Subject, step: Step, now: datetime, *, again: bool) -> list[Outgoing]:
    base = f"{subject.id}/{subject.version}"
    said = [
        _note(
            subject,
            f"{base}/{step.name}/{step.user_id}",
            Role.REMINDER,
            step.user_id,
            {"msgtype": "m.text", "body": _reminding(subject, again=again), "m.mentions": {}},
            now,
        )
    ]
    if (poll := poll_of(subject.form, _short(subject.text))) is not None:
        said.append(_note(subject, f"{base}/poll/{step.user_id}", Role.POLL, step.user_id, poll, now, POLL_START))
    return said


def _reminding(subject: Subject, *, again: bool) -> str:
    lines = [
        f"⏰ {subject.author_name} announced on {subject.opened_at:%-d %B %Y}, and you have not acknowledged it yet:",
        f"“{_short(subject.text)}”",
        request_of(subject.form),
    ]
    if again:
        lines.append("What you acknowledged was an earlier text: please answer this message anew.")
    return "\n\n".join(lines)


def _escalation(
    subject: Subject, manager: UserId, people: Sequence[UserId], names: Mapping[UserId, str], now: datetime
) -> Outgoing:
    who = "One of your people has" if len(people) == 1 else f"{len(people):,} of your people have"
    listed = sorted((names.get(person) or person, person) for person in people)
    lines = [f"⏰ {who} not acknowledged what {subject.author_name} announced on {subject.opened_at:%-d %B %Y}:"]
    lines += [f"“{_short(subject.text)}”", "\n".join(f"• {_line(name)}" for name, _ in listed[:_MOST_NAMES])]
    if len(listed) > _MOST_NAMES:
        lines.append(f"… and {len(listed) - _MOST_NAMES:,} more.")
    return _note(
        subject,
        f"{subject.id}/{subject.version}/escalate/{manager}/{now.timestamp():.6f}",
        Role.NOTE,
        manager,
        {"msgtype": "m.text", "body": "\n\n".join(lines), "m.mentions": {}},
        now,
    )


def _note(
    subject: Subject,
    key: str,
    role: Role,
    user_id: UserId,
    content: Mapping[str, Any],
    now: datetime,
    event_type: str = "m.room.message",
) -> Outgoing:
    return Outgoing(
        key=key,
        act=Act.SEND,
        role=role,
        rank=Priority.NORMAL,
        due_at=now,
        user_id=user_id,
        event_type=event_type,
        content=content,
        announcement=subject.id,
        version=subject.version,
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1].rstrip()}…"


def _line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
