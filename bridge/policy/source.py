"""The policy in force: read from its file whenever that changes, the last good one when the file is bad.

`read_policy` reads once, for a command. `PolicySource` serves the service: its `policy` is always a good one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.clock import Clock
from bridge.database import AWAY
from bridge.errors import DocumentError
from bridge.policy.loader import load
from bridge.policy.schema import Policy
from bridge.policy.store import keep_policy, last_policy
from bridge.policy.trial import run_tests
from bridge.yaml_text import read_text

if TYPE_CHECKING:
    from bridge.database import Pool

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks at the file's size and time."""


def read_policy(path: Path, attributes: Collection[str]) -> Policy:
    """Read the file; raise `DocumentError` with every problem. `attributes` are the directory's custom ones."""
    return good_policy(read_text(path), str(path), attributes)


def good_policy(text: str, file: str, attributes: Collection[str]) -> Policy:
    """Return the policy of a text that has no problems and passes its own tests; else raise `DocumentError`."""
    policy = load(text, file, attributes)
    if failures := run_tests(policy, file):
        raise DocumentError(failures)
    return policy


class PolicySource:
    """Holds the policy in force."""

    def __init__(self, pool: Pool, path: Path, attributes: Collection[str], *, clock: Clock) -> None:
        self._pool = pool
        self._path = path
        self._attributes = attributes
        self._clock = clock
        self._seen: object = None
        self._policy: Policy | None = None
        self._is_bad = False
        self.changed = asyncio.Event()
        """Set whenever another policy comes into force."""

    @property
    def policy(self) -> Policy:
        """The policy in force; `open` has seen to it that there is one."""
        assert self._policy is not None
        return self._policy

    def now(self) -> Policy:
        """Return the same, for whom a function is wanted because another may come into force at any time."""
        return self.policy

    async def open(self) -> None:
        """Take the file, or if it is bad the policy that was in force last; raise `DocumentError` without either."""
        self._seen = self._signature()
        try:
            await self._take(read_text(self._path))
        except DocumentError as error:
            self._policy = await self._last_good()
            if self._policy is None:
                raise
            self._refuse(error)

    async def watch(self) -> None:
        """Look at the file until cancelled; a bad one is reported once and changes nothing."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            signature = self._signature()
            if signature == self._seen:
                continue
            try:
                await self._take(read_text(self._path))
            except DocumentError as error:
                self._refuse(error)
            except AWAY:
                continue  # the next look finds the file changed still
            self._seen = signature

    async def _last_good(self) -> Policy | None:
        """Return the policy that was in force last, if this configuration can still read it."""
        text = await last_policy(self._pool)
        with suppress(DocumentError):
            return None if text is None else load(text, "the last good policy", self._attributes)
        return None

    async def _take(self, text: str) -> None:
        policy = good_policy(text, str(self._path), self._attributes)
        if self._is_bad:
            log.info("the policy file is good again", extra={"action": "policy.load"})
            self._is_bad = False
        if self._policy is not None and policy.digest == self._policy.digest:
            return
        await keep_policy(self._pool, policy.digest, text, self._clock())
        self._policy = policy
        self.changed.set()
        log.info("policy %s is in force", policy.digest[:12], extra={"action": "policy.load"})

    def _signature(self) -> object:
        """Return what changes when somebody writes the file; None while it is not there."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _refuse(self, error: DocumentError) -> None:
        self._is_bad = True
        log.error(
            "the policy file is bad; the last good policy stays in force:\n%s",
            error.message,
            extra={"action": "policy.refuse"},
        )
