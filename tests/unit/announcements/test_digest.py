"""What somebody gets on the first day."""

from __future__ import annotations

from datetime import date

from bridge.announcements.digest import Current, digest
from bridge.ids import EventId, RoomId

DAY = date(2027, 2, 1)
FIRE = Current("a", "Fire drill\non Monday", "Anna Tamm", DAY, RoomId("!news"), "News", EventId("$x/y"))


def test_each_announcement_is_a_line_that_leads_there() -> None:
    """With who says it, since when and in which room; ids are escaped."""
    content = digest("Nordwind", [FIRE], "company.example")
    assert content["body"] == (
        "Welcome to Nordwind! One announcement is current and asked of everybody; please read and acknowledge:\n"
        "• Fire drill on Monday – Anna Tamm, 2027-02-01, in News: "
        "https://matrix.to/#/%21news/%24x%2Fy?via=company.example"
    )
    assert content["msgtype"] == "m.text"
    assert content["m.mentions"] == {}


def test_what_is_for_people_follows_below() -> None:
    """It has a copy of its own in the same room, and so no link."""
    content = digest("Nordwind", [Current("a", "", "Anna", DAY)], "company.example")
    assert "• A file – Anna, 2027-02-01, below, in this room" in content["body"]


def test_nobody_writes_markup_into_it() -> None:
    """What an announcement says is shown as it is written."""
    content = digest("<b>Nord", [Current("a", "<i>hi</i>", "<u>A", DAY)], "x")
    assert "<b>" not in content["formatted_body"]
    assert "<i>" not in content["formatted_body"]


def test_very_many_are_counted() -> None:
    """An event has its limit."""
    content = digest("Nordwind", [FIRE] * 35, "company.example")
    assert content["body"].count("•") == 30
    assert content["body"].endswith("and 5 older ones, where they are pinned.")
