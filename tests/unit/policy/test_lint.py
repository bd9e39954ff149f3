"""What a good policy says and probably does not mean."""

from __future__ import annotations

from datetime import date

from bridge.policy.lint import warnings
from bridge.policy.loader import load

POLICY = """
version: 1
company: Nordwind
rooms:
  one: {name: One, members: title pr and department eq "IT"}
  two: {name: Two, members: (title pr) and department eq "IT"}
  three: {name: Three, kind: announcement, members: title pr and department eq "IT"}
  four:
    name: Four
    members: title pr
    exceptions:
      - {person: m.tamm, add: true, until: 2027-03-01, owner: k.saar, reason: covers}
      - {person: j.kask, add: true, until: 2027-03-02, owner: k.saar, reason: covers}
"""


def test_a_rule_that_another_swallows_and_an_exception_that_is_over_are_told() -> None:
    """Each with its place and what to do; rules of another kind, and exceptions of today, are fine."""
    told = warnings(load(POLICY, "policy.yaml"), "policy.yaml", date(2027, 3, 2))
    found = [str(each) for each in told if each.severity == "warning"]
    assert found == [
        "policy.yaml:6:8: warning: `two` is a room of the same kind for the same people as `one`; is it meant?",
        "policy.yaml:12:9: warning: the exception for m.tamm was over after 2027-03-01; take it out, or ask k.saar",
    ]


def test_what_another_covers_is_told() -> None:
    """A rank that a higher one has already and a selector that adds nobody; that a rule asks more is a note."""
    policy = """version: 1
company: Nordwind
rooms:
  all: {name: All, members: active eq true}
  drivers: {name: Drivers, members: title eq "Driver"}
  nights: {name: Nights, members: shift eq "night" and title eq "Driver"}
  news:
    name: News
    kind: announcement
    members: title eq "Driver" and shift eq "day"
    admins: department eq "IT"
    moderators: department eq "IT" and title co "Head"
    posters: department eq "IT" or title pr
brake:
  protected: [department eq "Board" and title pr, department eq "Board", department eq "Board"]
  approvers: [title pr, department eq "IT"]
"""
    found = warnings(load(policy, "policy.yaml", ["shift"]), "policy.yaml", date(2027, 3, 2))
    assert [str(each).removeprefix("policy.yaml:") for each in found] == [
        "6:11: note: whoever is in `nights` is in `drivers` too, a room of the same kind: "
        "`nights` asks the same and more",
        "8:5: warning: `moderators` of `news` gives nobody anything: all of them are among its `admins`",
        '15:3: warning: a selector of `protected` adds nobody: department eq "Board" and title pr is covered by '
        'department eq "Board"',
        '15:3: warning: a selector of `protected` adds nobody: department eq "Board" is covered by '
        'department eq "Board"',
    ]
