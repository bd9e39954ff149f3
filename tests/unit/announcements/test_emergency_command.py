"""`!emergency`, as people type it."""

from __future__ import annotations

import pytest

from bridge.announcements.emergency_command import End, Start, Unclear, parse


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("!emergency Fire in hall 2", Start("Fire in hall 2")),
        ("  !EMERGENCY\nFire\nin hall 2", Start("Fire\nin hall 2")),
        ('!emergency site "Tallinn" Gas', Start("Gas", "Tallinn")),
        ("!emergency site “Tallinn Port”: Gas", Start("Gas", "Tallinn Port")),
        ("!emergency Site „Köln“ Gas", Start("Gas", "Köln")),
        ("!emergency drill Walk out", Start("Walk out", drill=True)),
        ("!emergency DRILL: Walk out", Start("Walk out", drill=True)),
        ('!emergency drill site "Tallinn" Walk out', Start("Walk out", "Tallinn", drill=True)),
        ("!emergency drilling rig is on fire", Start("drilling rig is on fire")),
        ("!emergency site closed, leave", Start("site closed, leave")),
        ("!emergency end", End()),
        ("!emergency end 7KQ2-M9XD", End("7kq2-m9xd")),
        ("!emergency end of the pier is under water", Start("end of the pier is under water")),
        ("!emergency ending soon", Start("ending soon")),
    ],
)
def test_what_is_typed_in_a_hurry_is_understood(body: str, wanted: Start | End) -> None:
    """In capitals, with a telephone's quotation marks, over several lines."""
    assert parse(body) == wanted


@pytest.mark.parametrize("body", ["!emergency", "!emergency drill", '!emergency site "Tallinn"', '!emergency site "T'])
def test_a_command_without_its_text_starts_nothing(body: str) -> None:
    """The answer shows how it is written."""
    found = parse(body)
    assert isinstance(found, Unclear)
    assert "Nothing was started" in found.answer
    assert "!emergency Fire" in found.answer


@pytest.mark.parametrize("body", ["", "Fire!", "an !emergency", "!emergencyexit is closed", "!emergency-plan"])
def test_other_messages_are_none(body: str) -> None:
    """Talk about emergencies starts none."""
    assert parse(body) is None
