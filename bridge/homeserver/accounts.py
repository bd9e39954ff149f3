"""The life of an account, behind one interface; this is its driver for Synapse's admin API.

The Matrix Authentication Service takes accounts away from Synapse; it will be a second class with these methods.
The token must be a server administrator's: the bot's own once it is promoted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mautrix.api import Method

from bridge.errors import HomeserverError
from bridge.homeserver.transport import Transport, path
from bridge.ids import RoomId, UserId


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as the homeserver has it."""

    user_id: UserId
    display_name: str
    locked: bool
    deactivated: bool
    admin: bool


class SynapseAccounts:
    """Accounts through `/_synapse/admin`. Every method may be repeated."""

    def __init__(self, transport: Transport) -> None:
        self._request = transport.request

    async def get(self, user_id: UserId) -> AccountState | None:
        """Return the account, or None when there is none."""
        try:
            answer = await self._request(Method.GET, _user("v2", user_id))
        except HomeserverError as error:
            if error.status == 404:
                return None
            raise
        return AccountState(
            user_id=user_id,
            display_name=answer.get("displayname") or "",
            locked=bool(answer.get("locked")),
            deactivated=bool(answer.get("deactivated")),
            admin=bool(answer.get("admin")),
        )

    async def create(self, user_id: UserId, display_name: str) -> None:
        """Make sure that the account exists with this display name. It has no password: people come by single sign-on
        or with one that an administrator sets."""
        await self._put(user_id, {"displayname": display_name})

    async def rename(self, user_id: UserId, display_name: str) -> None:
        """Change the display name; Synapse tells every room in the background."""
        await self._put(user_id, {"displayname": display_name})

    async def set_password(self, user_id: UserId, password: str) -> None:
        """Set a password and keep the sessions."""
        await self._put(user_id, {"password": password, "logout_devices": False})

    async def lock(self, user_id: UserId) -> None:
        """Refuse every request of the account's sessions at once."""
        await self._put(user_id, {"locked": True})

    async def unlock(self, user_id: UserId) -> None:
        """Let the account in again, also one that was deactivated; its password is gone then."""
        await self._put(user_id, {"locked": False, "deactivated": False})

    async def deactivate(self, user_id: UserId) -> None:
        """Close the account for good and keep what it has said; its keys and account data are forgotten."""
        await self._request(Method.POST, f"_synapse/admin/v1/{path('deactivate', user_id)}", {"erase": False})

    async def end_sessions(self, user_id: UserId) -> int:
        """Delete every device, which makes Element wipe its copy; return how many there were."""
        devices = await self.devices(user_id)
        if devices:
            await self._request(Method.POST, _user("v2", user_id, "delete_devices"), {"devices": devices})
        return len(devices)

    async def devices(self, user_id: UserId) -> list[str]:
        """Return the account's device ids: its sessions."""
        answer = await self._request(Method.GET, _user("v2", user_id, "devices"))
        return [device["device_id"] for device in answer["devices"]]

    async def joined_rooms(self, user_id: UserId) -> list[RoomId]:
        """Return every room that the account has joined."""
        answer = await self._request(Method.GET, _user("v1", user_id, "joined_rooms"))
        return [RoomId(room_id) for room_id in answer["joined_rooms"]]

    async def _put(self, user_id: UserId, content: dict[str, Any]) -> None:
        await self._request(Method.PUT, _user("v2", user_id), content)


def _user(version: str, user_id: UserId, *rest: str) -> str:
    return f"_synapse/admin/{version}/{path('users', user_id, *rest)}"
