"""How much CPU deciding takes: a company of 100,000 people, 500 rules, a million memberships.

Nothing here waits for anything, so CPU seconds of this process are the whole cost; the limits are those we promised.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache

from bench.report import Figure, cpu_seconds, median
from bridge.directory.census import Census
from bridge.directory.local_day import everywhere
from bridge.directory.person import Employment, Person
from bridge.directory.selector import parse
from bridge.ids import PersonId, RoomId, UserId
from bridge.membership.desired import desired
from bridge.membership.plan import plan
from bridge.membership.values import Current, CurrentAccount, CurrentRoom, Desired
from bridge.policy.schema import Accounts, Brake, Policy, Room, Space

PEOPLE = 100_000
RULES = 500
MEMBERSHIPS = 1_000_000
DAY = date(2026, 3, 2)
BOT = UserId("@muster:example.org")
DESIRED_LIMIT = 0.2
PLAN_LIMIT = 2.0
DEPARTMENTS = tuple(f"Department {number}" for number in range(200))
TITLES = tuple(
    f"{rank} {work}"
    for rank in ("Junior", "Senior", "Head of", "Chief", "Deputy")
    for work in ("Driver", "Clerk", "Sales", "Engineer", "Nurse", "Buyer", "Planner", "Welder")
)
CITIES = tuple(f"City {number}" for number in range(60))


def decide_desired() -> Figure:
    """Measure people and policy → desired rooms, members and power, with the index of a fresh census."""
    people, rules, accounts = _people(), _policy(), _accounts()
    return _figure("decide.desired", DESIRED_LIMIT, lambda: desired(rules, Census(people, everywhere(DAY)), accounts))


def decide_desired_indexed() -> Figure:
    """Measure the rules alone, on a census that has its index."""
    census, rules, accounts = Census(_people(), everywhere(DAY)), _policy(), _accounts()
    desired(rules, census, accounts)

    def ask_again() -> None:
        census._answers.clear()
        desired(rules, census, accounts)

    return _figure("decide.desired.indexed", DESIRED_LIMIT, ask_again)


def decide_plan() -> Figure:
    """Measure comparing a million desired memberships with a million current ones, two in each room of which differ.

    It includes a hundred thousand accounts and their display names, which `desired` leaves until somebody asks.
    """
    census, wanted = _wanted()
    current = _nearly_as_wanted(census, wanted)
    assert sum(len(room.members) for room in wanted.rooms.values()) >= MEMBERSHIPS
    return _figure("decide.plan", PLAN_LIMIT, lambda: plan(wanted, current, census, bot=BOT))


def _figure(name: str, limit: float, work: Callable[[], object]) -> Figure:
    gc.collect()
    gc.freeze()  # the made-up company is not the decision's garbage
    try:
        return Figure(name, median(lambda: cpu_seconds(work)), "s", "limit", limit)
    finally:
        gc.unfreeze()


@lru_cache(maxsize=1)
def _people() -> tuple[Person, ...]:
    dice = random.Random(1)
    return tuple(_person(number, dice) for number in range(PEOPLE))


def _person(number: int, dice: random.Random) -> Person:
    job = Employment(
        title=dice.choice(TITLES),
        department=dice.choice(DEPARTMENTS),
        division=f"Division {dice.randrange(12)}",
        user_type=dice.choice(("Employee", "Employee", "Employee", "Contractor")),
        cost_center=str(dice.randrange(100, 400)),
    )
    return Person(
        PersonId(f"00000000-0000-4000-8000-{number:012d}"),
        f"user.{number}",
        f"Person {number}",
        dice.random() < 0.97,
        employments=(job,),
        other={"city": (dice.choice(CITIES),)},
    )


@lru_cache(maxsize=1)
def _accounts() -> Mapping[PersonId, CurrentAccount]:
    return {person.id: _account(person) for person in _people()}


def _account(person: Person) -> CurrentAccount:
    name = f"{person.display_name} · {person.employments[0].title}"
    return CurrentAccount(person.id, UserId(f"@{person.user_name}:example.org"), name, person.active)


@lru_cache(maxsize=1)
def _policy() -> Policy:
    """Return 500 rules that ask six attributes in the ways policies do, about a third of them with moderators."""
    dice = random.Random(2)
    rooms = {f"room-{number}": _rule(f"room-{number}", dice) for number in range(RULES - 1)}
    rooms["department"] = Room("department", "{department}", parse('userType ne "Contractor"'), for_each="department")
    return _policy_of(rooms)


def _rule(name: str, dice: random.Random) -> Room:
    department, city = dice.choice(DEPARTMENTS), dice.choice(CITIES)
    title, division, cost_center = dice.choice(TITLES), dice.randrange(12), dice.randrange(100, 400)
    selectors = (
        f'department eq "{department}"',
        f'department eq "{department}" and userType ne "Contractor"',
        f'title eq "{title}" and city eq "{city}"',
        f'costCenter sw "{cost_center // 100}" and not (userType eq "Contractor")',
        f'(title co "{title.split()[-1]}" or costCenter eq "{cost_center}") and division eq "Division {division}"',
        f'city eq "{city}" or department eq "{department}"',
    )
    moderators = parse('title co "Head of"') if dice.random() < 0.33 else None
    return Room(name, name, parse(dice.choice(selectors)), moderators=moderators)


def _policy_of(rooms: Mapping[str, Room]) -> Policy:
    everyone = Space("company", "Company", parse("active eq true"), tuple(rooms))
    return Policy(
        "Example", Accounts(display_name="{displayName} · {title}"), {"company": everyone}, rooms, {}, Brake(), (), ""
    )


def _wanted() -> tuple[Census, Desired]:
    """Return the census and what is desired: the company's space and 500 rooms of four departments each."""
    census, dice = Census(_people(), everywhere(DAY)), random.Random(3)
    rooms: dict[str, Room] = {}
    for name in (f"room-{number}" for number in range(RULES)):
        members = " or ".join(f'department eq "{department}"' for department in dice.sample(DEPARTMENTS, 4))
        rooms[name] = Room(name, name, parse(members), moderators=parse('title co "Head of"'))
    return census, desired(_policy_of(rooms), census, _accounts())


def _nearly_as_wanted(census: Census, wanted: Desired) -> Current:
    """Return a current state in which two memberships of every room differ: one is missing and one too many."""
    users = [_accounts()[person.id].user_id for person in census.people]
    rooms = {}
    for key, room in wanted.rooms.items():
        stranger = UserId(f"@stranger.{key}:example.org")
        members = frozenset([*(_as_read(users[row]) for row in room.members), stranger])
        members -= {users[next(iter(room.members))]}
        power = {users[row]: level for level, ranked in room.power.items() for row in ranked}
        rooms[key] = CurrentRoom(
            key, RoomId(f"!{key}"), room.kind, room.name, room.topic, room.parents, room.open_to, members,
            granted=members, power=power,
        )  # fmt: skip
    return Current(_accounts(), rooms)


def _as_read(user: UserId) -> UserId:
    """Return an equal text that is another object, as the database gives for each row."""
    return UserId("@" + user[1:])


FIGURES = {
    "decide.desired": decide_desired,
    "decide.desired.indexed": decide_desired_indexed,
    "decide.plan": decide_plan,
}
