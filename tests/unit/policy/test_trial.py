"""A policy's tests say what it must do with made-up people."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.person import STANDARD_ATTRIBUTES, Attributes, attributes_of
from bridge.directory.selector import matches, parse
from bridge.errors import DocumentError
from bridge.policy.likeness import likeness
from bridge.policy.loader import load
from bridge.policy.trial import insist_on_tests, made_up, run_tests

POLICY = """
version: 1
company: Nordwind
spaces:
  company: {name: Nordwind, members: active eq true, rooms: [news]}
rooms:
  news: {name: News, kind: announcement, members: active eq true, posters: title sw "Chief"}
  department: {for_each: department, name: "{department}", members: userType ne "Contractor"}
announcements:
  desk: {rooms: [news]}
brake: {approvers: [department eq "IT", title eq "Chief Information Officer"]}
tests:
"""


def failures(*tests: str) -> list[str]:
    """Return the failures of these tests, from the line of the test on."""
    policy = load(POLICY + "".join(f"  - {test}\n" for test in tests), "policy.yaml")
    return [str(problem) for problem in run_tests(policy, "policy.yaml")]


def test_tests_that_hold_say_nothing() -> None:
    """The rooms of a made-up person are decided as those of a real one."""
    assert (
        failures(
            "{given: {department: Sales}, in: [company, news, department/Sales], not_in: [desk, administrators]}",
            "{given: {department: [Sales, IT]}, in: [department/Sales, department/IT, administrators]}",
            "{given: {department: Sales, userType: Contractor}, in: [news], not_in: [department/Sales]}",
            "{given: {title: Chief of all}, in: [desk], not_in: [department/Sales]}",
            "{given: {department: Sales, active: false}, not_in: [company, news, department/Sales]}",
        )
        == []
    )


def test_a_failure_says_where_the_person_is_and_by_which_rule() -> None:
    """Each room that is wrong is one problem, at the test."""
    assert failures(
        "{given: {department: Sales, userType: Contractor}, in: [department/Sales]}",
        "{given: {active: false}, in: [company]}",
        "{given: {department: IT}, not_in: [news, administrators, desk]}",
        "{given: {department: IT}, in: [desk, news]}",
    ) == [
        "policy.yaml:13:5: error: expected to be in department/Sales, is in: company, news "
        '(rule rooms.department: for each department: userType ne "Contractor")',
        "policy.yaml:14:5: error: expected to be in company, is in: no room (rule spaces.company: active eq true)",
        "policy.yaml:15:5: error: expected not to be in news, "
        "is in: administrators, company, department/IT, news (rule rooms.news: active eq true)",
        "policy.yaml:15:5: error: expected not to be in administrators, "
        "is in: administrators, company, department/IT, news "
        '(rule brake.approvers: (department eq "IT") or (title eq "Chief Information Officer"))',
        "policy.yaml:16:5: error: expected to be in desk, "
        'is in: administrators, company, department/IT, news (rule announcements.desk: title sw "Chief")',
    ]


def test_without_approvers_nobody_is_an_administrator() -> None:
    """There is no such room then."""
    text = "version: 1\ncompany: N\ntests: [{given: {title: x}, in: [administrators]}]"
    assert [problem.message for problem in run_tests(load(text, "f"), "f")] == [
        "expected to be in administrators, is in: no room (rule brake.approvers: nobody)"
    ]


def test_a_policy_that_fails_its_tests_is_refused() -> None:
    """With all failures at once; one that passes is not."""
    insist_on_tests(load(POLICY + "  - {given: {title: x}, in: [news]}\n", "f"), "f")
    bad = POLICY + "  - {given: {title: x}, in: [desk]}\n  - {given: {title: x}, not_in: [news]}\n"
    with pytest.raises(DocumentError) as caught:
        insist_on_tests(load(bad, "f"), "f")
    assert [problem.line for problem in caught.value.problems] == [13, 14]


COMPANY = """
version: 1
company: Nordwind
rooms:
  square:
    name: Square
    members: active eq true
    moderators: title co "Head"
    exceptions:
      - {person: p.rebane, remove: true, until: 2027-06-30, owner: k.saar, reason: works council}
  project: {name: Project, members: project eq "X" or department eq "Trading"}
  trading: {name: Trading, members: department eq "Trading"}
  drivers:
    name: Drivers
    members: title eq "Driver"
    exceptions:
      - {person: m.tamm, add: true, until: 2027-03-01, owner: k.saar, reason: covers}
  team: {for_each: manager, name: "Team {manager.displayName}", moderators: manager}
barriers:
  - {between: department eq "Research", and: department eq "Trading" and not (title eq "Clerk"), reason: independence}
tests:
"""


@pytest.mark.parametrize(
    ("sentence", "test", "failure"),
    [
        ("the first side has the room that asks for both", "given: {department: Research}, in: [square]", ""),
        (
            "the second side is kept out of it",
            "given: {department: Trading}, in: [square]",
            "expected to be in square, is in: project, trading (kept out by the barrier 'independence')",
        ),
        ("a room that asks for one side alone is that side's", "given: {department: Trading}, in: [trading]", ""),
        (
            "a room that asks for both sides by another attribute is divided too",
            "given: {department: Trading, project: X}, not_in: [project], in: [trading]",
            "",
        ),
        (
            "whoever is on no side is where the rule says",
            "given: {department: Trading, title: Clerk}, in: [square]",
            "",
        ),
        (
            "with others named nobody else works there",
            "given: {department: Trading}, with: [{department: Sales}], in: [square]",
            "",
        ),
        (
            "those named count",
            "given: {department: Trading}, with: [{department: Research}], in: [square]",
            "expected to be in square, is in: project, trading (kept out by the barrier 'independence')",
        ),
        (
            "an exception keeps out whom it names",
            "given: {userName: P.Rebane}, in: [square]",
            "expected to be in square, is in: no room (exception until 2027-06-30, owner k.saar: works council)",
        ),
        ("until its day is over", "given: {userName: p.rebane}, day: 2027-07-01, in: [square]", ""),
        ("an exception admits whom it names", "given: {userName: m.tamm, title: Clerk}, in: [drivers]", ""),
        (
            "and not a day longer",
            "given: {userName: m.tamm}, day: 2027-03-02, in: [drivers]",
            'expected to be in drivers, is in: square (rule rooms.drivers: title eq "Driver")',
        ),
        ("power is that of the rule", "given: {title: Head of all}, power: {square: moderators}", ""),
        (
            "no power is a rank too",
            "given: {title: Clerk}, power: {square: moderators}",
            "expected to be of moderators in square, is of everyone (rule rooms.square: active eq true)",
        ),
        (
            "who is not in a room has no rank there",
            "given: {title: Clerk}, power: {drivers: everyone}",
            'expected to be of everyone in drivers, is not in it (rule rooms.drivers: title eq "Driver")',
        ),
        (
            "a manager has the rank of the manager relation",
            "given: {id: boss}, with: [{manager: boss}], in: [team/boss], power: {team/boss: moderators}",
            "",
        ),
        (
            "which needs somebody below",
            "given: {id: boss}, in: [team/boss]",
            "expected to be in team/boss, is in: square (rule rooms.team: for each manager: active eq true)",
        ),
    ],
)
def test_a_test_says_what_would_really_happen(sentence: str, test: str, failure: str) -> None:
    """Barriers, exceptions and the manager relation count as they do for real people."""
    policy = load(f"{COMPANY}  - {{{test}}}\n", "policy.yaml", ["project"])
    assert [problem.message for problem in run_tests(policy, "policy.yaml")] == ([failure] if failure else []), sentence


@pytest.mark.parametrize(
    ("given", "other"),
    [
        ({"department": ("Trading",)}, 'department eq "Research"'),
        ({"department": ("Trading",), "title": ("Clerk",)}, 'department sw "Res" and title co "Head"'),
        ({"department": ("Trading",)}, 'not (department eq "Trading") and title pr'),
        ({"department": ("Trading",)}, 'department ne "Trading" or userType eq "Guest"'),
        ({"department": ("Trading",)}, 'not (department eq "Trading" or userType eq "Guest")'),
        ({"department": ("Trading",)}, 'department gt "Trading" and employeeNumber lt "5"'),
        ({"department": ("Trading",), "username": ("bob",)}, "department eq null"),
    ],
)
def test_somebody_like_the_person_stands_on_the_other_side(given: dict[str, tuple[str]], other: str) -> None:
    """Whatever the selector is made of; the names are not taken along."""
    own = parse('department eq "Trading"')
    found = likeness(given, own, parse(other))
    assert found is not None
    assert matches(parse(other), found)
    assert not matches(own, found)
    assert "username" not in found


def test_where_the_other_side_takes_in_the_own_there_is_nobody_like_that() -> None:
    """Such a person would be on both sides."""
    assert likeness({"title": ("x",)}, parse("title pr"), parse('title eq "x"')) is None


texts = st.sampled_from(["Sales", "IT", "x"])
attribute_sets = st.dictionaries(
    st.sampled_from([name.lower() for name in STANDARD_ATTRIBUTES if name != "active"] + ["berth"]),
    st.lists(texts, min_size=1, max_size=1).map(tuple),
)


@given(attribute_sets)
def test_a_made_up_person_has_what_is_given(attributes: Attributes) -> None:
    """What a selector finds is what the test says; the rest is made up as little as possible."""
    found = attributes_of(made_up(attributes), date(2027, 3, 1))
    assert {path: found[path] for path in attributes} == attributes
    assert set(found) - set(attributes) <= {"id", "username", "displayname", "active", "groups.value"}
    assert found["active"] == (True,)
