"""The parts of the demo's story are given out sensibly in companies of every size."""

from __future__ import annotations

import pytest

from bridge.demo.casting import cast
from bridge.demo.company import CONTRACTOR, EXECUTIVE, company

SIZES = (0, 1, 2, 3, 4, 5, 8, 20, 80, 500)


@pytest.mark.parametrize("people", SIZES)
def test_nobody_plays_a_part_without_being_there(people: int) -> None:
    """Every part is played by somebody of the company, and with nobody there every part is empty."""
    made = company(people)
    parts = cast(made)
    played = {*parts.talkers, parts.announcer, parts.leaver, parts.friend, parts.guest} - {None}
    assert played <= set(made.people)
    assert bool(played) == bool(people)


@pytest.mark.parametrize("people", [size for size in SIZES if size > 1])
def test_the_leaver_is_not_on_the_board_and_everybody_who_acts_has_signed_in(people: int) -> None:
    """Whoever is protected by the brake does not leave; whoever writes or is waited for is among the talkers."""
    parts = cast(company(people))
    assert parts.leaver is not None
    assert parts.leaver.department != EXECUTIVE
    assert {parts.leaver, parts.announcer, parts.friend} <= set(parts.talkers)
    assert len(set(parts.talkers)) == len(parts.talkers) <= 12


@pytest.mark.parametrize("people", SIZES)
def test_those_who_stay_are_not_those_who_leave(people: int) -> None:
    """The friend is still there to delete a message, and a visitor can sign in after the leaver is gone."""
    parts = cast(company(people))
    assert parts.leaver is None or parts.leaver not in (parts.friend, parts.guest)
    assert parts.mover is None or parts.mover.employee != parts.leaver


def test_somebody_moves_to_another_department_that_exists() -> None:
    """In a company of 80 a salesperson goes to Finance, and is neither a manager nor from an agency."""
    made = company(80)
    move = cast(made).mover
    assert move is not None
    assert (move.employee.department, move.destination) == ("Sales", "Finance")
    assert move.employee.user_type != CONTRACTOR
    assert move.employee.external_id not in {person.manager for person in made.people}


def test_a_visitor_sees_what_an_approver_sees() -> None:
    """The login offered at the end belongs to the Chief Information Officer, who is in the most interesting rooms."""
    guest = cast(company(80)).guest
    assert guest is not None
    assert guest.title == "Chief Information Officer"


def test_the_talkers_come_from_every_department() -> None:
    """In a company of 80 people of every department talk."""
    made = company(80)
    assert {person.department for person in cast(made).talkers} == {person.department for person in made.people}
