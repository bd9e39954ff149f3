"""A colleague whose client encrypts: matrix-nio, which shares no code with Muster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nio import AsyncClient, AsyncClientConfig, LoginResponse, RoomSendResponse, SyncResponse


class Colleague:
    """One session of a client that encrypts."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    @property
    def user_id(self) -> str:
        return str(self._client.user_id)

    async def catch_up(self) -> None:
        """Learn who is in which room and with which devices."""
        answer = await self._client.sync(timeout=0, full_state=True)
        assert isinstance(answer, SyncResponse), answer
        if self._client.should_upload_keys:
            await self._client.keys_upload()
        if self._client.should_query_keys:
            await self._client.keys_query()
        await self._client.send_to_device_messages()

    async def say(self, room_id: str, body: str, **content: object) -> str:
        """Say something encrypted for all devices in the room; return the event ID."""
        await self.catch_up()
        assert self._client.rooms[room_id].encrypted
        said = {"msgtype": "m.text", "body": body, **content}
        answer = await self._client.room_send(room_id, "m.room.message", said, ignore_unverified_devices=True)
        assert isinstance(answer, RoomSendResponse), answer
        return str(answer.event_id)

    def forget_keys(self, room_id: str) -> None:
        """Begin with a new key at the next message."""
        self._client.invalidate_outbound_session(room_id)

    def devices_of(self, user_id: str) -> list[str]:
        """Return the devices of somebody as this client knows them."""
        return [device.id for device in self._client.device_store.active_user_devices(user_id)]

    def mistrust(self, user_id: str) -> None:
        """Give no keys to the devices of somebody."""
        for device in self._client.device_store.active_user_devices(user_id):
            self._client.blacklist_device(device)

    def trust(self, user_id: str) -> None:
        """Give keys to the devices of somebody again."""
        for device in self._client.device_store.active_user_devices(user_id):
            self._client.unblacklist_device(device)


@asynccontextmanager
async def encrypting(url: str, user_id: str, password: str, folder: Path) -> AsyncIterator[Colleague]:
    """Log in and yield the session; `folder`, which is there, holds its keys."""
    config = AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True)
    client = AsyncClient(url, user_id, store_path=str(folder), config=config)
    try:
        answer = await client.login(password, device_name="desk")
        assert isinstance(answer, LoginResponse), answer
        colleague = Colleague(client)
        await colleague.catch_up()
        yield colleague
    finally:
        await client.close()
