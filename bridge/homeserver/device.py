"""What an account of the application service's own does as a device: its keys, and the messages to it.

The application service acts as the device by its own token (`user_id` and `device_id`, specification, "Identity
assertion"), so that the device has no token that could get lost. Not for the bot itself: Synapse refuses it to sync.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mautrix.api import Method

from bridge.errors import HomeserverError
from bridge.homeserver.transport import Transport, path
from bridge.ids import UserId

_CLIENT = "_matrix/client/v3"
_ONLY_THE_DEVICE = json.dumps(
    {"room": {"rooms": []}, "presence": {"not_types": ["*"]}, "account_data": {"not_types": ["*"]}}
)


class Device:
    """One device; every request may be repeated."""

    def __init__(self, transport: Transport, user_id: UserId, device_id: str) -> None:
        self._transport = transport
        self.user_id = user_id
        self.device_id = device_id

    async def create(self, display_name: str) -> None:
        """Make sure that the account has this device."""
        await self._transport.request(
            Method.PUT,
            f"{_CLIENT}/{path('devices', self.device_id)}",
            {"display_name": display_name},
            as_user=self.user_id,
        )

    async def upload_keys(self, content: Mapping[str, object]) -> int:
        """Publish keys of the device; return how many one-time keys others may still take."""
        answer = await self._send("keys/upload", content)
        counts = answer.get("one_time_key_counts")
        return int(counts.get("signed_curve25519", 0)) if isinstance(counts, dict) else 0

    async def upload_cross_signing(self, content: Mapping[str, object]) -> None:
        """Publish the account's cross-signing keys; of an application service no password is asked."""
        await self._send("keys/device_signing/upload", content)

    async def upload_signature(self, device: Mapping[str, object]) -> None:
        """Publish a signature of the device's keys; raises `HomeserverError` when it is not accepted."""
        answer = await self._send("keys/signatures/upload", {self.user_id: {self.device_id: device}})
        if answer.get("failures"):
            raise HomeserverError(f"The homeserver does not accept the signature of {self.device_id}.")

    async def query_keys(self, user_ids: Sequence[UserId]) -> dict[str, Any]:
        """Return the devices and the cross-signing keys of users (specification, `/keys/query`)."""
        return await self._send("keys/query", {"device_keys": {user_id: [] for user_id in user_ids}})

    async def claim_key(self, user_id: UserId, device_id: str) -> dict[str, Any]:
        """Take one of the keys that somebody's device published for others to begin with; empty when it has none."""
        answer = await self._send("keys/claim", {"one_time_keys": {user_id: {device_id: "signed_curve25519"}}})
        keys = answer.get("one_time_keys", {}).get(user_id, {}).get(device_id, {})
        return next(iter(keys.values()), {}) if isinstance(keys, dict) else {}

    async def send(self, user_id: UserId, device_id: str, content: Mapping[str, object], transaction_id: str) -> None:
        """Send an encrypted message to a device; the same transaction again is the same message."""
        place = path("sendToDevice", "m.room.encrypted", transaction_id)
        await self._request(Method.PUT, place, {"messages": {user_id: {device_id: content}}}, {})

    async def sync(self, since: str | None, *, timeout_ms: int) -> dict[str, Any]:
        """Return the messages to the device since a token, waiting for the first; Synapse forgets those before."""
        query = {"filter": _ONLY_THE_DEVICE, "timeout": str(timeout_ms), "set_presence": "offline"}
        if since is not None:
            query["since"] = since
        return await self._request(Method.GET, "sync", None, query)

    async def _send(self, place: str, content: Mapping[str, object]) -> dict[str, Any]:
        return await self._request(Method.POST, place, content, {})

    async def _request(
        self, method: Method, place: str, content: Mapping[str, object] | None, query: Mapping[str, str]
    ) -> dict[str, Any]:
        return await self._transport.request(
            method,
            f"{_CLIENT}/{place}",
            content,
            query={**query, "device_id": self.device_id},
            as_user=self.user_id,
        )
