"""Announcements on a terminal and for scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from bridge.announcements.rendering import list_as_json, list_as_text, report_as_json, report_as_text
from bridge.announcements.tracking import Recipient, RoomDelivery, Summary, report
from bridge.ids import EventId, RoomId, UserId

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def _summary(text: str = "The gate is closed.", author_name: str = "Anna Tamm") -> Summary:
    return Summary(
        id="7kq2-m9xd",
        desk="desk",
        author=UserId("@a.tamm:company.example"),
        author_name=author_name,
        text=text,
        created_at=NOON,
        targeted=3,
        delivered=2,
        acknowledged=1,
    )


DELIVERIES = [
    RoomDelivery(RoomId("!a"), "Announcements", "delivered", EventId("$1"), 1, None),
    RoomDelivery(RoomId("!b"), "Night drivers", "failed", None, 1, "You are not in this room (403 M_FORBIDDEN)"),
]
RECIPIENTS = [
    Recipient(UserId("@a:x"), "Anna", NOON, NOON),
    Recipient(UserId("@b:x"), "Bo", NOON, None),
    Recipient(UserId("@c:x"), "Cy", None, None),
]


def test_a_list_says_when_who_what_and_how_far() -> None:
    """Three lines an announcement."""
    assert list_as_text([_summary()]).splitlines() == [
        "7kq2-m9xd  2026-03-02 12:00 UTC  Anna Tamm",
        "           The gate is closed.",
        "           for 3 people: 2 delivered, 1 acknowledged",
    ]


@given(st.text(), st.text(max_size=120), st.integers(40, 100))
def test_no_line_is_wider_than_asked_for_and_none_drives_the_terminal(text: str, name: str, width: int) -> None:
    """Whatever people write, in any script, lines fit and hold no control character."""
    summary = _summary(text, name)
    for printed in (
        list_as_text([summary], width),
        report_as_text(summary, DELIVERIES, RECIPIENTS, most_names=9, width=width),
    ):
        for line in printed.split("\n"):
            assert cell_len(line) <= width
            assert line.isprintable()


def test_a_report_names_the_missing_and_the_rooms_that_failed() -> None:
    """An administrator sees who has not acknowledged, whether it reached them, and why a room failed."""
    printed = report_as_text(_summary(), DELIVERIES, RECIPIENTS, most_names=9)
    assert "for 3 people: 2 delivered, 1 acknowledged, 2 missing" in printed
    assert "  failed     Night drivers: You are not in this room (403 M_FORBIDDEN)" in printed
    assert "  Bo  @b:x\n  Cy  @c:x  (not delivered)" in printed
    assert "Anna  @a:x" not in printed


def test_a_report_names_no_more_people_than_asked_for() -> None:
    """A long list is cut, and says so."""
    printed = report_as_text(_summary(), DELIVERIES, RECIPIENTS, most_names=1)
    assert "Cy" not in printed
    assert "… and 1 more" in printed


def test_scripts_get_everything() -> None:
    """The JSON form can be written and holds every room and person."""
    found = json.loads(json.dumps(report_as_json(_summary(), DELIVERIES, RECIPIENTS, report(RECIPIENTS))))
    assert found["missing"] == ["@b:x", "@c:x"]
    assert [person["delivered_at"] for person in found["people"]] == [NOON.isoformat(), NOON.isoformat(), None]
    assert [room["state"] for room in found["rooms"]] == ["delivered", "failed"]
    assert json.loads(json.dumps(list_as_json([_summary()])))[0]["created_at"] == NOON.isoformat()


def test_people_with_rooms_of_their_own_are_counted_and_those_without_it_named() -> None:
    """Ten thousand rooms of one person each are not listed; who could not be reached comes first."""
    rooms = [
        RoomDelivery(None, "Zed", "failed", None, 1, "The account is disabled.", UserId("@z:x")),
        RoomDelivery(RoomId("!a"), "Anna", "delivered", EventId("$1"), 1, None, UserId("@a:x")),
        RoomDelivery(None, "Bo", "waiting", None, 0, None, UserId("@b:x")),
    ]
    printed = report_as_text(_summary(), rooms, [], most_names=1)
    assert "People, each in their own room (3): 1 delivered\n  failed     Zed: The account is disabled." in printed
    assert "  … and 1 more" in printed
    assert "Bo" not in printed
    assert "Rooms" not in printed
