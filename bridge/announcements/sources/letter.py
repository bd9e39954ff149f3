"""E-mail (pure): what a letter says, who wrote it, and whether a mail server of ours vouches for that.

Whoever can write to the mailbox can write any name as the sender. So a letter counts as its sender's only when the
named server has put `Authentication-Results` (RFC 8601) above it that say so for the very domain of `From`: DMARC
passed, or DKIM with a signature of that domain (RFC 7489 section 3.1.1, strict). A server that does so removes what
comes in under its name from outside (RFC 8601 section 5), and only the topmost of its results is asked.
"""

from __future__ import annotations

import email
import email.parser
import email.policy
import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.message import EmailMessage, Message
from email.utils import getaddresses
from typing import Final

from bridge.announcements.sources.passage import Attachment, Body, Writing, body_of
from bridge.errors import InputError

MOST_FILES: Final = 10
MOST_PARTS: Final = 100
"""Of a letter; forms within forms are what small letters take long to read by."""
_LONGEST_TEXT: Final = 100_000
_HEAD: Final = 64 * 1024
"""Bytes in which the headers are."""
_LONGEST_NAME: Final = 120
_LONGEST_ID: Final = 250
_SIGNATURE: Final = re.compile(r"\n-- ?\n.*\Z", re.DOTALL)
_RESULT: Final = re.compile(r"(?:^|;)\s*([a-z-]+)\s*=\s*([a-z]+)((?:[^;\"]|\"[^\"]*\")*)", re.IGNORECASE)
_PROPERTY: Final = re.compile(r"\b(header\.(?:from|d))\s*=\s*\"?@?([A-Za-z0-9.-]+)", re.IGNORECASE)
_COMMENT: Final = re.compile(r"\([^()]*\)")


@dataclass(frozen=True, slots=True)
class Letter:
    """An e-mail, as far as it is announced."""

    id: str
    """What it is told from others by."""
    sender: str
    """The address in `From`, in small letters."""
    vouched: bool
    """Whether the trusted server says that it comes from that address' domain."""
    body: Body
    """The subject as the heading, and the text."""
    attachments: tuple[Attachment, ...]


def read_letter(content: bytes, *, trust: str = "") -> Letter:
    """Return what a letter says; `trust` names the server whose results are believed.

    Raises `InputError` when it does not read, names no single sender, or says nothing.
    """
    message = _parsed(content)
    sender = _sender(message)
    files = tuple(_files(message))
    if len(files) > MOST_FILES:
        raise InputError(f"expected at most {MOST_FILES} files, came {len(files)}")
    if sum(not file.kind.startswith("image/") for file in files) > 1:
        raise InputError("expected at most one file beside pictures; put several into one archive, or send a link")
    body = _body(message)
    if not body:
        raise InputError("it says nothing that could be shown")
    vouched = bool(trust) and _vouches(_results(message, trust), sender.rpartition("@")[2])
    return Letter(_id(message, content), sender, vouched, body, files)


def sender_of(content: bytes) -> str:
    """Return who wrote a letter that is not read further; raise `InputError` when that is nobody, or several."""
    parser = email.parser.BytesHeaderParser(policy=email.policy.default)
    return _sender(parser.parsebytes(content[:_HEAD]))


def may_announce(sender: str, senders: Collection[str]) -> bool:
    """Tell whether an address is one of the allowed, or of an allowed domain (`@example.org`)."""
    return sender in senders or f"@{sender.rpartition('@')[2]}" in senders


def _parsed(content: bytes) -> EmailMessage:
    try:
        message = email.message_from_bytes(content, policy=email.policy.default)
        parts = sum(1 for _ in message.walk())
    except (MessageError, ValueError, LookupError, RecursionError, AttributeError, TypeError, IndexError) as error:
        raise InputError("it does not read as an e-mail") from error
    if parts > MOST_PARTS or not isinstance(message, EmailMessage):
        raise InputError(f"expected at most {MOST_PARTS} parts, came {parts}")
    return message


def _sender(message: Message) -> str:
    """Return the address in `From`; two of them, or two such headers, are how one hides behind another."""
    addresses = [address.lower() for _, address in getaddresses(_headers(message, "From"))]
    if len(addresses) != 1 or not re.fullmatch(r"[^@\s<>]+@[a-z0-9.-]+", addresses[0]):
        raise InputError("expected exactly one sender in `From`")
    return addresses[0]


def _headers(message: Message, name: str) -> list[str]:
    """Return every header of a name as one line; what does not decode is left as it came."""
    found = []
    for key, raw in message.raw_items():
        if key.lower() == name.lower():
            found.append(" ".join(str(raw).split()))
    return found


def _id(message: Message, content: bytes) -> str:
    """Return the Message-ID, or else a digest of all that came."""
    given = next(iter(_headers(message, "Message-ID")), "")
    if given.isascii() and given.isprintable() and 0 < len(given) <= _LONGEST_ID:
        return given
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _body(message: EmailMessage) -> Body:
    """Return the HTML part, or the plain one without its signature, under the subject."""
    subject = _decoded(message, "Subject")
    part = message.get_body(preferencelist=("html", "plain"))
    if part is None:
        return body_of("", Writing.TEXT, subject)
    text = _text(part)[:_LONGEST_TEXT]
    if part.get_content_subtype() == "html":
        return body_of(text, Writing.HTML, subject)
    return body_of(_SIGNATURE.sub("", text.replace("\r\n", "\n")), Writing.TEXT, subject)


def _decoded(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (ValueError, LookupError, TypeError, IndexError, AttributeError):
        return " ".join(_headers(message, name)[:1])


def _text(part: Message) -> str:
    """Return a part's text, whatever its charset claims to be."""
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    for charset in (part.get_content_charset() or "utf-8", "utf-8"):
        try:
            return content.decode(charset)
        except (LookupError, ValueError):
            continue
    return content.decode("cp1252", errors="replace")


def _files(message: EmailMessage) -> Iterator[Attachment]:
    body = message.get_body(preferencelist=("html", "plain"))
    related = message.get_body(preferencelist=("related",))
    inside = set(map(id, related.iter_parts())) if isinstance(related, EmailMessage) else set()
    for part in message.walk():
        attached = part.get_content_disposition() == "attachment" or part.get_filename() is not None
        is_text = part.get_content_maintype() == "text" and part.get_content_disposition() != "attachment"
        if part.is_multipart() or part is body or not (attached or id(part) in inside) or is_text:
            continue
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and content:
            yield Attachment(_name(part), part.get_content_type(), content)


def _name(part: Message) -> str:
    """Return what the file is called, without a path and what no screen shows."""
    try:
        given = part.get_filename() or ""
    except (ValueError, LookupError, TypeError, IndexError, AttributeError):
        given = ""
    shown = "".join(letter for letter in given.replace("\\", "/").rpartition("/")[2] if letter.isprintable())
    return shown.strip()[-_LONGEST_NAME:] or f"file.{part.get_content_subtype()}"


def _results(message: Message, trust: str) -> str:
    """Return the topmost results of the trusted server, without comments and its name; empty when there are none."""
    for header in _headers(message, "Authentication-Results"):
        plain = _COMMENT.sub(" ", header)
        server, _, results = plain.partition(";")
        if server.split()[:1] == [trust] or server.lower().split()[:1] == [trust]:
            return results
    return ""


def _vouches(results: str, domain: str) -> bool:
    for method, result, properties in _RESULT.findall(results):
        given = {key.lower(): value.lower() for key, value in _PROPERTY.findall(properties)}
        if result.lower() != "pass":
            continue
        if method.lower() == "dmarc" and given.get("header.from") == domain:
            return True
        if method.lower() == "dkim" and given.get("header.d") == domain:
            return True
    return False
