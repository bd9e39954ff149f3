"""Values of LDAP servers: names, ids, times and flags read as their documents say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.ldap_values import dn_key, dn_parts, guid_text, is_enabled, last_day

NEVER = ("0", "9223372036854775807")


def filetime(moment: datetime) -> str:
    return str((moment - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("CN=Mari Tamm,OU=Sales,DC=x", (("cn", "Mari Tamm"), ("ou", "Sales"), ("dc", "x"))),
        (r"CN=Tamm\, Mari,DC=x", (("cn", "Tamm, Mari"), ("dc", "x"))),
        (r"CN=ends with \\,DC=x", (("cn", "ends with \\"), ("dc", "x"))),
        (r"CN=\C3\95un,DC=x", (("cn", "Õun"), ("dc", "x"))),
        (r"CN=space\ , DC = x", (("cn", "space "), ("dc", "x"))),
        ("uid=a+cn=b,dc=x", (("uid", "a"), ("dc", "x"))),
        (r"cn=a\+b,dc=x", (("cn", "a+b"), ("dc", "x"))),
        ("", ()),
        ("no name at all", ()),
    ],
)
def test_distinguished_names_are_taken_apart(name: str, parts: tuple[tuple[str, str], ...]) -> None:
    """By RFC 4514: escapes, spaces around, several attributes in one part."""
    assert dn_parts(name) == parts


def test_same_name_has_the_same_key() -> None:
    """However it is written; and another name another one."""
    assert dn_key(r"CN=Tamm\, Mari,DC=X") == dn_key(r"cn=tamm\2C  mari , dc=x")
    assert dn_key(r"CN=Tamm\, Mari,DC=X") != dn_key("CN=Tamm,CN=Mari,DC=X")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_value_comes_back_from_its_escaped_form(value: str) -> None:
    """With every byte escaped, as RFC 4514 allows."""
    escaped = "".join(f"\\{octet:02x}" for octet in value.encode())
    assert dn_parts(f"cn={escaped},dc=x") == (("cn", value), ("dc", "x"))


@pytest.mark.parametrize(("flags", "enabled"), [("512", True), ("514", False), ("66048", True), ("66050", False)])
def test_second_bit_switches_an_account_off(flags: str, enabled: bool) -> None:
    """Whatever the other bits say."""
    assert is_enabled(flags) is enabled


@pytest.mark.parametrize("never", NEVER)
def test_two_times_mean_never(never: str) -> None:
    """Zero and the largest."""
    assert last_day(never, "UTC") is None


@pytest.mark.parametrize("zone", ["Europe/Tallinn", "America/New_York", "Asia/Kathmandu", "UTC"])
def test_last_day_is_the_one_before_midnight(zone: str) -> None:
    """An account that expires when a day begins has its last day before, where the company is."""
    midnight = datetime(2027, 4, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert last_day(filetime(midnight), zone) == date(2027, 3, 31)
    assert last_day(filetime(midnight + timedelta(hours=1)), zone) == date(2027, 4, 1)


@pytest.mark.parametrize("text", ["", "soon", "9223372036854775806", "-9223372036854775808"])
def test_what_is_no_time_is_told(text: str) -> None:
    """As a ValueError."""
    with pytest.raises(ValueError, match=r"is no time|invalid literal"):
        last_day(text, "UTC")


def test_guid_is_written_as_windows_does() -> None:
    """The first three groups are little-endian."""
    assert guid_text(bytes(range(16))) == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    with pytest.raises(ValueError, match="16"):
        guid_text(b"short")
