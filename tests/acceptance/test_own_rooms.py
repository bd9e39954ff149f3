"""Rooms of the bot's own, on a Synapse that was stopped while it made one."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from bridge.errors import HomeserverError
from bridge.homeserver.client import Homeserver
from bridge.homeserver.own_room import own_room
from bridge.homeserver.registration import ALIAS_PREFIX
from bridge.ids import RoomId, UserId
from tests.acceptance.client import MatrixClient

if TYPE_CHECKING:
    import asyncpg

Human = Callable[[str], Awaitable[MatrixClient]]


async def test_a_room_that_came_to_nothing_gives_its_alias_to_a_new_one(
    homeserver: Homeserver, synapse_tables: asyncpg.Connection, human: Human
) -> None:
    """Synapse had written down the room and its alias, and none of its events: nobody could ever be invited."""
    part = f"{ALIAS_PREFIX}own-{secrets.token_hex(4)}"
    alias, dead = f"#{part}:{homeserver.server_name}", RoomId(f"!{part}")
    person = await human(f"own.{part[-8:]}")
    await synapse_tables.execute(
        "INSERT INTO rooms (room_id, is_public, creator, room_version) VALUES ($1, false, $2, '12')",
        dead,
        homeserver.bot,
    )
    await synapse_tables.execute(
        "INSERT INTO room_aliases (room_alias, room_id, creator) VALUES ($1, $2, $3)", alias, dead, homeserver.bot
    )
    await synapse_tables.execute(
        "INSERT INTO room_alias_servers (room_alias, server) VALUES ($1, $2)", alias, homeserver.server_name
    )
    assert await homeserver.resolve_alias(alias) == dead
    with pytest.raises(HomeserverError):
        await homeserver.invite(dead, UserId(person.user_id))

    body = {"preset": "private_chat", "room_alias_name": part, "name": "Own"}
    room_id = await own_room(homeserver, body, pauses=())

    assert await homeserver.resolve_alias(alias) == room_id
    await homeserver.invite(room_id, UserId(person.user_id))
    await person.join(room_id)
    assert await own_room(homeserver, body) == room_id
