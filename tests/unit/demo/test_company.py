"""The made-up company: repeatable at any size, shaped like a company, and valid as HR data."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter

import pytest
from scim2_models import EnterpriseUser, User

from bridge.demo.company import COMMUNICATIONS, CONTRACTOR, EXECUTIVE, company, scim_group, scim_user
from bridge.errors import MusterError

SIZES = (0, 1, 2, 3, 20, 80, 1000)


@pytest.mark.parametrize("people", SIZES)
def test_a_company_has_exactly_the_people_asked_for(people: int) -> None:
    """A company of N people has N people, from nobody upwards."""
    assert len(company(people).people) == people


def test_the_same_seed_makes_the_same_company_and_another_seed_another() -> None:
    """Two runs of the demo show the same people."""
    assert company(40) == company(40)
    assert company(40, seed=1) != company(40, seed=2)


@pytest.mark.parametrize("people", SIZES)
def test_everybody_stands_after_his_manager(people: int) -> None:
    """Whoever pushes people in order, or level by level, knows each manager already."""
    levels: dict[str, int] = {}
    for employee in company(people).people:
        assert employee.manager is None or levels[employee.manager] < employee.level
        levels[employee.external_id] = employee.level
    assert sum(employee.manager is None for employee in company(people).people) == min(people, 1)


def test_user_names_and_personnel_numbers_are_unique_and_ascii_even_among_ten_thousand() -> None:
    """A user name becomes a Matrix localpart, so it is made of few characters and given once."""
    people = company(10_000).people
    user_names = [employee.user_name for employee in people]
    assert len(set(user_names)) == len({employee.external_id for employee in people}) == 10_000
    assert [name for name in user_names if not re.fullmatch(r"[a-z][a-z0-9.]*", name)] == []


def test_names_come_in_several_scripts_and_people_in_several_time_zones() -> None:
    """A company of 80 shows that nothing depends on Latin letters or on one clock."""
    people = company(80).people
    scripts = {unicodedata.name(employee.family_name[0]).split()[0] for employee in people}
    assert {"LATIN", "GREEK", "CYRILLIC", "THAI", "ARABIC", "CJK"} <= scripts
    assert len({employee.timezone for employee in people}) >= 5


def test_a_company_of_eighty_has_the_roles_that_its_policy_speaks_of() -> None:
    """Heads, chiefs, communications staff, contractors and groups exist for the demo policy to find."""
    made = company(80)
    titles = Counter(employee.title for employee in made.people)
    departments = {employee.department for employee in made.people}
    assert titles["Chief Executive Officer"] == titles["Chief Information Officer"] == 1
    for department in departments - {EXECUTIVE}:
        assert titles[f"Head of {department}"] == 1
    assert sum(employee.department == COMMUNICATIONS for employee in made.people) >= 3
    assert 5 <= sum(employee.user_type == CONTRACTOR for employee in made.people) <= 16
    assert {group.display_name for group in made.groups} == {"Works Council", "Fire Wardens"}


def test_contractors_lead_nobody() -> None:
    """Agency workers are neither heads nor leads, and nobody reports to one."""
    people = company(300).people
    contractors = {employee.external_id for employee in people if employee.user_type == CONTRACTOR}
    assert contractors
    assert not contractors & {employee.manager for employee in people}
    assert not [p for p in people if p.external_id in contractors and p.title.startswith(("Head", "Lead", "Chief"))]


def test_nobody_has_more_reports_than_a_manager_can_lead() -> None:
    """A large company is deep, not flat."""
    reports = Counter(employee.manager for employee in company(2000).people)
    assert max(reports.values()) <= 20


@pytest.mark.parametrize("people", [1, 2])
def test_the_smallest_companies_can_still_announce(people: int) -> None:
    """The second person hired is the one who announces."""
    assert [employee.department for employee in company(people).people] == [EXECUTIVE, COMMUNICATIONS][:people]


def test_documents_are_scim_users_with_the_enterprise_extension() -> None:
    """Each document reads as a SCIM User (RFC 7643) and keeps who the manager is."""
    head, report = (p for p in company(80).people if p.title in ("Head of Sales", "Lead Key Account Manager"))
    user = User[EnterpriseUser].model_validate(scim_user(report, "2819c223"))
    assert (user.user_name, user.external_id, user.active) == (report.user_name, report.external_id, True)
    extension = user[EnterpriseUser]
    assert extension is not None
    assert extension.manager is not None
    assert (extension.department, extension.manager.value) == ("Sales", "2819c223")
    assert report.manager == head.external_id
    assert user.emails is not None
    assert user.emails[0].value == f"{report.user_name}@nordwind.example"


def test_nobodys_manager_is_left_out_of_the_document() -> None:
    """The person at the top has no manager attribute at all, rather than an empty one."""
    document = scim_user(company(1).people[0], None)
    assert "manager" not in document["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]


def test_group_documents_name_their_members_by_scim_id() -> None:
    """A Group's members are the ids that the endpoint gave, not HR's own keys."""
    made = company(80)
    ids = {employee.external_id: f"id-{employee.external_id}" for employee in made.people}
    group = made.groups[0]
    assert [member["value"] for member in scim_group(group, ids)["members"]] == [ids[key] for key in group.members]


def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever installed Muster without its demo learns how to add it."""
    monkeypatch.setitem(sys.modules, "faker", None)
    with pytest.raises(MusterError, match="uv sync --extra demo"):
        company(1)
