"""A person's Matrix client, as small as acceptance tests allow; it shares no code with Muster on purpose."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote

import aiohttp

_CLIENT = "/_matrix/client/v3"


class ClientError(Exception):
    """The homeserver refused."""

    def __init__(self, status: int, errcode: str, error: str) -> None:
        super().__init__(f"{status} {errcode}: {error}")
        self.status = status
        self.errcode = errcode


class MatrixClient:
    """What one person does, with one access token."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str, user_id: str) -> None:
        self._http = http
        self._url = url
        self.token = token
        self.user_id = user_id

    @classmethod
    async def of_token(cls, http: aiohttp.ClientSession, url: str, token: str) -> Self:
        """Return the client of the person whom an access token belongs to."""
        client = cls(http, url, token, "")
        client.user_id = await client.whoami()
        return client

    @classmethod
    async def login(cls, http: aiohttp.ClientSession, url: str, user_id: str, password: str) -> Self:
        """Log in with a password and return the client of the new session."""
        identifier = {"type": "m.id.user", "user": user_id}
        content = {"type": "m.login.password", "identifier": identifier, "password": password}
        answer = await cls(http, url, "", user_id).request("POST", f"{_CLIENT}/login", content)
        return cls(http, url, answer["access_token"], answer["user_id"])

    async def whoami(self) -> str:
        """Return one's own user ID."""
        return str((await self.request("GET", f"{_CLIENT}/account/whoami"))["user_id"])

    async def create_room(self, **content: object) -> str:
        """Create a room and return its ID."""
        return str((await self.request("POST", f"{_CLIENT}/createRoom", content))["room_id"])

    async def join(self, room_id: str) -> None:
        """Join a room."""
        await self.request("POST", f"{_CLIENT}/join/{_segment(room_id)}")

    async def leave(self, room_id: str) -> None:
        """Leave a room."""
        await self.request("POST", f"{_CLIENT}/rooms/{_segment(room_id)}/leave")

    async def invite(self, room_id: str, user_id: str) -> None:
        """Invite somebody."""
        await self.request("POST", f"{_CLIENT}/rooms/{_segment(room_id)}/invite", {"user_id": user_id})

    async def joined_rooms(self) -> set[str]:
        """Return the IDs of the rooms one is in."""
        return set((await self.request("GET", f"{_CLIENT}/joined_rooms"))["joined_rooms"])

    async def send(self, room_id: str, body: str, **content: object) -> str:
        """Send a text message and return its event ID; `content` goes over it."""
        return await self.send_event(room_id, "m.room.message", {"msgtype": "m.text", "body": body, **content})

    async def react(self, room_id: str, event_id: str, key: str = "✅") -> str:
        """React to an event and return the reaction's event ID."""
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": key}
        return await self.send_event(room_id, "m.reaction", {"m.relates_to": relation})

    async def read(self, room_id: str, event_id: str) -> None:
        """Say that everything up to an event has been read."""
        await self.request("POST", f"{_CLIENT}/rooms/{_segment(room_id)}/receipt/m.read/{_segment(event_id)}", {})

    async def unread(self, room_id: str) -> dict[str, int]:
        """Return how much has come that rings, and that stands out, since what was read."""
        counted: dict[str, int] = (await self.sync())["rooms"]["join"][room_id]["unread_notifications"]
        return counted

    async def redact(self, room_id: str, event_id: str) -> str:
        """Redact an event and return the redaction's event ID."""
        path = f"{_CLIENT}/rooms/{_segment(room_id)}/redact/{_segment(event_id)}/{uuid.uuid4()}"
        return str((await self.request("PUT", path, {}))["event_id"])

    async def send_event(self, room_id: str, kind: str, content: Mapping[str, object]) -> str:
        """Send an event of any type and return its ID."""
        path = f"{_CLIENT}/rooms/{_segment(room_id)}/send/{_segment(kind)}/{uuid.uuid4()}"
        return str((await self.request("PUT", path, content))["event_id"])

    async def set_state(self, room_id: str, kind: str, content: Mapping[str, object], key: str = "") -> str:
        """Set a state event and return its ID."""
        path = f"{_CLIENT}/rooms/{_segment(room_id)}/state/{_segment(kind)}/{_segment(key)}"
        return str((await self.request("PUT", path, content))["event_id"])

    async def state(self, room_id: str, kind: str, key: str = "") -> dict[str, Any]:
        """Return the content of a state event."""
        return await self.request("GET", f"{_CLIENT}/rooms/{_segment(room_id)}/state/{_segment(kind)}/{_segment(key)}")

    async def members(self, room_id: str) -> set[str]:
        """Return the user IDs of those who are in a room."""
        answer = await self.request("GET", f"{_CLIENT}/rooms/{_segment(room_id)}/joined_members")
        return set(answer["joined"])

    async def messages(self, room_id: str, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest events of a room, the newest first."""
        query = {"dir": "b", "limit": str(limit)}
        answer = await self.request("GET", f"{_CLIENT}/rooms/{_segment(room_id)}/messages", query=query)
        return list(answer["chunk"])

    async def sync(self, since: str | None = None, *, timeout_ms: int = 0) -> dict[str, Any]:
        """Sync; without `since` a fresh initial sync, because Synapse answers a repeated one from a cache."""
        query = {"timeout": str(timeout_ms)}
        if since is None:
            query["filter"] = f'{{"room":{{"timeline":{{"limit":20}}}},"nonce":"{uuid.uuid4()}"}}'
        else:
            query["since"] = since
        return await self.request("GET", f"{_CLIENT}/sync", query=query)

    async def request(
        self,
        method: str,
        path: str,
        content: Mapping[str, object] | None = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send any request and return the JSON object of the answer; `ClientError` when refused."""
        body = {} if content is None and method != "GET" else content
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with self._http.request(method, self._url + path, json=body, params=query, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            if response.status != 200:
                raise ClientError(response.status, answer.get("errcode", ""), answer.get("error", ""))
            return answer


def _segment(text: str) -> str:
    return quote(text, safe="")
