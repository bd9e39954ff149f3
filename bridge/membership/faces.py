"""Pictures of people: made or read, uploaded once each, and remembered as what the account ought to have.

Making it so is left to whoever reconciles, whom each new picture wakes. What there is to do is found in the database:
accounts without a picture by the policy's choice, people who have changed, files that have, and photos at an address
once a day. A photo that cannot be used gives one line in the log and the person's initials.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bridge.clock import Clock
from bridge.database.turns import take_turns
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.directory.person import Person
from bridge.directory.store import load_people
from bridge.errors import HomeserverError, HomeserverUnavailableError, PictureError
from bridge.ids import PersonId, UserId
from bridge.membership import face_store, member_store, picture
from bridge.membership.face import PhotoFile, Source, colour_of, initials_of, source_of
from bridge.membership.face_store import Face, Waiting
from bridge.membership.photos import PhotoUnavailableError, files_of, insist_on_https, read_file
from bridge.membership.uploads import Homeserver, uploaded
from bridge.policy.schema import Avatars, Policy

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

AT_A_TURN: Final = 1000
"""So many people are looked for at once."""
TOGETHER: Final = 50
"""So many get their pictures before they are made so, together."""
LOOK_EVERY: Final = 30.0
"""Seconds after which people, files and the policy are looked at again without being woken by a new account."""
AGAIN: Final = timedelta(days=1)
"""After so long an address is asked again: another photo may be there."""
RETRY: Final = timedelta(hours=1)
"""The same after an address did not answer."""


Fetch = Callable[[str], Awaitable[bytes]]
"""Returns what an address answers, as `photos.fetch` does."""


class Faces:
    """Who makes the pictures; `policy` returns the last good policy, `folder` and `attribute` are where photos are."""

    def __init__(
        self,
        pool: Pool,
        homeserver: Homeserver,
        policy: Callable[[], Policy],
        fetch: Fetch,
        *,
        folder: Path | None = None,
        attribute: str | None = None,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._policy = policy
        self._fetch = fetch
        self._folder = folder
        self._attribute = attribute
        self._clock = clock
        self._compared: Mapping[str, PhotoFile] | None = None
        """The files that everybody's picture has been compared with; a start compares all."""

    async def run(self, wake: asyncio.Event) -> None:
        """Make what is missing until cancelled; wait with back-off while somebody is away."""

        async def turn() -> float:
            return 0.0 if await self.turn() else LOOK_EVERY

        await take_turns(turn, wake, what="making pictures of people", action="faces")

    async def turn(self) -> int:
        """Make the pictures of the next few people, and return how many there were."""
        choice = self._policy().accounts.avatar
        if choice is None or choice is Avatars.OFF:
            return 0
        files: dict[str, PhotoFile] = {}
        if choice is Avatars.PHOTO and self._folder is not None:
            files = await asyncio.to_thread(files_of, self._folder)
        news = files if files != self._compared else None
        waiting = await face_store.read_waiting(self._pool, choice, news, self._clock(), AT_A_TURN)
        if not waiting:
            self._compared = files
        for first in range(0, len(waiting), TOGETHER):
            await self._make(waiting[first : first + TOGETHER], choice, files)
        return len(waiting)

    async def _make(self, waiting: Sequence[Waiting], choice: Avatars, files: Mapping[str, PhotoFile]) -> None:
        """Make these pictures, and have those be put in place that are others than before."""
        people = {person.id: person for person in await load_people(self._pool, [each.person for each in waiting])}
        faces = [await self._face(each, people, choice, files) for each in waiting]
        async with self._pool.acquire() as connection, connection.transaction():
            if changed := await face_store.put_faces(connection, faces):
                await member_store.note_drift(connection, changed)

    async def _face(
        self, one: Waiting, people: Mapping[PersonId, Person], choice: Avatars, files: Mapping[str, PhotoFile]
    ) -> Face:
        person, now = people[one.person], self._clock()
        source = source_of(person, files, self._attribute) if choice is Avatars.PHOTO else Source()
        mark = source.file.mark if source.file is not None else ""
        address, problem, due_at = "", "", now + AGAIN
        try:
            address = await self._photo(source)
        except PictureError as error:
            problem = error.message
        except PhotoUnavailableError as error:
            problem, due_at = error.message, now + RETRY
            address = one.address if one.choice == choice else ""
        if problem:
            await self._report(one, problem)
        if not address:
            address = await self._initials(person, one.user_id)
        return Face(one.user_id, address, choice, one.version, mark, problem, due_at)

    async def _photo(self, source: Source) -> str:
        """Return the address of somebody's photo; empty when there is none."""
        if source.file is not None:
            content = await asyncio.to_thread(read_file, source.file.path)
        elif source.url:
            content = await self._fetch(insist_on_https(source.url))
        else:
            return ""
        digest = picture.digest_of("photo", content)
        return await self._uploaded(digest, "image/jpeg", partial(picture.photo, content))

    async def _initials(self, person: Person, user_id: UserId) -> str:
        letters, colour = initials_of(person, user_id), picture.ground(colour_of(user_id))
        digest = picture.digest_of("initials", f"{letters} {colour}".encode())
        return await self._uploaded(digest, "image/png", partial(picture.initials, letters, colour))

    async def _uploaded(self, digest: str, kind: str, make: Callable[[], bytes]) -> str:
        try:
            return await uploaded(self._pool, self._homeserver, self._clock, digest, kind, make)
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            if error.status != 413:
                raise
            raise PictureError("the homeserver takes no file so large (max_upload_size)") from error

    async def _report(self, one: Waiting, problem: str) -> None:
        """Say once what is wrong with a photo; the administrators are told once that there is such a one."""
        if problem == one.problem:
            return
        log.warning("the photo of %s is not used: %s", one.user_id, problem, extra=_ACTION)
        body = (
            f"The photo of {one.user_id} cannot be used ({problem}). There may be more: the log names each once. "
            "Whoever has no usable photo is shown by initials."
        )
        await put_notice(self._pool, Notice("photos", body))


_ACTION = {"action": "faces"}
