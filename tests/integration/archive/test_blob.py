"""Keeping files: in a folder, and on a real S3-compatible server."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from bridge.archive.blob import Blobs, name_of, open_blobs
from bridge.config_archive import Bucket, MediaConfig
from bridge.errors import HomeserverError, MediaError, MediaTooLargeError, MediaUnavailableError

LIMIT = 10_000_000
PICTURE = b"a picture" * 100_000


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    """Yield the parts, as they come from the network."""
    for part in parts:
        yield part


async def collect(blobs: Blobs, sha256: bytes, got: list[bytes]) -> None:
    """Read a stored file into `got`, as far as it comes."""
    async for piece in blobs.read(sha256):
        got.append(piece)


async def whole(blobs: Blobs, sha256: bytes) -> bytes:
    """Return a stored file."""
    return b"".join([piece async for piece in blobs.read(sha256)])


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3-compatible server with a bucket `archive`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with urlopen(Request(f"http://{host}:{port}/archive", method="PUT")) as answer:
        assert answer.status == 200
    yield f"http://{host}:{port}"
    server.stop()


def files_in(folder: Path) -> list[Path]:
    """Return every file below a folder."""
    return [file for file in folder.rglob("*") if file.is_file()]


def overwrite(folder: Path, s3: str, sha256: bytes, content: bytes) -> None:
    """Put other bytes in the place of a stored file, wherever that is."""
    if (place := folder / "media" / name_of(sha256)).exists():
        place.write_bytes(content)
        return
    store = S3Store("archive", prefix=folder.name, config={"endpoint": s3}, client_options={"allow_http": True})
    obstore.put(store, name_of(sha256), content)


Opened = Callable[[], Blobs]


@pytest.fixture(params=["folder", "s3"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Open the files in each kind of store; again finds what is there."""
    if request.param == "folder":
        return lambda: open_blobs(MediaConfig(), tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    bucket = Bucket("archive", tmp_path.name, request.getfixturevalue("s3"))
    return lambda: open_blobs(MediaConfig(bucket), tmp_path)


async def test_what_is_received_is_read_again(opened: Opened, tmp_path: Path) -> None:
    """By its hash, by another process too; nothing is left of the way in."""
    received = await opened().receive(pieces(PICTURE[:7], PICTURE[7:], b""), LIMIT)
    assert (received.sha256, received.size) == (hashlib.sha256(PICTURE).digest(), len(PICTURE))
    assert await whole(opened(), received.sha256) == PICTURE
    again = await opened().receive(pieces(PICTURE), LIMIT)
    assert again == received
    assert [file for file in files_in(tmp_path) if "incoming" in file.parent.name] == []


async def test_an_empty_file_is_a_file(opened: Opened) -> None:
    """It has a hash like any other."""
    received = await opened().receive(pieces(), LIMIT)
    assert await whole(opened(), received.sha256) == b""


async def test_what_is_not_there_is_said(opened: Opened) -> None:
    """With its hash; removing it again is fine."""
    blobs = opened()
    received = await blobs.receive(pieces(b"x"), LIMIT)
    assert await blobs.has(received.sha256)
    await blobs.remove(received.sha256)
    await blobs.remove(received.sha256)
    assert not await blobs.has(received.sha256)
    with pytest.raises(MediaError, match=f"{received.sha256.hex()} is missing"):
        await whole(blobs, received.sha256)


async def test_more_than_the_limit_is_refused(opened: Opened, tmp_path: Path) -> None:
    """As soon as it is more, and nothing of it stays."""
    with pytest.raises(MediaTooLargeError) as caught:
        await opened().receive(pieces(b"x" * 6, b"x" * 6), 10)
    assert caught.value.size == 12
    assert files_in(tmp_path) == []


async def test_what_breaks_off_is_not_kept(opened: Opened, tmp_path: Path) -> None:
    """The error comes through as it is."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise HomeserverError("gone")

    with pytest.raises(HomeserverError, match="gone"):
        await opened().receive(broken(), LIMIT)
    assert files_in(tmp_path) == []


async def test_identical_files_are_stored_once(tmp_path: Path) -> None:
    """One file of the folder, which is Muster's alone."""
    blobs = open_blobs(MediaConfig(), tmp_path)
    for _ in range(3):
        received = await blobs.receive(pieces(PICTURE), LIMIT)
    (file,) = files_in(tmp_path / "media")
    assert file == tmp_path / "media" / name_of(received.sha256)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("altered", [b"another picture", b"", PICTURE + b"!", PICTURE[:-1], b"b" + PICTURE[1:]])
async def test_an_altered_file_never_comes_out_whole(tmp_path: Path, altered: bytes) -> None:
    """Whatever was done to it: reading ends with an error, before the last piece."""
    blobs = open_blobs(MediaConfig(), tmp_path)
    received = await blobs.receive(pieces(PICTURE), LIMIT)
    (tmp_path / "media" / name_of(received.sha256)).write_bytes(altered)
    got: list[bytes] = []
    with pytest.raises(MediaError, match="was altered"):
        await collect(blobs, received.sha256, got)
    assert len(b"".join(got)) < len(altered) or not altered
    assert (await blobs.receive(pieces(PICTURE), LIMIT)) == received
    assert await whole(blobs, received.sha256) == PICTURE


async def test_an_altered_object_is_found_out(opened: Opened, s3: str, tmp_path: Path) -> None:
    """On S3 as well."""
    received = await opened().receive(pieces(PICTURE), LIMIT)
    overwrite(tmp_path, s3, received.sha256, b"altered")
    with pytest.raises(MediaError, match="was altered"):
        await whole(opened(), received.sha256)


async def test_a_store_that_is_away_is_told_from_a_file_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one is tried again, with words that say what to look at; the other is not."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    away = open_blobs(MediaConfig(Bucket("archive", "", "http://127.0.0.1:9")), tmp_path)
    with pytest.raises(MediaUnavailableError, match="Check its address, bucket and keys"):
        await away.receive(pieces(b"x"), LIMIT)
    overwritten = tmp_path / "file"
    overwritten.touch()
    no_folder = open_blobs(MediaConfig(overwritten), tmp_path)
    with pytest.raises(MediaUnavailableError, match="cannot be kept"):
        await no_folder.receive(pieces(b"x"), LIMIT)


async def test_a_large_file_takes_the_way_of_parts(opened: Opened) -> None:
    """S3 takes large files in parts; they come out the same."""
    part = os.urandom(1_000_000)
    received = await opened().receive(pieces(*[part] * 25), 10 * LIMIT)
    digest = hashlib.sha256()
    async for piece in opened().read(received.sha256):
        digest.update(piece)
    assert digest.digest() == received.sha256
