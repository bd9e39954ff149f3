"""What of the texts of events PostgreSQL can hold: anybody in a room can send anything."""

from __future__ import annotations

_LONGEST_NAME = 255


def is_storable(text: str) -> bool:
    """Return whether a column can hold the text as it is; what none can hold names nothing that is archived."""
    return (text.isprintable() and len(text) <= _LONGEST_NAME) or storable(text) == text


def storable(text: str) -> str:
    """Return what of the text a column can hold."""
    return text[:_LONGEST_NAME].replace("\0", "").encode("utf-8", "replace").decode()
