"""Reading a feed in a process of its own, which is ended when the feed asks for too much time or memory.

`parse` starts it and hands over the bytes; `python -m bridge.announcements.sources.feed_process` reads them from
standard input, behind one line of JSON with the content type and the address, and writes the entries as JSON.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from contextlib import suppress
from dataclasses import astuple
from typing import Final

from bridge.announcements.sources.feed import Entry, read_feed
from bridge.errors import InputError

SECONDS: Final = 10
"""Of computing; feeds of an ordinary kind take a tenth of one."""
_PATIENCE: Final = 60.0
"""Of waiting, on a machine that has other things to do."""
_MEMORY: Final = 1 << 30
_NOT_READ: Final = 3
"""The exit code that says that the input is wrong, with the reason as the output."""


async def parse(document: bytes, content_type: str, address: str, *, seconds: int = SECONDS) -> tuple[Entry, ...]:
    """Return the entries of a feed as `read_feed` does; raise `InputError` when it is none, or takes too long."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", __spec__.name, str(seconds)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    head = json.dumps([content_type, address]).encode() + b"\n"
    try:
        async with asyncio.timeout(_PATIENCE):
            out, _ = await process.communicate(head + document)
    except TimeoutError:
        out = b""
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode == _NOT_READ:
        raise InputError(out.decode())
    if process.returncode != 0:
        raise InputError(f"the feed takes more than {seconds} s or 1 GiB to read; it was not read")
    return tuple(Entry(*each) for each in json.loads(out))


def main(seconds: int) -> int:
    """Read standard input, write standard output; the kernel ends what goes beyond the limits."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    content_type, address = json.loads(sys.stdin.buffer.readline())
    try:
        entries = read_feed(sys.stdin.buffer.read(), content_type, address)
    except InputError as error:
        sys.stdout.write(error.message)
        return _NOT_READ
    sys.stdout.write(json.dumps([astuple(entry) for entry in entries]))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
