"""What becomes of those whom a whole picture leaves unsaid. Pure.

What a source says is news and not judged here. Somebody missing leaves only when no other source brings that person,
when the absence has lasted, and when not too many of the feed's people go with it within a day; too many wait, as one
list, for a second person. Keeping the lists is left to `door_store`, acting on them to `intake`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bridge.directory.feed import Feed
from bridge.ids import PersonId

FLOOR: Final = 5
"""So many may always be missing."""
WINDOW: Final = timedelta(hours=24)
"""So long somebody who left by absence counts, so that many small pictures do what one large one may."""
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Missing:
    """Somebody who works here, whom a feed has named before and does not name now."""

    person: PersonId
    since: datetime | None = None
    """Since when the feed has not named the person; None when this is the first time."""
    unnamed_since: datetime | None = None
    """Since when no other feed of whole pictures has, where one had."""
    kept_by: str = ""
    """Another source that brings the person now."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of everybody missing; each is in one of the four, in the order of the ids."""

    leaving: tuple[PersonId, ...] = ()
    waiting: tuple[PersonId, ...] = ()
    """Would leave, and are too many."""
    noted: tuple[PersonId, ...] = ()
    """Not missing for long enough."""
    kept: tuple[PersonId, ...] = ()
    reason: str = ""
    """Why those who wait do, as a sentence with figures."""


@dataclass(frozen=True, slots=True)
class AbsenceList:
    """Those of one feed who wait for a second person."""

    feed: str
    people: tuple[PersonId, ...]
    reason: str
    held_at: datetime
    told: bool = False
    """Whether the administrators have been told."""

    @property
    def digest(self) -> str:
        """Return what an approval names."""
        return digest_of(self.feed, self.people)


def judge(
    feed: Feed, missing: Iterable[Missing], population: int, recent: Collection[PersonId], now: datetime
) -> Judgement:
    """Decide about those who are missing from a whole picture that was read `now`.

    `population` are the people whom the feed has named and who work here, those missing included; `recent` who has
    left by absence from this feed within `WINDOW`, without anybody's approval.
    """
    found = sorted(missing, key=lambda each: each.person)
    kept = tuple(each.person for each in found if each.kept_by)
    due = tuple(each.person for each in found if not each.kept_by and _has_lasted(each, feed, now))
    noted = tuple(each.person for each in found if not each.kept_by and each.person not in set(due))
    before = set(recent) - set(due)
    people, total = population + len(before), len(due) + len(before)
    limit = limit_of(feed, people)
    if not due or total <= limit:
        return Judgement(leaving=due, noted=noted, kept=kept)
    lately = f", {len(before)} of them gone within a day" if before else ""
    reason = f"{total} of {people} people of {feed.name} are missing from it{lately}; the limit is {limit}."
    return Judgement(waiting=due, noted=noted, kept=kept, reason=reason)


def words_of(feed: Feed, judgement: Judgement) -> tuple[str, ...]:
    """Return what whoever handed the picture in ought to know about those who are missing and stay."""
    words = []
    if judgement.kept:
        words.append(f"{_people(judgement.kept)} missing from {feed.name}; another source brings them, so they stay.")
    if judgement.noted:
        words.append(
            f"{_people(judgement.noted)} missing from {feed.name}, which has been noted; whoever is missing for"
            f" {_duration(feed.grace)} and from a later whole picture leaves."
        )
    if judgement.waiting:
        digest = digest_of(feed.name, judgement.waiting)
        words.append(f"{judgement.reason} They stay until somebody says: muster approve {digest[:12]} --by PERSON")
    return tuple(words)


def limit_of(feed: Feed, population: int) -> int:
    """Return how many of a feed's people may leave by absence within `WINDOW`."""
    return max(FLOOR, int(round(feed.shrink * population, 6)))  # 0.29 × 100 is less than 29 in binary


def digest_of(feed: str, people: Iterable[PersonId]) -> str:
    """Return the SHA-256, hexadecimal, of exactly these people of that feed, in whatever order."""
    text = json.dumps([feed, sorted(set(people))], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _people(people: Collection[PersonId]) -> str:
    return f"{len(people)} {'person is' if len(people) == 1 else 'people are'}"


def _duration(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    unit, name = next(((unit, name) for unit, name in _UNITS if seconds % unit == 0), _UNITS[-1])
    return f"{seconds // unit}{name}"


def _has_lasted(missing: Missing, feed: Feed, now: datetime) -> bool:
    since = missing.since or now
    return now - max(since, missing.unnamed_since or since) >= feed.grace
