"""Which file came with an event. Pure.

Matrix specification, "m.room.message msgtypes" and "Sending encrypted attachments".
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.archive.export.file_key import FileKey
from bridge.archive.export.values import Attachment
from bridge.homeserver.event import Event

NOT_ARCHIVED = "not archived"


def attachment_of(event: Event) -> Attachment | None:
    """Return the file that the event brings, as what is not archived yet; None when it brings none."""
    if event.state_key is not None:
        return None
    new = event.content.get("m.new_content")
    for content in (event.content, new if isinstance(new, dict) else {}):
        encrypted = content.get("file")
        mxc = content.get("url") or (encrypted.get("url") if isinstance(encrypted, dict) else None)
        if isinstance(mxc, str) and mxc.startswith("mxc://"):
            info = content.get("info")
            name = _text(content, "filename") or _text(content, "body") or "file"
            mimetype = _text(info, "mimetype") if isinstance(info, dict) else ""
            is_encrypted = isinstance(encrypted, dict) and mxc == encrypted.get("url")
            return Attachment(
                name,
                mimetype or "application/octet-stream",
                mxc,
                problem=NOT_ARCHIVED,
                is_encrypted=is_encrypted,
                key=FileKey.of(encrypted) if isinstance(encrypted, dict) and is_encrypted else None,
            )
    return None


def _text(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    return value if isinstance(value, str) else ""
