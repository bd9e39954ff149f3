"""Identifiers: which string is which.

Matrix identifiers are opaque: a room ID is never split (version 12 has no domain), and a user ID is taken apart only
by `localpart_of` and `server_of`.
"""

from __future__ import annotations

from typing import NewType

UserId = NewType("UserId", str)
"""A Matrix user ID, `@m.tamm:example.org`."""
RoomId = NewType("RoomId", str)
"""A Matrix room ID, opaque."""
EventId = NewType("EventId", str)
"""A Matrix event ID, `$…`."""
PersonId = NewType("PersonId", str)
"""Ours for a person of the directory (a UUID); the `id` of the SCIM User. Never reused."""
RoomKey = NewType("RoomKey", str)
"""A managed room's stable name: the policy's room or space id, with `/value` behind it for `for_each`."""


def archivist_of(bot: UserId) -> UserId:
    """Return the account of the archive's own device beside a bot: `@muster_archive:example.org`."""
    localpart, _, server_name = bot.partition(":")
    return UserId(f"{localpart}_archive:{server_name}")


def localpart_of(user_id: UserId) -> str:
    """Return what stands between `@` and the first `:`."""
    return user_id[1:].split(":", 1)[0]


def server_of(user_id: UserId) -> str:
    """Return the name of the server: what stands behind the first `:`, its port included."""
    return user_id.partition(":")[2]
