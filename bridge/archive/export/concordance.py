"""Concordance load files: a DAT and an OPT, with a text for each conversation and its files behind it. Pure.

A conversation is a document, its native file the slice of records; the files that came with it are the documents behind
it, of the same family. Fields are separated by 0x14 and enclosed by 0xFE, a line feed inside a field is 0xAE; all is
UTF-8 with its mark. The OPT has seven columns and a line for each document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bridge.archive.export.transcript import heading, transcript
from bridge.archive.export.values import Attachment, Conversation, Kind, Rendered

_SEPARATOR, _QUOTE, _NEWLINE = "\x14", "\xfe", "\xae"
_MARK = b"\xef\xbb\xbf"
COLUMNS = (
    "BEGBATES", "ENDBATES", "BEGATTACH", "ENDATTACH", "CUSTODIAN", "FROM", "TO", "SUBJECT", "DATESENT", "TIMESENT",
    "FILENAME", "SHA256HASH", "NATIVEPATH", "TEXTPATH", "LEAVES",
)  # fmt: skip


def render(conversation: Conversation, native: str, native_sha256: str) -> Rendered:
    """Return the conversation's text, and the lines of the load files as its index."""
    number = f"M{conversation.number:06d}"
    found: dict[str, Attachment] = {}
    for message in conversation.messages:
        attachment = message.record.attachment
        if attachment and attachment.path:
            found.setdefault(attachment.path, attachment)
    attachments = list(found.values())
    last = f"{number}.{len(attachments):04d}" if attachments else number
    text_path = f"text/{number}.txt"
    said = [message.user_id for message in conversation.messages if message.kind is Kind.MESSAGE]
    sender = conversation.participant(said[0]).title if said else ""
    others = "; ".join(each.title for user, each in conversation.participants.items() if not said or user != said[0])
    family = (number, last)
    day, time = conversation.begins.strftime("%Y-%m-%d"), conversation.begins.strftime("%H:%M:%S")
    leaves = "\n".join(message.record.leaf.hex() for message in conversation.messages)
    custodian = conversation.room_name or conversation.room_id
    common = (custodian, sender, others, heading(conversation), day, time)
    rows = [
        _row((number, number, *family, *common, native.rpartition("/")[2], native_sha256, native, text_path, leaves))
    ]
    for place, attachment in enumerate(attachments, 1):
        own = f"{number}.{place:04d}"
        rows.append(_row((own, own, *family, *common, attachment.name, attachment.sha256, attachment.path, "", "")))
    pages = [_page(number, native)]
    pages += [_page(f"{number}.{place:04d}", each.path) for place, each in enumerate(attachments, 1)]
    return Rendered({text_path: transcript(conversation).encode("utf-8", "replace")}, {"dat": rows, "opt": pages})


def close(indexes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """Return the load files, from the lines of every conversation."""
    rows, pages = [_row(COLUMNS)], []
    for index in indexes:
        rows += index["dat"]
        pages += index["opt"]
    yield "loadfile.dat", _MARK + "".join(f"{row}\r\n" for row in rows).encode()
    yield "loadfile.opt", "".join(f"{page}\r\n" for page in pages).encode()


def _row(fields: Iterable[str]) -> str:
    return _SEPARATOR.join(f"{_QUOTE}{_clean(field)}{_QUOTE}" for field in fields)


def _clean(field: str) -> str:
    """Return the field without what would end it."""
    field = field.replace("\r\n", "\n").replace(_NEWLINE, "(R)").replace(_QUOTE, "th").replace("\n", _NEWLINE)
    clean = "".join(one if one.isprintable() else " " for one in field)
    return clean.encode("utf-8", "replace").decode()


def _page(key: str, path: str) -> str:
    """Return a line of the OPT: key, volume, path, beginning of a document, folder and box, pages."""
    return f"{key},MUSTER,{path},Y,,,1"
