"""One person at a Matrix client: a session of their own, made with a password, over the client-server API."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import aiohttp
from mautrix.api import Method

from bridge.errors import HomeserverError
from bridge.homeserver.transport import Transport, path
from bridge.ids import EventId, RoomId, UserId

_CLIENT = "_matrix/client/v3"


class Colleague:
    """What a person does in the demo, with one session."""

    def __init__(self, transport: Transport, user_id: UserId) -> None:
        self._request = transport.request
        self.user_id = user_id

    @classmethod
    async def sign_in(
        cls, session: aiohttp.ClientSession, url: str, user_id: UserId, password: str, *, device: str
    ) -> Colleague:
        """Log in with a password (spec, "Login"); `device` is what the session is called."""
        content = {
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": user_id},
            "password": password,
            "initial_device_display_name": device,
        }
        answer = await Transport(session, url, "").request(Method.POST, f"{_CLIENT}/login", content)
        return cls(Transport(session, url, answer["access_token"]), UserId(answer["user_id"]))

    async def say(self, room_id: RoomId, text: str) -> EventId:
        """Write a message."""
        return await self._send(room_id, "m.room.message", {"msgtype": "m.text", "body": text})

    async def react(self, room_id: RoomId, event_id: EventId, key: str) -> EventId:
        """Put an emoji under an event."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self._send(room_id, "m.reaction", {"m.relates_to": relation})

    async def redact(self, room_id: RoomId, event_id: EventId) -> EventId:
        """Take a message back."""
        address = f"{_CLIENT}/{path('rooms', room_id, 'redact', event_id, secrets.token_hex(8))}"
        return EventId((await self._request(Method.PUT, address, {"reason": "changed my mind"}))["event_id"])

    async def open_room(self, name: str, guest: UserId) -> RoomId:
        """Make a private room and invite somebody."""
        content = {"name": name, "preset": "private_chat", "invite": [guest]}
        return RoomId((await self._request(Method.POST, f"{_CLIENT}/createRoom", content))["room_id"])

    async def join(self, room_id: RoomId) -> None:
        """Accept an invitation."""
        await self._request(Method.POST, f"{_CLIENT}/{path('rooms', room_id, 'join')}")

    async def read(self, room_id: RoomId, event_id: EventId) -> Mapping[str, Any]:
        """Return the content of an event as this person sees it."""
        answer = await self._request(Method.GET, f"{_CLIENT}/{path('rooms', room_id, 'event', event_id)}")
        content: Mapping[str, Any] = answer.get("content", {})
        return content

    async def is_let_in(self) -> bool:
        """Tell whether the session still works."""
        try:
            await self._request(Method.GET, f"{_CLIENT}/account/whoami")
        except HomeserverError as error:
            if error.status != 401:
                raise
            return False
        return True

    async def _send(self, room_id: RoomId, event_type: str, content: Mapping[str, object]) -> EventId:
        address = f"{_CLIENT}/{path('rooms', room_id, 'send', event_type, secrets.token_hex(8))}"
        return EventId((await self._request(Method.PUT, address, content))["event_id"])
