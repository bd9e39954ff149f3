"""Letters in a maildir (cr.yp.to/proto/maildir.html) become announcements, each once.

A letter stays in `new/` until it is announced or refused for good; then it goes to `cur/`, where nobody looks again.
The announcement and the note of the letter's Message-ID are one database transaction: killed in between, the letter is
found in `new/` and known. Letters of others than the named senders are passed over. The administrators hear of what is
refused; the sender does not, who may well not have written it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from bridge.announcements.sources.intake import Intake
from bridge.announcements.sources.letter import Letter, may_announce, read_letter, sender_of
from bridge.announcements.sources.passage import Incoming, Placed, with_files
from bridge.clock import Clock
from bridge.config_announcements import MailConfig
from bridge.database import AWAY
from bridge.directory.notice import Notice
from bridge.directory.notice_store import put_notice
from bridge.errors import HomeserverError, HomeserverUnavailableError, InputError, MusterError, RefusedError

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

_NEW, _CUR = "new", "cur"
_SEEN: Final = ":2,S"


class Uploader(Protocol):
    """Where files are kept."""

    async def upload(self, content: bytes, kind: str) -> str:
        """Keep a file and return its address."""
        ...


class Mailbox:
    """Who reads one maildir."""

    def __init__(
        self, pool: Pool, homeserver: Uploader, name: str, mail: MailConfig, intake: Intake, *, clock: Clock
    ) -> None:
        """Take the name from the configuration."""
        self._pool = pool
        self._homeserver = homeserver
        self._name = name
        self._mail = mail
        self._intake = intake
        self._clock = clock

    async def run(self) -> None:
        """Look again and again until cancelled; what is in the way is told once, and waited for."""
        said = ""
        while True:
            problem = ""
            try:
                await self.look()
            except HomeserverUnavailableError as error:
                problem = error.message
            except AWAY as error:  # also what the file system refuses
                problem = type(error).__name__
            if problem and problem != said:
                log.warning("the maildir %s waits: %s", self._name, problem, extra={"action": "mail.wait"})
            said = problem
            await asyncio.sleep(self._mail.every.total_seconds())

    async def look(self) -> None:
        """Take every letter that is there. Raises one of `AWAY` or `HomeserverUnavailableError`; try again later."""
        for path in await asyncio.to_thread(_letters, self._mail.maildir):
            outcome = await self._handle(path)
            await asyncio.to_thread(_put_away, path)
            log.info("a letter of %s is %s", self._name, outcome, extra={"action": "mail.receive"})

    async def _handle(self, path: Path) -> str:
        """Take one letter and return what became of it."""
        content = await asyncio.to_thread(_content, path, self._mail.largest)
        try:
            if len(content) > self._mail.largest:
                return await self._too_large(content)
            letter = await asyncio.to_thread(read_letter, content, trust=self._mail.trust)
            if not may_announce(letter.sender, self._mail.senders):
                return await self._pass_over(letter.sender)
            return await self._announce(letter)
        except (RefusedError, InputError) as error:
            return await self._refuse(path, error)
        except HomeserverUnavailableError:
            raise
        except HomeserverError as error:
            return await self._refuse(path, error)
        except AWAY:
            raise
        except Exception as error:  # one letter nobody foresaw must not stop all others
            return await self._refuse(path, InputError(f"Muster cannot read it ({type(error).__name__})."))

    async def _announce(self, letter: Letter) -> str:
        files = [
            Placed(file.name, file.kind, len(file.content), await self._homeserver.upload(file.content, file.kind))
            for file in letter.attachments
        ]
        source = replace(self._mail.source, confirmed=self._mail.source.confirmed and letter.vouched)
        incoming = Incoming({"": with_files(letter.body, files)})
        async with self._pool.acquire() as db, db.transaction():
            announced = await self._intake.announce(db, source, self._origin, letter.id, incoming, self._clock())
        return announced.state.value if announced is not None else "known"

    async def _pass_over(self, sender: str) -> str:
        await self._tell(
            "others",
            f"Letters in the mailbox {self._name!r} of others than its `senders` are passed over; the first was of "
            f"{sender}. More are not told.",
        )
        return "not of a sender"

    async def _too_large(self, content: bytes) -> str:
        sender = sender_of(content)
        if not may_announce(sender, self._mail.senders):
            return await self._pass_over(sender)
        raise InputError(f"it is larger than {self._mail.largest:,} bytes; send a link to the files instead")

    async def _refuse(self, path: Path, error: MusterError) -> str:
        await self._tell(
            path.name.partition(":")[0],
            f"A letter in the mailbox {self._name!r} was not announced: {error.message} The letter is {path.name} "
            f"in {path.parent.parent / _CUR}, and its sender was told nothing.",
        )
        return "refused"

    async def _tell(self, what: str, words: str) -> None:
        await put_notice(self._pool, Notice(f"{self._origin}:{what}", words))

    @property
    def _origin(self) -> str:
        return f"mail/{self._name}"


def _letters(maildir: Path) -> list[Path]:
    """Return the letters nobody has taken, the oldest first."""
    (maildir / _CUR).mkdir(parents=True, exist_ok=True)
    (maildir / _NEW).mkdir(exist_ok=True)
    found = (path for path in (maildir / _NEW).iterdir() if path.is_file() and not path.is_symlink())
    return sorted((path for path in found if not path.name.startswith(".")), key=_age)


def _age(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, path.name


def _content(path: Path, largest: int) -> bytes:
    """Return the letter; of one that is too large, as much as shows that."""
    with path.open("rb") as file:
        return file.read(largest + 1)


def _put_away(path: Path) -> None:
    name = path.name if ":2," in path.name else path.name + _SEEN
    path.rename(path.parent.parent / _CUR / name)
