"""The pictures of rooms that a policy names as files beside it. Pure; reading them is the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from bridge.policy.same import Same
from bridge.policy.schema import Policy, Room

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")
"""Of the files that can be pictures."""
UPLOADED: Final = "mxc://"


def is_picture_file(name: str) -> bool:
    """Tell whether a name can be that of a picture beside the policy, or in a folder there."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def rooms_by_picture(policy: Policy) -> dict[str, Room]:
    """Return the files that the policy names, each with the first rule that does."""
    found: dict[str, Room] = {}
    for room in policy.rooms.values():
        name = room.settings.avatar
        if name is not None and not name.startswith(UPLOADED):
            found.setdefault(name, room)
    return found


def with_addresses(policy: Policy, addresses: Mapping[str, str]) -> Policy:
    """Return the policy with the address of each picture in place of its file; without those not uploaded yet.

    The same again for the same policy and addresses, of which others keep what they worked out.
    """
    if not rooms_by_picture(policy):
        return policy
    return _with_addresses(Same(policy), tuple(sorted(addresses.items())))


@lru_cache(maxsize=4)
def _with_addresses(same: Same, known: tuple[tuple[str, str], ...]) -> Policy:
    policy, addresses = same.policy, dict(known)
    named = rooms_by_picture(policy)
    rooms = {
        rule: room
        if room.settings.avatar not in named
        else replace(room, settings=replace(room.settings, avatar=addresses.get(room.settings.avatar)))
        for rule, room in policy.rooms.items()
    }
    return replace(policy, rooms=rooms)
