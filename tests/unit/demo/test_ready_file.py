"""The ready file is whole, private, and gone when the demo is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bridge.demo.ready_file import insist_on_place, ready_file
from bridge.errors import MusterError


def test_the_file_is_private_and_whole_and_leaves_with_the_block(tmp_path: Path) -> None:
    """It holds tokens, so only its owner reads it; and a script that sees it may believe it."""
    path = tmp_path / "ready.json"
    with ready_file(path, {"scim_token": "t", "pids": {"muster": 1}}):
        assert json.loads(path.read_text()) == {"scim_token": "t", "pids": {"muster": 1}}
        assert path.stat().st_mode & 0o777 == 0o600
        assert list(tmp_path.iterdir()) == [path]
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """Nobody waits a minute to learn of a misspelt folder."""
    insist_on_place(tmp_path / "ready.json")
    for place in (tmp_path / "absent" / "ready.json", tmp_path):
        with pytest.raises(MusterError, match="cannot be written"):
            insist_on_place(place)
