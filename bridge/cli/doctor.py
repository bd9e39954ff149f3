"""`muster doctor`: is everything ready, and if not, how is it mended?"""

from __future__ import annotations

import argparse
import errno
import textwrap
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web

from bridge.app import open_homeserver, open_storage
from bridge.archive.residence import can_decrypt
from bridge.cli.command import from_here, print_json, width
from bridge.config import AppserviceConfig, Config, load_config, load_registration
from bridge.database.privileges import unprotected
from bridge.directory.refusal import is_sensitive
from bridge.directory.refused_store import Refused, load_refused
from bridge.directory.store import count_people
from bridge.errors import DatabaseError, DocumentError
from bridge.homeserver.checkup import (
    Finding,
    Grade,
    clocks_agree,
    examine,
    is_not_slowed_down,
    registration_is_private,
    user_directory_is_bearable,
)
from bridge.homeserver.registration import Registration
from bridge.homeserver.transactions import routes
from bridge.policy.source import read_policy

if TYPE_CHECKING:
    from bridge.cli.command import Subparsers


_NAMED: Final = 5
"""So many attributes a hint names."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "doctor",
        help="check everything and say how to mend it",
        description="Checks configuration, policy, database and homeserver, and says how to mend what is wrong. "
        "Changes nothing on the homeserver. Works beside a running service and without one.",
    )
    parser.set_defaults(handler=doctor)


async def doctor(args: argparse.Namespace) -> int:
    """Print what each check finds; 1 when one failed."""
    findings = []
    async for finding in _findings(args.config):
        findings.append(finding)
        if not args.json:
            _print(finding)
    failed = sum(finding.grade is Grade.FAILED for finding in findings)
    if args.json:
        print_json([asdict(finding) | {"grade": finding.grade.value} for finding in findings])
    elif failed:
        print(f"\n{failed} of {len(findings)} checks failed. Mend the first, and run `muster doctor` again.")
    return 1 if failed else 0


async def _findings(path: Path) -> AsyncIterator[Finding]:
    try:
        config = load_config(path)
        registration = load_registration(from_here(config.appservice.registration))
    except DocumentError as error:
        yield Finding("configuration", Grade.FAILED, _first(error), "Mend it; nothing else can be checked before.")
        return
    yield Finding("configuration", Grade.OK, str(from_here(config.path)))
    yield registration_is_private(from_here(config.appservice.registration))
    yield is_not_slowed_down(registration)
    policy = _policy(config)
    yield policy
    if policy.grade is Grade.OK:
        yield _encryption(config)
    async for finding in _storage(config):
        yield finding
    async with (
        open_homeserver(config, registration) as (homeserver, _),
        _reachable(config.appservice, registration) as obstacle,
    ):
        if obstacle is not None:
            yield obstacle
        async for finding in examine(homeserver):
            yield finding


def _policy(config: Config) -> Finding:
    try:
        policy = read_policy(from_here(config.policy), config.attributes)
    except DocumentError as error:
        return Finding("policy", Grade.FAILED, _first(error), "Mend what `muster check` names.")
    return Finding("policy", Grade.OK, f"good: rules for {len(policy.rooms)} rooms and {len(policy.spaces)} spaces")


def _encryption(config: Config) -> Finding:
    policy = read_policy(from_here(config.policy), config.attributes)
    encrypted = [name for name, rule in policy.rooms.items() if rule.settings.encrypted]
    if not encrypted:
        return Finding("encryption", Grade.OK, "the policy encrypts no room")
    named = ", ".join(encrypted[:_NAMED])
    if can_decrypt():
        return Finding("encryption", Grade.OK, f"the archive reads what the policy encrypts: {named}")
    found = f"the policy encrypts {named}, and nothing can be archived of what is said there"
    return Finding("encryption", Grade.FAILED, found, "Install what reads it, and restart Muster:", _INSTALL)


_INSTALL = 'pip install "muster[e2ee]"'


def _privacy(refused: Sequence[Refused]) -> Finding:
    sensitive = sorted({f"{each.source} {each.name}" for each in refused if is_sensitive(each.name)})
    if not sensitive:
        return Finding("privacy", Grade.OK, "nobody sends attributes that no chat has to know")
    more = f" and {len(sensitive) - _NAMED} more" if len(sensitive) > _NAMED else ""
    found = f"dropped before they are stored: {', '.join(sensitive[:_NAMED])}{more}"
    return Finding("privacy", Grade.ADVICE, found, "Let the sender stop sending them; muster directory refused.")


def ledger_is_protected(exposed: Sequence[str], role: str) -> Finding:
    """Return whether the service's role can only add to the ledger; else how to give it a role that can."""
    if not exposed:
        return Finding("ledger", Grade.OK, f"the service, as {role}, can add to it and neither change nor remove")
    return Finding(
        "ledger",
        Grade.ADVICE,
        f"the service, as {role}, could change and remove what is archived",
        "Give it a role of its own, as the owner or an administrator of the database; then set `database_owner` to the "
        "address that is `database` now, `database` to the new role's, and start Muster.",
        "CREATE ROLE muster_service LOGIN PASSWORD '…';\nGRANT CONNECT ON DATABASE muster TO muster_service;",
    )


def _first(error: DocumentError) -> str:
    others = len(error.problems) - 1
    return f"{error.problems[0]}{f' and {others} more' if others else ''}"


async def _storage(config: Config) -> AsyncIterator[Finding]:
    try:
        async with open_storage(config) as storage:
            version = await storage.pool.fetchval("SHOW server_version")
            yield Finding("database", Grade.OK, f"PostgreSQL {version}{', embedded' if storage.embedded else ''}")
            theirs = await storage.pool.fetchval("SELECT extract(epoch FROM clock_timestamp())::float")
            yield clocks_agree(time.time(), theirs)
            yield ledger_is_protected(
                await unprotected(storage.pool), await storage.pool.fetchval("SELECT current_user")
            )
            yield user_directory_is_bearable(await count_people(storage.pool))
            yield _privacy(await load_refused(storage.pool))
    except DatabaseError as error:
        what, _, mend = error.message.partition(". ")
        yield Finding("database", Grade.FAILED, what, mend)


@asynccontextmanager
async def _reachable(address: AppserviceConfig, registration: Registration) -> AsyncIterator[Finding | None]:
    """Answer Synapse's ping on our own address for the length of the block, unless the service does so already.

    Yields what is wrong when nobody can listen there.
    """
    runner = web.AppRunner(_only_ping(registration), access_log=None)
    await runner.setup()
    obstacle = None
    try:
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:  # else the service listens there; it answers the ping itself
                found = f"nobody can listen on {address.host}:{address.port} ({error.strerror})"
                obstacle = Finding("address", Grade.FAILED, found, "Mend `appservice.listen` in the configuration.")
        yield obstacle
    finally:
        await runner.cleanup()


def _only_ping(registration: Registration) -> web.Application:
    async def refuse(_events: object) -> int:
        # An answer other than 200 makes Synapse keep its events for the service.
        raise web.HTTPServiceUnavailable

    application = web.Application()
    application.add_routes(routes(refuse, registration.hs_token))
    return application


def _print(finding: Finding) -> None:
    mark = {Grade.OK: "ok", Grade.ADVICE: "hint", Grade.FAILED: "FAIL"}[finding.grade]
    indent = " " * 22
    print(_filled(f"{mark:<5} {finding.check:<15} {finding.found}", indent))
    if finding.mend:
        print(_filled(f"{indent}→ {finding.mend}", indent + "  "))
    for line in finding.command.splitlines():
        print(f"  {line}")


def _filled(text: str, indent: str) -> str:
    return textwrap.fill(text, width(), subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
