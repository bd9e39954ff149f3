"""What a backup says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.backup.manifest import About, Contents, about_as_json, manifest_as_json, read_about, read_contents
from bridge.errors import InputError

ABOUT = About("0.1.0", 27, "example.org", "2027-02-11T02:00:00+00:00", {"event": ("seq", "body")})
DIGESTS = {"files/policy.yaml": "aa", "database/event": "bb"}
CONTENTS = Contents(DIGESTS, {"event": 2}, 1, 2, "cc")


def test_what_is_written_is_read() -> None:
    """Both ends of a backup say the same about it."""
    assert read_about(about_as_json(ABOUT)) == ABOUT
    assert read_about(manifest_as_json(ABOUT, CONTENTS)) == ABOUT
    assert read_contents(manifest_as_json(ABOUT, CONTENTS)) == CONTENTS


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (replace(CONTENTS, digests={"database/event": "bb"}), "files/policy.yaml is missing"),
        (replace(CONTENTS, digests=DIGESTS | {"database/event": "b"}), "database/event was altered"),
        (replace(CONTENTS, digests=DIGESTS | {"files/more": "dd"}), "files/more was added"),
        (replace(CONTENTS, rows={"event": 1}), "table event has 1 rows of 2"),
        (replace(CONTENTS, files=0), "0 of 1 files"),
        (replace(CONTENTS, root="dd"), "root dd"),
        (replace(CONTENTS, size=3), "of 3 events"),
    ],
)
def test_whatever_differs_is_named(found: Contents, words: str) -> None:
    """Each part, row and event counts."""
    assert words in CONTENTS.difference(found)
    assert CONTENTS.difference(CONTENTS) == ""


@given(st.one_of(st.binary(max_size=40), st.sampled_from([b"{}", b"[]", b'{"format": "muster-backup-2"}'])))
def test_what_is_no_backup_is_refused(content: bytes) -> None:
    """In one sentence, whatever it is."""
    with pytest.raises(InputError):
        read_about(content)
