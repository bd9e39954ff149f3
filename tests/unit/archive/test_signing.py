"""Signatures beside files: what signs, what checks, and what is refused."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.archive.signing import (
    Signature,
    as_text,
    check,
    key_id,
    open_key,
    open_public_key,
    read_signature,
    sign,
)
from bridge.errors import InputError, MusterError, RefusedError

CONTENT = "name,room\r\nPõld,Sales\r\n".encode()
MOMENT = datetime(2027, 3, 1, 9, 30, tzinfo=UTC)


def signed(folder: Path) -> Signature:
    return sign(CONTENT, open_key(folder), MOMENT)


def test_a_signature_is_that_of_the_kept_key(tmp_path: Path) -> None:
    """It goes through its file, and the key is the same each time."""
    signature = read_signature(as_text(signed(tmp_path)), "x.sig")
    check(CONTENT, signature, open_public_key(tmp_path))
    assert key_id(open_key(tmp_path).public_key()) == signature.key_id


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    """The private half has mode 0600 from its first byte on; the folder is made when it is not there."""
    open_key(tmp_path / "data")
    assert (tmp_path / "data/archive-key.pem").stat().st_mode & 0o777 == 0o600


def test_what_was_altered_is_refused(tmp_path: Path) -> None:
    """The file, each field of the signature, and another key."""
    signature, key = signed(tmp_path), open_public_key(tmp_path)
    with pytest.raises(RefusedError, match="not the one that was signed"):
        check(CONTENT + b" ", signature, key)
    for altered in (
        replace(signature, moment="2027-03-02T09:30:00+00:00"),
        replace(signature, sha256="0" * 64),
        replace(signature, signature="AAAA"),
        replace(signature, signature="no base64"),
    ):
        with pytest.raises(RefusedError, match="signature file was altered"):
            check(CONTENT, altered, key)
    with pytest.raises(RefusedError, match="signed with the key"):
        check(CONTENT, signature, open_key(tmp_path / "other").public_key())


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", "[" * 100_000, '{"format": 1}'])
def test_what_is_no_signature_is_one_message(text: str) -> None:
    """Whatever stands in the file."""
    with pytest.raises(InputError, match="is no signature"):
        read_signature(text, "x.sig")


def test_a_signature_of_another_format_is_refused(tmp_path: Path) -> None:
    """What is signed may mean something else there."""
    with pytest.raises(InputError, match="of format muster-report-1"):
        read_signature(as_text(replace(signed(tmp_path), format="muster-report-2")), "x.sig")


def test_a_broken_key_file_is_refused(tmp_path: Path) -> None:
    """A new key would make everything signed before look forged."""
    (tmp_path / "archive-key.pem").write_text("nothing")
    (tmp_path / "archive-key.pub.pem").write_text("nothing")
    with pytest.raises(MusterError, match="holds no key"):
        open_key(tmp_path)
    with pytest.raises(MusterError, match="holds no public key"):
        open_public_key(tmp_path)


def test_the_shell_lines_of_the_documentation_check_a_report(tmp_path: Path) -> None:
    """With openssl alone, run as they stand there; one byte more and they fail."""
    document = (Path(__file__).parents[3] / "docs/why.md").read_text()
    (script,) = re.findall(r"```sh\n(FILE=.*?)```", document, re.DOTALL)
    (tmp_path / "access.csv").write_bytes(CONTENT)
    (tmp_path / "access.csv.sig").write_text(as_text(signed(tmp_path)))

    def run() -> subprocess.CompletedProcess[str]:
        command = ["/bin/sh", "-ec", script]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603

    good = run()
    assert (good.returncode, good.stdout.split()[:3]) == (0, ["Signature", "Verified", "Successfully"]), good.stderr
    (tmp_path / "access.csv").write_bytes(CONTENT + b" ")
    assert run().returncode != 0
