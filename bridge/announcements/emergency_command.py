"""`!emergency` in a desk, as it is typed by somebody in a hurry (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.announcements.tracking import read_id

WORD = "!emergency"
HOW = (
    "To start a roll call write `!emergency` and what has happened, for instance:\n"
    "!emergency Fire in hall 2, leave by the north gate\n"
    '!emergency site "Tallinn" Gas smell, leave the building\n'
    "!emergency drill Fire drill, walk to the assembly point\n"
    "To end it: !emergency end"
)
_COMMAND = re.compile(rf"\s*{WORD}(?![\w-])[ \t]*(.*)", re.IGNORECASE | re.DOTALL)
_DRILL = re.compile(r"drill\b[:,]?\s*(.*)", re.IGNORECASE | re.DOTALL)
_SITE = re.compile(r'site\s*["“”„«‟]([^"“”„«»‟]{1,200})["“”»‟][:,]?\s*(.*)', re.IGNORECASE | re.DOTALL)
_END = re.compile(r"end(?:\s+(\S+))?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Start:
    """A roll call is to begin."""

    text: str
    site: str | None = None
    """None: everywhere."""
    drill: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """A roll call is to end."""

    id: str | None = None
    """None: the one of this desk."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """A command that says too little."""

    answer: str


def parse(body: str) -> Start | End | Unclear | None:
    """Return what a message asks for; None for one that is no such command.

    `end` is the command only alone or with the ID of an announcement, so that a text may begin with that word.
    """
    found = _COMMAND.fullmatch(body)
    if found is None:
        return None
    rest = found[1].strip()
    end = _END.fullmatch(rest)
    if end is not None and (end[1] is None or read_id(end[1]) is not None):
        return End(read_id(end[1]) if end[1] else None)
    drill = site = None
    if (with_drill := _DRILL.fullmatch(rest)) is not None:
        drill, rest = True, with_drill[1]
    if (with_site := _SITE.fullmatch(rest)) is not None:
        site, rest = with_site[1].strip(), with_site[2]
    if not rest.strip():
        return Unclear(f"Nothing was started: what has happened is missing.\n{HOW}")
    if re.match(r"site\s*[\"“”„«‟]", rest, re.IGNORECASE):
        return Unclear(f'Nothing was started: write the site in quotes, as in site "Tallinn".\n{HOW}')
    return Start(rest.strip(), site, bool(drill))
