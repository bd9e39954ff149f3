"""Reading encrypted rooms on a real PostgreSQL: keys that come late, early, twice, or from the wrong hands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from vodozemac import Account

from bridge.archive import crypto_store, store
from bridge.archive.archivist import Archivist, open_secret, opened_account
from bridge.archive.cipher import open_channel
from bridge.archive.decrypt import Decryptor
from bridge.archive.device_keys import device_document, signed_keys
from bridge.archive.encrypted_text import encryption_as_json
from bridge.archive.encryption import is_wanted, read_encrypted
from bridge.archive.ingest import ingest
from bridge.archive.search.index import SearchConsumer
from bridge.archive.search.query import Scope, parse
from bridge.archive.search.search import search
from bridge.archive.show import show
from bridge.archive.undecrypted import read_encryption, undecryptable_by_room
from bridge.archive.values import text_of
from bridge.archive.verify import verify
from bridge.errors import HomeserverError, SecretError
from bridge.homeserver import wire
from bridge.homeserver.device import Device
from bridge.homeserver.event import Event
from bridge.ids import EventId, RoomId, UserId, archivist_of
from tests.unit.archive.test_batch import an_event
from tests.unit.archive.test_cipher import ANN, ROOM, Sender
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

BOT = UserId("@muster:example.org")
SECRET = bytes(range(32))


class FakeHomeserver:
    """The archive's device at the homeserver: what it published, and what others sent to it."""

    def __init__(self) -> None:
        self.bot = BOT
        self.user_id, self.device_id = archivist_of(BOT), ""
        self.published: dict[str, Any] = {}
        self.once: dict[str, Any] = {}
        self.waiting: list[Mapping[str, Any]] = []
        self.acts: list[tuple[str, ...]] = []
        self.batch = 0
        self.devices: dict[UserId, Any] = {}
        self.claimable: dict[str, Any] = {}
        self.sent: list[Mapping[str, Any]] = []

    def device(self, user_id: UserId, device_id: str) -> Device:
        assert user_id == self.user_id
        self.device_id = device_id
        return cast("Device", self)

    async def register(self, user_id: UserId) -> None:
        self.acts.append(("register", user_id))

    async def put_profile_field(self, user_id: UserId, name: str, text: str) -> None:
        self.acts.append(("profile", user_id, text))

    async def invite(
        self, room_id: RoomId, user_id: UserId, *, reason: str = "", as_user: UserId | None = None
    ) -> None:
        self.acts.append(("invite", room_id, user_id))

    async def unban(self, room_id: RoomId, user_id: UserId, *, reason: str = "") -> None:
        self.acts.append(("unban", room_id, user_id))

    async def join(self, room_id: RoomId, *, as_user: UserId) -> None:
        self.acts.append(("join", room_id, as_user))

    async def create(self, display_name: str) -> None:
        self.acts.append(("create", display_name))

    async def upload_keys(self, content: Mapping[str, Any]) -> int:
        for key_id, key in content.get("one_time_keys", {}).items():
            if self.once.setdefault(key_id, key) != key:
                raise HomeserverError("One time key already exists", status=400, errcode="M_UNKNOWN")
        self.published |= content
        return len(self.once)

    async def upload_cross_signing(self, content: Mapping[str, Any]) -> None:
        self.published |= content

    async def upload_signature(self, device: Mapping[str, Any]) -> None:
        self.published["signature"] = device

    async def query_keys(self, user_ids: Sequence[UserId]) -> dict[str, Any]:
        return {"device_keys": {user_id: self.devices[user_id] for user_id in user_ids if user_id in self.devices}}

    async def claim_key(self, user_id: UserId, device_id: str) -> dict[str, Any]:
        return self.claimable

    async def send(self, user_id: UserId, device_id: str, content: Mapping[str, Any], transaction_id: str) -> None:
        self.sent.append(content)

    async def sync(self, since: str | None, *, timeout_ms: int) -> dict[str, Any]:
        assert since == (str(self.batch) if self.batch else None)
        self.batch += 1
        return {
            "next_batch": str(self.batch),
            "to_device": {"events": list(self.waiting)},
            "device_one_time_keys_count": {"signed_curve25519": len(self.once)},
            "device_unused_fallback_key_types": ["signed_curve25519"] if "fallback_keys" in self.published else [],
        }


def raw(event: Event, event_id: str, **fields: object) -> dict[str, object]:
    """Return an event as the homeserver delivers it."""
    return {
        "event_id": event_id,
        "room_id": event.room_id,
        "sender": event.sender,
        "type": event.type,
        "content": event.content,
        "origin_server_ts": 1_700_000_000_000,
    } | fields


class Office:
    """The archive's reader, its database, and what is given to it."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.homeserver = FakeHomeserver()
        self.decryptor = Decryptor(pool, self.homeserver, SECRET, [SearchConsumer(pool, BOT)])
        self.archivist = Archivist(pool, self.homeserver, SECRET, self.decryptor.read_late)
        self._seen = 0

    async def archive(self, *events: Mapping[str, object]) -> None:
        """Archive events and give them to the reader, as the feed would."""
        await ingest(self.pool, list(events))
        rows = await self.pool.fetch("SELECT seq, body FROM event WHERE seq > $1 ORDER BY seq", self._seen)
        self._seen = rows[-1]["seq"]
        await store.move_cursor(self.pool, "search", self._seen)
        await self.decryptor.handle([Event.of(wire.decode(row["body"]), row["seq"]) for row in rows])

    async def take_in(self, *messages: Mapping[str, Any]) -> None:
        """Have messages to the device taken in."""
        device = await self.archivist.prepare()
        self.homeserver.waiting = list(messages)
        await self.archivist.take_in(device, timeout_ms=0)

    async def account(self) -> Account:
        """Return the device's account, as somebody who sends to it sees it."""
        await self.archivist.prepare()
        row = await crypto_store.read_device(self.pool)
        assert row is not None
        return opened_account(row["account"], SECRET)

    async def give_key(self, sender: Sender, **claims: object) -> Mapping[str, Any]:
        """Return the message by which somebody gives the device a key, with one of its published one-time keys."""
        ours = await self.account()
        if sender.session is None:
            _, once = self.homeserver.once.popitem()
            key = type(ours.curve25519_key).from_base64(once["key"])
            sender.session = sender.account.create_outbound_session(ours.curve25519_key, key)
        return sender.give_key(ours, **claims)

    async def unread(self) -> dict[str, int]:
        """Return what of the room could not be read, by reason."""
        return dict((await undecryptable_by_room(self.pool)).get(ROOM, {}))


@pytest.fixture
def office(pool: Pool) -> Office:
    """A reader on an empty database."""
    return Office(pool)


async def found(pool: Pool, words: str) -> list[str]:
    """Return what was found, in whatever room."""
    query = replace(parse(words), scope=Scope(opened=frozenset({ROOM})))
    return [hit.text for hit in (await search(pool, query, server_name="example.org")).hits]


async def test_key_that_comes_late_opens_what_was_said(office: Office) -> None:
    """What could not be read is counted, and read as soon as its key comes; search and show give it."""
    ann = Sender()
    key = await office.give_key(ann)
    await office.archive(raw(ann.say("The merger is called Walnut"), "$a"), raw(ann.say("and tea"), "$b"))
    assert await office.unread() == {"no key came": 2}
    assert await found(office.pool, "walnut") == []
    await office.take_in(key)
    assert await office.unread() == {}
    assert await found(office.pool, "walnut") == ["The merger is called Walnut"]
    story = await show(office.pool, EventId("$a"))
    assert (text_of(story.original.event), story.trust) == ("The merger is called Walnut", "unknown")
    assert (await verify(office.pool)).ok


async def test_index_that_is_made_anew_holds_what_was_read(office: Office) -> None:
    """The feed gives search the events as they came; it takes what they say."""
    ann = Sender()
    await office.take_in(await office.give_key(ann))
    event = raw(ann.say("The merger is called Walnut"), "$a")
    await office.archive(event)
    await office.pool.execute("DELETE FROM search_tail")
    await SearchConsumer(office.pool, BOT).handle([Event.of(event, 1)])
    assert len(await found(office.pool, "walnut")) == 1


async def test_key_that_is_there_opens_at_once(office: Office) -> None:
    """What comes after its key is never counted as unread, and an edit shows in the story."""
    ann = Sender()
    await office.take_in(await office.give_key(ann))
    edit = {"rel_type": "m.replace", "event_id": "$a"}
    new = {"msgtype": "m.text", "body": "* ten", "m.new_content": {"body": "ten"}}
    plain = {"type": "m.room.message", "room_id": ROOM, "content": new}
    await office.archive(raw(ann.say("nine"), "$a"), raw(ann.say(plain=plain, relation=edit), "$b"))
    story = await show(office.pool, EventId("$a"))
    assert [text_of(version.event) for version in story.edits] == ["ten"]
    assert await office.unread() == {}


async def test_key_that_begins_late_is_taken_over_by_an_earlier_one(office: Office) -> None:
    """A message before the key says so; the same key from further back opens it."""
    ann = Sender()
    early = await office.give_key(ann)
    first = ann.say("first")
    late = await office.give_key(ann)
    await office.archive(raw(first, "$a"))
    await office.take_in(late)
    assert await office.unread() == {"said before the key begins": 1}
    await office.take_in(early)
    assert await office.unread() == {}
    await office.take_in(await office.give_key(ann))
    kept = await crypto_store.read_room_key(office.pool, ROOM, ann.group.session_id, ANN)
    assert kept is not None
    assert kept["first_index"] == 0


async def test_same_message_again_is_not_believed(office: Office) -> None:
    """Somebody who repeats the bytes of a message, which the homeserver can, makes no second one."""
    ann = Sender()
    await office.take_in(await office.give_key(ann))
    event = ann.say("pay 5 million")
    await office.archive(raw(event, "$a"), raw(event, "$b"))
    assert await office.unread() == {"the same message again": 1}
    assert len(await found(office.pool, "million")) == 1


async def test_key_opens_only_what_its_giver_said(office: Office) -> None:
    """Who passes on another's key does not become the author, and does not get in the author's way."""
    ann, eve = Sender(), Sender(UserId("@eve:example.org"))
    eve.group = ann.group
    await office.take_in(await office.give_key(eve))
    key = await office.give_key(ann)
    await office.archive(raw(ann.say("hello"), "$a"))
    assert await office.unread() == {"no key came": 1}
    await office.take_in(key)
    assert await office.unread() == {}


async def test_refusal_of_a_clients_is_the_reason(office: Office) -> None:
    """A client that says why it gives no key is quoted; rubbish in its place is nothing."""
    ann = Sender()
    said = {"algorithm": "m.megolm.v1.aes-sha2", "room_id": ROOM, "session_id": ann.group.session_id}
    refusal = {"type": "m.room_key.withheld", "sender": ANN, "content": {**said, "code": "m.unverified"}}
    rubbish = [{**refusal, "content": content} for content in (None, {**said, "code": "\0"}, {**said, "code": 5})]
    await office.archive(raw(ann.say(), "$a"))
    await office.take_in(refusal, *rubbish, {"type": "m.room.encrypted"}, {"type": 5})
    assert await office.unread() == {"the sender's client gave no key (m.unverified)": 1}


async def test_messages_are_taken_in_whole_or_not_at_all(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the middle, the device has neither moved on nor kept half: the same comes again and opens."""
    ann = Sender()
    key = await office.give_key(ann)
    await office.archive(raw(ann.say("hello"), "$a"))

    async def stop(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as stopped:
        stopped.setattr(crypto_store, "move_sync", stop)
        with pytest.raises(asyncio.CancelledError):
            await office.take_in(key)
    assert await office.pool.fetchval("SELECT count(*) FROM olm_session") == 0
    office.homeserver.batch = 0
    await office.take_in(key)
    assert await office.unread() == {}


async def test_keys_that_others_begin_with_are_kept_before_they_are_published(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between publishing and noting it, the device publishes the same again and none is lost."""

    async def stop(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as stopped:
        stopped.setattr(crypto_store, "mark_ready", stop)
        with pytest.raises(asyncio.CancelledError):
            await office.archivist.prepare()
    ann = Sender()
    key = await office.give_key(ann)
    await office.archive(raw(ann.say("hello"), "$a"))
    await office.take_in(key)
    assert await office.unread() == {}


async def test_used_up_keys_are_replaced(office: Office) -> None:
    """When fewer than half of the one-time keys are left, new ones are published."""
    await office.archivist.prepare()
    before = set(office.homeserver.once)
    office.homeserver.once.clear()
    await office.take_in()
    assert len(office.homeserver.once) == len(before) == 50
    assert not before & set(office.homeserver.once)


async def test_channel_that_broke_is_begun_anew(office: Office) -> None:
    """After an old backup was restored messages of known devices do not open; they are told to begin anew, once."""
    ann, stranger = Sender(), Account()

    def sign(message: bytes) -> str:
        return ann.account.sign(message).to_base64()

    ed25519 = ann.account.ed25519_key.to_base64()
    office.homeserver.devices[ANN] = {"DESK": device_document(ANN, "DESK", ann.key, ed25519, sign)}
    ann.account.generate_one_time_keys(1)
    ((key_id, once),) = ann.account.one_time_keys.items()
    office.homeserver.claimable = next(iter(signed_keys({key_id: once.to_base64()}, ANN, "DESK", sign).values()))
    ours = await office.account()
    lost = ann.give_key(stranger)  # with a key that the restored device does not have
    content = {**lost["content"], "ciphertext": {ours.curve25519_key.to_base64(): _sealed(lost)}}
    await office.take_in({**lost, "content": content})
    await office.take_in({**lost, "content": content})
    [said] = office.homeserver.sent
    opened = open_channel(ann.account, [], {"content": said}, sender_key=ours.curve25519_key.to_base64())
    assert opened is not None
    assert opened.payload["type"] == "m.dummy"
    ann.session = opened.session
    key = await office.give_key(ann)
    await office.archive(raw(ann.say("hello"), "$a"))
    await office.take_in(key)
    assert await office.unread() == {}


async def test_names_of_keys_that_are_taken_are_passed_over(office: Office) -> None:
    """A restored database makes keys of names that it published before; it goes on until there are others."""
    office.homeserver.once = {f"signed_curve25519:{key_id}": {"key": "older"} for key_id in await fresh_key_ids(60)}
    device = await office.archivist.prepare()
    for _ in range(3):
        await office.archivist.supply(device, 0, fallback=True)
    assert len(office.homeserver.once) > 100
    assert "fallback_keys" in office.homeserver.published


async def fresh_key_ids(count: int) -> list[str]:
    """Return the names of the first keys of a new device."""
    account = Account()
    account.generate_one_time_keys(count)
    return list(account.one_time_keys)


def _sealed(event: Mapping[str, Any]) -> object:
    return next(iter(event["content"]["ciphertext"].values()))


async def test_archive_is_brought_where_the_policy_encrypts_and_stays(office: Office) -> None:
    """It enters when encryption begins, and comes back when banned; of other rooms the administrators are told."""
    await office.pool.execute(
        """INSERT INTO managed_room (key, rule, kind, name, topic, parents, alias, settings, room_id)
           VALUES ('board', 'board', 'chat', 'Board', '', '{}', '#board', '{"encrypted": true}'::jsonb, $1)""",
        ROOM,
    )
    archivist = archivist_of(BOT)
    begun = raw(Event.of({"room_id": ROOM, "sender": BOT, "type": "m.room.encryption"}), "$a", state_key="")
    banned = {**begun, "event_id": "$b", "type": "m.room.member", "state_key": archivist}
    await office.archive(begun)
    assert office.homeserver.acts == [("register", archivist), ("invite", ROOM, archivist), ("join", ROOM, archivist)]
    office.homeserver.acts.clear()
    await office.archive({**banned, "content": {"membership": "ban"}})
    assert office.homeserver.acts[0] == ("unban", ROOM, archivist)
    assert office.homeserver.acts[-1] == ("join", ROOM, archivist)
    assert await office.pool.fetchval("SELECT count(*) FROM notice") == 0
    office.homeserver.acts.clear()
    await office.archive({**begun, "event_id": "$c", "room_id": "!elsewhere"})
    assert office.homeserver.acts == []
    assert "!elsewhere" in await office.pool.fetchval("SELECT body FROM notice")


async def test_figures_tell_the_device_and_each_room(office: Office) -> None:
    """What was read and what was not, per room, also before anything was tried; the device with its key."""
    ann = Sender()
    await office.take_in(await office.give_key(ann))
    await office.archive(raw(ann.say(), "$a"), raw(Sender().say(), "$b"))
    await ingest(office.pool, [raw(ann.say(), "$c", room_id="!other")])
    found = await read_encryption(office.pool)
    assert found.device is not None
    assert found.device.fingerprint == (await office.account()).ed25519_key.to_base64()
    assert [(room.room_id, room.read, dict(room.unread)) for room in found.rooms] == [
        (ROOM, 1, {"no key came": 1}),
        ("!other", 0, {"not tried yet": 1}),
    ]
    assert json.loads(json.dumps(encryption_as_json(found)))["rooms"][1]["unread"] == {"not tried yet": 1}


async def test_another_secret_is_said_and_changes_nothing(office: Office, tmp_path: Path) -> None:
    """The keys are encrypted with the secret of the data folder; with another nothing is opened, and it says so."""
    secret = open_secret(tmp_path)
    assert open_secret(tmp_path) == secret
    assert (tmp_path / "archive-device.key").stat().st_mode & 0o777 == 0o600
    await office.archivist.prepare()
    row = await crypto_store.read_device(office.pool)
    assert row is not None
    with pytest.raises(SecretError, match="Put back the one of your backup"):
        opened_account(row["account"], secret)
    (tmp_path / "archive-device.key").write_text("short")
    with pytest.raises(SecretError, match=r"expected 32 bytes|holds no secret"):
        open_secret(tmp_path)


async def test_plaintext_that_is_odd_is_kept(office: Office) -> None:
    """A NUL and a lone surrogate in what somebody said encrypted do not stop the line."""
    ann = Sender()
    await office.take_in(await office.give_key(ann))
    plain = {"type": "m.room.message", "room_id": ROOM, "content": {"msgtype": "m.text", "body": "nul\0 \ud800 end"}}
    await office.archive(raw(ann.say(plain=plain), "$a"), raw(ann.say(plain=json.loads("[" * 50 + "]" * 50)), "$b"))
    story = await show(office.pool, EventId("$a"))
    assert text_of(story.original.event) == "nul\0 \ud800 end"
    assert await office.unread() == {"nothing readable inside": 1}


ENCRYPTED_ROOM = """INSERT INTO managed_room (key, rule, kind, name, topic, parents, alias, settings)
    VALUES ('board', 'board', 'room', 'Board', '', '{}', '#b:x', '{"encrypted": true}')"""


@pytest.mark.parametrize(
    "event",
    [
        {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}},
        {"type": "m.room.encrypted", "content": {}},
    ],
)
async def test_device_is_wanted_once_a_room_is_seen_to_be_encrypted(pool: Pool, event: dict[str, object]) -> None:
    """By its state, or by what is said in it; other events want none."""
    await ingest(pool, [an_event("$a")])
    assert not await is_wanted(pool)
    await ingest(pool, [an_event("$b") | event])
    assert await is_wanted(pool)


async def test_device_is_made_when_the_policy_encrypts_a_room(pool: Pool, tmp_path: Path) -> None:
    """Until then neither it nor its account is there; the room's row stands before the room does."""
    homeserver = FakeHomeserver()
    await ingest(pool, [an_event("$a")])
    running = asyncio.create_task(read_encrypted(pool, homeserver, tmp_path, [], asyncio.Event()))
    await wait_until(lambda: _has_handled(pool))
    assert await crypto_store.read_device(pool) is None
    assert not homeserver.published
    await pool.execute(ENCRYPTED_ROOM)
    await wait_until(lambda: _is_ready(pool))
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def _has_handled(pool: Pool) -> bool:
    return bool(await pool.fetchval("SELECT EXISTS (SELECT FROM feed_cursor WHERE consumer = 'decrypt')"))


async def _is_ready(pool: Pool) -> bool:
    row = await crypto_store.read_device(pool)
    return row is not None and bool(row["ready"])
