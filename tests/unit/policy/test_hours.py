"""What the policy says of working hours."""

from __future__ import annotations

from datetime import date

import pytest

from bridge.errors import DocumentError
from bridge.policy.loader import load
from bridge.policy.working_time import WorkingTime, times, week

HEAD = "version: 1\ncompany: Nordwind\n"


def _hours(text: str) -> WorkingTime | None:
    return load(f"{HEAD}hours: {{{text}}}\n", "policy.yaml", ("country", "shift")).hours


def test_without_a_word_nothing_waits() -> None:
    """A policy that says nothing of hours has none, and an empty section the usual week."""
    assert load(HEAD, "policy.yaml").hours is None
    assert _hours("") == WorkingTime(week("mon-fri 08:00-17:00"))


def test_countries_are_one_however_they_are_written() -> None:
    """Time zones are written as the IANA database does; a list of holidays is everybody's."""
    found = _hours('country: country, laws: {EE: "18:00-08:00", Europe/Paris: weekend}, holidays: {Ee: [2027-02-24]}')
    assert found is not None
    assert found.laws == {"ee": times("18:00-08:00"), "Europe/Paris": times("weekend")}
    assert found.holidays == {"ee": frozenset({date(2027, 2, 24)})}
    everywhere = _hours("holidays: [2027-01-01]")
    assert everywhere is not None
    assert everywhere.holidays == {"all": frozenset({date(2027, 1, 1)})}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("week: nine to five", "expected days and a time, such as mon-fri 08:00-17:00, came `nine to five`"),
        ("laws: {Europe/Talinn: weekend}", "there is no time zone `Europe/Talinn`"),
        (
            "laws: {EE: weekend}",
            "this law is for the country `EE`: say in `country:` which attribute names people's country, or name a "
            "time zone such as Europe/Tallinn",
        ),
        (
            "holidays: {EE: [2027-01-01]}",
            "this list of holidays is for the country `EE`: say in `country:` which attribute names people's country, "
            "or name a time zone such as Europe/Tallinn",
        ),
        ("holidays: [soon]", "expected a day such as 2027-03-01, came soon"),
        ("country: land", "unknown attribute `land`"),
        ("shifts: [{people: active eq true}]", "`week` is missing"),
        ("quiet: everybody", ""),
        ("nights: []", "unknown key `nights`"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(written: str, message: str) -> None:
    """With what was expected and what came."""
    with pytest.raises(DocumentError) as refused:
        _hours(written)
    assert message in refused.value.message
    assert refused.value.message.startswith("policy.yaml:3:")
