"""What every verb of the command line shares: its shape, its services, its output.

A verb is a module with `add_parser(subparsers)`, which sets `handler`, a coroutine function from the parsed
arguments to the exit code: 0 ok, 1 refused or failed. `with_services` opens what a handler needs and closes it.
"""

from __future__ import annotations

import argparse
import functools
import getpass
import json
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge.config import load_config

if TYPE_CHECKING:
    from bridge.app import Services

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

Handler = Callable[[argparse.Namespace], Awaitable[int]]


def with_services(handler: Callable[[argparse.Namespace, Services], Awaitable[int]]) -> Handler:
    """Open the database and the homeserver named in `-c FILE` around the handler."""

    @functools.wraps(handler)
    async def opened(args: argparse.Namespace) -> int:
        from bridge.app import open_services  # half a second, which `--help` and usage errors need not wait for

        async with open_services(load_config(args.config)) as services:
            return await handler(args, services)

    return opened


def from_here(path: Path) -> Path:
    """Return the path as it is from the working folder, when it is below that."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def print_json(value: Any) -> None:
    """Print one JSON document, for scripts."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def width() -> int:
    """Return the columns to write in: the terminal's, at most 100; 80 elsewhere."""
    return min(shutil.get_terminal_size((80, 24)).columns, 100) if sys.stdout.isatty() else 80


def counted(least: int, most: int) -> Callable[[str], int]:
    """Return what reads an option's whole number between these."""

    def count(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from {least} to {most}, got {text!r}")
        return int(text)

    return count


def system_user() -> str | None:
    """Return the name of the system's user who runs this; None where the system has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None
