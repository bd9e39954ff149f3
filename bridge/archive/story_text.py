"""An event and what became of it, as text for a terminal and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bridge.archive import canonical
from bridge.archive.audience import Audience
from bridge.archive.rendering import moment, printable, short, wrapped, writable
from bridge.archive.values import Reaction, Story, Version, text_of
from bridge.homeserver.event import Event
from bridge.ids import UserId

_NAMED = 10
"""People who are named before the rest is counted."""
_DEVICES = {
    "signed": "on a device that its owner has verified",
    "known": "on a device of the sender's that nobody has verified",
    "unknown": "on a device that the homeserver did not know",
}
"""By `Trust`."""


@dataclass(frozen=True, slots=True)
class Acknowledgements:
    """Who was to hear an announcement, and when they said that they had."""

    targeted: int
    at: Mapping[UserId, datetime]


@dataclass(frozen=True, slots=True)
class Around:
    """What others know about the people of a story."""

    called: Mapping[UserId, str] = field(default_factory=dict)
    """What the directory called them then: `Mari Tamm (Sales)`; whoever it did not know is missing."""
    acknowledgements: Acknowledgements | None = None
    """None for what is no announcement."""


def people_of(story: Story) -> frozenset[UserId]:
    """Return everybody who is named in a story."""
    versions = [story.original, *story.edits, *(reaction.version for reaction in story.reactions)]
    found = {version.event.sender for version in versions}
    found |= {version.redaction.sender for version in versions if version.redaction}
    if story.audience:
        found |= {*story.audience.then, *(one.user_id for one in story.audience.later)}
    return frozenset(found)


def story_as_text(story: Story, around: Around, width: int, *, everybody: bool = False) -> str:
    """Return an event with all its versions and what followed; ten people are named of each kind, or `everybody`."""
    event = story.original.event
    how = ", fetched afterwards" if story.backfilled else ""
    lines = [
        f"event     {printable(event.event_id)}",
        f"room      {printable(event.room_id)}",
        f"type      {printable(event.type)}",
        f"sender    {_called(event.sender, around)}",
        f"archived  {short(story.received_at)} at position {event.seq}{how}",
    ]
    if story.trust or story.unread:
        lines.append(f"encrypted {_DEVICES[story.trust] if story.trust else f'and not read: {story.unread}'}")
    lines += ["", f"sent {moment(event.timestamp)}", *_version_lines(story.original, width)]
    for edit in story.edits:
        lines += ["", f"edited {moment(edit.event.timestamp)} · {printable(edit.event.event_id)}"]
        lines += _version_lines(edit, width)
    lines += _reaction_lines(story.reactions, around, width)
    if story.replies or story.thread:
        lines += ["", f"answers   {len(story.replies)}, in its thread {len(story.thread)}"]
    most = None if everybody else _NAMED
    if around.acknowledgements:
        lines += ["", *_acknowledgement_lines(around.acknowledgements, around, width, most)]
    if story.audience:
        lines += ["", *_audience_lines(story.audience, around, width, most)]
    return "\n".join(lines)


def story_as_json(story: Story, around: Around) -> Any:
    """Return an event with all its versions and what followed as JSON."""
    heard = around.acknowledgements
    return writable(
        {
            **_version_as_json(story.original),
            "sender_name": around.called.get(story.original.event.sender),
            "archived": story.received_at.isoformat(),
            "backfilled": story.backfilled,
            "encrypted": bool(story.trust or story.unread),
            "device": story.trust or None,
            "unread": story.unread or None,
            "edits": [_version_as_json(edit) for edit in story.edits],
            "reactions": [{"key": one.key, **_version_as_json(one.version)} for one in story.reactions],
            "replies": list(story.replies),
            "thread": list(story.thread),
            "acknowledgements": heard
            and {
                "targeted": heard.targeted,
                "acknowledged": [
                    {"user_id": user, "name": around.called.get(user), "at": at.isoformat()}
                    for user, at in heard.at.items()
                ],
            },
            "audience": story.audience and _audience_as_json(story.audience, around),
        }
    )


def _reaction_lines(reactions: Sequence[Reaction], around: Around, width: int) -> Iterator[str]:
    if reactions:
        yield ""
    for one in reactions:
        said = f"reacted {moment(one.version.event.timestamp)} {one.key} {_called(one.version.event.sender, around)}"
        if one.version.redaction:
            said += f", taken back {moment(one.version.redaction.timestamp)}"
        yield from wrapped(said, width, indent="")


def _acknowledgement_lines(heard: Acknowledgements, around: Around, width: int, most: int | None) -> Iterator[str]:
    yield f"acknowledged by {len(heard.at)} of {heard.targeted}"
    yield from _named([f"{_called(user, around)} {short(at)}" for user, at in heard.at.items()], width, most)


def _audience_lines(audience: Audience, around: Around, width: int, most: int | None) -> Iterator[str]:
    yield f"could be seen then by {len(audience.then)}; history is {audience.visibility}"
    yield from _named([_called(user, around) for user in audience.then], width, most)
    if audience.later:
        yield f"could be seen since by {len(audience.later)} who joined later"
        yield from _named(
            [f"{_called(one.user_id, around)} from {short(one.since)}" for one in audience.later], width, most
        )


def _named(people: Collection[str], width: int, most: int | None) -> Iterator[str]:
    shown = list(people)[:most]
    for one in shown:
        yield from wrapped(one, width)
    if len(people) > len(shown):
        yield f"  and {len(people) - len(shown)} more; --all names them"


def _audience_as_json(audience: Audience, around: Around) -> dict[str, Any]:
    return {
        "visibility": audience.visibility,
        "then": [{"user_id": user, "name": around.called.get(user)} for user in audience.then],
        "later": [
            {"user_id": one.user_id, "name": around.called.get(one.user_id), "since": one.since.isoformat()}
            for one in audience.later
        ],
    }


def _called(user: UserId, around: Around) -> str:
    name = around.called.get(user)
    return printable(f"{name} {user}" if name else user)


def _version_lines(version: Version, width: int) -> Iterator[str]:
    yield from wrapped(_said(version.event), width)
    if version.redaction:
        reason = version.redaction.content.get("reason")
        because = f": {reason}" if isinstance(reason, str) and reason else ""
        deleted = f"deleted {moment(version.redaction.timestamp)} by {version.redaction.sender}{because}"
        yield from wrapped(deleted, width, indent="")


def _version_as_json(version: Version) -> dict[str, Any]:
    event, redaction = version.event, version.redaction
    return {
        "seq": event.seq,
        "event_id": event.event_id,
        "room_id": event.room_id,
        "type": event.type,
        "sender": event.sender,
        "state_key": event.state_key,
        "sent": moment(event.timestamp),
        "text": text_of(event),
        "content": event.content,
        "redaction": {
            "event_id": redaction.event_id,
            "sender": redaction.sender,
            "sent": moment(redaction.timestamp),
            "reason": redaction.content.get("reason"),
        }
        if redaction
        else None,
    }


def _said(event: Event) -> str:
    return text_of(event) or _json(event.content)


def _json(content: Mapping[str, Any]) -> str:
    return canonical.encode_value(content).decode("utf-8", "replace")
