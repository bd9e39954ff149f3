"""The parts of child supervision that need no child."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from bridge.process import free_port, last_line


def test_a_free_port_can_be_listened_on() -> None:
    """A program that is told the port can bind it on the loopback interface."""
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        assert listener.getsockname()[1] > 0


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"", ""),
        (b"\n\n", ""),
        (b"first\nlast", "last"),
        (b"first\n  last  \n\n", "last"),
        (b"broken \xff text\n", "broken \ufffd text"),
        (b"x" * 10_000 + b"\nlast\n", "last"),
    ],
)
def test_the_last_line_of_a_log_is_the_last_that_says_something(tmp_path: Path, written: bytes, expected: str) -> None:
    """Empty lines, bytes that are not UTF-8 and a long log do not hide what a program said last."""
    log = tmp_path / "program.log"
    log.write_bytes(written)
    assert last_line(log) == expected


def test_a_log_that_was_never_written_has_no_last_line(tmp_path: Path) -> None:
    """A program that could not start has no log, which is no error."""
    assert last_line(tmp_path / "absent.log") == ""


def test_the_last_line_may_be_asked_to_contain_a_word(tmp_path: Path) -> None:
    """What a program says after the reason, such as a farewell, can be passed over."""
    log = tmp_path / "program.log"
    log.write_text("OneError: no\nTwoError: no\nThere may be more in the logs.\n")
    assert last_line(log, "Error") == "TwoError: no"
    assert last_line(log, "Warning") == ""
