"""What the administrators are told in their room, beside what waits for their approval. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the administrators are told once for as long as it goes on."""

    topic: str
    """What it is about; the same topic is the same notice."""
    body: str


def abandoned_room(room_id: str, name: str, leaver: str) -> Notice:
    """Return what to say of a room that its last member has left."""
    called = f"{name!r} ({room_id})" if name else room_id
    return Notice(
        f"abandoned:{room_id}",
        f"{leaver} has left and was the last one in the room {called}, so nobody has it now. What was said there is in "
        f"the archive: `muster archive search WORD --room '{room_id}'`.",
    )


def return_refused(room_id: str, user_id: str, reason: str) -> Notice:
    """Return what to say of a room that somebody who came back does not get back."""
    return Notice(
        f"return refused:{room_id}:{user_id}",
        f"{user_id} works here again and was in the room {room_id}. There is somebody on the other side of the barrier "
        f"{reason!r} there now, so Muster does not bring {user_id} back into it.",
    )


def unknown_status(word: str) -> Notice:
    """Return what to say of a word for being employed that the configuration's table lacks."""
    return Notice(
        f"status:{word}",
        f"HR says {word!r} as employmentStatus, and the configuration does not explain it. Who is known stays as "
        "before, who is new is not hired yet.\nTo settle it: add the word to `directory.statuses` and restart Muster. "
        "`muster directory review` names whom it concerns.",
    )


def encrypted_room(room_id: str, sender: str) -> Notice:
    """Return what to say of a room that was encrypted although the policy does not say so; one notice for all."""
    return Notice(
        "encrypted rooms",
        f"{sender} encrypted the room {room_id}, which is none of the policy's, so that what is said there cannot be "
        "archived; nothing undoes it. `muster rooms` names every such room. To keep clients from doing so, see "
        '"Encryption" in docs/operating.md; `muster doctor` checks it.',
    )
