"""Values as LDAP servers write them, and what they mean: names, ids, times, flags. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

DISABLED: Final = 0x2
"""The bit of userAccountControl that switches an account off ([MS-ADTS] 2.2.16, ADS_UF_ACCOUNTDISABLE)."""
_NEVER: Final = (0, 2**63 - 1)
_FILETIME_BEGINS: Final = datetime(1601, 1, 1, tzinfo=UTC)
_ESCAPED: Final = re.compile(r"((?:\\[0-9a-fA-F]{2})+)|\\(.)", re.DOTALL)


def dn_parts(name: str) -> tuple[tuple[str, str], ...]:
    """Return a distinguished name's parts as pairs of attribute and value, unescaped (RFC 4514); the entry's own first.

    Of a part with several attributes (`cn=A+uid=a`) the first stands for all. A part that does not read is left out.
    """
    found = []
    for part in re.split(r"(?<!\\)[,;]", _guarded(name)):
        attribute, equals, value = re.split(r"(?<!\\)\+", part, maxsplit=1)[0].partition("=")
        if equals:
            found.append((attribute.strip().lower(), _unescaped(_trimmed(value))))
    return tuple(found)


def dn_key(name: str) -> str:
    """Return what two ways of writing the same distinguished name have in common."""
    return ",".join(f"{attribute}={' '.join(value.lower().split())!r}" for attribute, value in dn_parts(name))


def is_enabled(user_account_control: str) -> bool:
    """Tell whether userAccountControl leaves the account on. Raises ValueError for what is no number."""
    return not int(user_account_control) & DISABLED


def last_day(account_expires: str, timezone: str) -> date | None:
    """Return the last day before an account expires, where the company is; None when it never does.

    `account_expires` is a FILETIME: units of 100 ns since 1601, UTC; 0 and 2^63-1 are never ([MS-ADA1] 2.3). Tools
    write the midnight at which the last day ends. Raises ValueError for what is no such time.
    """
    units = int(account_expires)
    if units in _NEVER:
        return None
    try:
        moment = _FILETIME_BEGINS + timedelta(microseconds=units // 10) - timedelta(microseconds=1)
        return moment.astimezone(ZoneInfo(timezone)).date()
    except OverflowError as error:
        raise ValueError(f"{units} is no time") from error


def guid_text(octets: bytes) -> str:
    """Return a GUID as Windows writes it ([MS-DTYP] 2.3.4.3). Raises ValueError unless there are sixteen bytes."""
    return str(UUID(bytes_le=octets))


def _guarded(name: str) -> str:
    """Return the name with its doubled backslashes written in hexadecimal, so that one before a comma escapes it."""
    return name.replace("\\\\", "\\5c")


def _trimmed(value: str) -> str:
    """Return the value without the space around it; a space that is escaped at the end belongs to it."""
    bare = value.strip()
    return bare + " " if bare.endswith("\\") else bare


def _unescaped(value: str) -> str:
    def plain(found: re.Match[str]) -> str:
        if found[1]:
            return bytes.fromhex(found[1].replace("\\", "")).decode("utf-8", errors="replace")
        return found[2]

    return _ESCAPED.sub(plain, value)
