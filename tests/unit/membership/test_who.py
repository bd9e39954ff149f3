"""Everybody in a room at a moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from bridge.membership.values import Action
from bridge.membership.who import Occupant, occupancy
from bridge.membership.who_text import as_json, as_text
from bridge.policy.schema import Exemption
from tests.unit.membership import notation
from tests.unit.membership.past_company import (
    ANN,
    BOB,
    CLUB,
    GUEST,
    POLICY,
    ROOMS,
    SALES,
    entry,
    facts,
    judged_of,
    presence,
)

GOLDEN = """\
Sales (department/Sales) at 2026-03-01 21:59:59 UTC: 3 in it, 1 invited
  !sales
  rooms.department asks: department eq "Sales" and not (usertype eq
    "Contractor")
  policy c0ffeec0ffee, in force since 2026-01-05 08:00:00 UTC
  Compared with the homeserver at 2026-04-01 00:00:00 UTC: nothing is missing.

Ann Põld (Chief, =Sales, Sales)
  @ann:example.org
  in since 2026-02-02 09:00:00 UTC, power 50 (moderator)
  rooms.department: department eq "Sales" and not (usertype eq "Contractor")
  power: not by the policy
  approved by Eve Saar
  entry 7, event $join-ann-2-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx

Bob (Clerk, IT)
  @bob:example.org
  in since 2026-02-02 09:00:00 UTC
  put in by rooms.department on 2026-02-02 and not taken out yet
  entry 8, event $join-bob-2-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx

@guest:elsewhere.example
  invited since 2026-02-09 09:00:00 UTC
  invited by @ann:example.org
  event $invite-gue-9-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx

@muster:example.org
  in since 2026-02-01 09:00:00 UTC, power creator
  Muster's own account
  event $join-mus-1-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
"""


def test_everybody_is_told_in_80_columns() -> None:
    """People first by name: since when, with which power, by which rule or whose invitation, approval, entry, event."""
    assert as_text([occupancy(ROOMS[SALES], facts())], 80) == GOLDEN


def the(user: str, **more: object) -> Occupant:
    (found,) = [one for one in occupancy(ROOMS[SALES], facts(**more)).occupants if one.user_id == user]
    return found


def test_those_who_have_left_or_were_put_out_are_not_there() -> None:
    """Being in is having joined or being invited."""
    gone = {ANN: presence(SALES, ANN, "leave", 3), BOB: presence(SALES, BOB, "ban", 3)}
    assert occupancy(ROOMS[SALES], facts(presences=gone)).occupants == ()


def test_whom_no_rule_and_no_entry_explains_was_invited_or_came() -> None:
    """Whoever is there by nobody's rule is told with who let them in."""
    by_ann = {GUEST: presence(SALES, GUEST, "join", 3, invited_by=ANN)}
    assert the(GUEST, presences=by_ann).reason == f"invited by {ANN}"
    alone = {GUEST: presence(SALES, GUEST, "join", 3)}
    assert the(GUEST, presences=alone).reason == "came in without an invitation"


def test_an_entry_that_took_somebody_out_explains_nobodys_being_there() -> None:
    """Who came back by hand after a removal is not there by the old grant; a failed join gave nothing."""
    for arrival in (entry("department/Sales", BOB, Action.REMOVE), entry("department/Sales", BOB, outcome="failed")):
        assert the(BOB, arrivals={BOB: arrival}).reason == "came in without an invitation"


def test_who_no_longer_works_here_is_in_by_no_rule() -> None:
    """Whatever department HR still has of them."""
    left = notation.person("ann", {"department": "Sales", "active": False})
    assert the(ANN, people={ANN: left}).rule == "-"


def test_a_room_of_no_rule_and_one_whose_key_is_taken_over_have_no_question() -> None:
    """They are told by the archive alone."""
    assert occupancy(ROOMS[CLUB], facts()).rule == ""
    assert occupancy(ROOMS[SALES], facts(), newest=False).rule == ""
    assert occupancy(ROOMS[SALES], facts(rulings=None)).rule == ""


def test_json_has_what_the_text_has() -> None:
    """Scripts get the same as values."""
    found = as_json(occupancy(ROOMS[SALES], facts()))
    assert (found["key"], found["complete"], found["occupants"][0]["approved_by"]) == (
        "department/Sales",
        True,
        "Eve Saar",
    )


ABSENT = """

kept out: 1
  Bob (@bob:example.org): exception until 2026-12-31, owner k.saar: is away
    policy c0ffeec0ffee, line 7

to be put in: 1
  Ann Põld (@ann:example.org): department eq "Sales" and not (usertype eq
    "Contractor")
    policy c0ffeec0ffee
"""


def test_who_might_be_expected_and_is_not_there_is_told_with_the_reason() -> None:
    """Kept out by an exception or a barrier, or yet to be put in; a text names some of them."""
    away = Exemption("department", "", "bob", False, date(2026, 12, 31), "k.saar", "is away", place=(7, 3))
    room = replace(POLICY.rooms["department"], exceptions=(away,))
    rules = replace(POLICY, rooms={**POLICY.rooms, "department": room})
    ann, bob = (notation.person(name, {"department": "Sales"}) for name in ("ann", "bob"))
    decided = judged_of(replace(ann, display_name="Ann Põld"), bob, policy=rules)
    found = occupancy(ROOMS[SALES], facts(rulings=decided, presences={}, arrivals={}))
    assert as_text([found], 80).endswith(ABSENT)
    many = replace(found, absent=found.absent[:1] * 23)
    assert "and 3 more; --json names everybody" in as_text([many])
