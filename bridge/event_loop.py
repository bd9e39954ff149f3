"""How Muster runs an event loop: uvloop's, so that SCIM requests cost less than on asyncio's own.

Python looks seldom for objects that only refer to each other: events, which come and go by the thousand, do not.

Its subprocesses take no `user`, `group` or `extra_groups` (see `bridge.process`). The tests run on asyncio's own loop.
"""

from __future__ import annotations

import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

_ALLOCATIONS = 50_000
"""Objects that are made, and not dropped, between two such searches."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end and return what comes of it; Ctrl-C cancels, as with `asyncio.run`."""
    gc.freeze()  # what is imported stays
    gc.set_threshold(_ALLOCATIONS, 20, 50)
    return uvloop.run(main)
