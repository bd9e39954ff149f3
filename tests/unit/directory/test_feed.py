"""How a picture is known to be whole."""

from __future__ import annotations

import hashlib

import pytest

from bridge.directory.feed import Proof, prove, sidecar_digest
from bridge.errors import ImportFileError

DATA = b"userName\na\n"
DIGEST = hashlib.sha256(DATA).hexdigest()


def test_a_file_is_proved_whole_by_trailer_count_or_digest() -> None:
    """Nothing of it is no proof."""
    assert prove("hr.csv", DATA, 1) is None
    assert prove("hr.csv", DATA, 1, trailer=True) is Proof.TRAILER
    assert prove("hr.csv", DATA, 1, rows=1) is Proof.ROWS
    assert prove("hr.csv", DATA, 1, sha256=DIGEST.upper()) is Proof.DIGEST


def test_a_file_that_is_not_what_was_announced_is_refused() -> None:
    """Whatever else proves it."""
    with pytest.raises(ImportFileError, match=r"expected 2 people, came 1.*\n.*Nothing was changed"):
        prove("hr.csv", DATA, 1, trailer=True, rows=2, sha256=DIGEST)
    with pytest.raises(ImportFileError, match="expected the SHA-256 0000"):
        prove("hr.csv", DATA, 1, rows=1, sha256="0" * 64)


@pytest.mark.parametrize("text", [f"{DIGEST}  hr.csv\n", f"{DIGEST.upper()} *hr.csv", f"\\{DIGEST}  h\\nr", DIGEST])
def test_a_digest_reads_as_sha256sum_writes_it(text: str) -> None:
    """Text or binary, with or without the name."""
    assert sidecar_digest(text, "hr.csv.sha256") == DIGEST


@pytest.mark.parametrize("text", ["", DIGEST[:-1], DIGEST + "0", f"SHA256 (hr.csv) = {DIGEST}"])
def test_what_is_no_digest_is_refused(text: str) -> None:
    """So that a damaged one proves nothing."""
    with pytest.raises(ImportFileError, match=r"hr\.csv\.sha256: error: expected a SHA-256"):
        sidecar_digest(text, "hr.csv.sha256")
