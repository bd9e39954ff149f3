"""A moment of the past, as people write it. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from bridge.directory.local_day import zone_of
from bridge.errors import InputError


def parse_moment(text: str, *, timezone: str, now: datetime) -> datetime:
    """Return the moment of an ISO 8601 date or date and time, in UTC.

    Without a zone it is meant in `timezone`. A date alone means the end of that day, which for today is now. Raises
    `InputError` for anything else, and for what is yet to come.
    """
    zone = zone_of(None, timezone)
    text = text.strip()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment = _moment(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=zone).astimezone(UTC)
    else:
        if day == now.astimezone(zone).date():
            return now
        end = datetime.combine(day, time(), zone) if day == date.max else _end_of(day, timezone)
        moment = end.astimezone(UTC)
    if moment > now:
        raise InputError(
            f"{text} is yet to come: it is {now.astimezone(zone).isoformat(' ', 'seconds')} now. Name a past moment;"
            " what would happen is what `muster plan` tells."
        )
    return moment


def parse_beginning(text: str, *, timezone: str) -> datetime:
    """Return the moment of an ISO 8601 date or date and time, in UTC; a date alone means the beginning of that day.

    Without a zone it is meant in `timezone`. Raises `InputError` for anything else.
    """
    moment = _moment(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone_of(None, timezone))).astimezone(UTC)


def _end_of(day: date, timezone: str) -> datetime:
    """Return the last microsecond before the next day begins there."""
    following = datetime.combine(day + timedelta(days=1), time(), zone_of(None, timezone))
    return following.astimezone(UTC) - timedelta(microseconds=1)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            f"Expected a date or a moment such as 2027-03-01 or 2027-03-01T09:30+02:00, came {text!r}."
        ) from error
