"""`muster init` writes files that load, all or none, and says what is next."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from bridge.cli import init
from bridge.config import load_config, load_registration
from bridge.errors import MusterError, RefusedError
from bridge.files import write_new


def _arguments(**given: object) -> argparse.Namespace:
    defaults = {"server_name": "example.org", "homeserver": "http://127.0.0.1:8008", "listen": "127.0.0.1:29330"}
    return argparse.Namespace(**{**defaults, "url": None, "directory": Path(), **given})


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_init_writes_files_that_load_and_only_we_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tokens are fresh and appear nowhere but in the registration."""
    assert await init.init(_arguments(directory=tmp_path / "muster", server_name="corp.example")) == 0
    folder = tmp_path / "muster"
    assert _modes(folder) == {
        "config.yaml": 0o600,
        "registration.yaml": 0o600,
        "policy.yaml": 0o600,
    }
    loaded = load_config(folder / "config.yaml")
    tokens = load_registration(loaded.appservice.registration)
    assert loaded.homeserver.server_name == "corp.example"
    assert min(len(tokens.as_token), len(tokens.hs_token)) >= 43
    said = capsys.readouterr().out
    assert str(folder / "registration.yaml") in said
    assert f"muster doctor -c {folder / 'config.yaml'}" in said
    assert tokens.as_token not in said
    assert tokens.hs_token not in said


async def test_init_never_touches_what_is_there(tmp_path: Path) -> None:
    """One existing file, and nothing is written."""
    (tmp_path / "policy.yaml").write_text("mine")
    with pytest.raises(RefusedError, match=r"policy\.yaml exists already; nothing was written"):
        await init.init(_arguments(directory=tmp_path))
    assert list(_modes(tmp_path)) == ["policy.yaml"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"server_name": "two words"}, "expected a server name such as example.org, came two words"),
        ({"homeserver": "localhost:8008"}, "expected an address such as https://matrix.example.org, came localhost:80"),
        ({"listen": "29330"}, "expected HOST:PORT, such as 127.0.0.1:29330, came 29330"),
        ({"url": "muster:29330"}, "expected an address such as https://matrix.example.org, came muster:29330"),
        ({"listen": "0.0.0.0:29330"}, "Synapse cannot call 0.0.0.0:29330; say with --url where it reaches Muster"),
    ],
)
async def test_init_refuses_what_would_not_load(tmp_path: Path, given: dict[str, str], message: str) -> None:
    """And leaves nothing behind, not even the folder."""
    with pytest.raises(MusterError, match=re.escape(message)):
        await init.init(_arguments(directory=tmp_path / "new", **given))
    assert _modes(tmp_path) == {}


async def test_init_takes_back_what_it_wrote_when_the_rest_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves no registration whose configuration is missing."""

    def full(path: Path, text: str, *, mode: int) -> None:
        if path.name == init.POLICY:
            raise MusterError(f"{path} cannot be written: No space left on device.")
        write_new(path, text, mode=mode)

    monkeypatch.setattr(init, "write_new", full)
    with pytest.raises(MusterError, match="No space left"):
        await init.init(_arguments(directory=tmp_path))
    assert _modes(tmp_path) == {}
