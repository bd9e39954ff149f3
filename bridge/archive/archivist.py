"""The archive's own device: makes it, keeps it supplied with keys, and takes in the keys of rooms that come to it.

What comes is taken in with everything that it changes (channels, one-time keys, keys of rooms, the place in the
stream) in one database transaction, and Synapse forgets it only when the next is asked for: so nothing is lost,
whenever Muster is stopped. Opening events with the keys is left to `decrypt`, being in the rooms to `residence`.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vodozemac import Account, Session

from bridge.archive import crypto_store, store
from bridge.archive.cipher import (
    MEGOLM,
    OLM,
    RoomKey,
    begin_channel,
    is_name,
    nothing_said,
    open_channel,
    room_key_of,
)
from bridge.archive.device_keys import (
    CrossSigning,
    decoded,
    device_document,
    device_of,
    encoded,
    is_signed,
    signed_keys,
    trust_of,
)
from bridge.archive.encrypted import DEVICE_KEY
from bridge.errors import (
    DatabaseUnavailableError,
    HomeserverError,
    HomeserverUnavailableError,
    RefusedError,
    SecretError,
)
from bridge.files import make_folder, write_new
from bridge.homeserver.device import Device
from bridge.ids import UserId, archivist_of
from bridge.patience import Backoff, Patience

if TYPE_CHECKING:
    from bridge.database import Connection, Pool

log = logging.getLogger(__name__)

DEVICE_NAME = "Muster's archive"
_DISPLAY_NAME = "Archive"
_SECRET_BYTES = 32
_WAIT_MS = 30_000
_BACKOFF = Backoff(1.0, 60.0)


class Homeserver(Protocol):
    """Who makes the account and its device."""

    bot: UserId

    async def register(self, user_id: UserId) -> None: ...
    async def put_profile_field(self, user_id: UserId, name: str, text: str) -> None: ...
    def device(self, user_id: UserId, device_id: str) -> Device: ...


def open_secret(folder: Path) -> bytes:
    """Return the secret of the device, 32 bytes kept in the data folder; the first time one is made.

    It encrypts the device's keys in the database, and the account's identity follows from it.
    """
    path = folder / DEVICE_KEY
    if not path.exists():
        make_folder(folder)
        with suppress(RefusedError):  # another process was quicker, and its secret counts
            write_new(path, encoded(secrets.token_bytes(_SECRET_BYTES)) + "\n", mode=0o600)
    try:
        secret = decoded(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise SecretError(f"{path} cannot be read: {error.strerror}. Run the command as the service's user.") from error
    except ValueError as error:
        raise SecretError(f"{path} holds no secret. Put back the one of your backup.") from error
    if len(secret) != _SECRET_BYTES:
        raise SecretError(f"{path}: expected {_SECRET_BYTES} bytes, came {len(secret)}. Put back that of your backup.")
    return secret


class Archivist:
    """The device; `on_keys` is awaited whenever keys of rooms have come."""

    def __init__(
        self, pool: Pool, homeserver: Homeserver, secret: bytes, on_keys: Callable[[], Awaitable[None]]
    ) -> None:
        self._pool = pool
        self._homeserver = homeserver
        self._secret = secret
        self._on_keys = on_keys
        self._user_id = archivist_of(homeserver.bot)

    async def run(self) -> None:
        """Take in keys until cancelled; wait while homeserver or database is away."""
        patience = Patience(
            _BACKOFF, lambda problem: log.warning("the archive's device waits: %s", problem, extra={"action": "keys"})
        )
        again = False
        while True:
            try:
                device = await self.prepare(again=again)
                await self._on_keys()  # of those that came before we were stopped
                while True:
                    await self.take_in(device, timeout_ms=_WAIT_MS)
                    patience.recover()
            except (HomeserverError, DatabaseUnavailableError) as error:
                # A refusal may be because somebody deleted the device: with the same keys it is the same again.
                is_away = isinstance(error, HomeserverUnavailableError | DatabaseUnavailableError)
                again = not is_away
                await patience.wait_out(None if is_away else error)  # of who is away others tell

    async def prepare(self, *, again: bool = False) -> Device:
        """Make account and device, and publish the keys, unless that is done and not to be done again."""
        row = await self._read()
        if row is None:
            await self._homeserver.register(self._user_id)
            await self._homeserver.put_profile_field(self._user_id, "displayname", _DISPLAY_NAME)
            await self._make()
            row = await self._read()
            assert row is not None
        device = self._homeserver.device(UserId(row["user_id"]), row["device_id"])
        if again or not row["ready"]:
            await self._publish(device, self._account(row["account"]))
        return device

    async def _make(self) -> None:
        account = Account()
        device_id = f"MUSTER{secrets.token_hex(5).upper()}"
        fingerprint = account.ed25519_key.to_base64()
        with store.database_errors():
            await crypto_store.add_device(
                self._pool, self._user_id, device_id, fingerprint, account.pickle(self._secret)
            )

    async def _read(self) -> store.Row | None:
        with store.database_errors():
            return await crypto_store.read_device(self._pool)

    async def _publish(self, device: Device, account: Account) -> None:
        """Publish the device's keys, signed by the account's own identity, and keys for others to begin with."""
        await device.create(DEVICE_NAME)
        document = own_document(device, account)
        await device.upload_keys({"device_keys": document})
        identity = CrossSigning.of(self._secret)
        await device.upload_cross_signing(identity.documents(device.user_id))
        await device.upload_signature(identity.sign_device(document, device.user_id))
        await self.supply(device, await device.upload_keys({}), fallback=True)
        with store.database_errors():
            await crypto_store.mark_ready(self._pool)
        log.info("the archive's device %s is published", device.device_id, extra={"action": "keys.publish"})

    async def supply(self, device: Device, left: int, *, fallback: bool) -> None:
        """Publish one-time keys when fewer than half are left, and a new fallback key when the last one is used.

        They are kept before they are published: a key that others use must open what they send.
        """
        async with store.transaction(self._pool) as connection:
            row = await crypto_store.lock_device(connection)
            assert row is not None
            account = self._account(row["account"])
            wanted = account.max_number_of_one_time_keys
            if left < wanted // 2 and not account.one_time_keys:
                account.generate_one_time_keys(wanted - left)
            if fallback and not _fallback_of(account):
                _generate_fallback(account)
            await crypto_store.put_account(connection, account.pickle(self._secret))
        content = _published(device, account)
        if not content:
            return
        try:
            await device.upload_keys(content)
        except HomeserverError as error:
            if error.status != HTTPStatus.BAD_REQUEST:
                raise
            # The database is older than what was published: keys of these names are taken. The next have others.
            log.warning("one-time keys are not taken: %s", error.message, extra={"action": "keys.publish"})
        async with store.transaction(self._pool) as connection:
            row = await crypto_store.lock_device(connection)
            assert row is not None
            account = self._account(row["account"])
            account.mark_keys_as_published()
            await crypto_store.put_account(connection, account.pickle(self._secret))

    async def take_in(self, device: Device, *, timeout_ms: int) -> None:
        """Take in what came to the device since the last time, waiting for the first of it."""
        row = await self._read()
        assert row is not None
        answer = await device.sync(row["sync_token"], timeout_ms=timeout_ms)
        events = [event for event in _list(answer, "to_device", "events") if isinstance(event, Mapping)]
        senders = sorted({UserId(event["sender"]) for event in events if _is_olm(event)})
        devices = await device.query_keys(senders) if senders else {}
        async with store.transaction(self._pool) as connection:
            locked = await crypto_store.lock_device(connection)
            assert locked is not None
            if locked["sync_token"] != row["sync_token"]:
                return  # another process took the same in
            account = self._account(locked["account"])
            keys, broken = await self._take_events(connection, account, events, devices)
            await crypto_store.put_account(connection, account.pickle(self._secret))
            await crypto_store.move_sync(connection, str(answer["next_batch"]))
        if keys:
            await self._on_keys()
        for sender, sender_key in sorted(broken):
            await self._mend(device, devices, sender, sender_key)
        left = _mapping(answer.get("device_one_time_keys_count")).get("signed_curve25519", 0)
        unused = answer.get("device_unused_fallback_key_types") or ()
        if left < account.max_number_of_one_time_keys // 2 or "signed_curve25519" not in unused:
            await self.supply(device, left, fallback="signed_curve25519" not in unused)

    async def _take_events(
        self, connection: Connection, account: Account, events: Sequence[Mapping[str, Any]], devices: Mapping[str, Any]
    ) -> tuple[int, set[tuple[UserId, str]]]:
        """Keep what the messages to the device bring; return how many keys of rooms that were, and whose devices'
        messages do not open."""
        keys, broken = 0, set()
        for event in events:
            if _is_olm(event):
                taken = await self._take_message(connection, account, event, devices)
                if taken is None:
                    broken.add((UserId(event["sender"]), str(event["content"]["sender_key"])))
                keys += bool(taken)
            elif event.get("type") in ("m.room_key.withheld", "org.matrix.room_key.withheld"):
                await _take_refusal(connection, event)
        return keys, broken

    async def _take_message(
        self, connection: Connection, account: Account, event: Mapping[str, Any], devices: Mapping[str, Any]
    ) -> bool | None:
        """Open a message to the device and keep the key of a room that it brings; tell whether it did, None when it
        does not open."""
        sender, sender_key = UserId(event["sender"]), event["content"]["sender_key"]
        pickles = await crypto_store.read_channels(connection, sender_key)
        channels = [Session.from_pickle(pickle, self._secret) for pickle in pickles]
        opened = open_channel(account, channels, event, sender_key=sender_key)
        if opened is None:
            log.warning("a message of %s to the archive's device does not open", sender, extra={"action": "keys.take"})
            return None
        session = opened.session
        await crypto_store.put_channel(connection, session.session_id, sender_key, session.pickle(self._secret))
        key = room_key_of(opened.payload, account, self._user_id, sender=sender, sender_key=sender_key)
        if key is None:
            return False
        await self._put_key(connection, key, devices)
        return True

    async def _mend(self, device: Device, devices: Mapping[str, Any], sender: UserId, sender_key: str) -> None:
        """Begin a new channel to a device whose messages do not open, once an hour at most, so that the next keys do.

        (Specification, "Recovering from undecryptable messages".) It happens when the database is an older one.
        """
        found = device_of(devices, sender, sender_key)
        with store.database_errors():
            if found is None or await crypto_store.has_fresh_channel(self._pool, sender_key):
                return
        device_id, signing_key = found
        once = await device.claim_key(sender, device_id)
        if not is_signed(once, sender, device_id, signing_key):
            return
        async with store.transaction(self._pool) as connection:
            row = await crypto_store.lock_device(connection)
            assert row is not None
            account = self._account(row["account"])
            session = begin_channel(account, sender_key, str(once.get("key")))
            if session is None:
                return
            content = nothing_said(
                account, session, self._user_id, to=sender, sender_key=sender_key, signing_key=signing_key
            )
            await crypto_store.put_channel(connection, session.session_id, sender_key, session.pickle(self._secret))
        await device.send(sender, device_id, content, session.session_id)
        log.info("began a new channel to a device of %s", sender, extra={"action": "keys.mend"})

    async def _put_key(self, connection: Connection, key: RoomKey, devices: Mapping[str, Any]) -> None:
        _, trust = trust_of(devices, key.owner, key.sender_key, key.signing_key)
        await crypto_store.put_room_key(
            connection,
            key.room_id,
            key.session_id,
            key.owner,
            key.sender_key,
            trust,
            key.session.first_known_index,
            key.session.pickle(self._secret),
        )

    def _account(self, pickle: str) -> Account:
        return opened_account(pickle, self._secret)


def opened_account(pickle: str, secret: bytes) -> Account:
    """Return the device's keys; raises `SecretError` when the secret is another."""
    try:
        return Account.from_pickle(pickle, secret)
    except ValueError as error:
        raise SecretError(
            f"The archive's device cannot be opened: {DEVICE_KEY} in the data folder is not the one it was made with. "
            "Put back the one of your backup."
        ) from error


def own_document(device: Device, account: Account) -> dict[str, Any]:
    """Return the device's keys as they are published."""
    return device_document(
        device.user_id,
        device.device_id,
        account.curve25519_key.to_base64(),
        account.ed25519_key.to_base64(),
        lambda message: account.sign(message).to_base64(),
    )


def _published(device: Device, account: Account) -> dict[str, Any]:
    """Return the body that publishes what is not published yet."""

    def sign(message: bytes) -> str:
        return account.sign(message).to_base64()

    once = {key_id: key.to_base64() for key_id, key in account.one_time_keys.items()}
    ever = _fallback_of(account)
    content: dict[str, Any] = {}
    if once:
        content["one_time_keys"] = signed_keys(once, device.user_id, device.device_id, sign)
    if ever:
        content["fallback_keys"] = signed_keys(ever, device.user_id, device.device_id, sign, fallback=True)
    return content


def _fallback_of(account: Any) -> dict[str, str]:
    """Return the fallback key that is not published yet; the library's annotations leave it out."""
    return {key_id: key.to_base64() for key_id, key in account.fallback_key.items()}


def _generate_fallback(account: Any) -> None:
    account.generate_fallback_key()


async def _take_refusal(connection: Connection, event: Mapping[str, Any]) -> None:
    """Keep that a client says it does not give us a key (specification, `m.room_key.withheld`)."""
    content = _mapping(event.get("content"))
    fields = *(content.get(name) for name in ("room_id", "session_id", "code")), event.get("sender")
    room_id, session_id, code, sender = fields
    if content.get("algorithm") != MEGOLM or not (is_name(room_id) and is_name(session_id)):
        return
    if is_name(code) and is_name(sender):
        await crypto_store.put_withheld(connection, room_id, session_id, UserId(sender), code)


def _is_olm(event: Mapping[str, Any]) -> bool:
    content = _mapping(event.get("content"))
    return (
        event.get("type") == "m.room.encrypted"
        and content.get("algorithm") == OLM
        and is_name(content.get("sender_key"))
        and is_name(event.get("sender"))
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Mapping[str, Any], outer: str, inner: str) -> list[Any]:
    found = _mapping(value.get(outer)).get(inner)
    return found if isinstance(found, list) else []
