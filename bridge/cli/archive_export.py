"""`muster archive export` and `verify-export`: handing out a part of the archive, and checking what was handed out."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bridge.archive import signing
from bridge.archive.blob import open_blobs
from bridge.archive.export import ordering
from bridge.archive.export.archived_media import ArchivedMedia
from bridge.archive.export.order import Format
from bridge.archive.export.run import Report, carry_out
from bridge.archive.export.verification import Verdict, read_identity, verify_export
from bridge.archive.rendering import printable
from bridge.cli.actor import actor_of, add_actor
from bridge.cli.archive_case import access_of, add_case_option
from bridge.cli.archive_proof import notary_of
from bridge.cli.command import print_json, with_services
from bridge.cli.progress import progress_bar
from bridge.cli.scope import add_scope, scope_of
from bridge.errors import InputError
from bridge.membership.acquaintance import Acquaintance

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers

_NAMED = 20
"""Missing files and problems that are named on a terminal before the rest is counted."""


def add_parsers(below: Subparsers) -> None:
    """Add the verbs below `archive`."""
    verb = below.add_parser(
        "export",
        help="hand out a part of the archive",
        description="Writes what was said into a new folder, in the form that is asked for, beside the records as JSON "
        "Lines, a signed manifest of hashes, and the proof that all of it stands in the archive.",
    )
    verb.add_argument("folder", type=Path, metavar="DIR", help="a folder that is empty, or not there yet")
    verb.add_argument("--format", type=Format, choices=list(Format), help="the form (default: jsonl)")
    add_scope(verb)
    add_case_option(verb)
    verb.add_argument("--encrypt-to", metavar="KEY", help="encrypt every file to age's public key, age1…")
    verb.add_argument("--resume", action="store_true", help="go on with an export that was cut off, as it was ordered")
    add_actor(verb)
    verb.set_defaults(handler=with_services(export_archive))
    check = below.add_parser(
        "verify-export",
        help="check an export, without the archive",
        description="Checks an export's signature, every file, every record, and that they stand in the archive. "
        "Exit code 1 when anything was altered, added or taken away.",
    )
    check.add_argument("folder", type=Path, metavar="DIR", help="the export")
    check.add_argument("--key", type=Path, metavar="PUBKEY", help="believe only this key: archive-key.pub.pem")
    check.add_argument("--identity", type=Path, metavar="FILE", help="age's private key, when it is encrypted")
    check.set_defaults(handler=check_export)


async def export_archive(args: argparse.Namespace, services: Services) -> int:
    """Write the export, and print what it came to."""
    actor = await actor_of(args, services)
    config, pool, folder = services.config, services.pool, args.folder
    key = signing.open_key(config.data)
    notary = notary_of(services)
    if args.resume:
        _refuse_wishes(args)
        journal = await ordering.resume(pool, notary, folder, actor, services.clock())
        args.case = journal.order.case
        access = await access_of(args, services)
    else:
        access = await access_of(args, services)
        wish = ordering.Wish(args.format or Format.JSONL, await scope_of(args, services), args.case, args.encrypt_to)
        journal = await ordering.order(pool, notary, folder, wish, actor, services.clock())
    people = Acquaintance(pool, config.directory.timezone)
    media = ArchivedMedia(pool, open_blobs(config.archive.media, config.data))
    with progress_bar("exporting") as progress:
        report = await carry_out(pool, journal, folder, key, people, access.passing, media, progress)
    await ordering.conclude(pool, folder, actor, report, services.clock())
    if args.json:
        print_json(_report_as_json(report, folder))
    else:
        print(_report_as_text(report, folder))
    return 0


async def check_export(args: argparse.Namespace) -> int:
    """Print whether an export is what was handed out."""
    key = _read_key(args.key) if args.key else None
    identity = read_identity(args.identity) if args.identity else None
    verdict = await asyncio.to_thread(verify_export, args.folder, key, identity)
    if args.json:
        print_json(_verdict_as_json(verdict))
    else:
        print(_verdict_as_text(verdict, is_key_given=key is not None))
    return 0 if verdict.ok else 1


def _refuse_wishes(args: argparse.Namespace) -> None:
    """Refuse what `--resume` could only ignore."""
    names = ("format", "room", "person", "since", "until", "case", "encrypt_to")
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(args, name)]
    if given:
        raise InputError(f"--resume goes on as it was ordered, so {', '.join(given)} cannot be given with it.")


def _report_as_json(report: Report, folder: Path) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "events": report.events,
        "closed_events": report.closed,
        "rooms": report.rooms,
        "files": report.files,
        "missing_files": [
            {"event_id": one.event_id, "name": one.name, "problem": one.problem} for one in report.missing
        ],
        "manifest_sha256": report.manifest_sha256,
    }


def _report_as_text(report: Report, folder: Path) -> str:
    lines = [f"Exported {report.events:,} events of {report.rooms:,} rooms in {report.files:,} files to", f"  {folder}"]
    if report.closed:
        lines.append(f"Left out: {report.closed:,} events in direct rooms, which only a case opens.")
    if report.missing:
        lines.append(f"Files of messages that are missing, as the manifest says: {len(report.missing):,}")
        lines += _first(f"{one.name} ({one.problem}) of {one.event_id}" for one in report.missing)
    lines += ["SHA-256 of its manifest.json:", f"  {report.manifest_sha256}"]
    lines += ["Whoever gets it checks it, without the archive:", f"  muster archive verify-export {folder}"]
    return "\n".join(lines)


def _verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "ok": verdict.ok,
        "archive": verdict.archive,
        "size": verdict.size,
        "key_id": verdict.key_id,
        "files": verdict.files,
        "events": verdict.events,
        "disposed": verdict.disposed,
        "missing_files": verdict.missing,
        "problems": list(verdict.problems),
    }


def _verdict_as_text(verdict: Verdict, *, is_key_given: bool) -> str:
    if not verdict.ok:
        return "\n".join([f"NOT what was exported: {len(verdict.problems)} problems", *_first(verdict.problems)])
    lines = [
        f"{verdict.files:,} files are as they were exported,",
        f"  signed with the key {verdict.key_id}.",
        f"{verdict.events:,} records stand, as they are, among the {verdict.size:,} of",
        f"  the archive {verdict.archive}.",
    ]
    if verdict.disposed:
        lines.append(f"Of {verdict.disposed:,} of them only the hash is left: they were disposed of.")
    if verdict.missing:
        lines.append(f"{verdict.missing:,} files of messages are missing; the manifest names them.")
    if not is_key_given:
        lines += ["The key came with the export. Compare it with the company's, or give --key."]
    return "\n".join(lines)


def _first(lines: Sequence[str] | Iterator[str]) -> list[str]:
    found = [f"  {printable(line)}" for line in lines]
    rest = [f"  and {len(found) - _NAMED:,} more"] if len(found) > _NAMED else []
    return [*found[:_NAMED], *rest]


def _read_key(path: Path) -> Ed25519PublicKey:
    try:
        return signing.read_public_key(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
