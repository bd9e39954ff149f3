"""Pictures of rooms that the policy names as files: read whenever they change, and uploaded once each.

Giving them to the rooms is left to whoever reconciles, whom each new picture wakes. A file that is missing or bad
changes nothing: the rooms keep the picture they have, and the administrators are told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.clock import Clock
from bridge.database.turns import take_turns
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.errors import PictureError, Problem
from bridge.membership import face_store, picture
from bridge.membership.photos import read_file
from bridge.membership.uploads import Homeserver, uploaded
from bridge.policy.pictures import rooms_by_picture
from bridge.policy.schema import Policy

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 2.0
"""Seconds between two looks at the policy's files."""


class RoomPictures:
    """Who uploads them; `policy` returns the last good policy, `folder` is that of its file."""

    def __init__(
        self, pool: Pool, homeserver: Homeserver, policy: Callable[[], Policy], folder: Path, *, clock: Clock
    ) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._policy = policy
        self._folder = folder
        self._clock = clock
        self._seen: Mapping[str, object] = {}
        """What was looked at already; a start looks at everything, and finds what is uploaded."""

    async def run(self) -> None:
        """Look again and again until cancelled; wait with back-off while somebody is away."""

        async def turn() -> float:
            await self.look()
            return LOOK_EVERY

        await take_turns(turn, None, what="uploading pictures of rooms", action="room pictures")

    async def look(self) -> None:
        """Upload what is new or has changed."""
        named = rooms_by_picture(self._policy())
        seen = {name: _mark(self._folder / name) for name in named}
        if seen == self._seen:
            return
        for name in seen:
            if name not in self._seen or self._seen[name] != seen[name]:
                await self._take(name)
        await face_store.forget_room_pictures(self._pool, seen.keys())
        self._seen = seen

    async def _take(self, name: str) -> None:
        try:
            content = await asyncio.to_thread(read_file, self._folder / name)
            address = await uploaded(
                self._pool,
                self._homeserver,
                self._clock,
                picture.digest_of("logo", content),
                "image/png",
                partial(picture.logo, content),
            )
        except PictureError as error:
            log.warning("the picture %s of the policy is not used: %s", name, error.message, extra=_ACTION)
            body = f"The policy names {name} as the picture of a room, and it cannot be used: {error.message}."
            await put_notice(self._pool, Notice(f"room picture:{name}", body))
            return
        await face_store.put_room_picture(self._pool, name, address)


def picture_problems(policy: Policy, file: Path) -> list[Problem]:
    """Return what is wrong with the pictures that a policy names; `file` is the policy's own."""
    found = []
    for name, room in rooms_by_picture(policy).items():
        try:
            picture.logo(read_file(file.parent / name))
        except PictureError as error:
            message = f"the picture `{name}` of `{room.id}` cannot be used: {error.message}"
            found.append(Problem(str(file), *room.place, message))
    return found


def _mark(path: Path) -> object:
    """Return what changes when somebody writes the file; None while it is not there."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


_ACTION = {"action": "room pictures"}
