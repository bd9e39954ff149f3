"""What somebody looks for: words, phrases and filters, as one value.

    annual report            messages that hold both words, in any inflection, or as parts of longer words
    "annual report"          the words as they stand, side by side
    room: from: department: after: before: kind: has:file is:deleted is:edited        narrow it down

Each filter may be given more than once: rooms, senders, departments and kinds then widen each other. Reading is pure;
names of rooms and senders are made IDs by `search`, expressions of the database by `search_expression`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Self

from bridge.archive.search.document import Kind
from bridge.archive.search.segment import folded, runs_of
from bridge.errors import InputError
from bridge.ids import RoomId

FILTERS = ("room", "from", "department", "after", "before", "kind", "has", "is")
_TOKEN = re.compile(r'(?:(?P<name>[A-Za-z]+):)?(?:"(?P<phrase>[^"]*)"|(?P<plain>[^\s"]+))|(?P<open>")')


class Order(StrEnum):
    """In which order hits come."""

    TIME = "time"
    RELEVANCE = "relevance"


@dataclass(frozen=True, slots=True)
class Term:
    """Words to look for."""

    text: str
    exact: bool = False
    """As they stand, side by side; else each, in any inflection, also as a part of longer words."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rooms may be searched at all. Direct rooms of two people are closed but for those opened here."""

    opened: frozenset[RoomId] = frozenset()
    """Direct rooms that a case opens."""
    allowed: frozenset[RoomId] | None = None
    """The only rooms, opened ones included; None for all."""
    refused: frozenset[RoomId] = frozenset()


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for, and where."""

    terms: tuple[Term, ...] = ()
    rooms: tuple[str, ...] = ()
    """Room IDs, or names of rooms."""
    senders: tuple[str, ...] = ()
    """User IDs, or their first part without `@`."""
    departments: tuple[str, ...] = ()
    """Of the sender, at the time."""
    kinds: tuple[Kind, ...] = ()
    after: int | None = None
    """Milliseconds since 1970; the first that counts."""
    before: int | None = None
    """Milliseconds since 1970; the first that does not count any more."""
    has_file: bool = False
    deleted: bool = False
    edited: bool = False
    scope: Scope = field(default_factory=Scope)


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page of hits ended; the next begins behind it, whatever has come since."""

    order: Order
    newest: int
    """Position in the archive of the last event that the first page could find."""
    rank: float
    """Of the last hit: how well it matches, or milliseconds."""
    seq: int
    """Of the last hit."""

    def token(self, query: Query) -> str:
        """Return the page as a word that is good for the same query only."""
        text = f"{self.order} {self.newest} {self.rank.hex()} {self.seq} {_digest(query)}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def of(cls, token: str, query: Query, order: Order) -> Self:
        """Read a token; raises `InputError` when it is none, or belongs to another search."""
        try:
            text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
            said, newest, rank, seq, digest = text.split(" ")
            page = cls(Order(said), _position(newest), float.fromhex(rank), _position(seq))
        except (ValueError, OverflowError) as error:
            raise InputError(f"--page {token[:80]!r} is no page: give what the search before printed") from error
        if digest != _digest(query) or page.order is not order:
            raise InputError("--page belongs to another search: repeat that one's words, filters and order with it")
        return page


def parse(text: str) -> Query:
    """Read words, `"phrases"` and `name:value` filters; raises `InputError` that names what is wrong."""
    terms: list[Term] = []
    filters = Query()
    for found in _TOKEN.finditer(text):
        name, phrase, plain = (found["name"] or "").lower(), found["phrase"], found["plain"]
        if found["open"]:
            raise InputError(f"the quotation mark at {text[found.start() :][:40]!r} is not closed")
        if plain and plain.endswith(":") and plain[:-1].lower() in FILTERS:
            name, plain = plain[:-1].lower(), ""
        if name in FILTERS:
            filters = united(filters, filter_of(name, phrase if phrase is not None else plain))
        elif name and (meant := get_close_matches(name, FILTERS, n=1, cutoff=0.74)):
            raise InputError(f'there is no filter `{name}:`; `{meant[0]}:`, or "{name}:" in quotation marks?')
        elif name:
            terms.append(Term(found["name"]))
            terms.append(Term(phrase, exact=True) if phrase is not None else Term(plain))
        else:
            terms.append(Term(phrase, exact=True) if phrase is not None else Term(plain))
    return united(Query(tuple(term for term in terms if _has_word(term))), filters)


def united(query: Query, other: Query) -> Query:
    """Return the query that asks for both; the narrower dates and the first one's scope hold."""
    values = {
        each.name: getattr(query, each.name) + getattr(other, each.name)
        for each in fields(Query)
        if isinstance(getattr(query, each.name), tuple)
    }
    return Query(
        **values,
        after=max((query.after, other.after), key=lambda at: -1 if at is None else at),
        before=min((query.before, other.before), key=lambda at: 2**63 if at is None else at),
        has_file=query.has_file or other.has_file,
        deleted=query.deleted or other.deleted,
        edited=query.edited or other.edited,
        scope=query.scope,
    )


def filter_of(name: str, value: str) -> Query:
    """Return the query of one filter; raises `InputError`."""
    if not value.strip():
        raise InputError(f"`{name}:` has no value; for instance {_EXAMPLES[name]}")
    match name:
        case "room":
            return Query(rooms=(value,))
        case "from":
            return Query(senders=(value,))
        case "department":
            return Query(departments=(value,))
        case "after":
            return Query(after=moment_of(value, name))
        case "before":
            return Query(before=moment_of(value, name))
        case "kind":
            return Query(kinds=(Kind(_one_of(name, value, [*Kind])),))
        case "has":
            _one_of(name, value, ["file"])
            return Query(has_file=True)
        case _:
            chosen = _one_of(name, value, ["deleted", "edited"])
            return Query(deleted=chosen == "deleted", edited=chosen == "edited")


def moment_of(value: str, name: str) -> int:
    """Return a day or a moment, in UTC unless it says otherwise, as milliseconds; raises `InputError`."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise InputError(f"`{name}:` expects a day or a moment such as {_EXAMPLES[name]}, got {value!r}") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def insist_on_something(query: Query) -> None:
    """Raise `InputError` when the query asks for nothing."""
    if query == Query(scope=query.scope):
        raise InputError("expected at least one word or filter to look for")


_EXAMPLES = {
    "room": 'room:Announcements or room:"Night drivers"',
    "from": "from:m.tamm or from:@m.tamm:example.org",
    "department": "department:Sales",
    "after": "after:2027-01-31 or after:2027-01-31T09:00",
    "before": "before:2027-01-31 or before:2027-01-31T09:00",
    "kind": "kind:image",
    "has": "has:file",
    "is": "is:deleted or is:edited",
}


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value.lower() not in allowed:
        raise InputError(f"`{name}:` expects {' or '.join(allowed)}, got {value!r}")
    return value.lower()


def _has_word(term: Term) -> bool:
    return any(True for _ in runs_of(folded(term.text)))


def _position(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise ValueError(text)
    return int(text)


def _digest(query: Query) -> str:
    scope = query.scope
    asked = [getattr(query, each.name) for each in fields(Query) if each.name != "scope"]
    rooms = [sorted(scope.opened), scope.allowed and sorted(scope.allowed), sorted(scope.refused)]
    text = repr((asked, rooms))
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:12]
