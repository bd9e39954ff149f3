"""`muster announcements show ID`: how far an announcement has come, and the same as evidence in files."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.announcements import progress_store
from bridge.announcements.evidence import csv_of, html_of, show_as_json, show_as_text
from bridge.announcements.tracking import read_id
from bridge.cli.command import print_json, width
from bridge.errors import UnknownNameError
from bridge.files import write_new_bytes

if TYPE_CHECKING:
    from bridge.app import Services

_OWN = 0o600
"""Who has acknowledged what is for those who may know it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what only `show` takes."""
    parser.add_argument("--csv", type=Path, metavar="FILE", help="with show: write a row for each person to a new file")
    parser.add_argument("--html", type=Path, metavar="FILE", help="with show: write the report as a page to a new file")


async def show(args: argparse.Namespace, services: Services, name: str) -> int:
    """Show an announcement, and write the files that are asked for."""
    announcement = read_id(name)
    evidence = await progress_store.load_evidence(services.pool, announcement) if announcement else None
    if evidence is None:
        raise UnknownNameError(f"There is no announcement {name!r}; `muster announcements` lists them.")
    if args.csv is not None:
        await asyncio.to_thread(write_new_bytes, args.csv, csv_of(evidence), mode=_OWN)
    if args.html is not None:
        await asyncio.to_thread(write_new_bytes, args.html, html_of(evidence, services.clock()), mode=_OWN)
    if args.json:
        print_json(show_as_json(evidence))
        return 0
    print(show_as_text(evidence, most_names=args.missing, width=width()))
    for path in (args.csv, args.html):
        if path is not None:
            print(f"Written: {path}")
    return 0
