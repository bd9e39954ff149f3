"""How much CPU deciding takes: a company of 100,000 people, 500 rules, a million memberships; and one of a million.

Nothing here waits for anything, so CPU seconds of this process are the whole cost; the limits are those we promised.
What is inside a span is said at each figure. People are `Person` values in memory; reading them is not measured here.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date
from functools import lru_cache
from multiprocessing import get_context

import psutil

from bench.report import Figure, cpu_seconds, median
from bridge.directory.census import Census
from bridge.directory.local_day import everywhere
from bridge.directory.people_set import PeopleSet
from bridge.directory.person import Employment, Person
from bridge.directory.selector import parse
from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.membership.desired import desired
from bridge.membership.plan import plan
from bridge.membership.values import Current, CurrentAccount, CurrentRoom, Desired, DesiredRoom
from bridge.policy.schema import Accounts, Brake, Policy, Room, RoomKind, Space

PEOPLE = 100_000
RULES = 500
MEMBERSHIPS = 1_000_000
TEAMS = 10_000
DAY = date(2026, 3, 2)
BOT = UserId("@muster:example.org")
DESIRED_LIMIT = 0.05
MILLION_LIMIT = 1.0
CHANGE_LIMIT = 0.005
PLAN_LIMIT = 1.0
COLD_LIMIT = 0.2
COLD_MILLION_LIMIT = 2.0
TEAMS_LIMIT = 0.5
MEMORY_LIMIT = 1_000.0
"""Bytes for each person: a gigabyte for a million. It and the three above nobody promised; they keep us awake."""
DEPARTMENTS = tuple(f"Department {number}" for number in range(200))
TITLES = tuple(
    f"{rank} {work}"
    for rank in ("Junior", "Senior", "Head of", "Chief", "Deputy")
    for work in ("Driver", "Clerk", "Sales", "Engineer", "Nurse", "Buyer", "Planner", "Welder")
)
CITIES = tuple(f"City {number}" for number in range(60))


def decide_desired() -> Figure:
    """Measure every selector of 500 rules, and rooms, members and power of it, on a census that has its indexes.

    Nothing of an earlier decision is used but the indexes. Accounts are worked out when asked for: see `decide.plan`.
    """
    return _figure("decide.desired", DESIRED_LIMIT, _again(company(RULES), everybody(PEOPLE)))


def decide_desired_cold() -> Figure:
    """Measure the same from `Person` values: who works here today, the indexes of six attributes, and the rules."""
    people, rules = everybody(PEOPLE), company(RULES)
    return _figure("decide.desired.cold", COLD_LIMIT, lambda: desired(rules, Census(people, everywhere(DAY))))


def decide_desired_teams() -> Figure:
    """Measure a room for each of 10,000 managers among 100,000 people, from a census that has its indexes."""
    team = Room("team", "Team {manager.displayName}", parse("active eq true"), for_each="manager")
    return _figure("decide.desired.teams", TEAMS_LIMIT, _again(_policy_of({"team": team}), everybody(PEOPLE)))


def decide_million() -> Figure:
    """Measure 1,000 rules and 1,000,000 people as `decide.desired` does."""
    return _figure("decide.million", MILLION_LIMIT, _again(company(2 * RULES), _million()))


def decide_million_cold() -> Figure:
    """Measure the same from `Person` values."""
    people, rules = _million(), company(2 * RULES)
    return _figure("decide.million.cold", COLD_MILLION_LIMIT, lambda: desired(rules, Census(people, everywhere(DAY))))


def decide_million_memory() -> Figure:
    """Measure the resident memory that indexes, answers and rooms add, for each of 1,000,000 people."""
    return Figure("decide.million.memory", _weights()[1], "bytes/person", "limit", MEMORY_LIMIT)


def decide_million_people() -> Figure:
    """Measure the resident memory of a `Person` with one employment, as made here."""
    return Figure("decide.million.people", _weights()[0], "bytes/person", "limit", MEMORY_LIMIT)


def decide_change() -> Figure:
    """Measure one person's move to another department: a census of one, 500 rules, and the plan, among 10,700 rooms.

    The current state is as `store.read_current` gives it for one person: every room, this person's memberships, and
    which rooms these are. What the policy says without asking who works here was worked out for an earlier change.
    """
    rules, row = company(RULES), 500
    before = everybody(PEOPLE)[row]
    moved = replace(before, employments=(replace(before.employments[0], department=DEPARTMENTS[7]),))
    current = _current_of(row)
    touched = frozenset(account.user_id for account in current.accounts.values())

    def decide() -> None:
        census = Census([moved], everywhere(DAY))
        found = plan(desired(rules, census, current.accounts), current, census, touched=touched, bot=BOT)
        assert found.changes

    return _figure("decide.change", CHANGE_LIMIT, decide, runs=101)


def decide_plan() -> Figure:
    """Measure comparing a million desired memberships with a million current ones, two in each room of which differ.

    It includes a hundred thousand accounts and their display names, which `desired` leaves until somebody asks, and
    turning the user IDs of the current state into rows.
    """
    census, wanted = _wanted()
    current = _nearly_as_wanted(census, wanted)
    assert sum(len(room.members) for room in wanted.rooms.values()) >= MEMBERSHIPS
    return _figure("decide.plan", PLAN_LIMIT, lambda: plan(wanted, current, census, bot=BOT))


def _again(rules: Policy, people: tuple[Person, ...]) -> Callable[[], None]:
    """Return what decides anew with the indexes of a census that has decided before."""
    census = Census(people, everywhere(DAY))
    desired(rules, census)

    def ask_again() -> None:
        census._answers.clear()
        desired(rules, census)

    return ask_again


def _figure(name: str, limit: float, work: Callable[[], object], runs: int = 5) -> Figure:
    gc.collect()
    gc.freeze()  # the made-up company is not the decision's garbage
    try:
        return Figure(name, median(lambda: cpu_seconds(work), runs), "s", "limit", limit)
    finally:
        gc.unfreeze()


@lru_cache(maxsize=1)
def _weights() -> tuple[float, float]:
    """Weigh in a process of its own, in which nothing has been freed that could be used again."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(_weigh).result()


def _weigh() -> tuple[float, float]:
    """Return the resident bytes for each person: of the people, and of what is decided about them."""
    rules, empty = company(2 * RULES), _resident()
    people, full = _million(), _resident()
    wanted = desired(rules, Census(people, everywhere(DAY)))
    assert wanted.rooms
    return (full - empty) / len(people), (_resident() - full) / len(people)


def _resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


@lru_cache(maxsize=1)
def everybody(count: int) -> tuple[Person, ...]:
    dice = random.Random(1)
    return tuple(_person(number, dice) for number in range(count))


@lru_cache(maxsize=1)
def _million() -> tuple[Person, ...]:
    return everybody.__wrapped__(1_000_000)


def _person(number: int, dice: random.Random) -> Person:
    job = Employment(
        title=dice.choice(TITLES),
        department=dice.choice(DEPARTMENTS),
        division=f"Division {dice.randrange(12)}",
        user_type=dice.choice(("Employee", "Employee", "Employee", "Contractor")),
        cost_center=str(dice.randrange(100, 400)),
        manager=_id(dice.randrange(TEAMS)),
    )
    return Person(
        _id(number),
        f"user.{number}",
        f"Person {number}",
        dice.random() < 0.97,
        employments=(job,),
        other={"city": (dice.choice(CITIES),)},
    )


def _id(number: int) -> PersonId:
    return PersonId(f"00000000-0000-4000-8000-{number:012d}")


@lru_cache(maxsize=1)
def _accounts() -> Mapping[PersonId, CurrentAccount]:
    return {person.id: _account(person) for person in everybody(PEOPLE)}


def _account(person: Person) -> CurrentAccount:
    name = f"{person.display_name} · {person.employments[0].title}"
    return CurrentAccount(person.id, UserId(f"@{person.user_name}:example.org"), name, person.active)


@lru_cache(maxsize=2)
def company(count: int) -> Policy:
    """Return rules that ask six attributes in the ways policies do, about a third of them with moderators."""
    dice = random.Random(2)
    rooms = {f"room-{number}": _rule(f"room-{number}", dice) for number in range(count - 1)}
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
    census, dice = Census(everybody(PEOPLE), everywhere(DAY)), random.Random(3)
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


def _current_of(row: int) -> Current:
    """Return every room there is, and the account and memberships of one person, settled."""
    person = everybody(PEOPLE)[row]
    account = _accounts()[person.id]
    rooms = {key: _settled(room, row, account.user_id) for key, room in settled().rooms.items()}
    inhabited = frozenset(key for key, room in rooms.items() if room.members)
    return Current({person.id: account}, rooms, inhabited=inhabited)


@lru_cache(maxsize=1)
def settled() -> Desired:
    """Return what 500 rules make of everybody, and the rooms of 10,000 teams whose rule is gone."""
    wanted = desired(company(RULES), Census(everybody(PEOPLE), everywhere(DAY)), _accounts())
    teams = {room.key: room for room in map(_team, range(TEAMS))}
    return replace(wanted, rooms={**wanted.rooms, **teams})


def _team(number: int) -> DesiredRoom:
    return DesiredRoom(
        RoomKey(f"team/{_id(number)}"), "team", RoomKind.CHAT, "Team", "", (), None, False, PeopleSet.none, {}
    )


def _settled(room: DesiredRoom, row: int, user: UserId) -> CurrentRoom:
    members = frozenset([user]) if row in room.members else frozenset[UserId]()
    level = next((level for level, ranked in room.power.items() if row in ranked), 0)
    return CurrentRoom(
        room.key, RoomId(f"!{room.key}"), room.kind, room.name, room.topic, room.parents, room.open_to, members,
        granted=members, power={user: level} if level else {},
    )  # fmt: skip


FIGURES = {
    "decide.change": decide_change,
    "decide.desired": decide_desired,
    "decide.desired.cold": decide_desired_cold,
    "decide.desired.teams": decide_desired_teams,
    "decide.million": decide_million,
    "decide.million.cold": decide_million_cold,
    "decide.million.memory": decide_million_memory,
    "decide.million.people": decide_million_people,
    "decide.plan": decide_plan,
}
