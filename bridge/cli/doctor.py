"""`muster doctor`: is everything ready, and if not, how is it mended?"""

from __future__ import annotations

import argparse
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from aiohttp import web

from bridge.app import open_homeserver, open_storage
from bridge.cli.command import print_json, width
from bridge.config import Config, load_config, load_registration
from bridge.directory.store import count_people
from bridge.errors import DatabaseError, DocumentError
from bridge.homeserver.checkup import (
    Finding,
    Grade,
    clocks_agree,
    examine,
    registration_is_private,
    user_directory_is_bearable,
)
from bridge.homeserver.registration import Registration
from bridge.homeserver.transactions import routes
from bridge.policy.source import read_policy

if TYPE_CHECKING:
    from bridge.cli.command import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "doctor",
        help="check everything and say how to mend it",
        description="Checks configuration, policy, database and homeserver, and says how to mend what is wrong. "
        "Changes nothing. Works beside a running service and without one.",
    )
    parser.set_defaults(handler=doctor)


async def doctor(args: argparse.Namespace) -> int:
    """Print what each check finds; 1 when one failed."""
    findings = []
    async for finding in _findings(load_config(args.config)):
        findings.append(finding)
        if not args.json:
            _print(finding)
    if args.json:
        print_json([asdict(finding) | {"grade": finding.grade.value} for finding in findings])
    return 1 if any(finding.grade is Grade.FAILED for finding in findings) else 0


async def _findings(config: Config) -> AsyncIterator[Finding]:
    registration = load_registration(config.appservice.registration)
    yield Finding("configuration", Grade.OK, str(config.path))
    yield registration_is_private(config.appservice.registration)
    yield _policy(config)
    async for finding in _storage(config):
        yield finding
    async with open_homeserver(config, registration) as (homeserver, _), _reachable(config, registration):
        async for finding in examine(homeserver):
            yield finding


async def _storage(config: Config) -> AsyncIterator[Finding]:
    try:
        async with open_storage(config) as (pool, _):
            version = await pool.fetchval("SHOW server_version")
            yield Finding("database", Grade.OK, f"PostgreSQL {version}{'' if config.database else ', embedded'}")
            yield clocks_agree(time.time(), await pool.fetchval("SELECT extract(epoch FROM clock_timestamp())::float"))
            yield user_directory_is_bearable(await count_people(pool))
    except DatabaseError as error:
        yield Finding("database", Grade.FAILED, error.message, "Start it, or mend `database` in the configuration.")


def _policy(config: Config) -> Finding:
    try:
        policy = read_policy(config.policy, config.attributes)
    except DocumentError as error:
        first, *more = error.problems
        others = f" and {len(more)} more problems" if more else ""
        return Finding("policy", Grade.FAILED, f"{first}{others}", "Run `muster check` and mend what it names.")
    return Finding("policy", Grade.OK, f"{len(policy.rooms)} rooms, {len(policy.spaces)} spaces")


@asynccontextmanager
async def _reachable(config: Config, registration: Registration) -> AsyncIterator[None]:
    """Answer Synapse's ping on our own address for the length of the block, unless the service does so already."""
    runner = web.AppRunner(_only_ping(registration), access_log=None)
    await runner.setup()
    try:
        with suppress(OSError):  # the service listens there; it answers the ping itself
            await web.TCPSite(runner, config.appservice.host, config.appservice.port).start()
        yield
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
    print(textwrap.fill(f"{mark:<5} {finding.check:<15} {finding.found}", width(), subsequent_indent=indent))
    if finding.mend:
        print(textwrap.fill(f"→ {finding.mend}", width(), initial_indent=indent, subsequent_indent=indent + "  "))
