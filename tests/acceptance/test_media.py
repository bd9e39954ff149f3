"""Files beside a real Synapse: kept by the service, also when they are deleted there."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from bridge.archive.blob import open_blobs
from bridge.config_archive import MediaConfig
from bridge.demo.synapse import AccessToken
from tests.acceptance.client import ClientError, MatrixClient
from tests.acceptance.company import Company
from tests.waiting import wait_until

Human = Callable[[str], Awaitable[MatrixClient]]


async def upload(http: aiohttp.ClientSession, url: str, client: MatrixClient, content: bytes) -> str:
    """Upload a file as a client does and return its link."""
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/pdf"}
    async with http.post(f"{url}/_matrix/media/v3/upload", data=content, headers=headers) as response:
        assert response.status == 200
        return str((await response.json())["content_uri"])


async def link(company: Company, mxc: str) -> dict[str, Any]:
    """Return what the archive knows of a link."""
    row = await company.pool.fetchrow("SELECT state, tries, sha256, reason FROM media_link WHERE mxc = $1", mxc)
    return dict(row) if row else {}


async def test_a_file_stays_in_the_archive_when_it_is_deleted(
    company: Company, human: Human, synapse_admin: AccessToken, http: aiohttp.ClientSession
) -> None:
    """Sent, taken back, deleted on Synapse: the archive still has it, and says who could see it."""
    content = secrets.token_bytes(100_000)
    tag = secrets.token_hex(3)
    writer, reader = await human(f"writer-{tag}"), await human(f"reader-{tag}")
    room = await writer.create_room(preset="public_chat", name="Files")
    await reader.join(room)
    mxc = await upload(http, company.synapse.url, writer, content)
    again = await upload(http, company.synapse.url, reader, content)
    first = await writer.send(room, "secret.pdf", msgtype="m.file", url=mxc, info={"size": len(content)})
    await writer.redact(room, first)
    second = await reader.send(room, "mine.pdf", msgtype="m.file", url=again)

    async def stored() -> bool:
        return [(await link(company, each)).get("state") for each in (mxc, again)] == ["stored"] * 2

    await wait_until(stored)
    admin = await MatrixClient.of_token(http, company.synapse.url, synapse_admin)
    for each in (mxc, again):
        await admin.request("DELETE", f"/_synapse/admin/v1/media/{each.removeprefix('mxc://')}")
    with pytest.raises(ClientError):
        await writer.request("GET", f"/_matrix/client/v1/media/download/{mxc.removeprefix('mxc://')}")

    sha256 = hashlib.sha256(content).digest()
    blobs = open_blobs(MediaConfig(), company.folder / "data")
    assert b"".join([piece async for piece in blobs.read(sha256)]) == content
    path = company.folder / "found.pdf"
    path.write_bytes(content)
    ended = await company.muster("archive", "trace", str(path), "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert [event["event_id"] for event in found["events"]] == [first, second]
    assert [person["user_id"] for person in found["people"]] == [reader.user_id, writer.user_id]
    assert (found["rooms"], found["sha256"]) == ([room], sha256.hex())


async def test_a_link_to_nothing_holds_nobody_up(company: Company, human: Human, http: aiohttp.ClientSession) -> None:
    """Of our own Synapse or of a homeserver that does not exist: the reason is kept, and the next file comes."""
    writer = await human(f"writer-{secrets.token_hex(3)}")
    room = await writer.create_room(preset="private_chat", name="Files")
    nothing, nowhere = (
        f"mxc://{server}/{secrets.token_hex(8)}" for server in (company.synapse.server_name, "no.invalid")
    )
    for mxc in (nothing, nowhere):
        await writer.send(room, "x.png", msgtype="m.image", url=mxc)
    mxc = await upload(http, company.synapse.url, writer, b"there")
    await writer.send(room, "x.pdf", msgtype="m.file", url=mxc)

    async def tried() -> bool:
        return all([(await link(company, each)).get("tries") == 1 for each in (nothing, nowhere)])

    async def stored() -> bool:
        return (await link(company, mxc)).get("state") == "stored"

    await wait_until(stored)
    await wait_until(tried)
    assert "404 M_NOT_FOUND" in (await link(company, nothing))["reason"]
    assert (await link(company, nowhere))["reason"]
    ended = await company.muster("archive", "status", "--json")
    assert json.loads(ended.out)["media"]["reasons"]
