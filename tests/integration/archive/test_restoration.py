"""Giving messages back, on a real PostgreSQL and a homeserver in memory."""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.archive.blob import name_of, open_blobs
from bridge.archive.ingest import ingest
from bridge.archive.lost import MARK
from bridge.archive.media_fetch import MediaConsumer
from bridge.archive.media_store import put_file
from bridge.cli import archive
from bridge.clock import Clock, system_clock
from bridge.config import Config, read_config
from bridge.config_archive import MediaConfig
from bridge.errors import InputError, RefusedError, UnknownNameError
from bridge.homeserver import wire
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId
from tests.integration.archive.test_search import edited, redacted, said
from tests.integration.membership.homeserver import BOT, FakeHomeserver, Fault, KilledError
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.app import Services
    from bridge.database import Pool

OLD = RoomId("!old")
NOWHERE = Path("/tmp/muster-nowhere")  # noqa: S108 - nothing is written there
READING = ("state", "resolve_alias")
AT = 1_700_000_000_000
ANNA, BO, CY = (UserId(f"@{name}:example.org") for name in ("anna", "bo", "cy"))


class ForgetfulHomeserver(FakeHomeserver):
    """One that has only what the test gives it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: set[EventId] = set()

    async def fetch_event(self, event_id: EventId) -> dict[str, Any] | None:
        return {"event_id": event_id} if event_id in self.kept else None


@dataclass
class FewServices:
    """What the verb uses of the services."""

    pool: Pool
    homeserver: ForgetfulHomeserver
    config: Config
    clock: Clock = system_clock


def member(event_id: str, user: UserId, membership: str, at: int, room: RoomId = OLD) -> dict[str, Any]:
    """Return a membership event."""
    content = {"membership": membership}
    return an_event(event_id, type="m.room.member", state_key=user, content=content, origin_server_ts=at, room_id=room)


@pytest.fixture
async def _talk(pool: Pool) -> None:
    """Archive what was said in a room, until everybody was taken out of it."""
    named = an_event("$n", type="m.room.name", state_key="", content={"name": "Lift"}, room_id=OLD)
    people = [member(f"$j{user}", user, "join", AT + place) for place, user in enumerate((BOT, ANNA, BO, CY))]
    talk = [
        said("$1", "first", AT + 10, room_id=OLD, sender=ANNA),
        said("$2", "second", AT + 20, room_id=OLD, sender=BO),
        said("$3", "gone", AT + 30, room_id=OLD, sender=BO),
        redacted("$r", "$3", room_id=OLD, sender=BO, origin_server_ts=AT + 31),
        edited("$e", "$2", "second, mended", room_id=OLD, sender=BO, origin_server_ts=AT + 32),
        an_event("$x", type="m.room.encrypted", content={}, room_id=OLD, sender=BO),
        member("$left", CY, "leave", AT + 5),
    ]
    out = [member(f"$o{user}", user, "leave", AT + 99) for user in (ANNA, BO, BOT)]
    await ingest(pool, [named, *people, *talk, *out])


@pytest.fixture
def homeserver() -> ForgetfulHomeserver:
    """A homeserver without any room."""
    return ForgetfulHomeserver()


async def muster(
    pool: Pool, homeserver: ForgetfulHomeserver, *words: str, as_json: bool = True, folder: Path = NOWHERE
) -> None:
    """Run the verb as a person types it."""
    parser = argparse.ArgumentParser()
    archive.add_parser(parser.add_subparsers())
    args = parser.parse_args(["archive", "restore", *words])
    args.json = as_json
    config = read_config("homeserver: {url: 'http://localhost:8008', server_name: x}\n", folder / "config.yaml")
    assert await args.handler.__wrapped__(args, cast("Services", FewServices(pool, homeserver, config))) == 0


def kills(at: int, *, reading: bool) -> Fault:
    """Return what ends our process at one request, before it when it only reads, else when it is done."""
    return lambda number, name: KilledError() if number == at and (name in READING) == reading else None


def texts(events: list[Event]) -> list[str]:
    """Return what was given back, without who wrote it."""
    return [str(event.content["body"]).partition("\n\n")[2] for event in events]


@pytest.mark.usefixtures("_talk")
async def test_a_purged_room_comes_back_with_its_people(
    pool: Pool, homeserver: ForgetfulHomeserver, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new private room of the old name; who was there last is invited; edits are folded, deletions stay."""
    await muster(pool, homeserver, OLD)
    answer = json.loads(capsys.readouterr().out)
    room = homeserver.rooms[answer["room"]]
    assert texts(room.said) == ["first", "second, mended"]
    assert {event.sender for event in room.said} == {BOT}
    assert room.content("m.room.name")["name"] == "Lift (restored)"
    assert room.members("invite") == {ANNA, BO}
    expected = {"restored": 2, "before": 0, "there": 0, "deleted": 1, "encrypted": 1, "invited": 2}
    assert {key: answer[key] for key in expected} == expected


@pytest.mark.usefixtures("_talk")
async def test_nothing_is_given_back_twice(
    pool: Pool, homeserver: ForgetfulHomeserver, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed after any request, the same command again completes the one room."""
    for kill_at in range(1, 30):
        homeserver.requests.clear()
        homeserver.before, homeserver.after = kills(kill_at, reading=True), kills(kill_at, reading=False)
        try:
            await muster(pool, homeserver, OLD)
        except KilledError:
            continue
        break
    assert kill_at > 3
    homeserver.before = homeserver.after = lambda number, name: None
    (room,) = homeserver.rooms.values()
    assert texts(room.said) == ["first", "second, mended"]
    capsys.readouterr()
    await muster(pool, homeserver, OLD)
    assert len(room.said) == 2
    assert json.loads(capsys.readouterr().out)["before"] == 2


@pytest.mark.usefixtures("_talk")
async def test_what_was_sent_and_not_noted_is_found_in_the_archive(pool: Pool, homeserver: ForgetfulHomeserver) -> None:
    """A homeserver forgets transaction IDs, the archive forgets nothing."""
    target = homeserver.make_room(BOT)
    await muster(pool, homeserver, "$1", "--to", target)
    (event,) = homeserver.rooms[target].said
    raw = an_event(event.event_id, room_id=target, sender=BOT, content=dict(event.content))
    await ingest(pool, [raw])
    await pool.execute("DELETE FROM restoration")
    homeserver._transactions.clear()
    await muster(pool, homeserver, "$1", "--to", target)
    assert len(homeserver.rooms[target].said) == 1


@pytest.mark.usefixtures("_talk")
async def test_only_what_is_lost_comes_back_to_its_own_room(
    pool: Pool, homeserver: ForgetfulHomeserver, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the homeserver still has is not said again; into another room everything goes."""
    for _ in range(2):
        other = homeserver.make_room(BOT)
    homeserver.rooms[OLD] = homeserver.rooms.pop(RoomId("!room0"))
    homeserver.kept = {EventId("$1")}
    await muster(pool, homeserver, OLD, as_json=False)
    assert texts(homeserver.rooms[OLD].said) == ["second, mended"]
    printed = capsys.readouterr().out
    assert "1 message restored to !old.\n" in printed
    assert "1 message not lost: still on the homeserver.\n" in printed
    await muster(pool, homeserver, OLD, "--to", other)
    assert texts(homeserver.rooms[other].said) == ["first", "second, mended"]


@pytest.mark.usefixtures("_talk")
async def test_deleted_messages_need_a_reason(pool: Pool, homeserver: ForgetfulHomeserver) -> None:
    """Asked for with a reason they come back too, and the archive's log has the reason."""
    with pytest.raises(InputError, match="--reason"):
        await muster(pool, homeserver, "$3", "--deleted")
    target = homeserver.make_room(BOT)
    await muster(pool, homeserver, "$3", "--to", target, "--deleted", "--reason", "audit 7")
    (event,) = homeserver.rooms[target].said
    assert texts([event]) == ["gone"]
    assert event.content[MARK]["deleted"] == "$r"
    body = await pool.fetchval("SELECT convert_from(body, 'UTF8') FROM event WHERE type = 'muster.restore'")
    assert json.loads(body)["content"]["details"]["reason"] == "audit 7"


@pytest.mark.usefixtures("_talk")
async def test_who_has_left_the_company_is_not_invited(
    pool: Pool, homeserver: ForgetfulHomeserver, capsys: pytest.CaptureFixture[str]
) -> None:
    """A restored room is none that a leaver reads."""
    await pool.execute(
        "INSERT INTO account (person_id, user_id, display_name, enabled) VALUES ('p', $1, 'Bo', false)", BO
    )
    await muster(pool, homeserver, OLD)
    assert homeserver.rooms[json.loads(capsys.readouterr().out)["room"]].members("invite") == {ANNA}


async def test_files_come_back_with_their_messages(pool: Pool, homeserver: ForgetfulHomeserver, tmp_path: Path) -> None:
    """A file is uploaded again from the archive; one that is damaged there is named, and ends nothing."""
    blobs = open_blobs(MediaConfig(), tmp_path / "data")
    people = [member(f"$j{user}", user, "join", AT) for user in (ANNA, BO, CY)]
    files = []
    for number in range(3):
        link = f"mxc://example.org/{number}"
        said_of_it = {"msgtype": "m.file", "body": f"{number}.pdf", "url": link}
        files.append(
            an_event(f"$f{number}", content=said_of_it, room_id=OLD, sender=ANNA, origin_server_ts=AT + number)
        )
    await ingest(pool, [*people, *files])
    rows = await pool.fetch("SELECT seq, body FROM event ORDER BY seq")
    await MediaConsumer(pool, "example.org").handle([Event.of(wire.decode(row["body"]), row["seq"]) for row in rows])
    for number, content in enumerate((b"one", b"two")):
        received = await blobs.receive(pieces(content), 100)
        await put_file(
            cast("Any", pool), f"mxc://example.org/{number}", received.sha256, received.size, "application/pdf"
        )
    (tmp_path / "data/media" / name_of(received.sha256)).write_bytes(b"owt")
    target = homeserver.make_room(BOT)
    await muster(pool, homeserver, OLD, "--to", target, folder=tmp_path)
    one, two, three = homeserver.rooms[target].said
    assert homeserver.media[one.content["url"]] == b"one"
    assert (one.content["msgtype"], one.content["filename"]) == ("m.file", "0.pdf")
    for event in (two, three):
        assert "which is not restored" in event.content["body"]
        assert "url" not in event.content


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    """Yield the bytes as they would come."""
    yield content


async def test_talk_of_two_stays_closed(pool: Pool, homeserver: ForgetfulHomeserver) -> None:
    """Whoever runs the command cannot have it said elsewhere, and nothing is recorded or sent."""
    people = [member(f"$j{user}", user, "join", AT) for user in (ANNA, BO)]
    await ingest(pool, [*people, said("$secret", "hush", AT, room_id=OLD, sender=ANNA)])
    for what in ("$secret", OLD):
        with pytest.raises(RefusedError, match="direct room"):
            await muster(pool, homeserver, what, "--to", homeserver.make_room(BOT))
    assert not any(room.said for room in homeserver.rooms.values())


@pytest.mark.usefixtures("_talk")
@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("$none", UnknownNameError, "no event"),
        ("!none", UnknownNameError, "no message of a room"),
        ("$e", InputError, "edit.*\\$2"),
        ("$n", InputError, "Expected a message"),
    ],
)
async def test_what_cannot_be_restored_is_told(
    pool: Pool, homeserver: ForgetfulHomeserver, what: str, error: type[InputError], message: str
) -> None:
    """Each in one sentence."""
    with pytest.raises(error, match=message):
        await muster(pool, homeserver, what)
    assert not homeserver.rooms
