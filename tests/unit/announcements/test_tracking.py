"""What counts as an acknowledgement, and the report."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.tracking import (
    Recipient,
    acknowledged_event,
    announcement_id,
    read_id,
    report,
    valid_event_id,
)
from bridge.homeserver.event import Event
from bridge.ids import UserId

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def _reaction(relation: object, kind: str = "m.reaction") -> Event:
    content: dict[str, Any] = {"m.relates_to": relation}
    return Event.of({"event_id": "$reaction", "room_id": "!room", "type": kind, "content": content})


@pytest.mark.parametrize("key", ["✅", "👍", "no!", None])
def test_any_reaction_acknowledges_whatever_the_emoji(key: str | None) -> None:
    """A person acknowledges with any emoji; only the reaction itself counts."""
    relation = {"rel_type": "m.annotation", "event_id": "$announcement", "key": key}
    assert acknowledged_event(_reaction(relation)) == "$announcement"


@pytest.mark.parametrize(
    "relation",
    [
        None,
        "$announcement",
        [],
        {},
        {"rel_type": "m.annotation"},
        {"rel_type": "m.annotation", "event_id": 5},
        {"rel_type": "m.annotation", "event_id": "$nul\x00"},
        {"rel_type": "m.annotation", "event_id": "$\ud800"},
        {"rel_type": "m.annotation", "event_id": "$" + "x" * 300},
        {"rel_type": "m.thread", "event_id": "$announcement"},
    ],
)
def test_a_malformed_reaction_acknowledges_nothing(relation: object) -> None:
    """Anybody can send a reaction of any shape; what names no event is passed over."""
    assert acknowledged_event(_reaction(relation)) is None


def test_a_message_that_looks_like_a_reaction_acknowledges_nothing() -> None:
    """Only events of type m.reaction acknowledge."""
    relation = {"rel_type": "m.annotation", "event_id": "$announcement"}
    assert acknowledged_event(_reaction(relation, kind="m.room.message")) is None


@given(st.one_of(st.text(), st.none(), st.integers()))
def test_an_event_id_that_is_taken_is_one_that_postgresql_takes(value: object) -> None:
    """What passes as an event ID is printable ASCII, so it never breaks a statement."""
    found = valid_event_id(value)
    assert found is None or (found.isascii() and found.isprintable() and found.startswith("$") and len(found) <= 255)


@given(st.dictionaries(st.integers(0, 30), st.tuples(st.booleans(), st.booleans())))
def test_a_report_counts_everybody_as_acknowledged_or_missing(fates: dict[int, tuple[bool, bool]]) -> None:
    """Acknowledged and missing together are those targeted, and the missing are named in order."""
    recipients = [
        Recipient(UserId(f"@{number:02}:x"), "", NOON if delivered else None, NOON if acknowledged else None)
        for number, (delivered, acknowledged) in fates.items()
    ]
    result = report(recipients)
    assert result.targeted == len(fates) == result.acknowledged + len(result.missing)
    assert result.delivered == sum(delivered for delivered, _ in fates.values())
    assert result.missing == tuple(sorted(f"@{n:02}:x" for n, (_, acknowledged) in fates.items() if not acknowledged))


@given(st.binary())
def test_an_id_reads_back_however_it_is_typed(seed: bytes) -> None:
    """An id may be typed in capitals, without its hyphen, or with spaces around it."""
    name = announcement_id(seed)
    assert len(name) == 9
    assert name == announcement_id(seed)
    assert {read_id(name), read_id(name.upper()), read_id(f" {name.replace('-', '')} ")} == {name}


@pytest.mark.parametrize("typed", ["", "7kq2", "7kq2-m9x!", "7kq2-m9xdd", "\udcff" * 8, "７kq2-m9xd"])
def test_what_cannot_be_an_id_is_none(typed: str) -> None:
    """Nothing but eight letters and digits is looked up."""
    assert read_id(typed) is None


def test_ids_of_many_announcements_differ() -> None:
    """Ten thousand announcements have ten thousand names."""
    assert len({announcement_id(str(number).encode()) for number in range(10_000)}) == 10_000
