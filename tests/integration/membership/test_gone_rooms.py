"""A managed room that somebody deletes on the homeserver is told, and made anew with the same people."""

from __future__ import annotations

import pytest

from bridge.directory.notice_store import read_untold
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.ids import RoomId, RoomKey
from bridge.membership.place_store import read_places
from bridge.membership.room_audit import RoomAudit
from tests.integration.membership.conftest import RULES, Company
from tests.integration.membership.homeserver import BOT

_SPACES = tuple(RULES["spaces"].items())


@pytest.fixture
async def company(company: Company) -> Company:
    """The company with everything in place."""
    await company.upkeep.catch_up()
    await company.deliver()
    return company


async def _told(company: Company, room_id: RoomId) -> list[str]:
    return [notice.body for notice, _ in await read_untold(company.pool) if room_id in notice.body]


async def _is_as_before(company: Company, key: str, old: RoomId, people: set[str]) -> None:
    """Insist that there is a fresh room with the same people, that its space lists instead of the old one."""
    fresh = company.homeserver.room(key)
    assert fresh != old
    assert company.homeserver.people(key) == people
    for parent in (await read_places(company.pool))[RoomKey(key)].parents:
        space = company.homeserver.rooms[company.homeserver.room(parent)]
        assert space.content("m.space.child", fresh)
        assert not space.content("m.space.child", old)
    assert len(await _told(company, old)) == 1
    assert "fresh one" in (await _told(company, old))[0]
    await company.deliver()
    assert await company.upkeep.catch_up() == []
    assert not (await company.reconcile()).plan.changes
    assert await company.pool.fetchval("SELECT key FROM former_room WHERE room_id = $1", old) == key


@pytest.mark.parametrize("key", ["lounge", "department/Sales", "administrators"])
async def test_a_deleted_room_is_made_anew(company: Company, key: str) -> None:
    """As soon as its members are taken out."""
    old, people = company.homeserver.room(key), company.homeserver.people(key)
    company.homeserver.delete_room(old)
    await company.deliver()
    await company.upkeep.catch_up()
    await _is_as_before(company, key, old, people)


async def test_a_deletion_of_which_no_event_came_is_found_by_comparing_rooms(company: Company) -> None:
    """And what comes of it is the same."""
    old, people = company.homeserver.room("lounge"), company.homeserver.people("lounge")
    company.homeserver.delete_room(old)
    company.homeserver.deliver()  # and lost
    assert await company.upkeep.catch_up() == []
    await RoomAudit(company.pool, company.homeserver, company.consumer, clock=company.clock).scan()
    await company.upkeep.catch_up()
    await _is_as_before(company, "lounge", old, people)


async def test_a_deletion_is_found_when_something_in_the_room_is_refused(company: Company) -> None:
    """Somebody is to be put into it: that fails, and then everybody is in the fresh room."""
    old, people = company.homeserver.room("lounge"), company.homeserver.people("lounge")
    company.homeserver.delete_room(old)
    company.homeserver.deliver()  # and lost
    await company.say("zoe", department="Sales")
    await company.upkeep.catch_up()
    await _is_as_before(company, "lounge", old, people | {"zoe"})


async def test_a_deleted_space_lists_its_rooms_again(company: Company) -> None:
    """And lets its members into those that were open to it."""
    old, people = company.homeserver.room("company"), company.homeserver.people("company")
    company.homeserver.delete_room(old)
    await company.deliver()
    await company.upkeep.catch_up()
    fresh = company.homeserver.rooms[company.homeserver.room("company")]
    for key in ("lounge", "departments"):
        assert fresh.content("m.space.child", company.homeserver.room(key))
    allow = company.homeserver.rooms[company.homeserver.room("lounge")].content("m.room.join_rules")["allow"]
    assert [each["room_id"] for each in allow] == [company.homeserver.room("company")]
    await _is_as_before(company, "company", old, people)


async def test_a_room_that_is_gone_stays_so_where_nothing_wants_it(company: Company) -> None:
    """It was taken out of the policy: the administrators are told, and nothing is made."""
    old = company.homeserver.room("lounge")
    rooms = {key: said for key, said in RULES["rooms"].items() if key != "lounge"}
    spaces = {key: {**said, "rooms": [room for room in said["rooms"] if room != "lounge"]} for key, said in _SPACES}
    company.rule({**RULES, "rooms": rooms, "spaces": spaces}, digest="without")
    await company.upkeep.catch_up()
    company.homeserver.delete_room(old)
    await company.deliver()
    await RoomAudit(company.pool, company.homeserver, company.consumer, clock=company.clock).scan()
    await company.upkeep.catch_up()
    assert len(await _told(company, old)) == 1
    assert not any(room.content("io.muster.room").get("key") == "lounge" for room in company.homeserver.rooms.values())


async def test_a_room_that_cannot_be_read_is_not_gone(company: Company) -> None:
    """Nor is anything while the homeserver is away; the bot alone being out is no deletion."""
    old = company.homeserver.room("lounge")
    company.homeserver.act(old, BOT, "leave", BOT)
    await company.deliver()
    for error in (
        HomeserverError("no", status=403, errcode="M_FORBIDDEN"),
        HomeserverUnavailableError("away", status=502, errcode=""),
        None,
    ):
        company.homeserver.before = lambda _, name, error=error: error if name == "state" else None  # type: ignore[misc]
        try:
            await company.reconcile()
        except HomeserverUnavailableError:
            assert isinstance(error, HomeserverUnavailableError)
    assert await company.pool.fetchval("SELECT count(*) FROM former_room") == 0
