"""A policy is loaded whole or not at all; `tests/cases/policy` holds a case for every way to get it wrong."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from bridge.directory.selector import parse
from bridge.errors import DocumentError
from bridge.policy.loader import load
from bridge.policy.schema import Accounts, Brake, Desk, Policy, PolicyTest, Requests, Room, RoomKind, Space
from bridge.policy.trial import run_tests
from bridge.yaml_text import read_text

ROOT = Path(__file__).parents[3]
CASES = sorted((ROOT / "tests/cases/policy").glob("*.yaml"))
MINIMAL = "version: 1\ncompany: Nordwind\n"


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_policy_case(file: Path) -> None:
    """The name of the case is the requirement."""
    case: dict[str, Any] = YAML(typ="safe").load(file)
    assert problems(case["policy"], case.get("attributes", ())) == case["problems"]


def problems(text: str, attributes: tuple[str, ...] = ()) -> list[str]:
    """Return what is wrong with a policy, failed tests included, without the file's name."""
    try:
        found = run_tests(load(text, "policy.yaml", attributes), "policy.yaml")
    except DocumentError as error:
        found = error.problems
    return [str(problem).removeprefix("policy.yaml:") for problem in found]


def test_every_key_arrives() -> None:
    """What administrators write is what the rest of Muster gets."""
    text = """
version: 1
company: Nordwind
accounts: {user_id: "{externalId}", display_name: "{displayName} · {title}"}
spaces:
  company: {name: Nordwind, members: active eq true, rooms: [news, department], spaces: [yard]}
  yard: {name: Yard, members: title eq "Driver"}
rooms:
  news: {name: News, topic: What is new, kind: announcement, members: active eq true, posters: title sw "Chief"}
  department:
    for_each: Department
    name: "{department}"
    topic: Only {department}
    members: userType ne "Contractor"
    moderators: title co "Head"
    exclusive: true
announcements:
  desk: {name: Newsroom, posters: title eq "Editor", rooms: [news]}
brake:
  removals: 5
  fraction: 0.2
  floor: 1
  per_run: 4
  window: 12h
  approval: 8h
  protected: [department eq "Board"]
  approvers: [title pr]
requests: {until: 14d}
tests:
  - {given: {department: [Sales, IT], active: false, Berth: 7, externalId: 12}, in: [news], not_in: [department/IT]}
"""
    assert load(text, "policy.yaml", ["Berth"]) == Policy(
        company="Nordwind",
        accounts=Accounts("{externalId}", "{displayName} · {title}"),
        spaces={
            "company": Space("company", "Nordwind", parse("active eq true"), ("news", "department"), ("yard",)),
            "yard": Space("yard", "Yard", parse('title eq "Driver"')),
        },
        rooms={
            "news": Room(
                id="news",
                name="News",
                topic="What is new",
                kind=RoomKind.ANNOUNCEMENT,
                members=parse("active eq true"),
                posters=parse('title sw "Chief"'),
            ),
            "department": Room(
                id="department",
                name="{department}",
                topic="Only {department}",
                members=parse('userType ne "Contractor"'),
                moderators=parse('title co "Head"'),
                for_each="department",
                exclusive=True,
            ),
        },
        desks={"desk": Desk("desk", "Newsroom", parse('title eq "Editor"'), ("news",))},
        brake=Brake(
            removals=5,
            fraction=0.2,
            floor=1,
            per_run=4,
            window=timedelta(hours=12),
            approval=timedelta(hours=8),
            protected=(parse('department eq "Board"'),),
            approvers=(parse("title pr"),),
        ),
        tests=(
            PolicyTest(
                given={"department": ("Sales", "IT"), "active": (False,), "berth": (7,), "externalid": ("12",)},
                in_rooms=("news",),
                not_in_rooms=("department/IT",),
                line=30,
                column=5,
            ),
        ),
        digest=hashlib.sha256(text.encode()).hexdigest(),
        requests=Requests(until=timedelta(days=14)),
    )


def test_what_is_not_written_has_its_default() -> None:
    """A policy of two lines manages accounts and nothing else."""
    policy = load(MINIMAL, "policy.yaml")
    assert (policy.accounts, policy.brake) == (Accounts(), Brake())
    assert (policy.spaces, policy.rooms, policy.desks, policy.tests) == ({}, {}, {}, ())


def test_a_room_for_each_value_is_for_everybody_by_default() -> None:
    """`members` may be left out only there."""
    policy = load(f'{MINIMAL}rooms: {{team: {{for_each: manager, name: "{{manager}}"}}}}', "policy.yaml")
    assert policy.rooms["team"].members == parse("active eq true")


def test_a_desk_is_for_those_who_may_post_in_its_rooms() -> None:
    """Posters and moderators of any of its rooms, as far as they are in that room; its name says which."""
    rooms = """
  news: {name: News, kind: announcement, members: active eq true, posters: title pr, moderators: department pr}
  yard: {name: Yard, kind: announcement, members: division eq "Yard", posters: title pr}
  each: {for_each: division, kind: announcement, name: "{division}"}
"""
    policy = load(f"{MINIMAL}rooms:{rooms}announcements: {{desk: {{rooms: [news, yard, each]}}}}", "policy.yaml")
    desk = policy.desks["desk"]
    assert desk.name == "Desk: News, Yard, each"
    assert desk.posters.normal == 'title pr or department pr or division eq "Yard" and title pr'
    assert parse(desk.posters.text).normal == desk.posters.normal


def test_the_policys_version_is_the_digest_of_its_bytes() -> None:
    """A remark changes the version, because it may say why."""
    one, other = load(MINIMAL, "a"), load(MINIMAL + "# because\n", "a")
    assert one.digest == hashlib.sha256(MINIMAL.encode()).hexdigest()
    assert one.digest != other.digest


def examples() -> list[str]:
    """Return the policies in the reference for administrators."""
    page = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(examples())))
def test_the_examples_in_the_reference_are_good_policies(number: int) -> None:
    """Each is a policy, or with the two obligatory lines before it becomes one, and passes its own tests."""
    example = examples()[number]
    text = example if example.startswith("version:") else MINIMAL + example
    assert problems(text, ("shift", "forklift", "country")) == []


def test_the_reference_names_every_key() -> None:
    """What can be written is explained."""
    page = (ROOT / "docs/policy.md").read_text(encoding="utf-8")
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "bridge/policy").glob("*.py"))
    keys = set(re.findall(r'section\.(?:required|optional)\(\s*"(\w+)"', source))
    assert len(keys) > 20
    assert {key for key in keys if f"`{key}`" not in page} == set()


def test_the_policy_that_init_writes_is_good() -> None:
    """A new installation starts from a policy that passes its own tests."""
    assert problems(read_text(ROOT / "bridge/templates/policy.yaml")) == []
