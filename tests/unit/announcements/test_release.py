"""When each copy of an announcement goes out, and whether it rings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.hours import Hours
from bridge.announcements.release import URGENT, Release, release, released, toned
from bridge.announcements.values import Priority
from bridge.ids import RoomId, UserId
from bridge.policy.working_time import week

NOW = datetime(2027, 3, 1, 7, tzinfo=UTC)  # a Monday; 9 o'clock in Tallinn, 8 in Berlin, 2 in New York
ANNA, BO, CY, GUEST = (UserId(f"@{name}:company.example") for name in ("anna", "bo", "cy", "guest"))
OFFICE = week("mon-fri 09:00-17:00")
HOURS = {
    ANNA: Hours(ZoneInfo("Europe/Tallinn"), OFFICE),
    BO: Hours(ZoneInfo("Europe/Berlin"), OFFICE),
    CY: Hours(ZoneInfo("America/New_York"), OFFICE),
}
IN_BERLIN, IN_NEW_YORK = NOW + timedelta(hours=1), NOW + timedelta(hours=7)
ROOM = RoomId("!news")


@pytest.mark.parametrize(
    ("priority", "expected"),
    [
        (Priority.NORMAL, {ANNA: Release(NOW), BO: Release(IN_BERLIN), CY: Release(IN_NEW_YORK)}),
        (Priority.IMPORTANT, {ANNA: Release(NOW), BO: Release(NOW, silent=True), CY: Release(NOW, silent=True)}),
        (Priority.URGENT, dict.fromkeys((ANNA, BO, CY), Release(NOW, urgent=True))),
        (Priority.EMERGENCY, dict.fromkeys((ANNA, BO, CY), Release(NOW, urgent=True))),
    ],
)
def test_each_persons_copy_minds_their_hours(priority: Priority, expected: dict[UserId, Release]) -> None:
    """Normal ones wait for the day, important ones come silently, urgent ones break through."""
    assert released(priority, {user: [user] for user in HOURS}, HOURS, NOW) == expected


def test_a_rooms_copy_goes_when_half_of_its_readers_have_begun() -> None:
    """Of two the first's day is enough, of three the second's; guests do not count."""
    readers = {ROOM: [ANNA, BO, CY, GUEST], RoomId("!two"): [ANNA, CY], RoomId("!guests"): [GUEST]}
    found = released(Priority.NORMAL, readers, HOURS, NOW)
    assert found == {ROOM: Release(IN_BERLIN), RoomId("!two"): Release(NOW), RoomId("!guests"): Release(NOW)}
    assert released(Priority.IMPORTANT, readers, HOURS, NOW)[ROOM] == Release(NOW, silent=True)
    assert released(Priority.IMPORTANT, readers, HOURS, NOW)[RoomId("!two")] == Release(NOW)


def test_whoever_is_on_leave_gets_it_silently() -> None:
    """There is no day to wait for; in a room those who are there decide."""
    away = {**HOURS, ANNA: Hours(ZoneInfo("Europe/Tallinn"), OFFICE, away=True)}
    assert released(Priority.NORMAL, {ANNA: [ANNA]}, away, NOW) == {ANNA: Release(NOW, silent=True)}
    assert released(Priority.NORMAL, {ROOM: [ANNA, CY]}, away, NOW) == {ROOM: Release(IN_NEW_YORK)}
    assert released(Priority.URGENT, {ANNA: [ANNA]}, away, NOW) == {ANNA: Release(NOW, urgent=True)}


@given(
    st.sampled_from(list(Priority)),
    st.lists(st.none() | st.integers(0, 200).map(lambda hours: NOW + timedelta(hours=hours))),
)
def test_half_of_the_readers_have_begun_when_it_goes(priority: Priority, starts: list[datetime | None]) -> None:
    """Nothing goes before now; what waits goes not before half of those who come have begun, and not later."""
    found = release(priority, starts, NOW)
    begun = [start <= found.due_at for start in starts if start is not None]
    assert found.due_at >= NOW
    assert found.due_at == NOW or priority is Priority.NORMAL
    assert found.urgent == (priority <= Priority.URGENT)
    if priority is Priority.NORMAL and begun:
        assert sum(begun) * 2 >= len(begun)
        before = sum(start < found.due_at for start in starts if start is not None)
        assert found.due_at == NOW or before * 2 < len(begun)


def test_the_tone_is_in_the_content() -> None:
    """What is silent is a notice, what is urgent says so, and files keep their kind."""
    text, image = {"msgtype": "m.text", "body": "b"}, {"msgtype": "m.image", "body": "i.png"}
    assert toned(text, Release(NOW)) == text
    assert toned(text, Release(NOW, silent=True)) == {"msgtype": "m.notice", "body": "b"}
    assert toned(image, Release(NOW, silent=True)) == image
    assert toned(text, Release(NOW, urgent=True)) == {**text, URGENT: True}
