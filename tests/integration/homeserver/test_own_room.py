"""A room of the bot's own is made once, whoever else makes it, and whatever has become of it."""

from __future__ import annotations

import pytest

from bridge.errors import HomeserverError
from bridge.homeserver.own_room import own_room
from bridge.ids import RoomId
from tests.integration.membership.homeserver import BOT, SERVER, FakeHomeserver

ALIAS = f"#muster_pulse:{SERVER}"
BODY = {"preset": "private_chat", "room_alias_name": "muster_pulse", "name": "Pulse"}


async def test_it_is_made_once() -> None:
    """The second time it is found, without a look at the clock."""
    homeserver = FakeHomeserver()
    made = await own_room(homeserver, BODY)
    assert await own_room(homeserver, BODY) == made == homeserver.aliases[ALIAS]


@pytest.mark.parametrize("lacking", ["m.room.create", "m.room.member", "m.room.power_levels"])
async def test_what_was_not_finished_is_made_anew(lacking: str) -> None:
    """Whichever step of Synapse's was the last; a room that it has forgotten, too, or that the bot has left."""
    homeserver = FakeHomeserver()
    half = homeserver.aliases[ALIAS] = homeserver.make_room(BOT)
    if lacking == "m.room.create":
        del homeserver.rooms[half]
    elif lacking == "m.room.member":
        homeserver.set_state(half, BOT, "m.room.power_levels", {})
        homeserver.act(half, BOT, "leave", BOT)
    made = await own_room(homeserver, BODY, pauses=(0.0, 0.0))
    assert made != half
    assert homeserver.aliases == {ALIAS: made}


async def test_what_another_of_us_makes_just_now_is_taken() -> None:
    """Between two looks its last events come."""
    homeserver = FakeHomeserver()
    made = homeserver.aliases[ALIAS] = homeserver.make_room(BOT)

    def goes_on(number: int, name: str) -> None:
        if number == 6:
            homeserver.set_state(made, BOT, "m.room.power_levels", {})

    homeserver.before = goes_on
    assert await own_room(homeserver, BODY, pauses=(0.0, 0.0, 0.0)) == made
    assert homeserver.aliases == {ALIAS: made}


async def test_who_is_quicker_has_made_it() -> None:
    """The alias was free when it was looked up, and is taken when the room is made."""
    homeserver = FakeHomeserver()
    made: list[RoomId] = []

    def is_quicker(_number: int, name: str) -> None:
        if name == "create_room" and not made:
            made.append(homeserver.make_room(BOT))
            homeserver.set_state(made[0], BOT, "m.room.power_levels", {})
            homeserver.aliases[ALIAS] = made[0]

    homeserver.before = is_quicker
    assert await own_room(homeserver, BODY, pauses=(0.0,)) == made[0]


async def test_a_refusal_is_told() -> None:
    """What else keeps the room from being made is not tried again here."""
    homeserver = FakeHomeserver()
    homeserver.before = lambda number, name: (
        HomeserverError("no", status=403, errcode="M_FORBIDDEN") if name == "create_room" else None
    )
    with pytest.raises(HomeserverError, match="no"):
        await own_room(homeserver, BODY)
    assert [name for name, *_ in homeserver.requests] == ["resolve_alias", "create_room"]
