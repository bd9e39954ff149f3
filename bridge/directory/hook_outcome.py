"""What may become of an event of a webhook, and what the administrators are told about it. Pure."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final

from bridge.directory.notice import Notice


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    OUTDATED = "outdated"
    """There is newer word about everything it says."""
    UNKNOWN = "unknown"
    """It waits until somebody of this id is there."""
    HELD = "held"
    """It seems to be about another person than the one who had this id and has left."""
    REFUSED = "refused"
    WITHOUT_VALUES = "without_values"
    """It says that there is news and not which."""
    IGNORED = "ignored"
    """It says nothing of what is kept."""


TOLD: Final = frozenset({Outcome.HELD, Outcome.REFUSED, Outcome.WITHOUT_VALUES})
"""What the administrators are told: without them it stays so."""
REVIVABLE: Final = frozenset({Outcome.UNKNOWN, Outcome.HELD, Outcome.REFUSED})
"""What may be tried again: their values are kept."""

_WORDS: Final = {
    Outcome.HELD: "{source}: somebody was sent under the id of another person, who has left. The event is held until "
    "you decide: muster directory review",
    Outcome.REFUSED: "{source}: an event about a person was refused: {reason}. More of the kind are not announced. "
    "`muster directory events --refused` lists them.",
    Outcome.WITHOUT_VALUES: "{source} sends events without values: they say that somebody has changed, and not what, "
    "so this news waits. Let it send the values along (HiBob: subscribe to version 1; BambooHR: a webhook with "
    "fields), or send them over SCIM or as a file. `muster directory events --without-values` lists whom it concerns.",
}


def notice_of(source: str, outcome: Outcome, reason: str) -> Notice | None:
    """Return what to tell the administrators of an event, None when it needs nobody; never a value of it."""
    if outcome not in TOLD:
        return None
    kind = hashlib.sha256(reason.encode()).hexdigest()[:12]
    return Notice(f"hook:{source}:{outcome}:{kind}", _WORDS[outcome].format(source=source, reason=reason))
