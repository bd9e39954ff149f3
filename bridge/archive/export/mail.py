"""Mails (RFC 5322, MIME) as bytes: the same parts give the same bytes, and no text reaches a header unencoded. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

_PLAIN = re.compile(r"[A-Za-z0-9 !#$&'*+/=^_`{|}~.:()\[\]-]*")
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=^_`{|}~-]+)*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"
)
_WORD_BYTES = 42
"""Of an encoded word, which has at most 75 characters (RFC 2047 section 2)."""
_LINE = 57
"""Bytes of a line of base64, which has 76 characters."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a mail's body."""

    mimetype: str
    content: bytes
    name: str = ""
    """Of an attachment; a text to read has none."""


def mail(headers: Iterable[tuple[str, str]], parts: Sequence[Part], boundary: str) -> bytes:
    """Return the mail; the header values are what `text`, `address` and `moment` return.

    The boundary is of letters and digits: it never stands in base64 behind two dashes.
    """
    lines = [f"{name}: {value}" for name, value in headers]
    lines += ["MIME-Version: 1.0", f'Content-Type: multipart/mixed; boundary="{boundary}"', "", ""]
    pieces = ["\r\n".join(lines).encode("ascii")]
    for part in parts:
        pieces.append(f"--{boundary}\r\n".encode())
        pieces += _part(part)
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces)


def text(value: str) -> str:
    """Return any text as a header's value."""
    value = _flat(value)
    if _PLAIN.fullmatch(value) and len(value) <= 60:
        return value.strip().encode("ascii", "replace").decode()
    return "\r\n ".join(_words(value))


def address(name: str, where: str) -> str:
    """Return name and address; an address that is none becomes one that nobody can write to."""
    where = where if is_address(where) else "unknown@invalid"
    return f"{text(name)}\r\n <{where}>" if not _PLAIN.fullmatch(name) else f'"{_flat(name)[:60]}" <{where}>'


def is_address(value: str) -> bool:
    """Return whether that is an address which needs no quoting."""
    return len(value) < 200 and _ADDRESS.fullmatch(value) is not None


def moment(value: datetime) -> str:
    """Return a moment as a header's value."""
    return format_datetime(value)


def _part(part: Part) -> Iterator[bytes]:
    kind = part.mimetype if re.fullmatch(r"[a-z0-9.+-]+/[a-z0-9.+-]+", part.mimetype) else "application/octet-stream"
    if part.name:
        encoded = "".join(chr(one) if (chr(one).isalnum() and one < 128) or one in b"._-" else f"%{one:02X}"
                          for one in _flat(part.name)[:150].encode("utf-8", "replace"))  # fmt: skip
        head = f"Content-Type: {kind}\r\nContent-Disposition: attachment;\r\n filename*=UTF-8''{encoded}\r\n"
    else:
        head = f"Content-Type: {kind}; charset=utf-8\r\n"
    yield f"{head}Content-Transfer-Encoding: base64\r\n\r\n".encode()
    encoded_body = base64.b64encode(part.content)
    width = _LINE // 3 * 4
    for start in range(0, len(encoded_body), width):
        yield encoded_body[start : start + width] + b"\r\n"


def _flat(value: str) -> str:
    """Return the text on one line, without control characters."""
    return "".join(one if one.isprintable() else " " for one in value).encode("utf-8", "replace").decode()


def _words(value: str) -> Iterator[str]:
    """Yield encoded words (RFC 2047), each of whole characters."""
    word = b""
    for one in value:
        encoded = one.encode()
        if len(word) + len(encoded) > _WORD_BYTES:
            yield f"=?utf-8?B?{base64.b64encode(word).decode()}?="
            word = b""
        word += encoded
    yield f"=?utf-8?B?{base64.b64encode(word).decode()}?="
