"""What somebody says to the bot, read as a command (pure).

Plain words in any case, with or without `!`. Whoever says something else is shown the nearest command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum


class Word(StrEnum):
    """A command, as one says it."""

    WHOAMI = "whoami"
    WHY = "why"
    WHO = "who"
    ROOMS = "rooms"
    REQUEST = "request"
    REPORT = "report"
    ACK = "ack"
    QUIET = "quiet"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Command:
    """Something that can be answered."""

    word: Word
    rest: str = ""
    """What stands behind the word, in one line; never empty for those that need it."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Something that cannot, and what was perhaps meant."""

    nearest: Word | None
    incomplete: bool = False
    """The word is right, and what must stand behind it is missing."""


NEEDS_MORE = frozenset({Word.WHY, Word.WHO, Word.REQUEST})
_LONGEST = 1000
"""Characters of a message that are read."""
_LONGEST_GUESS = 20
_GREETINGS = frozenset({"?", "hello", "hi", "hey", "start", "menu", "tere", "abi"})
_QUOTE = re.compile(r"\A(?:>[^\n]*\n)+\n?")
"""Specification, "Rich replies"."""
_FILLERS = {
    Word.WHY: re.compile(r"(?:(?:am|was) i )?(?:not )?(?:in )?", re.IGNORECASE),
    Word.WHO: re.compile(r"(?:(?:is|are|works in|works as) )?(?:the )?", re.IGNORECASE),
}


def parse(body: str) -> Command | Unclear:
    """Return the command that a message's text is."""
    text = " ".join(without_quote(body)[:_LONGEST].split()).removeprefix("!").strip()
    said, _, rest = text.partition(" ")
    said, rest = said.casefold().strip(".,:;!?") or said, rest.strip()
    if f"{said} {rest}".casefold().rstrip(" ?.!") == "who am i":
        return Command(Word.WHOAMI)
    if said in _GREETINGS:
        return Command(Word.HELP)
    if said not in set(Word):
        return Unclear(_nearest(said))
    word = Word(said)
    rest = _stripped(word, rest)
    if word in NEEDS_MORE and not rest:
        return Unclear(word, incomplete=True)
    return Command(word, rest)


def without_quote(body: str) -> str:
    """Return a message's text without what some clients put before a reply: the message replied to."""
    return _QUOTE.sub("", body)


def _stripped(word: Word, rest: str) -> str:
    """Return what a question asks for, without the words of a whole sentence and the question mark."""
    if word not in _FILLERS:
        return rest
    filler = _FILLERS[word].match(rest)
    asked = rest[filler.end() :] if filler else rest
    return (asked or rest).rstrip("?").strip().strip('"“”„').strip()


def _nearest(said: str) -> Word | None:
    near = get_close_matches(said[:_LONGEST_GUESS], list(Word), n=1, cutoff=0.6)
    return Word(near[0]) if near else None
