"""Who may be asked to take a report."""

from __future__ import annotations

from datetime import date
from typing import Any

from bridge.concern.line import line_of
from bridge.directory.census import Census
from bridge.directory.local_day import everywhere
from bridge.directory.person import Employment, Person
from bridge.directory.selector import parse
from bridge.ids import PersonId, UserId
from bridge.policy.reports import ReportKind
from bridge.policy.schema import Barrier

NURSES = parse('title eq "Nurse"')
CHIEFS = parse('title eq "Chief"')


def person(name: str, title: str, *, department: str = "", manager: str | None = None, **other: Any) -> Person:
    """Return somebody who works here."""
    job = Employment(title=title, department=department or None, manager=PersonId(manager) if manager else None)
    return Person(PersonId(name), name, name, active=True, employments=(job,), other=other)


def line(kind: ReportKind, reporter: str, *people: Person, barriers: tuple[Barrier, ...] = ()) -> list[list[str]]:
    """Return the groups, by name."""
    census = Census(people, everywhere(date(2027, 3, 1)))
    accounts = {each.id: UserId(f"@{each.id}:x") for each in people if each.id != "nobody"}
    found = line_of(kind, census, accounts, PersonId(reporter), barriers)
    return [[user[1:-2] for user in group] for group in found]


def test_groups_come_in_the_policys_order_and_nobody_twice() -> None:
    """Who is in the first group is not asked again with the next."""
    kind = ReportKind("x", "x", NURSES, next=(parse('title eq "Nurse" or title eq "Chief"'),))
    people = [person("ann", "Chief"), person("cid", "Nurse"), person("bea", "Nurse"), person("rep", "Driver")]
    assert line(kind, "rep", *people) == [["bea", "cid"], ["ann"]]


def test_nobody_is_asked_about_the_own_report() -> None:
    """Nor whoever is away or has no account; a group of none is left out."""
    kind = ReportKind("x", "x", NURSES, next=(CHIEFS,))
    people = [person("rep", "Nurse"), person("off", "Nurse", standing=("away",)), person("nobody", "Nurse")]
    assert line(kind, "rep", *people, person("ann", "Chief")) == [["ann"]]


def test_managers_are_left_out_where_the_policy_says_so() -> None:
    """The whole line up, not only the next one."""
    people = [person("top", "Nurse"), person("mid", "Nurse", manager="top"), person("rep", "Driver", manager="mid")]
    assert line(ReportKind("x", "x", NURSES), "rep", *people) == [["mid", "top"]]
    assert line(ReportKind("x", "x", NURSES, not_manager=True), "rep", *people) == []


def test_a_barrier_keeps_apart_whoever_it_parts() -> None:
    """From the reporter, and from one another: who comes first stays."""
    wall = Barrier(parse('department eq "A"'), parse('department eq "B"'), "reason")
    people = [person("ann", "Nurse", department="A"), person("bea", "Nurse", department="B")]
    kind = ReportKind("x", "x", NURSES)
    reporter = person("rep", "Driver", department="B")
    assert line(kind, "rep", *people, reporter, barriers=(wall,)) == [["bea"]]
    neutral = person("rep", "Driver", department="C")
    assert line(kind, "rep", *people, neutral, barriers=(wall,)) == [["ann"]]
