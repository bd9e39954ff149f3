"""LDAP servers and Active Directory: read now and then, everybody or who has changed, and brought into the directory.

A reading is whole or an error: another process reads (`ldap_read`), and answers when every page has come and the server
has said success. Between two full readings only changes are asked for, where the server can tell them; who is there
no longer is told by full readings alone. How far a source has been read is in the database.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bridge.clock import Clock
from bridge.database import AWAY
from bridge.directory.feed import Feed, Proof
from bridge.directory.intake import ImportReport, bring_in
from bridge.directory.ldap_exchange import Answer, Request, decode_answer, encode_request
from bridge.directory.ldap_mapping import (
    NOTHING_SEEN,
    LdapSource,
    Picture,
    fingerprint,
    picture_of,
    request_of,
)
from bridge.directory.ldap_store import Place, load_place, put_place
from bridge.errors import LdapError, MusterError

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

_MISSING = (
    "the LDAP library is missing. Install it with `pip install 'muster[ldap]'`; it is compiled, for which Debian has "
    "what is needed: apt-get install gcc libc6-dev python3-dev libldap2-dev libsasl2-dev"
)


class LdapReader:
    """Reads one source."""

    def __init__(
        self, pool: Pool, source: LdapSource, *, timezone: str, custom: Sequence[str] = (), clock: Clock
    ) -> None:
        self._pool = pool
        self._source = source
        self._timezone = timezone
        self._custom = custom
        self._clock = clock

    async def run(self) -> None:
        """Read again and again until cancelled; what is in the way is told once, and waited for."""
        said = ""
        while True:
            problem = ""
            try:
                report = await self.read()
                log.info("%s is read: %s", self._source.origin, report.sentence(), extra={"action": "ldap.read"})
            except LdapError as error:
                problem = error.message
            except MusterError as error:  # its message may name people
                problem = f"{type(error).__name__}; `muster directory ldap {self._source.name} --dry-run` says more"
            except AWAY as error:
                problem = type(error).__name__
            if problem and problem != said:
                log.warning("%s waits: %s", self._source.origin, problem, extra={"action": "ldap.wait"})
            said = problem
            await asyncio.sleep(self._source.every.total_seconds())

    async def read(self, *, full: bool = False, dry_run: bool = False) -> ImportReport:
        """Read what has changed, or everybody when that is due or wanted, and bring it into the directory.

        Raises `LdapError` when the server cannot be read to the end, `RefusedError` when it says that nobody is there,
        and what bringing in raises. Then nothing is changed.
        """
        source, now = self._source, self._clock()
        asked = fingerprint(request_of(source, None))
        place = await load_place(self._pool, source.name)
        usable = place is not None and place.request == asked and bool(place.server and place.cursor)
        recent = place is not None and timedelta(0) <= now - place.full_at < source.full
        since = (place.server, place.cursor) if place and usable and recent and not full else None
        answer = await ask(request_of(source, since), source.timeout)
        seen = place.counts if place and usable and not answer.changes_only else NOTHING_SEEN
        picture = await asyncio.to_thread(picture_of, source, answer, self._timezone, seen)
        report = await self._bring_in(picture, whole=not answer.changes_only, dry_run=dry_run)
        if not dry_run:
            kept = place if answer.changes_only else None
            full_at, counts = (kept.full_at, kept.counts) if kept else (now, picture.counts)
            await put_place(self._pool, source.name, Place(asked, answer.server, answer.cursor, full_at, counts))
        return replace(report, warnings=(*picture.notes, *report.warnings))

    async def _bring_in(self, picture: Picture, *, whole: bool, dry_run: bool) -> ImportReport:
        if not picture.file.rows:  # nobody has changed
            return ImportReport(0, 0, 0, 0, ())
        source = self._source
        return await bring_in(
            self._pool,
            picture.file,
            Feed(source.origin, complete=whole, shrink=source.shrink, grace=source.grace),
            proof=Proof.PAGES if picture.proven else None,
            source=source.origin,
            custom=self._custom,
            dry_run=dry_run,
            clock=self._clock,
        )


async def ask(request: Request, within: timedelta) -> Answer:
    """Return what the server says. Raises `LdapError` unless that is all of it, within the time."""
    if find_spec("bonsai") is None:
        raise LdapError(_MISSING)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "bridge.directory.ldap_read"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(within.total_seconds()):
            out, err = await process.communicate(encode_request(request))
    except TimeoutError as error:
        raise LdapError(
            f"{request.url} has not said everything within {within.total_seconds():g} s. Nothing was changed. Is it "
            "there? If it is slow, raise `timeout`."
        ) from error
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode != 0:
        said = err.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"the reading process ended with {process.returncode}"
        raise LdapError(f"{reason}. Nothing was changed.")
    return await asyncio.to_thread(decode_answer, out)
