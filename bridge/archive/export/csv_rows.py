"""CSV (RFC 4180) with a row for each event, so that every version of a message is one. Pure.

Every field is quoted. One that a spreadsheet would take for a formula gets an apostrophe before it, behind which the
field stands as it was (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from bridge.archive.export.transcript import at
from bridge.archive.export.values import Known, Record
from bridge.archive.rendering import moment
from bridge.archive.values import edited_by, text_of
from bridge.archive.versions import version_of
from bridge.homeserver.event import Event
from bridge.ids import EventId, UserId

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
COLUMNS = (
    "position", "room_id", "event_id", "type", "sender", "user_name", "name", "department", "sent_at", "received_at",
    "text", "replaces", "deleted_at", "deleted_by", "file", "file_sha256", "file_path", "file_problem", "leaf",
)  # fmt: skip


def csv_of(
    records: Iterable[Record],
    about: Mapping[EventId, Sequence[Event]],
    known: Mapping[tuple[UserId, date], Known],
) -> bytes:
    """Return a file with a header row, in UTF-8 with the mark by which spreadsheets know it."""
    into = io.StringIO(newline="")
    writer = csv.writer(into, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for record in records:
        person = known.get((record.event.sender, record.sent_at.date()))
        writer.writerow([safe(field) for field in _fields(record, about.get(record.event.event_id, ()), person)])
    return b"\xef\xbb\xbf" + into.getvalue().encode("utf-8", "replace")


def safe(field: str) -> str:
    """Return a field that no spreadsheet takes for a formula, and that cannot end itself."""
    field = field.replace("\0", "�")
    return f"'{field}" if field.lstrip(" ").startswith(_DANGEROUS) else field


def _fields(record: Record, related: Sequence[Event], known: Known | None) -> Sequence[str]:
    event, attachment = record.event, record.attachment
    redaction = version_of(event, related).redaction
    return (
        str(record.seq),
        event.room_id,
        event.event_id,
        event.type,
        event.sender,
        known.user_name if known else "",
        known.name if known else "",
        known.department if known else "",
        at(record.sent_at),
        at(record.received_at),
        text_of(event) if record.body is not None else "[disposed of]",
        edited_by(event) or "",
        moment(redaction.timestamp) if redaction else "",
        redaction.sender if redaction else "",
        attachment.name if attachment else "",
        attachment.sha256 if attachment else "",
        attachment.path if attachment else "",
        attachment.problem if attachment else "",
        record.leaf.hex(),
    )
