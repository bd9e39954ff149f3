"""How Muster runs an event loop: uvloop's, so that SCIM requests cost less than on asyncio's own.

Its subprocesses take no `user`, `group` or `extra_groups` (see `bridge.process`). The tests run on asyncio's own loop.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end and return what comes of it; Ctrl-C cancels, as with `asyncio.run`."""
    return uvloop.run(main)
