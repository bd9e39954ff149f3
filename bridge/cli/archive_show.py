"""`muster archive show`: an event, its versions, who reacted and acknowledged, and who could see it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bridge.announcements.store import read_heard
from bridge.archive import disposal_store
from bridge.archive.entry import Entry, entry_of
from bridge.archive.log import record
from bridge.archive.log_text import entries_as_json, entries_as_text
from bridge.archive.remains import Remains, remains_as_json, remains_as_text
from bridge.archive.show import show
from bridge.archive.story_text import Acknowledgements, Around, people_of, story_as_json, story_as_text
from bridge.archive.values import Story
from bridge.cli.actor import actor_of, add_actor
from bridge.cli.command import print_json, width, with_services
from bridge.membership.called import called

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.cli.command import Subparsers


def add_show(below: Subparsers) -> None:
    """Add the verb."""
    parser = below.add_parser(
        "show",
        help="show an event, its edits, and who could see it",
        description="Shows an event as it was sent, each edit of it, who deleted what and when, who reacted, who "
        "acknowledged it when it is an announcement, and who could see it, then and since.",
    )
    parser.add_argument(
        "event", metavar="EVENT", help="an event ID, quoted for the shell: '$…'; or an entry's of the log"
    )
    parser.add_argument("--all", action="store_true", dest="everybody", help="name everybody who could see it")
    add_actor(parser)
    parser.set_defaults(handler=with_services(show_event))


async def show_event(args: argparse.Namespace, services: Services) -> int:
    """Print an event and what became of it."""
    actor = await actor_of(args, services)
    gone = await disposal_store.read_disposed(services.pool, args.event)
    if gone is not None:
        await record(services.pool, Entry("view", actor, {"event": args.event}), services.clock())
        remains = Remains(args.event, *gone)
        if args.json:
            print_json(remains_as_json(remains))
        else:
            print(remains_as_text(remains, width()))
        return 0
    story = await show(services.pool, args.event)
    around = await _around(story, services)
    await record(services.pool, Entry("view", actor, {"event": args.event}), services.clock())
    entry = entry_of(story.original.event)
    if args.json:
        print_json(entries_as_json([entry])[0] if entry else story_as_json(story, around))
    elif entry:
        print(entries_as_text([entry], width()))
    else:
        print(story_as_text(story, around, width(), everybody=args.everybody))
    return 0


async def _around(story: Story, services: Services) -> Around:
    """Read what the directory and the announcements know about the people of a story."""
    heard = await read_heard(services.pool, story.original.event.event_id)
    people = people_of(story).union(heard[1] if heard else ())
    names = await called(services.pool, people, story.sent_at, services.config.directory.timezone)
    return Around(names, Acknowledgements(*heard) if heard else None)
