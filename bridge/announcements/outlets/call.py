"""What an outgoing webhook says (pure).

    {"type": "announcement.opened", "timestamp": "2027-03-01T08:00:00+00:00", "data": {"id": "7kq2-m9xd", …}}

As Standard Webhooks recommends. The same occurrence has the same id, however often it is sent.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, Final

from bridge.announcements.outlets.said import Said
from bridge.hook_signature import sign

GONE: Final = 410
"""The receiver wants nothing more of it (standardwebhooks.com, "Deliverability and reliability")."""


def body_of_call(said: Said, happened: str, at: datetime) -> bytes:
    """Return what is sent of an announcement; of one that was taken back nothing of its text."""
    data: dict[str, Any] = {
        "id": said.id,
        "desk": said.desk,
        "author": said.author_name,
        "state": said.state.value,
        "priority": said.priority.name.lower(),
        "version": said.version,
        "opened_at": said.opened_at.isoformat(),
        "audience": said.audience.as_json(),
    }
    if happened != "retracted":
        data["texts"] = {
            language: {"text": said.text(language), "html": said.html(language)} for language in sorted(said.texts)
        }
    content = {"type": f"announcement.{happened}", "timestamp": at.isoformat(), "data": data}
    return json.dumps(content, ensure_ascii=False).encode()


def headers_of_call(key: bytes, id_: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers by which the receiver knows that it is ours (standardwebhooks.com)."""
    return {
        "Content-Type": "application/json",
        "User-Agent": "Muster",
        "webhook-id": id_,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": sign(key, id_, at, body),
    }


def id_of_call(outlet: str, announcement: str, happened: str, version: int) -> str:
    """Return the id of an occurrence, always the same one."""
    digest = hashlib.sha256(f"{outlet}\n{announcement}\n{happened}\n{version}".encode()).hexdigest()
    return f"msg_{digest[:32]}"
