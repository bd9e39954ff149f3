"""A roll call on a real Synapse: told in rooms and to people, answered by poll and reaction, across a kill."""

from __future__ import annotations

from typing import Any

from bridge.announcements.form import POLL_START, VOTES
from bridge.ids import RoomId
from tests.acceptance.client import MatrixClient
from tests.acceptance.company import Company
from tests.waiting import wait_until


async def _own_room(company: Company, name: str) -> RoomId | None:
    found = await company.pool.fetchval("SELECT room_id FROM personal_room WHERE user_id = $1", company.user_id(name))
    return RoomId(found) if found else None


async def _events(person: MatrixClient, room_id: str, kind: str) -> list[dict[str, Any]]:
    return [event for event in await person.messages(room_id) if event["type"] == kind and event["content"]]


async def test_a_roll_call_is_told_answered_and_shown_across_a_kill(company: Company) -> None:
    """Killed right after the alarm was written, Muster tells everybody once; a vote for help stands on the board."""
    await company.hire("anna", department="Press")
    await company.hire("bo")
    await company.is_in("bo", {"square", "news", "department/Sales"})
    await wait_until(lambda: _is_at_desk(company))
    anna, bo = await company.client("anna"), await company.client("bo")
    rooms = await company.managed()
    await anna.send(rooms["desk"], "!emergency Fire in hall 2")

    async def is_written() -> bool:
        return bool(await company.pool.fetchval("SELECT count(*) FROM emergency"))

    await wait_until(is_written)
    await company.kill()
    await company.start()

    async def is_asked() -> bool:
        own = await _own_room(company, "bo")
        return own in await bo.joined_rooms() and bool(await _events(bo, str(own), POLL_START))

    await wait_until(is_asked)
    own = await _own_room(company, "bo")
    assert own is not None
    for room in (own, rooms["news"]):
        alarms = [each for each in await _events(bo, room, "m.room.message") if "hall 2" in each["content"]["body"]]
        assert len(alarms) == 1
    [poll] = await _events(bo, own, POLL_START)
    relation = {"rel_type": "m.reference", "event_id": poll["event_id"]}
    await bo.send_event(own, VOTES[0], {VOTES[0]: {"answers": ["help"]}, "m.relates_to": relation})

    async def is_on_the_board() -> bool:
        said = await _events(anna, rooms["desk"], "m.room.message")
        boards = [each["content"].get("m.new_content", {}).get("body", "") for each in said]
        return any("NEED HELP (1):\n  🆘 Bo (Sales)" in board for board in boards)

    await wait_until(is_on_the_board)
    ended = await company.muster("emergency", "end")
    assert ended.code == 0, ended.err

    async def is_over() -> bool:
        return any("is over" in each["content"]["body"] for each in await _events(bo, own, "m.room.message"))

    await wait_until(is_over)


async def _is_at_desk(company: Company) -> bool:
    return "desk" in await company.rooms_of("anna")
