"""Rooms have the picture that the policy names as a file, whatever happens to the file or to the room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.directory.notice_store import read_untold
from bridge.membership.picture import initials
from bridge.membership.room_pictures import RoomPictures
from tests.integration.membership.conftest import Company, user

RULES: dict[str, Any] = {
    "rooms": {"lounge": {"settings": {"avatar": "logo.png"}}, "news": {}},
    "approvers": ['title eq "Chief"'],
}
TYPE = "m.room.avatar"


@pytest.fixture
async def company(company: Company, tmp_path: Path) -> Company:
    """The company with everything in place but the picture, which is there as a file."""
    (tmp_path / "logo.png").write_bytes(initials("N", "#000000"))
    company.rule(RULES)
    await company.settle()
    await company.upkeep.catch_up()
    return company


def pictures(company: Company, folder: Path) -> RoomPictures:
    return RoomPictures(company.pool, company.homeserver, lambda: company.policy, folder, clock=company.clock)


def shown(company: Company, key: str = "lounge") -> bytes | None:
    content = company.homeserver.rooms[company.homeserver.room(key)].content(TYPE)
    return company.homeserver.media[content["url"]] if content else None


async def test_a_room_gets_the_picture_and_what_becomes_of_it(company: Company, tmp_path: Path) -> None:
    """Uploaded once, also over a restart; another file is another picture; other rooms have none."""
    working = pictures(company, tmp_path)
    assert shown(company) is None
    await working.look()
    (done,) = await company.upkeep.catch_up()
    assert [(change.room, change.value) for change in done.plan.changes] == [("lounge", "avatar")]
    first = shown(company)
    assert first is not None
    await working.look()
    await pictures(company, tmp_path).look()
    assert len(company.homeserver.media) == 1
    assert await company.upkeep.catch_up() == []

    (tmp_path / "logo.png").write_bytes(initials("Q", "#ff0000"))
    await working.look()
    await company.upkeep.catch_up()
    assert shown(company) not in (None, first)
    assert shown(company, "news") is None
    assert not (await company.restarted().catch_up())[0].plan.changes


async def test_a_picture_changed_by_hand_is_put_back(company: Company, tmp_path: Path) -> None:
    """By its event, also when it is taken away; where the policy says nothing it stays."""
    await pictures(company, tmp_path).look()
    await company.upkeep.catch_up()
    await company.deliver()
    await company.upkeep.catch_up()
    room, news = company.homeserver.room("lounge"), company.homeserver.room("news")
    before = shown(company)
    for altered in ({"url": "mxc://example.org/beach"}, {}):
        company.homeserver.set_state(room, user("eve"), TYPE, altered)
        company.homeserver.set_state(news, user("eve"), TYPE, {"url": "mxc://example.org/beach"})
        await company.deliver()
        await company.upkeep.catch_up()
        assert shown(company) == before
    assert company.homeserver.rooms[news].content(TYPE) == {"url": "mxc://example.org/beach"}


async def test_a_missing_file_changes_nothing_and_is_told_once(company: Company, tmp_path: Path) -> None:
    """The room keeps its picture, the administrators are told; back again, it is no other picture."""
    working = pictures(company, tmp_path)
    await working.look()
    await company.upkeep.catch_up()
    before, content = shown(company), (tmp_path / "logo.png").read_bytes()
    (tmp_path / "logo.png").unlink()
    await working.look()
    await pictures(company, tmp_path).look()
    await company.upkeep.catch_up()
    assert shown(company) == before
    assert [notice.topic for notice, _ in await read_untold(company.pool)] == ["room picture:logo.png"]

    (tmp_path / "logo.png").write_bytes(content)
    await working.look()
    assert len(company.homeserver.media) == 1
    assert await company.upkeep.catch_up() == []


async def test_a_picture_that_the_policy_no_longer_names_stays_with_the_room(company: Company, tmp_path: Path) -> None:
    """It is not managed any more, as every setting that is taken out."""
    working = pictures(company, tmp_path)
    await working.look()
    await company.upkeep.catch_up()
    before = shown(company)
    company.rule({**RULES, "rooms": {"lounge": {}, "news": {}}}, digest="policy-2")
    await working.look()
    await company.upkeep.catch_up()
    assert shown(company) == before
    assert await company.pool.fetchval("SELECT count(*) FROM room_picture") == 0
