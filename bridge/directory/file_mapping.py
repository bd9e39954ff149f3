"""How the CSV files of one source are to be read, as the configuration says it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from bridge.directory.feed import GRACE, SHRINK, Feed

COLUMNS: Final = (
    *("userName", "externalId", "displayName", "givenName", "familyName", "email", "title", "userType", "active"),
    *("department", "division", "organization", "costCenter", "employeeNumber", "manager", "start", "end"),
    "employmentStatus",
    *("timezone", "locale", "preferredLanguage", "groups"),
)
"""Attributes that a file or a webhook may speak of, beside the company's own; they are SCIM's."""
_PARTS: Final = {"YYYY": "(?P<year>[0-9]{4})", "MM": "(?P<month>[0-9]{1,2})", "DD": "(?P<day>[0-9]{1,2})"}


@dataclass(frozen=True, slots=True)
class FileMapping:
    """One source's files; without any of it they are as `csv_file` describes them."""

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The source's column → our attributes. A column that is not named is dropped unread; without any, the header
    itself names our attributes."""
    dates: str = ""
    """How days are written: `DD.MM.YYYY`; empty for ISO 8601."""
    delimiter: str = ""
    """Empty to tell commas from semicolons by the header."""
    encoding: str = ""
    """A codec's name; empty to tell UTF-8 from UTF-16 by the first bytes."""
    complete: bool = False
    """Each file names everybody of this source: whoever is missing from one that is whole works here no longer."""
    shrink: float = SHRINK
    """The share of the source's people that may be missing from a complete file."""
    trailer: str = ""
    """The last line, in which `{rows}` is the number of people: proof that the file is whole."""
    digest: bool = False
    """A file comes with its SHA-256: proof, too."""
    grace: timedelta = GRACE
    """How long somebody must be missing from complete files."""
    name: str = "csv"
    """What the configuration calls it."""

    @property
    def feed(self) -> Feed:
        """Return whose people the files bring."""
        return Feed(f"file:{self.name}", self.complete, self.shrink, self.grace)


PLAIN: Final = FileMapping()


def iso_day(text: str, dates: str) -> str | None:
    """Return the day as ISO 8601 writes it, None when it is not written as `dates` says or there is no such day."""
    pattern = re.escape(dates)
    for part, group in _PARTS.items():
        pattern = pattern.replace(part, group, 1)
    found = re.fullmatch(pattern, text)
    if found is None:
        return None
    try:
        return date(int(found["year"]), int(found["month"]), int(found["day"])).isoformat()
    except ValueError:
        return None


def is_date_format(text: str) -> bool:
    """Tell whether the text has a place for year, month and day, each once."""
    return all(text.count(part) == 1 for part in _PARTS) and not re.search(r"[A-Za-z0-9]", _without_parts(text))


def _without_parts(text: str) -> str:
    return re.sub("|".join(_PARTS), "", text)
