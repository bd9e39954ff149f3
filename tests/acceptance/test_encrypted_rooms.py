"""Rooms that the policy encrypts, on a real Synapse, with a client of another make that encrypts."""

from __future__ import annotations

import json
from pathlib import Path

from bridge.ids import RoomId, archivist_of
from tests.acceptance.colleague import encrypting
from tests.acceptance.company import POLICY, Company
from tests.waiting import wait_until

BOARD = '  board: {name: Board, members: department eq "Board", exclusive: true, encryption: required}\n'


async def has_read(company: Company, event_id: str) -> None:
    """Wait until the archive has read an encrypted event."""

    async def is_read() -> bool:
        sought = "SELECT count(*) FROM plaintext JOIN event USING (seq) WHERE event_id = $1"
        return bool(await company.pool.fetchval(sought, event_id))

    await wait_until(is_read, seconds=60)


async def board(company: Company) -> RoomId:
    """Hire Ann and Bob into a board whose room is encrypted; return the room once the archive and Ann are in it."""
    company.policy.write_text(POLICY.replace("announcements:\n  desk", f"{BOARD}announcements:\n  desk"))
    for name in ("ann", "bob"):
        await company.hire(name, department="Board")
        await company.is_in(name, {"square", "news", "department/Board", "board"})
    room_id = (await company.managed())["board"]
    archivist = archivist_of(company.homeserver.bot)

    async def is_there() -> bool:
        return room_id in await company.accounts.joined_rooms(archivist) and bool(
            await company.pool.fetchval("SELECT ready FROM archivist")
        )

    await wait_until(is_there, seconds=60)
    return room_id


async def test_what_is_said_encrypted_is_archived_found_and_shown(company: Company, tmp_path: Path) -> None:
    """The archive's device gets the keys, reads what is said, and search and show give it; the ledger verifies."""
    room_id = await board(company)
    await company.accounts.set_password(company.user_id("ann"), "password")
    async with encrypting(company.synapse.url, company.user_id("ann"), "password", tmp_path) as ann:
        event_id = await ann.say(room_id, "The merger is called Walnut")
        await has_read(company, event_id)
    found = await company.muster("archive", "search", "walnut", "--json")
    assert [hit["event_id"] for hit in json.loads(found.out)] == [event_id], found.err
    shown = await company.muster("archive", "show", event_id)
    assert "The merger is called Walnut" in shown.out, shown.err
    assert "encrypted on a device of the sender's that nobody has verified" in shown.out
    verified = await company.muster("archive", "verify")
    assert verified.code == 0, verified.out
