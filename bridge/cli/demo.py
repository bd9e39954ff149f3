"""`muster demo`: a company, a real Synapse and everything that Muster does, on this machine, in two minutes."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bridge.app import open_services
from bridge.cli.command import width
from bridge.config import load_config
from bridge.demo.company import Company, company
from bridge.demo.narrator import Narrator
from bridge.demo.ready_file import insist_on_place, ready_file
from bridge.demo.story import Story
from bridge.demo.summary import Entrance, Figures, as_json, as_text
from bridge.demo.workplace import Workplace, open_workplace
from bridge.errors import MusterError

if TYPE_CHECKING:
    from bridge.cli.command import Subparsers

_PEOPLE = 80
_LOG_LINES = 20
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "demo",
        help="show all of it on a company made up for the purpose",
        description="Starts PostgreSQL and a real Synapse on free loopback ports, pushes a made-up company over SCIM, "
        "applies a policy, lets people talk, announces, moves and off-boards somebody, and verifies the archive. Then "
        "everything stays up until Ctrl-C. Nothing is left behind.",
    )
    parser.add_argument("--once", action="store_true", help="end by itself; the last line printed is one JSON object")
    parser.add_argument(
        "--people", type=_count, default=_PEOPLE, metavar="N", help=f"how many people work there (default: {_PEOPLE})"
    )
    parser.add_argument(
        "--ready-file",
        type=Path,
        metavar="FILE",
        help="write addresses, tokens and process IDs there as JSON, once the story is told and all is up",
    )
    parser.set_defaults(handler=demo)


async def demo(args: argparse.Namespace) -> int:
    """Show it; 0 when every check held, 1 when one did not, 130 when it was interrupted before the end."""
    showing = asyncio.create_task(_show(args))
    interrupted = asyncio.Event()

    def interrupt() -> None:
        if not interrupted.is_set():  # a second Ctrl-C must not stop the tidying up
            interrupted.set()
            showing.cancel()

    for end in _ENDS:
        asyncio.get_running_loop().add_signal_handler(end, interrupt)
    try:
        return await showing
    except asyncio.CancelledError:
        print("muster: the demo was interrupted; nothing is left behind", file=sys.stderr)
        return 130


async def _show(args: argparse.Namespace) -> int:
    if args.ready_file is not None:
        insist_on_place(args.ready_file)
    narrator = Narrator(Console(stderr=args.json, width=width()))
    narrator.say("Nordwind Logistics opens, on this machine alone; nothing will be left behind.\n")
    made = company(args.people)
    with _private_folder() as folder:
        async with AsyncExitStack() as stack:
            with narrator.step("PostgreSQL, Synapse and Muster start") as step:
                workplace = await stack.enter_async_context(open_workplace(folder))
                step.happened = "PostgreSQL, Synapse and Muster started"
            figures, entrance = await _tell(workplace, narrator, made)
            narrator.say(
                "\n" + as_text(narrator.steps, narrator.checks, figures, None if args.once else entrance, width())
            )
            ready = ready_file(args.ready_file, workplace.described()) if args.ready_file else nullcontext()
            with ready:
                if not args.once:
                    await _stay(workplace, narrator)
    if args.once or args.json:
        print(as_json(figures))
    return 0 if all(check.held for check in narrator.checks) else 1


async def _tell(workplace: Workplace, narrator: Narrator, made: Company) -> tuple[Figures, Entrance | None]:
    async with open_services(load_config(workplace.config)) as services:
        story = Story(workplace, services, narrator, made, width=width())
        return await story.tell(), story.entrance()


async def _stay(workplace: Workplace, narrator: Narrator) -> None:
    """Stay up until Ctrl-C; raise when Muster ends by itself."""
    narrator.say("\nEverything stays up until you press Ctrl-C.")
    try:
        raise await workplace.muster.ended()
    except asyncio.CancelledError:  # the visit is over, and that is no failure
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Yield a new folder that only we can read, and remove it with all that is in it.

    An error that names a log of the folder gets the end of that log, which nobody could read afterwards.
    """
    folder = Path(tempfile.mkdtemp(prefix="muster-demo-"))
    try:
        yield folder
    except MusterError as error:
        for log in folder.glob("**/*.log"):
            if str(log) in error.message:
                lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
                raise MusterError(
                    "\n".join([error.message, f"The end of {log.name}, which is removed now:", *lines])
                ) from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a number from 0 upwards, came {text!r}")
    return int(text)
