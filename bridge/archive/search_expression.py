"""Queries as expressions of PostgreSQL's text search (`tsquery`), and the lexemes by which filters find.

    =r room (a number)   =s sender   =d department   =k kind   =f has a file   =x deleted   =e edited
    =l long: places of words are incomplete, because PostgreSQL keeps 255 of each word, up to 16,383

Words are those of `segment`; no word begins with `=`. Building is pure; asking is left to `search_store`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bridge.archive.search_document import Kind
from bridge.archive.search_query import Query, Term
from bridge.archive.segment import (
    BACKWARDS,
    LONGEST,
    MIDDLE,
    PART,
    SHORTEST_PART,
    STEM,
    Run,
    folded,
    pairs_of,
    runs_of,
    stems_of,
)

FILE, DELETED, EDITED, LONG = "=f", "=x", "=e", "=l"


def room_lexeme(number: int) -> str:
    """Return the lexeme of what was said in a room."""
    return f"=r{number}"


def sender_lexeme(user_id: str) -> str:
    """Return the lexeme of what a user said."""
    return f"=s{user_id}"


def department_lexeme(department: str) -> str:
    """Return the lexeme of what people of a department said, however that is spelt."""
    return f"=d{folded(department).strip()[:LONGEST]}"


def kind_lexeme(kind: Kind) -> str:
    """Return the lexeme of a kind."""
    return f"=k{kind}"


def quoted(lexeme: str) -> str:
    """Return a lexeme as `tsvector` and `tsquery` read it."""
    return "'" + lexeme.replace("\0", "").replace("\\", "\\\\").replace("'", "''") + "'"


def words_expression(terms: Sequence[Term], languages: Sequence[str]) -> str:
    """Return the expression of the words alone, by which hits are ranked; empty without any."""
    return " & ".join(dict.fromkeys(_term(term, tuple(languages)) for term in terms))


def expression(query: Query, languages: Sequence[str], rooms: Sequence[int], senders: Sequence[str]) -> str:
    """Return the expression of everything but dates and scope; empty when nothing else is asked.

    `rooms` and `senders` are what the query's names mean.
    """
    parts = [
        words_expression(query.terms, languages),
        _any(map(room_lexeme, rooms)),
        _any(map(sender_lexeme, senders)),
        _any(map(department_lexeme, query.departments)),
        _any(map(kind_lexeme, query.kinds)),
        *(quoted(flag) for flag, asked in _flags(query) if asked),
    ]
    return " & ".join(part for part in parts if part)


def _flags(query: Query) -> Iterable[tuple[str, bool]]:
    return (FILE, query.has_file), (DELETED, query.deleted), (EDITED, query.edited)


def _any(lexemes: Iterable[str]) -> str:
    found = " | ".join(map(quoted, lexemes))
    return f"({found})" if found else ""


def _term(term: Term, languages: tuple[str, ...]) -> str:
    runs = list(runs_of(folded(term.text)))
    if term.exact:
        return _phrase(runs)
    return " & ".join(dict.fromkeys(_word(run.text, languages) if run.parted else _phrase([run]) for run in runs))


def _word(word: str, languages: tuple[str, ...]) -> str:
    """Return a word, in any inflection, and the longer words that it is a part of."""
    word = word[:LONGEST]
    found = [quoted(word)]
    if len(word) >= SHORTEST_PART and word.isalpha():
        ends = [quoted(mark) + ":*" for mark in (BACKWARDS + word[: -PART - 1 : -1], MIDDLE + word[:PART])]
        found = [quoted(word) + ":*", *ends]
    for stem in stems_of(word, languages):
        found += [quoted(STEM + stem), *([quoted(stem)] if stem != word else [])]
    return f"({' | '.join(found)})"


def _phrase(runs: Sequence[Run]) -> str:
    """Return words and stretches as they stand side by side."""
    places: list[tuple[int, str]] = []
    place = 1
    for run in runs:
        if run.parted:
            places.append((place, quoted(run.text[:LONGEST])))
            place += 1
        elif len(run.text) == 1:
            places.append((place, quoted(run.text) + ":*"))
            place += 1
        else:
            places += enumerate(map(quoted, pairs_of(run.text)[:-1]), place)
            place += len(run.text)
    if len(places) == 1:
        return places[0][1]
    text, last = places[0][1], places[0][0]
    for at, lexeme in places[1:]:
        text += f" <{at - last}> {lexeme}"
        last = at
    loose = " & ".join(dict.fromkeys(lexeme for _, lexeme in places))
    return f"(({text}) | ({quoted(LONG)} & {loose}))"
