"""What waits for a second person, in words: the questions in the administrators' room and what came of them. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bridge.directory.door import AbsenceList
from bridge.directory.expression import fold
from bridge.directory.notice import Notice
from bridge.directory.person import Person
from bridge.membership.audit import Held
from bridge.membership.values import Change

Waiting = Held | AbsenceList

NAMED = 25
"""So many changes or people a notice names; `muster plan` and `muster directory waiting` name all."""
YES = "✅"
NO = "❌"
MARKER = "io.muster.held"
"""The key in the content of a notice under which stands what it asks about."""


def notice(held: Held) -> dict[str, Any]:
    """Return the message that tells the administrators what waits, why, and how to let it go."""
    more = len(held.changes) - NAMED
    lines = [
        f"Muster holds back {_changes(len(held.changes))} that would take something away:",
        *held.reasons,
        "",
        *(f"• {_described(change)}" for change in held.changes[:NAMED]),
        *([f"… and {more} more; `muster plan` names them all."] if more > 0 else []),
        "",
        f"To let exactly these go: react with {YES}, or write here: !approve {held.digest[:12]}",
        f"(or run: muster approve {held.digest[:12]} --by YOUR-NAME)",
        f"To keep things as they are: react with {NO}, and put the directory or the policy right.",
    ]
    return _asking(held, lines)


def absence_notice(waiting: AbsenceList, people: Sequence[Person]) -> dict[str, Any]:
    """Return the message that tells the administrators who is missing from a feed and has not left."""
    named = sorted(people, key=lambda person: (fold(person.display_name), person.id))
    more = len(waiting.people) - NAMED
    lines = [
        f"{waiting.reason} They stay as they are, everything else goes on:",
        "",
        *(f"• {person.display_name} ({person.user_name})" for person in named[:NAMED]),
        *([f"… and {more} more; `muster directory waiting` names them all."] if more > 0 else []),
        "",
        f"If exactly these have left: react with {YES}, or write here: !approve {waiting.digest[:12]}",
        f"(or run: muster approve {waiting.digest[:12]} --by YOUR-NAME)",
        f"If not: react with {NO}, and put the source right; the next whole picture with them in it withdraws this"
        " list.",
    ]
    return _asking(waiting, lines)


def _asking(waiting: Waiting, lines: Sequence[str]) -> dict[str, Any]:
    """Return a message that remembers what it asks about."""
    return {"msgtype": "m.text", "body": "\n".join(lines), MARKER: {"digest": waiting.digest}}


def asked_by(content: Mapping[str, Any]) -> str | None:
    """Return the digest about which this content, sent by the bot, asks."""
    marker = content.get(MARKER)
    digest = marker.get("digest") if isinstance(marker, dict) else None
    return digest if isinstance(digest, str) else None


def outcome(digest: str, run_id: int, *, done: int, failed: int) -> Notice:
    """Return what the administrators are told when something approved has been carried out."""
    rest = f" {failed} failed; `muster audit` names them, and they are tried again." if failed else ""
    return Notice(f"outcome:{digest}:{run_id}", f"Carried out: {digest[:12]}, {_changes(done)}.{rest}")


def expiry_notice(digest: str, now: datetime) -> Notice:
    """Return what the administrators are told when an approval holds no longer."""
    body = (
        f"The approval of {digest[:12]} holds no longer: it was not carried out in time. If it is still right:"
        f" !approve {digest[:12]}"
    )
    return Notice(f"expired:{digest}:{now.isoformat()}", body)


def transaction_id_of(held: Waiting) -> str:
    """Return what makes a repeated notice the same event on the homeserver."""
    return f"held-{held.digest[:32]}-{int(held.held_at.timestamp() * 1000)}"


def answer_notice(waiting: Waiting, person: Person, at: datetime, answer: str) -> Notice:
    """Return what the administrators are told of a yes (`approved`) or no (`rejected`)."""
    what = f"{_changes(len(waiting.changes))}" if isinstance(waiting, Held) else f"those missing from {waiting.feed}"
    rest = "" if answer == "approved" else " Nothing is taken away, and nobody is asked again until the list changes."
    return Notice(
        f"{answer}:{waiting.digest}:{person.id}:{at.isoformat()}",
        f"{person.display_name} has {answer} {waiting.digest[:12]}: {what}.{rest}",
    )


def _changes(count: int) -> str:
    return f"{count} change{'' if count == 1 else 's'}"


def _described(change: Change) -> str:
    place = f" in {change.room}" if change.room else ""
    level = f" to {change.value}" if change.value else ""
    return textwrap.shorten(f"{change.action.value} {change.user_id}{place}{level}: {change.reason}", 200)
