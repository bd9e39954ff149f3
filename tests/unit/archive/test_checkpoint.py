"""Checkpoints as text: what is signed reads again, what was altered does not pass."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.checkpoint import (
    Checkpoint,
    check_checkpoint,
    note_key_id,
    origin_of,
    read_checkpoint,
    sign_checkpoint,
    split_notes,
)
from bridge.errors import InputError, RefusedError

ORIGIN = origin_of("example.org")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOTE = sign_checkpoint(Checkpoint(ORIGIN, 17, bytes(32)), KEY)


def test_the_form_is_that_of_c2sp() -> None:
    """Origin, size and root on a line each, an empty line, and the signature behind the key's name and ID."""
    lines = NOTE.split("\n")
    assert lines[:4] == ["example.org/muster", "17", base64.b64encode(bytes(32)).decode(), ""]
    assert lines[4].startswith("— example.org/muster ")
    assert lines[5:] == [""]
    signature = base64.b64decode(lines[4].split(" ")[2])
    assert len(signature) == 4 + 64
    KEY.public_key().verify(signature[4:], "\n".join([*lines[:3], ""]).encode())


def test_key_id_is_that_of_signed_notes() -> None:
    """The vector of the Go package golang.org/x/mod/sumdb/note: PeterNeumann's key and its ID."""
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    name, number, encoded = vkey.split("+", 2)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded)[1:])
    assert note_key_id(name, key).hex() == number


@given(st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
def test_what_was_signed_is_read_again(size: int, root: bytes) -> None:
    """Signing and checking give the same checkpoint."""
    checkpoint = Checkpoint(ORIGIN, size, root)
    note = sign_checkpoint(checkpoint, KEY)
    assert read_checkpoint(note) == check_checkpoint(note, ORIGIN, KEY.public_key()) == checkpoint


def test_another_witness_may_have_signed_too() -> None:
    """Lines of others do not disturb, whatever they hold."""
    other = sign_checkpoint(Checkpoint(ORIGIN, 17, bytes(32)), Ed25519PrivateKey.generate()).split("\n")[4]
    head, ours = NOTE.split("\n\n")
    note = f"{head}\n\n— witness.example AAAA\n{other}\n{ours}"
    assert check_checkpoint(note, ORIGIN, KEY.public_key()).size == 17
    with pytest.raises(RefusedError, match="not signed with this key"):
        check_checkpoint(f"{head}\n\n{other}\n", ORIGIN, KEY.public_key())


@pytest.mark.parametrize(
    ("altered", "said"),
    [
        (NOTE.replace("\n17\n", "\n18\n"), "altered after it was signed"),
        (NOTE.replace("AAAA=\n", "AAAB=\n", 1), "altered|no checkpoint"),
        (NOTE.replace("example.org", "example.com"), "of example.com/muster; expected one of example.org/muster"),
    ],
)
def test_altered_checkpoint_is_refused(altered: str, said: str) -> None:
    """Size, root and origin are signed."""
    with pytest.raises((RefusedError, InputError), match=said):
        check_checkpoint(altered, ORIGIN, KEY.public_key())


@pytest.mark.parametrize(
    "text", ["", "hello", NOTE[:-1], NOTE.replace("\n17\n", "\n017\n"), NOTE + "\n", "x\n1\nAA==\n"]
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """It says what was expected."""
    with pytest.raises(InputError, match="expected lines with origin, size and root"):
        read_checkpoint(text)


@given(st.text(max_size=300))
def test_any_text_is_refused_or_read(text: str) -> None:
    """Nothing but our errors comes out of what somebody wrote."""
    for note in split_notes(text):
        with pytest.raises((InputError, RefusedError)):
            check_checkpoint(note, ORIGIN, KEY.public_key())


def test_a_file_of_checkpoints_is_split() -> None:
    """However many empty lines and whatever line ends an editor has left."""
    other = sign_checkpoint(Checkpoint(ORIGIN, 99, bytes(32)), KEY)
    assert split_notes(f"{NOTE}\n{other}") == [NOTE, other]
    assert split_notes(f"\n{NOTE}\n\n{other}\n\n".replace("\n", "\r\n")) == [NOTE, other]
    assert split_notes("") == []
