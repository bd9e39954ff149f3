"""`muster run`: the service."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from bridge.app import Services, open_services
from bridge.config import load_config
from bridge.errors import DatabaseUnavailableError, MusterError
from bridge.service import serve

if TYPE_CHECKING:
    from bridge.cli.command import Subparsers

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 30.0


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "run",
        help="run the service",
        description="Runs the service until SIGTERM or Ctrl-C. It waits, with back-off, for a database or a "
        "homeserver that is away, and goes on where it was.",
    )
    parser.set_defaults(handler=run)


async def run(args: argparse.Namespace) -> int:
    """Serve until told to end."""
    config = load_config(args.config)
    logging.basicConfig(
        level=config.log.value.upper(), format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S"
    )
    serving = asyncio.create_task(_serve_through_absences(args))
    for end in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(end, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        log.info("ended", extra={"action": "run.end"})
    return 0


async def _serve_through_absences(args: argparse.Namespace) -> None:
    """Serve; begin anew when PostgreSQL was away at the start."""
    pause = 0.5
    while True:
        try:
            async with open_services(load_config(args.config)) as services:
                pause = 0.5
                await _serve(services)
        except DatabaseUnavailableError as error:
            if pause == 0.5:
                log.warning("waiting for the database: %s", error.message, extra={"action": "run.wait"})
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


async def _serve(services: Services) -> None:
    """Serve, and let a foreseen error out of its group so that a person can read it."""
    try:
        await serve(services)
    except* MusterError as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[MusterError]) -> MusterError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
