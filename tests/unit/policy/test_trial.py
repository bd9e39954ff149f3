"""A policy's tests say what it must do with made-up people."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.person import STANDARD_ATTRIBUTES, Attributes, attributes_of
from bridge.errors import DocumentError
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
