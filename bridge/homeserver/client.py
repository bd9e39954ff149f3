"""What Muster does on the homeserver as its bot, or as a person (client-server API).

Every method is one request and says what makes it safe to repeat. Room ids are opaque; the bot's own user is `bot`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from mautrix.api import Method

from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.homeserver.device import Device
from bridge.homeserver.download import Download
from bridge.homeserver.event import Event
from bridge.homeserver.transport import Transport, path
from bridge.ids import EventId, RoomId, UserId, localpart_of

_CLIENT = "_matrix/client/v3"
_ADMIN = "_synapse/admin"
_PAGE = "1000"
_UNREACHED = frozenset({"M_BAD_STATUS", "M_CONNECTION_FAILED", "M_CONNECTION_TIMEOUT"})
"""What a homeserver says of an application service that it cannot reach (spec, "Pinging")."""


class Homeserver:
    """The bot's hands; `transport` carries the application service's token."""

    def __init__(self, transport: Transport, *, bot: UserId, server_name: str, appservice_id: str) -> None:
        self._transport = transport
        self._request = transport.request
        self._download = transport.download
        self.url = transport.url
        self.bot = bot
        self.server_name = server_name
        self._appservice_id = appservice_id

    # The service itself

    async def register_bot(self) -> None:
        """Create the bot's account; doing it again is fine. It must come before any profile change of the bot."""
        await self.register(self.bot)

    async def register(self, user_id: UserId) -> None:
        """Create an account of the application service's own; doing it again is fine."""
        content = {"type": "m.login.application_service", "username": localpart_of(user_id), "inhibit_login": True}
        try:
            await self._request(Method.POST, f"{_CLIENT}/register", content)
        except HomeserverError as error:
            if error.errcode != "M_USER_IN_USE":
                raise

    async def is_registered(self) -> bool:
        """Return whether the bot has its account."""
        try:
            await self._request(Method.GET, f"{_CLIENT}/{path('profile', self.bot)}")
        except HomeserverError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def whoami(self, *, as_user: UserId | None = None) -> UserId:
        """Return whom the homeserver takes us for."""
        answer = await self._request(Method.GET, f"{_CLIENT}/account/whoami", as_user=as_user)
        return UserId(str(answer.get("user_id", "")))

    async def server_version(self) -> str:
        """Return Synapse's version, without what its build adds; 403 unless the bot is a server administrator."""
        await self._request(Method.GET, f"{_ADMIN}/v1/background_updates/status")
        answer = await self._request(Method.GET, f"{_ADMIN}/v1/server_version")
        return str(answer.get("server_version", "")).split(" ")[0]

    async def some_user(self) -> UserId | None:
        """Return one account of the homeserver other than the bot, or None."""
        answer = await self._request(Method.GET, f"{_ADMIN}/v2/users", query={"limit": "2"})
        return next((UserId(user["name"]) for user in answer["users"] if user["name"] != self.bot), None)

    async def versions(self) -> tuple[str, ...]:
        """Return the spec versions that the homeserver speaks; needs no token."""
        answer = await self._request(Method.GET, "_matrix/client/versions")
        return tuple(answer.get("versions", ()))

    async def well_known(self) -> Mapping[str, Any]:
        """Return what the homeserver itself tells clients (specification, "Well-known URI"), empty when nothing."""
        try:
            return await self._request(Method.GET, ".well-known/matrix/client")
        except HomeserverError as error:
            if error.status == 404:
                return {}
            raise

    async def ping(self, transaction_id: str) -> int:
        """Have the homeserver call us; return the milliseconds it took (spec "Pinging").

        When it is there and cannot reach us it answers 502 or 504 with an errcode of its own: a refusal.
        """
        request_path = f"_matrix/client/v1/{path('appservice', self._appservice_id, 'ping')}"
        try:
            answer = await self._request(Method.POST, request_path, {"transaction_id": transaction_id})
        except HomeserverUnavailableError as error:
            if error.errcode not in _UNREACHED:
                raise
            raise HomeserverError(error.message, status=error.status, errcode=error.errcode) from error
        return int(answer.get("duration_ms", 0))

    def device(self, user_id: UserId, device_id: str) -> Device:
        """Return what one of the application service's own accounts does as a device."""
        return Device(self._transport, user_id, device_id)

    # Profiles

    async def profile(self, user_id: UserId) -> Mapping[str, Any] | None:
        """Return every field of an account's profile, or None when there is no profile."""
        try:
            return await self._request(Method.GET, f"{_CLIENT}/{path('profile', user_id)}")
        except HomeserverError as error:
            if error.status == 404:
                return None
            raise

    async def put_profile_field(self, user_id: UserId, name: str, text: str) -> None:
        """Set a field of anybody's profile, as a server administrator may; an empty text deletes it. May be repeated.

        Field names have at most 255 bytes, a whole profile 64 KiB (spec "Profiles", Matrix 1.16).
        """
        place = f"{_CLIENT}/{path('profile', user_id, name)}"
        await self._request(Method.PUT, place, {name: text}) if text else await self._request(Method.DELETE, place)

    # Push rules: what rings for somebody (spec, "Push rules API")

    async def put_push_rule(
        self, user_id: UserId, rule: str, content: Mapping[str, object], *, after: str | None = None
    ) -> None:
        """Put an override rule of a user's before all others of theirs, or right after another one. May be repeated."""
        place = f"{_CLIENT}/pushrules/global/override/{path(rule)}"
        query = None if after is None else {"after": after}
        await self._request(Method.PUT, place, content, query=query, as_user=user_id)

    async def delete_push_rule(self, user_id: UserId, rule: str) -> None:
        """Take an override rule of a user's away, if it is there."""
        try:
            await self._request(Method.DELETE, f"{_CLIENT}/pushrules/global/override/{path(rule)}", as_user=user_id)
        except HomeserverError as error:
            if error.status != 404:
                raise

    # Media

    async def upload(self, content: bytes, kind: str) -> str:
        """Upload a file of a media type as the bot, and return its `mxc:` address; again it is another file."""
        answer = await self._request(Method.POST, "_matrix/media/v3/upload", content, kind=kind)
        return str(answer["content_uri"])

    # Rooms

    async def create_room(self, content: Mapping[str, object]) -> RoomId:
        """Create a room as the bot. Not idempotent: write the intent down first, and look for the alias."""
        answer = await self._request(Method.POST, f"{_CLIENT}/createRoom", content)
        return RoomId(answer["room_id"])

    async def resolve_alias(self, alias: str) -> RoomId | None:
        """Return the room behind the alias, or None."""
        try:
            answer = await self._request(Method.GET, f"{_CLIENT}/directory/{path('room', alias)}")
        except HomeserverError as error:
            if error.status == 404:
                return None
            raise
        return RoomId(answer["room_id"])

    async def delete_alias(self, alias: str) -> None:
        """Take an alias away from its room; an alias that is not there is fine."""
        try:
            await self._request(Method.DELETE, f"{_CLIENT}/directory/{path('room', alias)}")
        except HomeserverError as error:
            if error.status != 404:
                raise

    async def invite(
        self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None
    ) -> None:
        """Invite as the bot, or as a person; 403 when the invited is in the room already."""
        content = {"user_id": user_id, **_reason(reason)}
        await self._request(Method.POST, _room(room_id, "invite"), content, as_user=as_user)

    async def join(self, room_id: RoomId, *, as_user: UserId) -> None:
        """Join as the person; joining again changes nothing."""
        await self._request(Method.POST, _room(room_id, "join"), as_user=as_user)

    async def leave(self, room_id: RoomId, *, as_user: UserId, reason: str = "") -> None:
        """Leave, or reject an invitation, as the person; leaving again changes nothing."""
        await self._request(Method.POST, _room(room_id, "leave"), _reason(reason), as_user=as_user)

    async def kick(self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None) -> None:
        """Remove as the bot, or as somebody inside; 403 when the person is not in the room."""
        content = {"user_id": user_id, **_reason(reason)}
        await self._request(Method.POST, _room(room_id, "kick"), content, as_user=as_user)

    async def unban(self, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None:
        """Lift a ban as the bot; 403 when there is none."""
        await self._request(Method.POST, _room(room_id, "unban"), {"user_id": user_id, **_reason(reason)})

    async def send_state(
        self,
        room_id: RoomId,
        event_type: str,
        state_key: str,
        content: Mapping[str, object],
        *,
        as_user: UserId | None = None,
    ) -> EventId:
        """Set state as the bot, or as a person; setting the same content again makes no event."""
        place = _room(room_id, "state", event_type, state_key)
        answer = await self._request(Method.PUT, place, content, as_user=as_user)
        return EventId(answer["event_id"])

    async def state_event(self, room_id: RoomId, event_type: str, state_key: str = "") -> Mapping[str, Any] | None:
        """Return the content of one state event in a room the bot is in, or None."""
        try:
            return await self._request(Method.GET, _room(room_id, "state", event_type, state_key))
        except HomeserverError as error:
            if error.status == 404:
                return None
            raise

    async def send(
        self,
        room_id: RoomId,
        event_type: str,
        content: Mapping[str, object],
        *,
        transaction_id: str,
        as_user: UserId | None = None,
    ) -> EventId:
        """Send an event; the same `transaction_id` again is the same event (spec "Transaction identifiers")."""
        answer = await self._request(
            Method.PUT, _room(room_id, "send", event_type, transaction_id), content, as_user=as_user
        )
        return EventId(answer["event_id"])

    async def redact(self, room_id: RoomId, event_id: EventId, *, transaction_id: str) -> EventId:
        """Take an event back as the bot; the same `transaction_id` again is the same redaction."""
        answer = await self._request(Method.PUT, _room(room_id, "redact", event_id, transaction_id))
        return EventId(answer["event_id"])

    # Media, through the admin API

    async def is_media_protected(self, media_id: str) -> bool | None:
        """Tell whether media of this server's own is kept from its purges; None when there is none."""
        try:
            answer = await self._request(Method.GET, f"{_ADMIN}/v1/{path('media', self.server_name, media_id)}")
        except HomeserverError as error:
            if error.status == 404:
                return None
            raise
        return bool(answer["media_info"].get("safe_from_quarantine"))

    async def protect_media(self, media_id: str, *, protected: bool) -> None:
        """Keep media of this server's own from its purges, or no longer; again is fine."""
        word = "protect" if protected else "unprotect"
        await self._request(Method.POST, f"{_ADMIN}/v1/{path('media', word, media_id)}")

    # Rooms the bot is not in, through the admin API

    async def state(self, room_id: RoomId) -> list[Event]:
        """Return the whole current state of any room."""
        return [Event.of(raw) for raw in await self.raw_state(room_id)]

    async def raw_state(self, room_id: RoomId) -> list[dict[str, Any]]:
        """Return the whole current state of any room as the homeserver gives it."""
        answer = await self._request(Method.GET, f"{_ADMIN}/v1/{path('rooms', room_id, 'state')}")
        state: list[dict[str, Any]] = answer["state"]
        return state

    async def room_ids(self) -> list[RoomId]:
        """Return every room the homeserver knows."""
        return [RoomId(room["room_id"]) for room in await self.room_details()]

    async def room_details(self) -> list[dict[str, Any]]:
        """Return what the homeserver knows of every room (Synapse admin API, "List Room API")."""
        found: list[dict[str, Any]] = []
        query = {"limit": _PAGE, "from": "0"}
        while True:
            answer = await self._request(Method.GET, f"{_ADMIN}/v1/rooms", query=query)
            found += answer["rooms"]
            if "next_batch" not in answer:
                return found
            query["from"] = str(answer["next_batch"])

    async def messages(self, room_id: RoomId, *, before: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of raw events of any room, newest first, and the token of the next older page or None."""
        query = {"dir": "b", "limit": _PAGE} | ({"from": before} if before else {})
        answer = await self._request(Method.GET, f"{_ADMIN}/v1/{path('rooms', room_id, 'messages')}", query=query)
        return answer["chunk"], answer.get("end")

    async def fetch_event(self, event_id: EventId) -> dict[str, Any] | None:
        """Return one raw event, unredacted while Synapse retains it, or None."""
        try:
            answer = await self._request(Method.GET, f"{_ADMIN}/v1/{path('fetch_event', event_id)}")
        except HomeserverError as error:
            if error.status == 404:
                return None
            raise
        event: dict[str, Any] | None = answer.get("event")
        return event

    def download(self, mxc: str) -> AbstractAsyncContextManager[Download]:
        """Request a file by its mxc URI, also another homeserver's, and yield it while it comes."""
        server, _, media_id = mxc.removeprefix("mxc://").partition("/")
        return self._download(f"_matrix/client/v1/media/download/{path(server, media_id)}")


def _room(room_id: RoomId, *rest: str) -> str:
    return f"{_CLIENT}/{path('rooms', room_id, *rest)}"


def _reason(reason: str) -> dict[str, object]:
    return {"reason": reason} if reason else {}
