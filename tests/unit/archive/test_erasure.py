"""What a request takes, what stays and why."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.erasure import ON_HOLD, STATE, Said, decide, required_by_policy
from bridge.archive.erasure_text import erasure_as_json, erasure_as_text
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.policy.schema import Keep

MARI = PersonId("p1")
ACCOUNTS = [UserId("@mari:x")]
ROOMS = [RoomId("!a"), RoomId("!b"), RoomId("!c")]
SAID = st.lists(
    st.tuples(st.integers(1, 200), st.sampled_from(ROOMS), st.booleans()), unique_by=lambda one: one[0]
).map(lambda found: [Said(*one) for one in sorted(found)])


@given(SAID, st.frozensets(st.integers(1, 200)), st.sampled_from([{}, {ROOMS[0]: "§ 147 AO"}]))
def test_everything_either_goes_or_stays_for_a_reason(
    said: list[Said], held: frozenset[int], required: dict[RoomId, str]
) -> None:
    """Nothing on hold, no state and nothing that the law keeps goes; all else does."""
    found = decide(MARI, ACCOUNTS, said, held, required)
    assert len(found.going) + sum(one.count for one in found.kept) == len(said)
    assert sum(found.rooms.values()) == len(found.going)
    going = [one.seq for one in said if one.seq not in held and not one.is_state and one.room_id not in required]
    assert found.going == going
    assert {one.reason for one in found.kept} <= {ON_HOLD, STATE, *required.values()}


def test_a_hold_is_the_reason_before_all_others() -> None:
    """Because its release, and nothing else, lets the record go."""
    found = decide(MARI, ACCOUNTS, [Said(1, ROOMS[0], is_state=True)], {1}, {ROOMS[0]: "law"})
    assert [(one.reason, one.count) for one in found.kept] == [(ON_HOLD, 1)]


def test_another_decision_has_another_digest() -> None:
    """More, less, or kept for another reason."""
    said = [Said(1, ROOMS[0], is_state=False), Said(2, ROOMS[1], is_state=False)]
    digests = {
        decide(MARI, ACCOUNTS, said, (), {}).digest,
        decide(MARI, ACCOUNTS, said[:1], (), {}).digest,
        decide(MARI, ACCOUNTS, said, {2}, {}).digest,
        decide(MARI, ACCOUNTS, said, (), {ROOMS[1]: "law"}).digest,
        decide(PersonId("p2"), ACCOUNTS, said, (), {}).digest,
    }
    assert len(digests) == 5


def test_what_the_policy_keeps_until_a_day_is_required_until_then() -> None:
    """Of all rooms of the rule; a day that has come requires nothing."""
    keys = {ROOMS[0]: RoomKey("department/Sales"), ROOMS[1]: RoomKey("canteen")}
    keep = {"department": Keep(ends=date(2028, 1, 1)), "canteen": Keep(ends=date(2027, 1, 1))}
    assert required_by_policy(keys, keep, date(2027, 1, 1)) == {
        ROOMS[0]: "the policy keeps department/Sales until 2028-01-01"
    }


def test_a_decision_reads_in_80_columns() -> None:
    """With what goes, what stays and why, and how to say yes."""
    said = [Said(1, ROOMS[0], is_state=False), Said(2, ROOMS[1], is_state=True)]
    found = decide(MARI, ACCOUNTS, said, (), {})
    text = erasure_as_text(found, "m.tamm", {ROOMS[0]: RoomKey("canteen")}, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "1 in canteen" in text
    assert "1 in !b: state of the room" in text
    assert f"--apply {found.digest[:12]}" in text
    assert erasure_as_json(found)["going"] == 1
