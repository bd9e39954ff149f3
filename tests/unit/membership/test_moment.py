"""How people write a past moment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.errors import InputError
from bridge.membership.moment import parse_moment

NOW = datetime(2027, 3, 5, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-03-01", "2027-03-01T21:59:59.999999+00:00"),
        ("2027-03-01T09:30", "2027-03-01T07:30:00+00:00"),
        ("2027-03-01 09:30:15", "2027-03-01T07:30:15+00:00"),
        ("2027-03-01T09:30+05:00", "2027-03-01T04:30:00+00:00"),
        ("2027-03-01T09:30Z", "2027-03-01T09:30:00+00:00"),
        (" 2027-03-01T09:30Z ", "2027-03-01T09:30:00+00:00"),
        ("2026-10-25", "2026-10-25T21:59:59.999999+00:00"),
        ("2027-03-05", "2027-03-05T10:00:00+00:00"),
        ("2027-03-05T12:00", "2027-03-05T10:00:00+00:00"),
    ],
)
def test_a_moment_is_read_where_the_company_is(text: str, moment: str) -> None:
    """Without a zone it is the company's time; a date alone is its end there, and today ends now."""
    assert parse_moment(text, timezone="Europe/Tallinn", now=NOW) == datetime.fromisoformat(moment)


@pytest.mark.parametrize("text", ["2027-03-06", "2027-03-05T12:01", "9999-12-31", "2027-03-05T10:00:01Z"])
def test_the_future_is_refused(text: str) -> None:
    """With the time that it is now, and what to do."""
    with pytest.raises(InputError, match=r"yet to come: it is 2027-03-05 12:00:00\+02:00 now"):
        parse_moment(text, timezone="Europe/Tallinn", now=NOW)


@pytest.mark.parametrize("text", ["", "yesterday", "2027-02-30", "01.03.2027", "2027-03-01T25:00", "\0"])
def test_what_is_no_moment_is_refused_with_an_example(text: str) -> None:
    """So that the next try is right."""
    with pytest.raises(InputError, match="such as 2027-03-01"):
        parse_moment(text, timezone="UTC", now=NOW)
