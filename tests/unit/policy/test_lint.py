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
    found = [str(each) for each in warnings(load(POLICY, "policy.yaml"), "policy.yaml", date(2027, 3, 2))]
    assert found == [
        "policy.yaml:6:8: warning: `two` is a room of the same kind for the same people as `one`; is it meant?",
        "policy.yaml:12:9: warning: the exception for m.tamm was over after 2027-03-01; take it out, or ask k.saar",
    ]
