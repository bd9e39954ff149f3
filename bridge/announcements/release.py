"""When each copy of an announcement goes out, and whether it rings (pure).

| priority | goes out | rings |
| --- | --- | --- |
| normal | when the reader's day has begun; in a room, when half of the readers' have | yes |
| important | now | in the reader's hours; in a room, in the hours of half of the readers |
| urgent, emergency | now | always, also in quiet hours |

Whoever is on leave has no day to wait for: what is normal comes to them now, and without ringing.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from bridge.announcements.hours import Hours, next_start
from bridge.announcements.values import Priority
from bridge.ids import UserId

URGENT = "io.muster.urgent"
"""The key of the content by which a message of the bot's rings in quiet hours."""

Place = TypeVar("Place", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Release:
    """How one copy goes out."""

    due_at: datetime
    silent: bool = False
    urgent: bool = False


def released(
    priority: Priority, readers: Mapping[Place, Collection[UserId]], hours: Mapping[UserId, Hours], now: datetime
) -> dict[Place, Release]:
    """Return for each place, a room or a person, how its copy goes out; `readers` are those who will read it there.

    Readers whose hours are not known, such as guests, do not count where others' are; where nobody's are nothing waits.
    """
    starts = {each: next_start(each, now) for each in set(hours.values())}
    return {
        place: release(priority, [starts[hours[user]] for user in users if user in hours], now)
        for place, users in readers.items()
    }


def release(priority: Priority, starts: Sequence[datetime | None], now: datetime) -> Release:
    """Return how one copy goes out; `starts` is the next start of each reader, None for those who are on leave."""
    if priority <= Priority.URGENT:
        return Release(now, urgent=True)
    begins = sorted(start for start in starts if start is not None)
    half = begins[(len(begins) - 1) // 2] if begins else None
    if half is None:
        return Release(now, silent=bool(starts))
    if priority is Priority.IMPORTANT:
        return Release(now, silent=half > now)
    return Release(max(half, now))


def toned(content: Mapping[str, Any], release: Release) -> dict[str, Any]:
    """Return the content of a message as it is sent: one that must not ring is a notice, which no client rings for.

    Files ring as clients have it: there is no silent form of them.
    """
    if release.urgent:
        return {**content, URGENT: True}
    if release.silent and content.get("msgtype") == "m.text":
        return {**content, "msgtype": "m.notice"}
    return dict(content)
