"""Rooms that the policy encrypts, on a real Synapse, with a client of another make that encrypts."""

from __future__ import annotations

import json
from pathlib import Path

from bridge.archive.device_keys import Trust, trust_of
from bridge.archive.undecrypted import undecryptable_by_room
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

    await wait_until(is_read)


async def unread(company: Company, room_id: RoomId) -> dict[str, int]:
    """Return what of a room could not be read, by reason; other tests' rooms are on the same Synapse."""
    return dict((await undecryptable_by_room(company.pool)).get(room_id, {}))


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

    await wait_until(is_there)
    return room_id


async def test_what_is_said_encrypted_is_archived_found_and_shown(company: Company, tmp_path: Path) -> None:
    """The archive's device gets the keys, reads what is said, and search and show give it; the ledger verifies."""
    room_id = await board(company)
    await company.accounts.set_password(company.user_id("ann"), "password")
    async with encrypting(company.synapse.url, company.user_id("ann"), "password", tmp_path) as ann:
        event_id = await ann.say(room_id, "The merger is called Walnut")
        await has_read(company, event_id)
    found = await company.muster("archive", "search", "walnut", "--json")
    assert [hit["event_id"] for hit in json.loads(found.out)["hits"]] == [event_id], found.err
    shown = await company.muster("archive", "show", event_id)
    assert "The merger is called Walnut" in shown.out, shown.err
    assert "encrypted on a device of the sender's that nobody has verified" in shown.out
    verified = await company.muster("archive", "verify")
    assert verified.code == 0, verified.out


async def test_archives_device_is_verified_by_its_account(company: Company) -> None:
    """Clients that give keys to verified devices alone give them to the archive's; its key is shown for comparing."""
    await board(company)
    archivist = archivist_of(company.homeserver.bot)
    ann = await company.client("ann")
    answer = await ann.request("POST", "/_matrix/client/v3/keys/query", {"device_keys": {archivist: []}})
    shown = json.loads((await company.muster("archive", "encrypted", "--json")).out)["device"]
    document = answer["device_keys"][archivist][shown["device_id"]]  # beside those of other tests' archives
    assert (document["device_id"], shown["published"]) == (shown["device_id"], True)
    assert document["keys"][f"ed25519:{shown['device_id']}"] == shown["fingerprint"]
    curve25519 = document["keys"][f"curve25519:{shown['device_id']}"]
    assert trust_of(answer, archivist, curve25519, shown["fingerprint"]) == (shown["device_id"], Trust.SIGNED)
    words = (await company.muster("archive", "encrypted")).out
    assert shown["fingerprint"] in words.replace(" ", "")


async def test_no_key_is_lost_when_muster_is_killed(company: Company, tmp_path: Path) -> None:
    """What is said, and each key that is given, while Muster is dead or dying is taken in afterwards."""
    room_id = await board(company)
    await company.accounts.set_password(company.user_id("ann"), "password")
    said = []
    async with encrypting(company.synapse.url, company.user_id("ann"), "password", tmp_path) as ann:
        for number in range(3):
            said.append(await ann.say(room_id, f"before the end {number}"))
            ann.forget_keys(room_id)
        await company.kill()
        for number in range(3):
            said.append(await ann.say(room_id, f"after the end {number}"))
            ann.forget_keys(room_id)
    await company.start()
    for event_id in said:
        await has_read(company, event_id)
    assert await unread(company, room_id) == {}
    assert await company.pool.fetchval("SELECT count(*) FROM plaintext") == len(said)


async def test_what_cannot_be_read_is_counted_with_its_reason(company: Company, tmp_path: Path) -> None:
    """A client that gives the archive no key is seen; when it gives it later, what is said from then on is read."""
    room_id = await board(company)
    archivist = archivist_of(company.homeserver.bot)
    await company.accounts.set_password(company.user_id("bob"), "password")

    async def is_missed() -> bool:
        return await unread(company, room_id) == {"no key came": 1}

    async with encrypting(company.synapse.url, company.user_id("bob"), "password", tmp_path) as bob:
        bob.mistrust(archivist)
        hidden = await bob.say(room_id, "not for the archive")
        await wait_until(is_missed)
        shown = await company.muster("archive", "show", hidden)
        assert "encrypted and not read: no key came" in shown.out
        bob.trust(archivist)
        bob.forget_keys(room_id)
        await has_read(company, await bob.say(room_id, "for everybody"))
    assert await is_missed()
    listed = await company.muster("archive", "encrypted")
    assert "      1  no key came" in listed.out


async def test_archive_that_is_removed_from_an_encrypted_room_comes_back(company: Company) -> None:
    """Nobody shuts the archive out of a room of the policy's."""
    room_id = await board(company)
    archivist = archivist_of(company.homeserver.bot)

    async def is_there() -> bool:
        return room_id in await company.accounts.joined_rooms(archivist)

    await company.homeserver.kick(room_id, archivist)
    await wait_until(is_there)
    await company.has_settled()
