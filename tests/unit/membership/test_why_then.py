"""The explanation of a past moment."""

from __future__ import annotations

import pytest

from bridge.errors import UnknownNameError
from bridge.membership.explanation import RoomReason
from bridge.membership.values import Action
from bridge.membership.why_text import as_text
from bridge.membership.why_then import Then, explain_then
from tests.unit.membership.past_company import BOB, COMPANY, SALES, VERSION, entry, presence, recorded, then

GOLDEN = """\
Bob (b.tamm) at 2026-03-01 21:59:59 UTC
  @bob:example.org  works here, account enabled
  directory version 9, scim:okta, 2026-02-03 09:00:00 UTC, version 9
  policy c0ffeec0ffee, in force since 2026-01-05 08:00:00 UTC

!club (Chess): in, the policy says not in
  @ann:example.org had invited this person.
  2026-02-05 09:00:00 UTC  join by @bob:example.org, invited by @ann:example.org
    event $join-bob-5-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
  The archive has nothing of this room.

department/Sales (Sales): in, as the policy says
  rooms.department asks: department eq "Sales" and not (usertype eq
    "Contractor")
    yes  department eq "Sales": department is Sales
         scim:okta, 2026-02-02 09:00:00 UTC, version 4
    no   usertype eq "Contractor": usertype is nothing
         csv:start.csv, 2026-02-01 09:00:00 UTC, version 2
  power 50 (moderator), by the policy 50 (moderator)
  rooms.department.moderators asks: title co "Head"
    yes  title co "Head": title is Head of Sales
         scim:okta, 2026-02-02 09:00:00 UTC, version 4
  2026-02-02 09:00:00 UTC  join by @bob:example.org
    event $join-bob-2-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
  2026-02-02 09:00:00 UTC  join, done: department eq "Sales"
    entry 7 of run 3 (directory, by the service)
    plan abcdef012345, directory version 4, policy c0ffeec0ffee

company (Company): not in, the policy says in
  spaces.company asks: active eq true
    yes  active eq true: active is true
         csv:start.csv, 2026-02-01 09:00:00 UTC, version 2
  Muster had yet to put this person in.
  2026-02-06 09:00:00 UTC  leave by @ann:example.org
    event $leave-bob-6-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
"""


def reason(then: Then, room: str) -> RoomReason:
    (found,) = explain_then(then, room).rooms
    return found


def test_a_past_moment_is_told_in_80_columns() -> None:
    """Where somebody was and ought to have been; each comparison with its source; policy, entry, plan, Matrix event."""
    assert as_text(explain_then(then()), 80) == GOLDEN


def test_the_witnesses_are_not_mixed() -> None:
    """Who was kept in after a move is `in` by the archive, not wanted by the policy, and the audit log knows why."""
    moved = then(history=(then().history[0],))
    found = reason(moved, "department/Sales")

    assert (found.there, found.wanted) == ("in", False)
    assert found.remark.startswith("Muster had put this person in and had yet to take them out")
    assert [(one.holds, one.values) for one in found.answers] == [(False, ("IT",)), (False, ())]


def test_a_room_that_was_not_made_yet_is_explained() -> None:
    """A rule's room is known by its key also before there is one."""
    found = reason(then(), "drivers")
    assert (found.there, found.wanted, found.room_id, found.event) == ("not in", False, None, None)
    it = reason(then(history=then().history[:1]), "department/IT")
    assert (it.wanted, it.remark) == (True, "The room had not been made.")


def test_a_leaver_was_wanted_nowhere() -> None:
    """Also while rooms still had them."""
    gone = then(
        history=(*then().history[:-1], recorded(9, "scim:okta", 3, {"department": "Sales", "active": False})),
        account=entry("", BOB, Action.DISABLE_ACCOUNT),
    )
    found = explain_then(gone)

    assert (found.works_here, found.enabled) == (False, False)
    assert [(one.room, one.wanted) for one in found.rooms] == [("!club", False), ("department/Sales", False)]


@pytest.mark.parametrize(
    ("version", "words"), [(None, "No policy was in force then"), (VERSION, "cannot be read by this version")]
)
def test_a_policy_that_is_not_known_is_not_guessed(version: object, words: str) -> None:
    """Rooms are told by the archive alone, and the text says why no rule is named."""
    found = explain_then(then(rulings=None, version=version))
    assert words in found.remark
    assert [(one.room, one.there, one.rule) for one in found.rooms] == [
        ("!club", "in", ""),
        ("department/Sales", "in", ""),
    ]


def test_an_entry_about_an_earlier_room_of_the_same_key_is_not_taken() -> None:
    """A room that was deleted and made again has a history of its own."""
    other = entry("department/Sales", BOB, room_id=COMPANY)
    assert reason(then(arrivals={"department/Sales": other}), "department/Sales").since is None
    same = entry("department/Sales", BOB, room_id=SALES)
    assert reason(then(arrivals={"department/Sales": same}), "department/Sales").since is not None


def test_banned_and_asking_are_told_as_such() -> None:
    """They are neither in nor simply out."""
    assert reason(then(presences={SALES: presence(SALES, BOB, "ban", 3)}), "!sales").there == "banned"
    assert reason(then(presences={SALES: presence(SALES, BOB, "knock", 3)}), "Sales").there == "has asked to come in"


def test_an_unknown_room_names_the_nearest() -> None:
    """As of the moment."""
    with pytest.raises(UnknownNameError, match="Did you mean department/Sales"):
        explain_then(then(), "departmnt/Sales")
