"""The office of self-service, with everything that takes care of reports."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bridge.announcements.quiet_choices import QuietChoices
from bridge.archive import store as archive_store
from bridge.archive.search.index import SearchConsumer
from bridge.concern.hearing import Hearing
from bridge.concern.intake import Intake
from bridge.concern.reports import Reports
from bridge.directory.selector import parse
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from bridge.policy.reports import ReportKind
from bridge.selfservice.conversation import Conversation
from tests.integration.membership.conftest import user
from tests.integration.membership.homeserver import BOT
from tests.integration.selfservice.office import Office, furnish

if TYPE_CHECKING:
    from bridge.database import Pool

KINDS = {
    "accident": ReportKind(
        "accident",
        "An accident",
        parse('department eq "Fleet"'),
        next=(parse('department eq "Board"'),),
        escalate=timedelta(minutes=5),
    ),
    "harassment": ReportKind(
        "harassment",
        "Harassment",
        parse('department eq "Sales" or department eq "Board"'),
        anonymous=False,
        not_manager=True,
    ),
}


class Watch:
    """The office whose employees may report."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.pool = office.pool
        self.homeserver = office.homeserver
        office.company.policy = replace(office.company.policy, reports=KINDS)
        self.restart()

    def restart(self) -> None:
        """Begin anew, with what the database knows."""
        clock = self.office.company.clock
        self.office.restart()
        self.office.conversation = Conversation(
            self.pool,
            self.homeserver,
            self.homeserver,
            lambda: self.office.company.policy,
            QuietChoices(self.pool, "UTC"),
            clock=clock,
            confidant=Intake(bot=BOT, timezone="UTC"),
        )
        self.hearing = Hearing(self.pool, bot=BOT, clock=clock)
        self.reports = Reports(self.pool, self.homeserver, clock=clock)

    async def ask(self, name: str, words: str, room_id: RoomId | None = None) -> str:
        """Return what the bot answers to somebody in the direct room, with all that follows done."""
        room_id = room_id or await self.office.direct(name)
        before = len(self.office.said(room_id))
        said = {"msgtype": "m.text", "body": words}
        self.homeserver.say(room_id, user(name), "m.room.message", said)
        await self.go_on()
        return "\n---\n".join(self.office.said(room_id)[before:])

    async def go_on(self) -> None:
        """Let everybody do what is due, twice: what is heard may be acted on."""
        for _ in range(2):
            await self.hear()
            await self.reports.go_on()
            while (await self.office.speaker.act()).settled:
                pass
            await self._post()
        await self.hear()

    async def hear(self) -> None:
        """Hand the homeserver's new events to everybody."""
        await self.hearing.handle(await self.office.hear())

    async def pass_time(self, **time: float) -> None:
        """Let time pass and do what is due."""
        await self.office.pass_time(timedelta(**time))
        await self.go_on()

    async def react(self, name: str, target: Event, sign: str) -> None:
        """Have somebody react, and do what follows."""
        relation = {"rel_type": "m.annotation", "event_id": target.event_id, "key": sign}
        self.homeserver.say(target.room_id, user(name), "m.reaction", {"m.relates_to": relation})
        await self.go_on()

    async def reply(self, name: str, target: Event, words: str) -> None:
        """Have somebody reply to a message, and do what follows."""
        relation = {"m.in_reply_to": {"event_id": target.event_id}}
        content = {"msgtype": "m.text", "body": words, "m.relates_to": relation}
        self.homeserver.say(target.room_id, user(name), "m.room.message", content)
        await self.go_on()

    async def room(self, number: int = 1) -> RoomId:
        """Return the room of a report."""
        return RoomId(await self.pool.fetchval("SELECT room_id FROM report WHERE number = $1", number))

    async def inside(self, number: int = 1) -> set[str]:
        """Return the localparts of who is in the room of a report."""
        members = self.homeserver.rooms[await self.room(number)].members() - {BOT}
        return {UserId(name)[1:].split(":")[0] for name in members}

    async def message(self, part: str, number: int = 1) -> Event:
        """Return the newest message of the bot's of one kind in the room of a report."""
        said = self.homeserver.rooms[await self.room(number)].said
        return [event for event in said if event.content.get("io.muster.report") == part][-1]

    async def status(self, number: int = 1) -> str:
        """Return what the pinned message says now."""
        content = await self.pool.fetchval(
            "SELECT content FROM outgoing WHERE key LIKE $1 ORDER BY id DESC LIMIT 1", f"report/{number}/status/%/now"
        )
        return str(content["body"])

    async def index(self) -> None:
        """Make everything findable."""
        rows = await self.pool.fetch("SELECT seq, body FROM event ORDER BY seq")
        events = [Event.of(wire.decode(row["body"]), row["seq"]) for row in rows]
        await SearchConsumer(self.pool, BOT).handle(events)
        await archive_store.move_cursor(self.pool, "search", len(rows))

    async def traces(self, name: str) -> dict[str, int]:
        """Return in which tables, beside the archive and the directory, somebody is named, and how often."""
        tables = await self.pool.fetch(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
            " AND table_type = 'BASE TABLE'"
        )
        found: dict[str, int] = {}
        for (table,) in tables:
            count = await self.pool.fetchval(
                f'SELECT count(*) FROM "{table}" AS t WHERE t::text LIKE $1',  # noqa: S608 - a table of ours
                f"%{user(name)}%",
            )
            found |= {table: count} if count else {}
        return found

    async def _post(self) -> None:
        """Send what waits for the postman, as it does."""
        rows = await self.pool.fetch(
            "SELECT id, room_id, content FROM outgoing WHERE act = 'send' AND state = 'waiting' ORDER BY id"
        )
        for row in rows:
            event_id = await self.homeserver.send(
                row["room_id"], "m.room.message", row["content"], transaction_id=f"post-{row['id']}"
            )
            await self.pool.execute(
                "UPDATE outgoing SET state = 'done', event_id = $2 WHERE id = $1", row["id"], EventId(event_id)
            )


async def furnished(pool: Pool) -> Watch:
    """Return the office with everybody hired."""
    return Watch(await furnish(pool))


def image() -> dict[str, Any]:
    """Return a picture as clients send it."""
    return {
        "msgtype": "m.image",
        "body": "ramp.jpg",
        "url": "mxc://example.org/abc",
        "info": {"w": 1},
        "x.secret": "me",
    }
