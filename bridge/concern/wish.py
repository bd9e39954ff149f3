"""What somebody who writes `report …` to the bot wants (pure).

    report KIND [anonymous | named] WORDS        the two in either order; `an` and the like between them is fine
    report end

The words are kept as they were written, lines and all. Whether the policy has the kind, `decide` says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bridge.concern import wording
from bridge.policy.reports import ReportKind
from bridge.selfservice.command import without_quote
from bridge.selfservice.replies import Text

LONGEST = 8000
"""Characters of one message that are passed on."""
_WORD = re.compile(r"\s*(\S+)")
_MODES = {"anonymous": True, "anonymously": True, "named": False}
_FILLERS = frozenset({"a", "an"})
_MOST_WORDS = 4
"""Behind so many words nothing is looked for any more: from there on it is what happened."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A `report …` that was read."""

    kind: str = ""
    """Of the policy; empty when none was named."""
    anonymous: bool | None = None
    """None: not said."""
    words: str = ""
    ends: bool = False
    """It is `report end`."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A report that is to be opened."""

    kind: ReportKind
    anonymous: bool
    words: str


def read(body: str, kinds: Mapping[str, ReportKind]) -> Wish:
    """Read a message that begins with `report`."""
    text = without_quote(body).strip().removeprefix("!").strip()
    rest = text[len("report") :].lstrip(":,.!")
    if _plain(rest) == "end":
        return Wish(ends=True)
    kind, anonymous = "", None
    for _ in range(_MOST_WORDS):
        found = _WORD.match(rest)
        word = _plain(found[1]) if found else ""
        if word in kinds and not kind:
            kind = word
        elif word in _MODES and anonymous is None:
            anonymous = _MODES[word]
        elif word not in _FILLERS or kind:
            break
        rest = rest[found.end() :] if found else ""
    return Wish(kind, anonymous, rest.strip()[:LONGEST])


def decide(wish: Wish, kinds: Mapping[str, ReportKind]) -> Opening | Text:
    """Return what is to be opened, or what to say instead; then nothing is passed on.

    What may be said without a name is, unless it says `named`: a name cannot be taken back.
    """
    if not kinds:
        return wording.nothing_to_report()
    if not wish.kind:
        said = _plain(wish.words.partition(" ")[0])
        near = get_close_matches(said[:30], list(kinds), n=1, cutoff=0.7)
        return wording.how_to_report(kinds, near[0] if near else "")
    kind = kinds[wish.kind]
    if wish.anonymous and not kind.anonymous:
        return wording.not_without_name(kind)
    if not wish.words:
        return wording.say_what_happened(kind)
    return Opening(kind, kind.anonymous if wish.anonymous is None else wish.anonymous, wish.words)


def is_passed_on(body: str) -> bool:
    """Tell whether words of somebody with an open anonymous report are for those who take care of it.

    Everything is, but for what begins with `!` and so is for the bot, and for `report end`.
    """
    text = without_quote(body).strip()
    return bool(text) and not text.startswith("!") and " ".join(text.casefold().split()).rstrip(".") != "report end"


def _plain(word: str) -> str:
    return word.strip().casefold().strip(".,:;!?“”\"'")
