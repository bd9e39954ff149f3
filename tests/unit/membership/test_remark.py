"""What people are told whose changes did not last."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.ids import EventId, RoomId, UserId
from bridge.membership.fighting import MEMBER, POWER, Intervention
from bridge.membership.remark import Correction, profile_remark, remark
from tests.unit.membership.notation import user_id

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ANN, BOB = user_id("ann"), user_id("bob")


@pytest.mark.parametrize(
    ("subject", "field", "value", "expected"),
    [
        (BOB, MEMBER, "invite", "You invited Bob into Lab.|Muster has taken Bob out again."),
        (BOB, MEMBER, "leave", "You took Bob out of Lab.|Muster has put Bob back."),
        (BOB, MEMBER, "ban", "You banned Bob from Lab.|Muster has put Bob back."),
        (ANN, MEMBER, "join", "You entered Lab.|Muster has taken you out again."),
        (ANN, MEMBER, "leave", "You left Lab.|Muster has put you back."),
        (BOB, POWER, "100", "You gave Bob the power level 100 in Lab.|Muster has set it to 0 again."),
        (UserId(""), "open_to", "", "You changed the join rule of Lab.|Muster has put it back."),
    ],
)
def test_a_remark_says_what_was_done_why_it_did_not_last_and_whom_to_ask(
    subject: UserId, field: str, value: str, expected: str
) -> None:
    """In words, to whoever did it."""
    one = Intervention(1, RoomId("!r"), subject, field, value, ANN, EventId("$e"), NOW)
    text = remark(Correction(one, "rooms.lab", "exclusive room", "0"), room="Lab", whom="Bob", purpose='title eq "X"')
    for words in (*expected.split("|"), 'The room is for: title eq "X" (rule rooms.lab)', "ask the administrators"):
        assert words in text


def test_without_a_purpose_the_reason_of_the_change_is_told() -> None:
    """As of a room whose rule is gone."""
    one = Intervention(1, RoomId("!r"), BOB, MEMBER, "invite", ANN, EventId("$e"), NOW)
    text = remark(Correction(one, "accounts", "no longer works here", ""), room="Lab", whom="Bob", purpose="")
    assert "The reason: no longer works here (rule accounts)" in text


@pytest.mark.parametrize(
    ("field", "what", "rule"),
    [
        ("displayname", "the display name", "accounts.display_name"),
        ("avatar_url", "the picture", "accounts.avatar"),
        ("m.tz", "the field m.tz", "accounts.profile"),
    ],
)
def test_a_profile_put_back_names_its_rule(field: str, what: str, rule: str) -> None:
    """In the same words whoever changed it, for a server administrator may have."""
    text = profile_remark(field)
    assert text.startswith(f"In your profile {what} was changed.")
    assert f"(rule {rule})" in text
