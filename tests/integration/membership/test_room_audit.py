"""What our events have lost is found by comparing rooms, and put right."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bridge.directory.notice_store import read_untold
from bridge.errors import HomeserverUnavailableError
from bridge.ids import RoomId, UserId
from bridge.membership import room_audit_store
from bridge.membership.member_store import read_drift
from bridge.membership.room_audit import RoomAudit
from tests.integration.membership.conftest import Company, user
from tests.waiting import wait_until

STRANGER = UserId("@stranger:example.org")


@pytest.fixture
async def company(company: Company) -> Company:
    """The company with everything in place."""
    await company.settle()
    await company.upkeep.catch_up()
    company.homeserver.requests.clear()
    return company


def audit_of(company: Company) -> RoomAudit:
    return RoomAudit(company.pool, company.homeserver, company.consumer, clock=company.clock)


async def test_nothing_was_missed(company: Company) -> None:
    """Where all events came, comparing changes nothing, and each room is read once."""
    found = await audit_of(company).scan()

    assert (found.rooms, found.repaired, found.failed) == (len(company.homeserver.rooms), 0, 0)
    assert len(company.homeserver.requests) == 1 + len(company.homeserver.rooms)
    assert not await read_drift(company.pool)
    assert await company.upkeep.catch_up() == []


async def test_memberships_power_and_settings_that_were_missed_are_put_right(company: Company) -> None:
    """A lost join, a lost departure, lost power and a lost name are found, and corrected as drift is."""
    sales, lounge = company.homeserver.room("department/Sales"), company.homeserver.room("lounge")
    company.homeserver.act(sales, user("ann"), "join", STRANGER)
    company.homeserver.act(lounge, user("ann"), "leave", user("bob"))
    company.homeserver.set_power(sales, bob=100)
    company.homeserver.set_state(lounge, user("eve"), "m.room.name", {"name": "Eve's"})
    company.homeserver.deliver()  # and lost
    found = await audit_of(company).scan()
    assert found.repaired == 4
    await company.upkeep.catch_up()

    assert company.homeserver.people("department/Sales") == {"ann", "bob"}
    assert "bob" in company.homeserver.people("lounge")
    assert company.homeserver.power("department/Sales") == {"ann": 50}
    assert company.homeserver.rooms[lounge].content("m.room.name") == {"name": "lounge"}
    await company.deliver()
    assert (await audit_of(company).scan()).repaired == 0


async def test_what_we_wrongly_believe_is_mended(company: Company) -> None:
    """Somebody whom we believe in a room of which the homeserver knows nothing is not in it, whatever its date."""
    lounge = company.homeserver.room("lounge")
    del company.homeserver.rooms[lounge].state["m.room.member", user("bob")]
    await company.pool.execute("UPDATE room_member SET changed_at = now() + interval '1 day'")
    assert (await audit_of(company).scan()).repaired == 1
    await company.upkeep.catch_up()

    assert "bob" in company.homeserver.people("lounge")


async def test_the_audit_goes_on_after_a_restart(company: Company) -> None:
    """Rooms that were compared before the process ended are not read again; the time of a pass is known."""
    ids = sorted(company.homeserver.rooms)
    away = True

    def refuse(_: int, name: str) -> HomeserverUnavailableError | None:
        """Read three rooms, whichever of the two that are read at a time comes first."""
        is_late = name == "state" and company.homeserver.requests[-1][1] >= ids[3]
        return HomeserverUnavailableError("away") if away and is_late else None

    company.homeserver.before = refuse
    with pytest.raises(HomeserverUnavailableError):
        await audit_of(company).scan()
    away = False
    company.homeserver.requests.clear()
    task = asyncio.create_task(audit_of(company).run(timedelta(0)))
    try:
        await wait_until(lambda: _is_over(company))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    read = [request[1] for request in company.homeserver.requests if request[0] == "state"]
    assert sorted(read) == ids[3:]
    one = await room_audit_store.read_pass(company.pool)
    assert one is not None
    assert one.rooms == len(ids)


async def _is_over(company: Company) -> bool:
    one = await room_audit_store.read_pass(company.pool)
    return one is not None and one.finished_at is not None


async def test_a_room_that_is_deleted_meanwhile_is_told_the_next_time(company: Company) -> None:
    """It counts as one that could not be read, and the others are compared; the next time it is named."""
    lounge = company.homeserver.room("lounge")
    ids = list(company.homeserver.rooms)
    real = company.homeserver.room_ids

    async def room_ids() -> list[RoomId]:
        company.homeserver.rooms.pop(lounge, None)
        return ids

    company.homeserver.room_ids = room_ids  # type: ignore[method-assign]
    found = await audit_of(company).scan()
    assert (found.rooms, found.failed) == (len(ids) - 1, 1)

    company.homeserver.room_ids = real  # type: ignore[method-assign]
    await audit_of(company).scan()
    ((notice, _),) = await read_untold(company.pool)
    assert "'lounge'" in notice.body


async def test_an_invitation_of_a_leaver_elsewhere_that_was_missed_is_found(company: Company) -> None:
    """Rooms that Muster does not manage are compared too, for the sake of those who have left."""
    await company.say("bob", active=False)
    await company.upkeep.catch_up()
    chat = company.homeserver.make_room(user("ann"))
    company.homeserver.act(chat, user("ann"), "invite", user("bob"))
    company.homeserver.deliver()
    await audit_of(company).scan()
    await company.upkeep.catch_up()

    assert not company.homeserver.rooms[chat].members("invite")
