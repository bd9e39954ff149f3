"""What the people and rooms of today tell of a policy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest

from bridge.ids import RoomKey
from bridge.membership.doubts import Today, doubts
from bridge.policy.loader import load
from bridge.policy.schema import RoomKind

from .notation import census

PEOPLE = census(
    {
        "mari": {"department": "Trading", "title": "Trader"},
        "ants": {"department": "Research", "title": "Analyst"},
        "olga": {"department": "Sales", "title": "Driver", "active": False},
    }
)
HEAD = "version: 1\ncompany: N\n"


def said(rules: str, rooms: Mapping[str, tuple[RoomKind, str]] | None = None, in_force: str | None = None) -> list[str]:
    """Return the doubts about a policy, each with its line."""
    known = {RoomKey(key): room for key, room in (rooms or {}).items()}
    ids = None if in_force is None else frozenset(in_force.split())
    found = doubts(load(HEAD + rules, "p"), "p", Today(PEOPLE, known, ids), date(2027, 3, 2))
    return [f"{each.line}: {each.message}" for each in found if each.severity == "warning"]


def test_a_selector_that_matches_nobody_is_told() -> None:
    """Wherever it stands; people who have left are nobody, and of approvers only all together count."""
    rules = """\
spaces: {all: {name: All, members: title eq "Driver"}}
rooms:
  cooks: {name: Cooks, members: title eq "Cook"}
  news: {name: News, kind: announcement, members: active eq true, posters: title eq "x", moderators: title pr}
announcements:
  desk: {rooms: [news], posters: title eq "y"}
brake: {approvers: [title eq "Boss", title eq "Trader"], protected: [title eq "z"]}
"""
    assert said(rules) == [
        '3: `members` of `all` matches nobody who works here today: title eq "Driver"',
        '5: `members` of `cooks` matches nobody who works here today: title eq "Cook"',
        '6: `posters` of `news` matches nobody who works here today: title eq "x"',
        '8: `posters` of `desk` matches nobody who works here today: title eq "y"',
        '9: a selector of `protected` matches nobody who works here today: title eq "z"',
    ]
    (told,) = said('brake: {approvers: [title eq "Boss", title eq "Driver"]}\n')
    assert told == "3: nobody who works here today may approve: no selector of `approvers` matches anybody"
    (told,) = said("archive: {approvers: [title eq 'Driver']}\n".replace("'", '"'))
    assert told == "3: nobody who works here today may approve cases: `archive: approvers:` matches nobody"


def test_hours_of_nobody_are_told() -> None:
    """A shift, a country or quiet hours that fit nobody are perhaps a slip."""
    rules = """\
hours:
  country: department
  shifts:
    - {people: title eq "Guard", week: weekend}
  holidays: {all: [2027-01-01], trading: [2027-01-02], Traiding: [2027-01-02]}
  quiet: title eq "Clerk"
"""
    assert said(rules) == [
        '4: `hours: quiet` matches nobody who works here today: title eq "Clerk"',
        '4: the country `traiding` of `hours` matches nobody who works here today: department eq "traiding"',
        '6: `people` of a shift matches nobody who works here today: title eq "Guard"',
    ]


def test_an_exception_for_nobody_is_told() -> None:
    """Somebody unknown, somebody who has left; not what is over, which is told without the directory."""
    rules = """\
rooms:
  a:
    name: A
    members: active eq true
    exceptions:
      - {person: nobody, add: true, until: 2027-04-01, owner: k.saar, reason: covers}
      - {person: olga, add: true, until: 2027-04-01, owner: k.saar, reason: covers}
      - {person: MARI, remove: true, until: 2027-04-01, owner: k.saar, reason: away}
      - {person: gone, add: true, until: 2027-03-01, owner: k.saar, reason: covers}
"""
    assert said(rules) == [
        "8: the exception for nobody does nothing: nobody is no userName or id in the directory; ask k.saar",
        "9: the exception for olga does nothing: olga does not work here; ask k.saar",
    ]


@pytest.mark.parametrize(
    ("rooms", "in_force", "told"),
    [
        ({"a": (RoomKind.CHAT, "A")}, "a", []),
        ({"a": (RoomKind.ANNOUNCEMENT, "A")}, "a", []),
        ({"a": (RoomKind.CHAT, "A")}, None, []),
        ({"b": (RoomKind.CHAT, "B")}, "", []),
        (
            {"a": (RoomKind.SPACE, "Old")},
            "a",
            ["3: the id `a` is reused: it has a space (Old) and is to be a room of its own; take another id"],
        ),
        (
            {"a/Sales": (RoomKind.CHAT, "Sales")},
            "a",
            [
                "3: the id `a` is reused: it has a room for each value (Sales) and is to be a room of its own; "
                "take another id"
            ],
        ),
        (
            {"a": (RoomKind.CHAT, "Old")},
            "b",
            [
                "3: the id `a` is of a rule that was taken out: its room (Old) is taken up again, with what was said "
                "there; take another id if that is not meant"
            ],
        ),
    ],
)
def test_an_id_that_had_other_rooms_is_told(
    rooms: Mapping[str, tuple[RoomKind, str]], in_force: str | None, told: list[str]
) -> None:
    """Of a space, of another sort of rule, or of one taken out of the policy; between chat and announcements a room
    may change."""
    assert said("rooms: {a: {name: A, members: active eq true}}\n", rooms, in_force) == told


def test_rules_for_the_same_people_are_told_however_they_ask() -> None:
    """Only of one kind; what already reads the same is told without the directory."""
    rules = """\
rooms:
  one: {name: One, members: title eq "Trader"}
  two: {name: Two, members: department eq "Trading"}
  three: {name: Three, members: title eq "Trader"}
  four: {name: Four, kind: announcement, members: department eq "Trading"}
  five: {name: Five, members: active eq true}
"""
    assert said(rules) == ["5: `two` is today for the same 1 person as `one`, a room of the same kind; is it meant?"]


def test_what_a_barrier_runs_into_is_told() -> None:
    """Somebody on both sides, and rules that put the sides together where they may not be."""
    rules = """\
rooms:
  both: {name: Both, members: active eq true}
  apart: {name: Apart, members: title eq "Trader"}
  each: {name: "For {active}", for_each: title}
  canteen: {name: Canteen, kind: announcement, members: active eq true}
spaces: {all: {name: All, members: active eq true}}
barriers:
  - {between: title eq "Trader", and: title eq "Analyst", reason: Research, except: [canteen]}
  - {between: title eq "Trader", and: department eq "Trading", reason: Odd}
""".replace("{active}", "{title}")
    assert said(rules) == [
        "4: `both` puts both sides of the barrier “Research” together in Both; one side will be kept out",
        "11: the barrier “Odd” has 1 person on both sides today, who may share a room with nobody of either",
    ]


def test_people_who_are_all_in_another_room_are_a_note() -> None:
    """Only what the rules' words do not tell, and neither of nobody nor of everybody."""
    rules = """\
rooms:
  all: {name: All, members: active eq true}
  both: {name: Both, members: title pr}
  some: {name: Some, members: department eq "Trading" or department eq "Research"}
  few: {name: Few, members: title eq "Trader"}
  fewer: {name: Fewer, members: title eq "Trader" and title pr}
  none: {name: None, members: title eq "Cook"}
  each: {name: "{department}", for_each: department, members: title eq "Trader"}
  wide: {name: "{department}", for_each: department, members: title co "a"}
"""
    people = census({"mari": {"department": "Trading", "title": "Trader"}, "ants": {"title": "Analyst"}, "epp": {}})
    policy = load(HEAD + rules.replace('"Research"', '"Finance"'), "p")
    found = [each for each in doubts(policy, "p", Today(people), date(2027, 3, 2)) if each.severity == "note"]
    assert [f"{each.line}: {each.message}" for each in found] == [
        "6: whoever is in `some` today (1 person) is in `both` too, a room of the same kind",
        "7: whoever is in `few` today (1 person) is in `both` too, a room of the same kind",
        "10: whoever is in `each` today (1 person) is in `wide` too, a room of the same kind",
    ]
