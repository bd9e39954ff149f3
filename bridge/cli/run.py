"""`muster run`: the service."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from bridge.app import Services, open_services
from bridge.config import Config, LogLevel, load_config
from bridge.database import AWAY, silent
from bridge.errors import DatabaseUnavailableError, MusterError
from bridge.patience import Backoff, Patience
from bridge.service.composition import serve

if TYPE_CHECKING:
    from bridge.cli.command import Subparsers

log = logging.getLogger(__name__)

_LOST = (*(kind for kind in AWAY if kind is not OSError), ConnectionError)
"""What a connection to PostgreSQL ends with; of other errors of the system's it is not known whose they are."""
_BACKOFF = Backoff(0.25, 10.0)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "run",
        help="run the service",
        description="Runs the service in the foreground until SIGTERM or Ctrl-C, and says on standard error what it "
        "does. It waits, with back-off, for a database or a homeserver that is away, and goes on where it was.",
    )
    parser.set_defaults(handler=run)


async def run(args: argparse.Namespace) -> int:
    """Serve until told to end."""
    config = load_config(args.config)
    _log_at(config.log)
    serving = asyncio.create_task(_serve_through_absences(config))
    for end in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(end, serving.cancel)
    try:
        await serving
    except asyncio.CancelledError:
        log.info("ended", extra={"action": "run.end"})
    return 0


def _log_at(level: LogLevel) -> None:
    """Log to standard error: what is Muster's at this level, what the libraries say when it is a warning or worse.

    Libraries quote what they handle, so more of theirs is never logged.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%Y-%m-%d %H:%M:%S")
    logging.getLogger("bridge").setLevel(level.value.upper())


async def _serve_through_absences(config: Config) -> None:
    """Serve; begin anew when PostgreSQL is away at the start, or the embedded one has ended."""
    patience = Patience(
        _BACKOFF, lambda problem: log.warning("waiting for the database: %s", problem, extra={"action": "run.wait"})
    )
    while True:
        try:
            async with open_services(config) as services:
                patience.recover()
                await _serve(services)
        except DatabaseUnavailableError as error:
            await patience.wait_out(error)


async def _serve(services: Services) -> None:
    """Serve, and let a foreseen error out of its group so that it can be waited out, or read by a person."""
    try:
        await serve(services)
    except BaseExceptionGroup as group:
        error = foreseen(group)
        if error is None:
            raise
        raise error from group
    except AWAY as error:  # between opening the database and the first task
        raise silent(error) from error


def foreseen(group: BaseExceptionGroup[BaseException]) -> Exception | None:
    """Return what the service's tasks ended with, as one error; None when one of them is a defect.

    When the database goes, whoever is stopped in the middle of a statement says so in his own words.
    """
    away, lost = group.subgroup(DatabaseUnavailableError), group.subgroup(_LOST)
    ours, others = group.split((MusterError, *AWAY) if away or lost else MusterError)
    if ours is None or others is not None:
        return None
    return silent(_first(lost)) if lost and not away else _first(away or ours)


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
