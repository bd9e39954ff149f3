"""What a person is told whose change in a managed room was put right. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.membership.face import FIELD
from bridge.membership.fighting import MEMBER, POWER, Intervention, called
from bridge.membership.profile import NAME

_DID = {
    "invite": "invited {whom} into",
    "join": "let {whom} into",
    "knock": "let {whom} knock at",
    "leave": "took {whom} out of",
    "ban": "banned {whom} from",
}
_SETTINGS = {
    "name": "name",
    "topic": "topic",
    "open_to": "join rule",
    "kind": "rights",
    "history": "readability of what was said before",
    "avatar": "picture",
    "parents": "place in its spaces",
    "guest_access": "access without an account",
    "children": "list of rooms",
    "order": "place among the rooms of its spaces",
}


@dataclass(frozen=True, slots=True)
class Correction:
    """What was put right, and in whose name."""

    done: Intervention
    rule: str
    """`rooms.department`"""
    reason: str
    """Of the change that put it right: `exclusive room`."""
    value: str
    """Of the same: the new power level."""


def remark(correction: Correction, *, room: str, whom: str, purpose: str) -> str:
    """Return the message; `room` and `whom` are names, `purpose` says in the policy's words whom the room is for."""
    did, undone = _told(correction, room, whom)
    meant = f"The room is for: {purpose}" if purpose else f"The reason: {correction.reason}"
    return (
        f"You {did}. {meant} (rule {correction.rule}). {undone}\n"
        "If it ought to be otherwise, ask the administrators to change the rule; by hand it does not last."
    )


def profile_remark(field: str) -> str:
    """Return the message to somebody whose profile was changed by hand; somebody else may have done it."""
    rule = {NAME: "accounts.display_name", FIELD: "accounts.avatar"}.get(field, "accounts.profile")
    return (
        f"In your profile {called(field)} was changed. The company decides it for everybody (rule {rule}). Muster has "
        "put it back.\n"
        "If it ought to be otherwise, ask HR or the administrators; by hand it does not last."
    )


def _told(correction: Correction, room: str, whom: str) -> tuple[str, str]:
    one = correction.done
    own = one.sender == one.subject
    if one.field == MEMBER:
        gone = one.value in ("leave", "ban")
        if own:
            return (
                (f"left {room}", "Muster has put you back.")
                if gone
                else (f"entered {room}", "Muster has taken you out again.")
            )
        did = f"{_DID[one.value].format(whom=whom)} {room}"
        return did, f"Muster has put {whom} back." if gone else f"Muster has taken {whom} out again."
    if one.field == POWER:
        person = "yourself" if own else whom
        again = f"Muster has set it to {correction.value} again."
        return f"gave {person} the power level {one.value} in {room}", again
    what = _SETTINGS.get(one.field, one.field)
    return f"changed the {what} of {room}", "Muster has put it back."
