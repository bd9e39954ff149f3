"""What custodians are told of a legal hold (pure)."""

from __future__ import annotations

from bridge.archive.hold import Hold
from bridge.directory.notice import Notice
from bridge.directory.template import one_line
from bridge.ids import RoomId, UserId
from bridge.selfservice.replies import Text, in_lines, say

MOST_TIMES = 4
"""So often somebody is told of a hold who does not acknowledge it; then the administrators are."""


def notice(hold: Hold, times: int) -> Text:
    """Return what somebody is told of a hold who was told so often before."""
    begins = f"Reminder: you have not acknowledged legal hold {hold.number} yet." if times else ""
    since, until = hold.scope.since, hold.scope.until
    dates = "".join([f" from {since:%Y-%m-%d} on" if since else "", f" before {until:%Y-%m-%d}" if until else ""])
    return in_lines(
        [
            *([say(begins)] if begins else []),
            say(f"Legal hold {hold.number}: {one_line(hold.reason)}"),
            say(
                f"Keep everything about this{f', said{dates}' if dates else ''}: messages, files, notes, here and "
                "elsewhere. Do not delete or change any of it, even if it would usually be deleted after a while."
            ),
            say("What you write and read in the company's chat is kept in its archive."),
            say("React with ✅ to this message, or say “ack”, when you have read it."),
        ]
    )


def over(hold: Hold) -> Text:
    """Return what somebody is told once a hold is over."""
    return say(f"Legal hold {hold.number} is over: you need not keep anything because of it any longer.")


def thanks(numbers: list[str]) -> Text:
    """Return the answer to somebody who acknowledges."""
    if not numbers:
        return say("There is nothing that you have to acknowledge.")
    return say(f"Thank you. It is noted that you have read legal hold {', '.join(numbers)}.")


def silent_custodian(number: str, user_id: UserId) -> Notice:
    """Return what the administrators are told of somebody who does not acknowledge."""
    return Notice(
        f"hold:{number}:{user_id}",
        f"{user_id} was told {MOST_TIMES} times of legal hold {number} and has not acknowledged it. Talk to them; "
        f"`muster archive hold show {number}` tells who has.",
    )


def unreachable_custodian(number: str, user_id: UserId) -> Notice:
    """Return what the administrators are told of somebody whom the bot cannot tell."""
    return Notice(
        f"hold:{number}:{user_id}",
        f"{user_id} is named by legal hold {number} and has no account in use: tell them in another way.",
    )


def emptied_room(number: str, room_id: RoomId) -> Notice:
    """Return what the administrators are told of a held room that nobody is in any more."""
    return Notice(
        f"hold:{number}:{room_id}",
        f"Nobody is in the room {room_id} any more, which legal hold {number} is about: perhaps somebody deleted it on "
        "the homeserver. What was said in it is kept: `muster archive search` finds it.",
    )
