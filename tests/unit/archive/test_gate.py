"""Who may look at what: `tests/cases/gate`, and what holds for every case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.case import Approval, Case, Closing, insist_on_narrow, insist_on_number, is_approved
from bridge.archive.gate import Look, refusal
from bridge.archive.scope import Scope
from bridge.errors import InputError
from bridge.ids import PersonId, RoomId, UserId
from tests.unit.membership.notation import case_files, read_case

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
LIFETIME = timedelta(hours=24)
ME = PersonId("me")
HOURS = {"1h": 1, "24h": 24, "90d": 90 * 24}
CASE = Case(
    number="2027-014",
    purpose="a leak",
    scope=Scope(people=frozenset({UserId("@mari:x")})),
    allowed={},
    opened_by="boss",
    opener=PersonId("boss"),
    opened_at=NOW - timedelta(days=100),
)


def a_case(said: dict[str, Any]) -> Case:
    """Return the case of a case file."""
    case = replace(CASE, allowed={PersonId(person): person for person in said["allowed"]})
    if "approved" in said:
        at = NOW - timedelta(hours=HOURS[said["approved"]])
        case = replace(case, approval=Approval("cio", at, case.digest, at if said.get("used") else None))
    if said.get("changed"):
        case = replace(case, purpose="something else")
    return replace(case, closing=Closing("boss", NOW)) if said.get("closed") else case


@pytest.mark.parametrize("file", case_files("gate"), ids=lambda file: file.stem)
def test_gate_is_as_the_case_says(file: Path) -> None:
    """The file's name is the requirement."""
    said = read_case(file)
    person = said.get("person", "me")
    look = Look(person and PersonId(person), a_case(said["case"]) if "case" in said else None, NOW, LIFETIME)
    reason = refusal(look, direct=said["direct"], in_scope=said.get("in_scope", False))
    assert said["refused"] in reason
    assert bool(reason) == bool(said["refused"])


@st.composite
def looks(draw: st.DrawFn) -> Look:
    """Draw somebody who looks, with or without a case in any state."""
    people = st.sampled_from(["me", "boss", "other"])
    case = replace(CASE, allowed={PersonId(one): one for one in draw(st.sets(people))})
    if draw(st.booleans()):
        at = NOW - timedelta(hours=draw(st.integers(0, 50)))
        digest = draw(st.sampled_from([case.digest, CASE.digest, ""]))
        case = replace(case, approval=Approval("cio", at, digest, draw(st.sampled_from([None, at]))))
    if draw(st.booleans()):
        case = replace(case, closing=Closing("boss", NOW))
    person = draw(st.none() | people)
    return Look(PersonId(person) if person else None, draw(st.sampled_from([None, case])), NOW, LIFETIME)


@given(looks(), st.booleans(), st.booleans())
def test_no_direct_room_opens_without_an_approved_open_case_that_allows(look: Look, direct: bool, scope: bool) -> None:
    """What passes was said in no direct room, or its case is open, approved, about it, and allows the person."""
    if refusal(look, direct=direct, in_scope=scope):
        return
    case = look.case
    assert case is None or (case.closing is None and look.person in case.allowed)
    if direct:
        assert case is not None
        assert case.approval is not None
        assert (scope, case.approval.digest) == (True, case.digest)
        assert case.approval.used_at or NOW - case.approval.at < LIFETIME


@given(
    st.sampled_from(
        [
            {"purpose": "other"},
            {"number": "2"},
            {"allowed": {ME: "me"}},
            {"scope": Scope(rooms=frozenset({RoomId("!a")}), people=CASE.scope.people)},
            {"scope": replace(CASE.scope, since=NOW)},
        ]
    )
)
def test_approval_is_for_exactly_what_was_seen(change: dict[str, Any]) -> None:
    """Another purpose, number, scope or list of people is another case to approve."""
    approved = replace(CASE, approval=Approval("cio", NOW, CASE.digest, None))
    assert is_approved(approved, NOW, LIFETIME)
    assert not is_approved(replace(approved, **change), NOW, LIFETIME)


@pytest.mark.parametrize("number", ["", " 1", "a b", "-1", "x" * 65, "a\n", "ä\x1b"])
def test_what_is_no_number_is_refused(number: str) -> None:
    """A number is one word that can be typed and printed."""
    with pytest.raises(InputError, match="Expected a number"):
        insist_on_number(number)
    assert insist_on_number("2027/14-b") == "2027/14-b"


def test_case_about_everything_is_refused() -> None:
    """A case names people or rooms; dates alone are about everybody."""
    with pytest.raises(InputError, match="people or rooms"):
        insist_on_narrow(Scope(since=NOW), "A case")
