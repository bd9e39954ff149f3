"""`muster announce`: say something in the company's name, change it, take it back or let it be over."""

from __future__ import annotations

import argparse
import asyncio
import mimetypes
import re
import secrets
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bridge.announcements import announcing, announcing_store
from bridge.announcements.announcing import Announced
from bridge.announcements.draft import Wanted, wanted_of_markdown
from bridge.announcements.header import Setting
from bridge.announcements.preview import count_of, opened
from bridge.announcements.sources.passage import Placed, with_files
from bridge.announcements.tracking import read_id
from bridge.announcements.values import State
from bridge.cli.command import print_json, with_services
from bridge.directory.local_day import zone_of
from bridge.errors import RefusedError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.app import Services
    from bridge.cli.command import Subparsers
    from bridge.policy.schema import Desk, Policy

_LINES = ("to", "ack", "statement", "quiz", "survey", "at", "for")
"""Options that are lines at the head of a message in a desk, and mean the same."""
_WORDS = ("urgent", "important", "anonymous")


class _File(NamedTuple):
    name: str
    kind: str
    content: bytes


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "announce",
        help="announce a text through a desk; edit, end or take it back",
        description="Announces a text (Markdown) through a desk of the policy, in the company's name: shows whom it "
        "reaches, and asks. The running service delivers it; without one it waits until `muster run`. What reaches "
        "more people than the desk's `second_person` waits in the desk's room for somebody to confirm it.",
    )
    parser.add_argument("text", nargs="*", metavar="TEXT", help="what to announce")
    parser.add_argument("--desk", metavar="DESK", help="a desk of the policy; needed when there are several")
    parser.add_argument("--file", type=Path, metavar="FILE", help="take the text from a file; `-` is standard input")
    parser.add_argument(
        "--attach", action="append", default=[], type=Path, metavar="FILE", help="a picture or file that goes with it"
    )
    parser.add_argument(
        "--language", action="append", default=[], metavar="TAG=TEXT", help="the text in a language, such as et=…"
    )
    parser.add_argument("--to", metavar="SELECTOR", help="such as 'department eq \"Sales\"', or `room news`")
    parser.add_argument("--urgent", action="store_true", help="break quiet hours")
    parser.add_argument("--important", action="store_true", help="come at once, without ringing out of hours")
    parser.add_argument("--ack", choices=["none", "button"], help="how it is acknowledged (usual: button)")
    parser.add_argument("--statement", metavar="TEXT", help="a sentence that people confirm")
    parser.add_argument("--quiz", metavar="QUESTION|*RIGHT|WRONG", help="acknowledged by finding the right answer")
    parser.add_argument("--survey", metavar="QUESTION|A|B", help="a question to vote on")
    parser.add_argument("--anonymous", action="store_true", help="count a survey's answers without names")
    parser.add_argument("--at", metavar="MOMENT", help="when it goes, such as '2027-01-04 08:00'")
    parser.add_argument("--for", metavar="DURATION", help="how long it is current and pinned, such as 7d, or ever")
    parser.add_argument("--yes", action="store_true", help="announce without asking")
    parser.add_argument("--minor", action="store_true", help="with --edit: nobody has to acknowledge it anew")
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--edit", metavar="ID", help="let every copy of an announcement say the text from now on")
    change.add_argument("--retract", metavar="ID", help="take every copy of an announcement back")
    change.add_argument("--end", metavar="ID", help="let an announcement be over: it is unpinned")
    parser.set_defaults(handler=with_services(announce))


async def announce(args: argparse.Namespace, services: Services) -> int:
    """Announce, or change what was announced, and say what came of it."""
    if args.retract or args.end:
        return await _finish(args, services)
    if args.edit:
        if args.attach:
            raise RefusedError("An edit changes the text: --attach goes with a new announcement.")
        return await _edit(args, services)
    policy = services.policy()
    desk = _desk(policy, args.desk)
    wanted = await _wanted(args, services, desk)
    files = await asyncio.to_thread(_files, args.attach)
    seed, at, bot = secrets.token_bytes(16), services.clock(), services.homeserver.bot
    if not args.yes:
        async with services.pool.acquire() as db:
            shown = await announcing.look(db, policy, desk.id, wanted, origin="command", bot=bot, seed=seed, at=at)
        if not await _agreed(shown):
            print("Nothing was announced.")
            return 1
    wanted = await _with_files(wanted, files, services)
    async with services.pool.acquire() as db, db.transaction():
        announced = await announcing.announce(
            db,
            policy,
            desk.id,
            wanted,
            origin="command",
            author=bot,
            author_name=policy.company,
            bot=bot,
            seed=seed,
            at=services.clock(),
            confirmed=True,
        )
    print_json(asdict(announced)) if args.json else print(_told(announced, wanted, desk))
    return 0


async def _edit(args: argparse.Namespace, services: Services) -> int:
    policy, announcement = services.policy(), _id(args.edit)
    async with services.pool.acquire() as db, db.transaction():
        row = await announcing_store.lock(db, announcement)
        if row is None:
            raise UnknownNameError(f"There is no announcement {args.edit!r}; `muster announcements` lists them.")
        desk = announcing.desk_of(policy, row.desk)
        wanted = await _wanted(args, services, desk)
        if replace(wanted, texts={}) != Wanted({}):
            raise RefusedError("Only the text can be edited, not to whom it goes, when, or what it asks.")
        version = await announcing.edit(
            db, announcement, wanted.texts, minor=args.minor, at=services.clock(), limit=desk.second_person
        )
    if args.json:
        print_json({"id": announcement, "version": version})
    else:
        print(f"{announcement} is changed everywhere (version {version}).")
    return 0


async def _finish(args: argparse.Namespace, services: Services) -> int:
    announcement = _id(args.retract or args.end)
    async with services.pool.acquire() as db, db.transaction():
        if args.retract:
            await announcing.retract(db, announcement, by=services.homeserver.bot, at=services.clock())
        else:
            await announcing.end(db, announcement, at=services.clock())
        state = await announcing_store.load_state(db, announcement)
    print_json({"id": announcement, "state": state}) if args.json else print(f"{announcement} is {state}.")
    return 0


async def _wanted(args: argparse.Namespace, services: Services, desk: Desk) -> Wanted:
    """Read the options and the text as a message in a desk is read."""
    lines = [f"!{word} {said}" for word in _LINES if (said := getattr(args, word)) is not None]
    lines += [f"!{word}" for word in _WORDS if getattr(args, word)]
    text = " ".join(args.text)
    if args.file is not None:
        text = "\n\n".join(part for part in (text, await asyncio.to_thread(_read, args.file)) if part)
    for said in args.language:
        tag, equals, words = said.partition("=")
        if not equals or not words.strip():
            raise RefusedError(f"--language is followed by a language and its text, such as et=…; came {said!r}.")
        text += f"\n!{tag}\n{words}"
    zone = zone_of(None, services.config.directory.timezone)
    setting = Setting(desk, services.clock(), zone, services.config.attributes, bounded=False)
    try:
        return wanted_of_markdown("\n".join([*lines, text.strip("\n")]), setting)
    except RefusedError as error:
        options = "|".join((*_LINES, *_WORDS))
        message = re.sub(rf"`!({options})", r"`--\1", re.sub(r"^Line [0-9]+: ", "", error.message)) if lines else None
        raise RefusedError(message or error.message) from error


async def _with_files(wanted: Wanted, files: Sequence[_File], services: Services) -> Wanted:
    """Put the files where the homeserver has them, and into the text of every language."""
    placed = [
        Placed(file.name, file.kind, len(file.content), await services.homeserver.upload(file.content, file.kind))
        for file in files
    ]
    return replace(wanted, texts={language: with_files(body, placed) for language, body in wanted.texts.items()})


def _files(paths: Sequence[Path]) -> list[_File]:
    files = [_file(path) for path in paths]
    if len([file for file in files if not file.kind.startswith("image/")]) > 1:
        raise RefusedError("--attach takes any number of pictures and one other file: put several into one archive.")
    return files


def _file(path: Path) -> _File:
    kind, encoding = mimetypes.guess_type(path.name)
    try:
        return _File(path.name, kind if kind and not encoding else "application/octet-stream", path.read_bytes())
    except OSError as error:
        raise RefusedError(f"{path} cannot be read ({error.strerror}).") from error


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{file} cannot be read as text ({error}).") from error


async def _agreed(shown: str) -> bool:
    """Show what would be announced, and ask; raises `RefusedError` when there is nobody to ask."""
    if not sys.stdin.isatty():
        raise RefusedError("There is no terminal to ask on: say --yes to announce it.")
    print(shown.partition("\n\n")[0])
    return (await asyncio.to_thread(input, "Announce it? [y/N] ")).strip().lower() in ("y", "yes")


def _told(announced: Announced, wanted: Wanted, desk: Desk) -> str:
    whom = count_of(announced.people, announced.rooms)
    match announced.state:
        case State.SCHEDULED:
            return f"{announced.id} goes at {wanted.due_at:%Y-%m-%d %H:%M} UTC to {whom}."
        case State.DRAFT:
            return f"{announced.id} is for {whom}: somebody has to confirm it in the room {desk.name!r}."
        case _:
            return opened(announced.id, people=announced.people, rooms=announced.rooms)


def _desk(policy: Policy, named: str | None) -> Desk:
    if named is None and len(policy.desks) == 1:
        return next(iter(policy.desks.values()))
    if named is None:
        known = ", ".join(sorted(policy.desks)) or "none"
        raise UnknownNameError(f"Which desk? Say --desk; the policy has: {known}.")
    return announcing.desk_of(policy, named)


def _id(typed: str) -> str:
    found = read_id(typed)
    if found is None:
        raise UnknownNameError(f"There is no announcement {typed!r}; `muster announcements` lists them.")
    return found
