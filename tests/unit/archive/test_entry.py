"""Entries of the archive's log as events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.batch import sort_out
from bridge.archive.entry import Actor, Entry, Recorded, entry_event, entry_of
from bridge.homeserver.event import Event

NOW = datetime(2027, 2, 11, 9, 14, 3, tzinfo=UTC)
ENTRIES = st.builds(
    Entry,
    deed=st.sampled_from(["search", "view"]),
    actor=st.builds(Actor, st.text(), st.text()),
    details=st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.booleans()),
)


@given(ENTRIES)
def test_an_entry_is_read_as_it_was_written(entry: Entry) -> None:
    """What is laid out as an event is the same entry again, with its time."""
    event = Event.of(entry_event(entry, NOW, "ab"), 7)
    assert entry_of(event) == Recorded(7, event.event_id, int(NOW.timestamp() * 1000), entry)


@given(st.timedeltas(timedelta(), timedelta(days=90_000)), st.timedeltas(timedelta(), timedelta(days=90_000)))
def test_ids_sort_as_time_does(first: timedelta, second: timedelta) -> None:
    """The log is read in the order of the IDs."""
    entry = Entry("view", Actor("a", "a"))
    ids = [entry_event(entry, NOW + after, "ab")["event_id"] for after in (first, second)]
    milliseconds = [after // timedelta(milliseconds=1) for after in (first, second)]
    assert (ids[0] < ids[1]) == (milliseconds[0] < milliseconds[1])


def test_nobody_else_can_write_an_entry() -> None:
    """What a transaction delivers under an entry's ID is set aside, and an event of an entry's type is none."""
    forged = entry_event(Entry("view", Actor("a", "a")), NOW, "ab")
    arrivals = sort_out([forged])
    assert not arrivals.events
    assert "expected an event's ID" in arrivals.malformed[0].reason
    assert entry_of(Event.of({**forged, "event_id": "$a"})) is None
