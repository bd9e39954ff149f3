"""Entries of the archive's log that name nobody: keyed, so that only the key's holder can find out who is meant. Pure.

The same name, in capitals or not, has the same pseudonym everywhere. What is known to name nobody
(numbers, positions, digests, rules, IDs of events) stays; every other text becomes a pseudonym too.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from hashlib import sha256
from typing import Any

from bridge.archive.entry import Actor, Recorded

_HARMLESS = frozenset({"event", "rule", "leaves", "deed", "checkpoint", "format", "digest", "since", "until"})
"""Details whose texts name nobody."""
_DIGITS = 10


def pseudonym(key: bytes, name: str) -> str:
    """Return the pseudonym of a name or any other text."""
    return f"p-{hmac.new(key, name.casefold().encode('utf-8', 'replace'), sha256).hexdigest()[:_DIGITS]}"


def without_names(recorded: Recorded, key: bytes) -> Recorded:
    """Return the entry with pseudonyms for everybody and for every text that might name somebody."""
    entry = recorded.entry
    actor = Actor(pseudonym(key, entry.actor.name), pseudonym(key, entry.actor.os_user))
    return replace(recorded, entry=replace(entry, actor=actor, details=_without_names(dict(entry.details), key)))


def _without_names(value: Any, key: bytes) -> Any:
    if isinstance(value, str):
        return pseudonym(key, value)
    if isinstance(value, list):
        return [_without_names(one, key) for one in value]
    if isinstance(value, dict):
        return {name: one if name in _HARMLESS else _without_names(one, key) for name, one in value.items()}
    return value
