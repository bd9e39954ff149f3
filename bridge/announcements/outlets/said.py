"""An announcement as outlets read it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.announcements.values import Priority, State, Whom


@dataclass(frozen=True, slots=True)
class Said:
    """One announcement, in its newest version."""

    id: str
    desk: str
    author_name: str
    state: State
    priority: Priority
    audience: Whom
    version: int
    opened_at: datetime
    texts: Mapping[str, Mapping[str, Any]]
    """Bodies by language; without one, everybody's."""

    def text(self, language: str) -> str:
        """Return the plain text in one of its languages; of a file its name behind what is said of it."""
        body = self.texts[language]
        name = body.get("filename", "")
        words = str(body["body"])
        return f"{words}\n\n[{name}]" if name and name != words else words

    def html(self, language: str) -> str:
        """Return the HTML in one of its languages, empty where it is plain text."""
        return str(self.texts[language].get("formatted_body", ""))
