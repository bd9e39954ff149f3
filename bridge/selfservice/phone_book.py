"""The corporate phone book: which words find a person, and what everybody may know of one (pure).

A person is found by words of name, title and department, each from its beginning; accents and case do not matter.
Nothing else of a person is ever looked at or shown, and nobody who does not work here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from bridge.directory.person import Person, values_of
from bridge.directory.template import one_line
from bridge.ids import UserId

MOST_SHOWN = 10
_MOST_WORDS = 40
_LONGEST_WORD = 60
_WORD = re.compile(r"[^\W_]+")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})
"""Letters that Unicode does not take apart and people do."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What everybody may know of a colleague; what is not known is empty."""

    user_id: UserId
    name: str
    title: str
    department: str
    email: str
    manager: str
    local_time: str
    """`14:05`, where the person works."""


@dataclass(frozen=True, slots=True)
class Found:
    """The answer of the phone book."""

    shown: tuple[Listing, ...]
    """The best ones first."""
    count: int
    complete: bool
    """Whether `count` is all there are, or only what was looked at."""


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text in the form in which they are compared, each once."""
    plain = _folded(_folded(text))  # what is folded may come apart into what is not: mathematical capitals do
    return tuple(dict.fromkeys(word[:_LONGEST_WORD] for word in _WORD.findall(plain)))[:_MOST_WORDS]


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in apart if not unicodedata.combining(character)).translate(_LETTERS)


def name_of(person: Person) -> str:
    """Return what a person is called."""
    return one_line(person.display_name) or person.user_name


def job_of(person: Person, path: str, day: date) -> str:
    """Return the person's title or department on a day; those of several jobs side by side."""
    return " / ".join(one_line(str(value)) for value in values_of(person, path, day))


def job_words(person: Person) -> tuple[str, ...]:
    """Return the words of every title and department that a person has had or will have; `ranked` asks the day's."""
    return words_of(" ".join(f"{job.title or ''} {job.department or ''}" for job in person.employments))


def ranked(asked: Collection[str], listings: Iterable[Listing], *, complete: bool = True) -> Found:
    """Return the people whom all the words asked for find: those called so first, whole words before beginnings."""
    found = [(rank, listing) for listing in listings if (rank := _rank(asked, listing)) is not None]
    found.sort(key=lambda each: each[0])
    return Found(tuple(listing for _, listing in found[:MOST_SHOWN]), len(found), complete)


def _rank(asked: Collection[str], listing: Listing) -> tuple[bool, bool, str, str] | None:
    """Return what to sort by; None for somebody who is not meant."""
    names = words_of(listing.name)
    words = {*names, *words_of(listing.title), *words_of(listing.department)}
    if not asked or not all(any(word.startswith(part) for word in words) for part in asked):
        return None
    by_name = all(any(word.startswith(part) for word in names) for part in asked)
    return not by_name, not words.issuperset(asked), " ".join(names), listing.user_id
