"""`muster announce` and `muster announcements`."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.app import Services
from bridge.cli import announce, announcements
from bridge.errors import RefusedError, UnknownNameError
from bridge.policy.schema import Policy
from tests.integration.announcements.company import BO, NEWS, NIGHT, FakeHomeserver, Muster, policy, reaction, text

if TYPE_CHECKING:
    from bridge.database import Pool


@dataclass
class FewServices:
    """What these two verbs use of the services."""

    pool: Pool
    homeserver: FakeHomeserver

    @property
    def config(self) -> Any:
        """Return what is read of the configuration."""
        return SimpleNamespace(directory=SimpleNamespace(timezone="UTC"), attributes=())

    def policy(self) -> Policy:
        """Return the policy with one desk."""
        return policy()

    def clock(self) -> datetime:
        """Return a moment after every announcement of a desk."""
        return datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.fixture
def services(muster: Muster, homeserver: FakeHomeserver) -> Services:
    """The services, as far as they are needed."""
    return cast("Services", FewServices(muster.pool, homeserver))


def _args(*words: str, as_json: bool = False) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(required=True)
    announce.add_parser(subparsers)
    announcements.add_parser(subparsers)
    args = parser.parse_args(words)
    args.json = as_json
    return args


async def _announced(services: Services, capsys: pytest.CaptureFixture[str]) -> str:
    args = _args("announce", "--yes", "--desk", "desk", "The", "gate", "is", "closed.", as_json=True)
    assert await announce.announce(args, services) == 0
    return str(json.loads(capsys.readouterr().out)["id"])


async def test_announcing_from_the_command_line_reaches_the_same_rooms(
    muster: Muster, homeserver: FakeHomeserver, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    """The company says it; the service delivers it; it is answered nowhere but on the terminal."""
    assert await announce.announce(_args("announce", "--yes", "The gate is closed."), services) == 0
    assert "Announced to 3 people in 2 rooms: " in capsys.readouterr().out
    await muster.wait(days=1)
    expected = "📣 Nordwind Logistics\n\nThe gate is closed.\n\nReact with ✅ to acknowledge."
    assert homeserver.bodies(NEWS) == homeserver.bodies(NIGHT) == [expected]
    assert set(homeserver.rooms) == {NEWS, NIGHT}


async def test_pictures_and_a_file_go_along(
    muster: Muster, homeserver: FakeHomeserver, services: Services, tmp_path: Path
) -> None:
    """The homeserver keeps them; the file carries the text, and the picture stands in it."""
    names = [tmp_path / name for name in ("map.png", "plan.pdf", "list.csv")]
    for path in names:
        path.write_bytes(path.name.encode())
    attached = [word for path in names[:2] for word in ("--attach", str(path))]
    assert await announce.announce(_args("announce", "--yes", *attached, "The gate is closed."), services) == 0
    await muster.wait(days=1)
    [content] = [event["content"] for event in homeserver.rooms[NEWS]]
    kept = {f"mxc://company.example/{number}": file for number, file in enumerate(homeserver.kept, 1)}
    assert kept[content["url"]] == (b"plan.pdf", "application/pdf")
    assert (content["msgtype"], content["filename"], content["info"]["size"]) == ("m.file", "plan.pdf", 8)
    [picture] = [address for address in kept if f'src="{address}"' in content["formatted_body"]]
    assert kept[picture] == (b"map.png", "image/png")
    with pytest.raises(RefusedError, match="one other file"):
        await announce.announce(_args("announce", "--yes", *attached, "--attach", str(names[2]), "x"), services)
    with pytest.raises(RefusedError, match=r"nothing\.png cannot be read \(No such file or directory\)"):
        await announce.announce(_args("announce", "--yes", "--attach", "/nothing.png", "x"), services)
    with pytest.raises(RefusedError, match="An edit changes the text"):
        await announce.announce(_args("announce", "--yes", "--attach", str(names[0]), "--edit", "7kq2-m9xd"), services)
    assert await muster.pool.fetchval("SELECT count(*) FROM announcement") == 1


async def test_the_same_text_again_is_another_announcement(
    muster: Muster, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    """Saying it twice is meant."""
    assert await _announced(services, capsys) != await _announced(services, capsys)


@pytest.mark.parametrize(
    ("desk", "words", "error", "message"),
    [
        ("dsk", "Hello", UnknownNameError, r"no desk 'dsk' \(there are: desk\)"),
        ("desk", " ", RefusedError, "no text"),
        ("desk", "x" * 65_000, RefusedError, "too long"),
    ],
)
async def test_what_cannot_be_announced_is_refused(
    muster: Muster, services: Services, desk: str, words: str, error: type[Exception], message: str
) -> None:
    """One sentence says why, and nothing is written."""
    with pytest.raises(error, match=message):
        await announce.announce(_args("announce", "--yes", "--desk", desk, words), services)
    assert await muster.pool.fetchval("SELECT count(*) FROM announcement") == 0


async def test_the_list_has_the_newest_first(
    muster: Muster, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each announcement with its author and figures."""
    await announcements.announcements(_args("announcements"), services)
    assert capsys.readouterr().out == "Nothing has been announced yet.\n"
    await muster.hear(text("From the desk"))
    newest = await _announced(services, capsys)
    assert await announcements.announcements(_args("announcements"), services) == 0
    printed = capsys.readouterr().out
    assert printed.index(newest) < printed.index("From the desk")
    assert "Anna Tamm · CEO" in printed
    assert "for 3 people: 0 delivered, 0 acknowledged" in printed
    await announcements.announcements(_args("announcements", "--limit", "1", as_json=True), services)
    assert [found["id"] for found in json.loads(capsys.readouterr().out)] == [newest]


async def test_one_announcement_shows_who_is_missing(
    muster: Muster, homeserver: FakeHomeserver, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    """Counts, rooms, and the names of those who have not acknowledged."""
    announcement = await _announced(services, capsys)
    await muster.wait(days=1)
    await muster.hear(reaction(BO, NEWS, homeserver.announced(NEWS)))
    assert await announcements.announcements(_args("announcements", announcement.upper()), services) == 0
    printed = capsys.readouterr().out
    assert "for 3 people: 3 delivered, 1 acknowledged, 2 missing" in printed
    assert "  delivered  drivers/night" in printed
    assert "Anna Tamm · CEO  @anna:company.example" in printed
    assert "@bo:company.example" not in printed
    await announcements.announcements(_args("announcements", announcement, as_json=True), services)
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == ["@anna:company.example", "@cy:company.example"]
    assert (found["targeted"], found["delivered"], found["acknowledged"]) == (3, 3, 1)


@pytest.mark.parametrize("typed", ["7kq2-m9xd", "no such", "\udcff" * 8])
async def test_an_unknown_announcement_is_named(services: Services, typed: str) -> None:
    """A typing error gets a sentence."""
    with pytest.raises(UnknownNameError, match="There is no announcement"):
        await announcements.announcements(_args("announcements", typed), services)


@pytest.mark.parametrize("number", ["-1", "many", "99999999999999999999"])
def test_a_senseless_number_is_wrong_usage(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The numbers are whole and small; anything else ends with code 2 and says what was expected."""
    with pytest.raises(SystemExit) as ended:
        _args("announcements", f"--limit={number}")
    assert ended.value.code == 2
    assert "expected a whole number from 0 to 1000000" in capsys.readouterr().err
