"""Staying in touch: each absence is told once, each return is a moment at which the archive is compared."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver import attendance
from bridge.homeserver.attendance import PULSE, attend
from bridge.ids import EventId, RoomId, UserId
from tests.waiting import wait_until

AWAY = HomeserverUnavailableError("The homeserver does not answer (refused).")
BROKEN = HomeserverUnavailableError("The homeserver does not answer (disconnected).")
UNKNOWN = HomeserverError("Unrecognised access token (401 M_UNKNOWN_TOKEN)", status=401, errcode="M_UNKNOWN_TOKEN")
UNREACHED = HomeserverError("Connection refused (502 M_CONNECTION_FAILED)", status=502, errcode="M_CONNECTION_FAILED")


class Peer:
    """A homeserver with one room, which is away or unwilling when it is told to be."""

    bot = UserId("@muster:x")
    server_name = "x"

    def __init__(self) -> None:
        self.error: HomeserverError | None = None
        self.ping_error: HomeserverError | None = None
        self.room: RoomId | None = None
        self.done: list[str] = []

    async def register_bot(self) -> None:
        self._do("register")

    async def versions(self) -> tuple[str, ...]:
        self._do("versions")
        return ("v1.11",)

    async def ping(self, transaction_id: str) -> int:
        self._do("ping")
        if self.ping_error is not None:
            raise self.ping_error
        return 1

    async def resolve_alias(self, alias: str) -> RoomId | None:
        assert alias == "#muster_pulse:x"
        return self.room

    async def create_room(self, content: Mapping[str, object]) -> RoomId:
        self._do("create")
        self.room = RoomId("!pulse")
        return self.room

    async def delete_alias(self, alias: str) -> None:
        raise AssertionError

    async def state_event(self, room_id: RoomId, event_type: str, state_key: str = "") -> Mapping[str, Any] | None:
        assert room_id == self.room
        return {"membership": "join"}

    async def send_state(
        self, room_id: RoomId, event_type: str, state_key: str, content: Mapping[str, object]
    ) -> EventId:
        self._do(f"{event_type} in {room_id}")
        return EventId("$e")

    def _do(self, what: str) -> None:
        self.done.append(what)
        if self.error is not None:
            raise self.error

    def forget(self) -> None:
        self.done.clear()


@pytest.fixture(autouse=True)
def _hurries(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for pause in ("LOOK_EVERY", "FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(attendance, pause, 0.001)
    caplog.set_level("INFO", logger="bridge")


@asynccontextmanager
async def _attending(peer: Peer) -> AsyncIterator[list[datetime]]:
    """Attend in the background; yields the moments of coming."""
    moments: list[datetime] = []

    async def follow() -> None:
        async for moment in attend(peer, lambda: datetime.now(UTC)):
            moments.append(moment)

    task = asyncio.create_task(follow())
    try:
        yield moments
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_greeting_registers_pings_and_causes_an_event() -> None:
    """In this order; the room of the event is made once."""
    peer = Peer()
    async with _attending(peer) as moments:
        await wait_until(lambda: len(moments) == 1)
        assert peer.done[:4] == ["register", "ping", "create", f"{PULSE} in !pulse"]
        peer.error = AWAY
        await wait_until(lambda: "register" in peer.done[4:])
        peer.forget()
        peer.error = None
        await wait_until(lambda: len(moments) == 2)
    assert [each for each in peer.done if each != "versions"][-3:] == ["register", "ping", f"{PULSE} in !pulse"]


async def test_an_absence_is_told_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    """However long it lasts, and though a request under way breaks where those after it are refused."""
    peer = Peer()
    async with _attending(peer) as moments:
        await wait_until(lambda: len(moments) == 1)
        peer.forget()
        peer.error = BROKEN
        await wait_until(lambda: "register" in peer.done)
        peer.error = AWAY
        await wait_until(lambda: peer.done.count("register") > 5)
        peer.error = None
        await wait_until(lambda: len(moments) == 2)
    assert [record.getMessage() for record in caplog.records] == [
        "the homeserver is there",
        "The homeserver does not answer (disconnected). Muster waits",
        "the homeserver is back",
    ]


async def test_another_reason_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    """With what to do, when waiting will not help."""
    peer = Peer()
    peer.error = AWAY
    async with _attending(peer) as moments:
        await wait_until(lambda: len(peer.done) > 3)
        peer.error = UNKNOWN
        peer.forget()
        await wait_until(lambda: len(peer.done) > 3)
        assert moments == []
    away, unknown = (record.getMessage() for record in caplog.records)
    assert away == "waiting for the homeserver: The homeserver does not answer (refused)."
    assert "Name our registration.yaml in `app_service_config_files` of homeserver.yaml and restart Synapse" in unknown


async def test_a_broken_way_back_does_not_stop_the_way_there(caplog: pytest.LogCaptureFixture) -> None:
    """It is told, with the command that explains it, and what Muster does on the homeserver goes on."""
    peer = Peer()
    peer.ping_error = UNREACHED
    async with _attending(peer) as moments:
        await wait_until(lambda: len(moments) == 1)
    assert "cannot reach Muster" in caplog.text
    assert "`muster doctor`" in caplog.text


async def test_an_error_is_an_answer() -> None:
    """A homeserver in a bad mood is there: nothing is greeted or compared anew."""
    peer = Peer()
    async with _attending(peer) as moments:
        await wait_until(lambda: len(moments) == 1)
        peer.forget()
        peer.error = HomeserverError("Internal server error (500 M_UNKNOWN)", status=500)
        await wait_until(lambda: len(peer.done) > 5)
        assert set(peer.done) == {"versions"}
        assert len(moments) == 1
