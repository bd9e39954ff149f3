"""Reports that name nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.entry import Actor, Entry, Recorded
from bridge.archive.log_text import entries_as_json
from bridge.archive.pseudonym import pseudonym, without_names
from bridge.archive.pseudonym_key import open_pseudonym_key
from bridge.errors import MusterError
from bridge.ids import EventId

KEY = bytes(range(32))


def _recorded(**details: object) -> Recorded:
    return Recorded(7, EventId("muster:1-a"), 1, Entry("search", Actor("k.saar", "root"), details))


def test_nobody_is_named() -> None:
    """Neither who did it nor whom it was about, whatever the detail is called; numbers and rules stay."""
    found = without_names(
        _recorded(
            words="tamm",
            sender="@m.tamm:x",
            custodians=["@m.tamm:x"],
            scope={"people": ["@m.tamm:x"]},
            hits=3,
            room=None,
            rule="lunch, kept 30d",
            positions=[[1, 4]],
        ),
        KEY,
    )
    text = json.dumps(entries_as_json([found]))
    for name in ("k.saar", "root", "tamm"):
        assert name not in text
    details = found.entry.details
    assert details["sender"] == details["custodians"][0] == details["scope"]["people"][0]
    assert (details["hits"], details["room"], details["rule"]) == (3, None, "lunch, kept 30d")
    assert details["positions"] == [[1, 4]]


@given(st.text(), st.text())
def test_a_pseudonym_is_stable_and_says_nothing(one: str, other: str) -> None:
    """The same for the same name in any case, another for another name and with another key."""
    assert pseudonym(KEY, one) == pseudonym(KEY, one.casefold())
    assert (pseudonym(KEY, one) == pseudonym(KEY, other)) == (
        one.casefold().encode("utf-8", "replace") == other.casefold().encode("utf-8", "replace")
    )
    assert pseudonym(KEY, one) != pseudonym(bytes(32), one)


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    """Readable by its owner alone; a file that is none is told."""
    key = open_pseudonym_key(tmp_path / "data")
    assert open_pseudonym_key(tmp_path / "data") == key
    path = tmp_path / "data" / "pseudonym-key"
    assert path.stat().st_mode & 0o077 == 0
    for broken in ("zz", "00"):
        path.write_text(broken)
        with pytest.raises(MusterError, match="pseudonym-key"):
            open_pseudonym_key(tmp_path / "data")
