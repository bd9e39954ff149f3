"""`muster archive`: what was said and how complete that is; `archive_search` finds it, `archive_proof` proves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.cli import archive_export, archive_proof, archive_search
from bridge.cli.archive_case import add_case
from bridge.cli.archive_dispose import add_dispose
from bridge.cli.archive_encrypted import add_encrypted
from bridge.cli.archive_hold import add_hold
from bridge.cli.archive_key import add_rotate_key
from bridge.cli.archive_log import add_log
from bridge.cli.archive_person import add_person
from bridge.cli.archive_restore import add_restore
from bridge.cli.archive_show import add_show
from bridge.cli.archive_status import add_status
from bridge.cli.archive_trace import add_trace

if TYPE_CHECKING:
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb and what is below it."""
    verb = subparsers.add_parser(
        "archive",
        help="search, show, verify and prove what was said",
        description="The record of everything said in every room, edited and deleted messages too.",
    )
    below = verb.add_subparsers(title="verbs", metavar="VERB", required=True)
    archive_search.add_parser(below)
    add_show(below)
    add_trace(below)
    archive_proof.add_parsers(below)
    archive_export.add_parsers(below)
    add_rotate_key(below)
    add_log(below)
    add_case(below)
    add_hold(below)
    add_dispose(below)
    add_person(below)
    add_restore(below)
    add_status(below)
    add_encrypted(below)
