"""People have the company's photo, or their initials; each picture is uploaded once, private ones give way."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from bridge.directory.notice_store import read_untold
from bridge.directory.scim_shape import MUSTER
from bridge.errors import HomeserverError, HomeserverUnavailableError, PictureError
from bridge.membership import faces, photos
from bridge.membership.face import FIELD
from bridge.membership.faces import AGAIN, RETRY, Faces
from bridge.membership.photos import PhotoUnavailableError
from bridge.membership.picture import LARGEST_FILE
from bridge.membership.profile_audit import Compared, ProfileAudit
from tests.integration.membership.conftest import Company, user

RULES: dict[str, Any] = {"accounts": {"avatar": "photo"}, "rooms": {"lounge": {}}}


def picture(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(out, "PNG")
    return out.getvalue()


class Studio:
    """A company whose people have photos: in a folder, and behind addresses."""

    def __init__(self, company: Company, folder: Path) -> None:
        self.company = company
        self.folder = folder
        self.answers: dict[str, bytes | Exception] = {}
        self.fetched: list[str] = []
        self.working = Faces(
            company.pool,
            company.homeserver,
            lambda: company.policy,
            self.fetch,
            folder=folder,
            attribute="photoUrl",
            clock=company.clock,
        )

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        answer = self.answers.get(url, PictureError("expected a picture from its address, came the answer 404"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def make(self) -> int:
        """Make what is missing, have it put in place, and return how many people were looked at."""
        count = 0
        while made := await self.working.turn():
            count += made
        await self.company.upkeep.catch_up()
        return count

    def seen(self, name: str) -> tuple[int, int, int]:
        """Return the colour in the corner of somebody's picture."""
        address = self.company.homeserver.users[user(name)].profile[FIELD]
        pixel = Image.open(io.BytesIO(self.company.homeserver.media[address])).convert("RGB").getpixel((5, 5))
        assert isinstance(pixel, tuple)
        return (int(pixel[0]), int(pixel[1]), int(pixel[2]))

    def shows(self, name: str, colour: tuple[int, int, int]) -> bool:
        return all(abs(one - other) < 8 for one, other in zip(self.seen(name), colour, strict=True))


@pytest.fixture
async def studio(company: Company, tmp_path: Path) -> Studio:
    """Everything in place but the pictures."""
    company.rule(RULES)
    await company.settle()
    await company.upkeep.catch_up()
    return Studio(company, tmp_path)


async def test_who_has_no_photo_has_initials_and_the_same_are_uploaded_once(studio: Studio) -> None:
    """Everybody has a picture, also who comes later; nothing is uploaded again, and then there is nothing to do."""
    company = studio.company
    assert await studio.make() == 5
    assert all(FIELD in company.homeserver.users[user(name)].profile for name in ("ann", "bob", "cid", "dot", "eve"))
    assert not (await company.reconcile()).plan.changes
    assert await studio.make() == 0

    uploads = len(company.homeserver.media)
    await company.pool.execute("DELETE FROM face")
    await company.say("fay")
    await company.upkeep.catch_up()
    assert await studio.make() == 6
    assert len(company.homeserver.media) == uploads + 1
    assert not (await company.reconcile()).plan.changes


async def test_a_photo_from_the_folder_follows_its_file(studio: Studio) -> None:
    """Found by the userName whatever its case, changed when the file is, and initials again when it is gone."""
    company = studio.company
    (studio.folder / "ANN.png").write_bytes(picture("red"))
    (studio.folder / "notes.txt").write_text("no photo")
    await studio.make()
    assert studio.shows("ann", (254, 0, 0))

    (studio.folder / "ANN.png").write_bytes(picture("lime") + b" ")
    assert await studio.make() == 1
    assert studio.shows("ann", (0, 254, 0))

    (studio.folder / "ANN.png").unlink()
    assert await studio.make() == 1
    assert not studio.shows("ann", (0, 254, 0))
    assert not (await company.reconcile()).plan.changes


async def test_a_photo_from_its_address_follows_the_directory_and_the_day(studio: Studio) -> None:
    """HR names another address, or another photo is behind the same one a day later."""
    company = studio.company
    company.now = company.clock()
    studio.answers["https://hr.example/ann"] = picture("red")
    await _keep(company, "ann", "https://hr.example/ann")
    await studio.make()
    assert studio.shows("ann", (254, 0, 0))
    assert await studio.make() == 0

    studio.answers["https://hr.example/ann"] = picture("blue")
    company.now += AGAIN
    await studio.make()
    assert studio.shows("ann", (0, 0, 254))


async def test_a_bad_photo_is_told_once_and_initials_are_used(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is none, an address that is gone or is not https: one line each, and one notice for all."""
    company = studio.company
    (studio.folder / "bob.jpg").write_bytes(b"<html>")
    await _keep(company, "ann", "https://hr.example/gone")
    await _keep(company, "cid", "http://hr.example/cid")
    with caplog.at_level(logging.WARNING, "bridge.membership.faces"):
        await studio.make()
        company.ahead += AGAIN
        await studio.make()
    told = sorted(record.getMessage() for record in caplog.records)
    assert [line.split(" is not used: ")[0] for line in told] == [
        f"the photo of {user(name)}" for name in ("ann", "bob", "cid")
    ]
    assert "came the answer 404" in told[0]
    assert "begins with https://" in told[2]
    assert not any("hr.example" in line for line in told)
    ((notice, _),) = await read_untold(company.pool)
    assert notice.topic == "photos"
    assert all(FIELD in company.homeserver.users[user(name)].profile for name in ("ann", "bob", "cid"))


async def test_a_photo_is_kept_while_its_address_does_not_answer(studio: Studio) -> None:
    """An HR system that is away for an hour takes nobody's face."""
    company = studio.company
    company.now = company.clock()
    studio.answers["https://hr.example/ann"] = picture("red")
    await _keep(company, "ann", "https://hr.example/ann")
    await studio.make()
    studio.answers["https://hr.example/ann"] = PhotoUnavailableError("its address answers 503")
    company.now += AGAIN
    await studio.make()
    assert studio.shows("ann", (254, 0, 0))

    studio.answers["https://hr.example/ann"] = picture("blue")
    company.now += RETRY
    await studio.make()
    assert studio.shows("ann", (0, 0, 254))


async def test_a_private_picture_is_replaced_and_off_removes_all(studio: Studio) -> None:
    """The slow look at profiles finds it; with `off` those that Muster made go too, and then nobody is looked at."""
    company = studio.company
    await studio.make()
    profile = company.homeserver.users[user("bob")].profile
    own, profile[FIELD] = profile[FIELD], "mxc://example.org/beach"
    audit = ProfileAudit(company.pool, company.homeserver, lambda: company.policy, clock=company.clock)
    assert await audit.scan() == Compared(5, 1)
    await company.upkeep.catch_up()
    assert profile[FIELD] == own

    company.rule({**RULES, "accounts": {"avatar": "off"}}, digest="policy-2")
    await company.upkeep.catch_up()
    assert not any(FIELD in account.profile for account in company.homeserver.users.values())
    profile[FIELD] = "mxc://example.org/beach"
    await audit.scan()
    await company.upkeep.catch_up()
    assert FIELD not in profile
    assert await studio.make() == 0


async def test_without_a_word_in_the_policy_pictures_are_peoples_own(studio: Studio) -> None:
    """Nothing is made, uploaded or changed."""
    company = studio.company
    company.rule({"rooms": {"lounge": {}}}, digest="policy-2")
    company.homeserver.users[user("bob")].profile[FIELD] = "mxc://example.org/beach"
    assert await studio.make() == 0
    assert company.homeserver.media == {}
    assert company.homeserver.users[user("bob")].profile[FIELD] == "mxc://example.org/beach"


async def test_a_homeserver_that_takes_no_such_file_gives_initials(studio: Studio) -> None:
    """`max_upload_size` is the homeserver's; any other refusal is for whoever runs it, and is waited out."""
    company = studio.company
    (studio.folder / "ann.png").write_bytes(picture("red"))

    def refuse(number: int, name: str) -> Exception | None:
        too_large = HomeserverError("Upload request body is too large", status=413, errcode="M_TOO_LARGE")
        return too_large if company.homeserver.requests[-1] == ("upload", "image/jpeg") else None

    company.homeserver.before = refuse
    await studio.make()
    assert not studio.shows("ann", (254, 0, 0))

    company.homeserver.before = lambda number, name: HomeserverUnavailableError("away") if name == "upload" else None
    await company.pool.execute("DELETE FROM media")
    await company.say("fay")
    await company.upkeep.catch_up()
    with pytest.raises(HomeserverUnavailableError):
        await studio.make()
    company.homeserver.before = lambda number, name: None
    assert await studio.make() == 1


async def test_people_get_their_pictures_in_turns(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was made before a stop is kept; the next start goes on."""
    monkeypatch.setattr(faces, "AT_A_TURN", 3)
    monkeypatch.setattr(faces, "TOGETHER", 2)
    assert await studio.make() == 5
    assert all(FIELD in account.profile for account in studio.company.homeserver.users.values())


async def _keep(company: Company, name: str, url: str) -> None:
    """Have the directory hold an address in an attribute of the company's own."""
    await company.say(name)
    await company.pool.execute(
        "UPDATE scim_resource SET document = document || $2::jsonb WHERE id = $1",
        company.ids[name],
        {MUSTER: {"photoUrl": url}},
    )
    await company.upkeep.catch_up()


# What an address answers


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    """Addresses that behave in every way."""

    async def answer(request: web.Request) -> web.StreamResponse:
        match request.path:
            case "/photo":
                return web.Response(body=picture("red"))
            case "/moved":
                raise web.HTTPFound("/photo")
            case "/endless":
                response = web.StreamResponse()
                response.headers["Content-Type"] = "image/png"
                await response.prepare(request)
                for _ in range(LARGEST_FILE // 2**20 + 4):
                    await response.write(b"x" * 2**20)
                return response
            case "/broken":
                raise web.HTTPBadGateway
            case _:
                raise web.HTTPNotFound

    application = web.Application()
    application.router.add_get("/{tail:.*}", answer)
    found = TestServer(application)
    async with found:
        yield found


async def test_an_address_is_read_only_so_far(server: TestServer) -> None:
    """A photo is returned; what is endless is cut where it is too much; what leads elsewhere or is gone is refused."""
    async with aiohttp.ClientSession() as session:
        assert await photos.fetch(session, str(server.make_url("/photo"))) == picture("red")
        cut = await photos.fetch(session, str(server.make_url("/endless")))
        assert LARGEST_FILE < len(cut) < LARGEST_FILE + 2**20
        for path, code in (("/moved", "302"), ("/gone", "404")):
            with pytest.raises(PictureError, match=code):
                await photos.fetch(session, str(server.make_url(path)))
        with pytest.raises(PhotoUnavailableError, match="502"):
            await photos.fetch(session, str(server.make_url("/broken")))
        with pytest.raises(PhotoUnavailableError, match="does not answer"):
            await photos.fetch(session, "http://127.0.0.1:9/")
        with pytest.raises(PictureError, match="https"):
            await photos.fetch(session, "https://")


async def test_a_folder_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    """It may be a share that is away: nobody's photo is taken for gone."""
    with pytest.raises(PhotoUnavailableError, match="cannot be read"):
        photos.files_of(tmp_path / "away")
