"""What a second channel carries, and what it takes to be one (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

LONGEST_TEXT = 600
"""Characters of a short message at most: four parts of one, in an alphabet with accents eight."""
_SEPARATORS = re.compile(r"[\s()./-]")
_NUMBER = re.compile(r"\+?[0-9]{5,20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Note:
    """One message to one person."""

    key: str
    """What it is known by; the same key is the same message, should it be sent again after a crash."""
    address: str
    """Telephone number or e-mail address, as the directory has it."""
    subject: str
    text: str
    urgent: bool = True
    """Whether it says so itself, where a channel knows how."""


class Channel(Protocol):
    """A way to somebody beside Matrix."""

    name: str
    """`sms` or `mail`."""
    attribute: str
    """Lower-case path of the directory's attribute that holds people's addresses."""

    async def send(self, note: Note) -> None:
        """Hand the message over; raise `ChannelError` when it was not taken, within half a minute."""
        ...


def number_of(written: str) -> str | None:
    """Return a telephone number without what people put between its digits; None when it is none."""
    bare = _SEPARATORS.sub("", written)
    return bare if _NUMBER.fullmatch(bare) else None


def shortened(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return the text, cut at a word where it is longer."""
    if len(text) <= longest:
        return text
    return text[: longest - 1].rsplit(maxsplit=1)[0].rstrip() + "…"
