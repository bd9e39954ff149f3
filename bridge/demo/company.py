"""A made-up company, the same for the same number of people and the same seed.

`company` returns people and groups as values; `scim_user` and `scim_group` make the documents that an HR system
would POST. People stand after their managers, and `level` is the distance from the top, so whoever pushes level by
level always knows the manager's id. Sending is left to `hr`, and what the company wants to `policy.yaml`.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from bridge.errors import MusterError

SEED = 1857
_USER = "urn:ietf:params:scim:schemas:core:2.0:User"
_ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"

EXECUTIVE = "Executive"
COMMUNICATIONS = "Communications"
CONTRACTOR = "Contractor"
_MAIL_DOMAIN = "nordwind.example"
_REPORTS = 10
"""How many people report to one manager, at the most, within a department."""
_FIRST_NUMBER = 10_001


@dataclass(frozen=True, slots=True)
class Employee:
    """One person as HR has them; `external_id` is HR's own key and `manager` another employee's."""

    external_id: str
    user_name: str
    given_name: str
    family_name: str
    display_name: str
    title: str
    department: str
    division: str
    user_type: str
    timezone: str
    locale: str
    manager: str | None
    level: int


@dataclass(frozen=True, slots=True)
class Group:
    """A group of people across departments; `members` are `external_id`s."""

    external_id: str
    display_name: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Company:
    """Everybody, managers first."""

    people: tuple[Employee, ...]
    groups: tuple[Group, ...]


def company(people: int, seed: int = SEED) -> Company:
    """Make a company of so many people, from nobody to tens of thousands.

    A small company has its top only: everyone is added in the order in which a company would hire.
    Raises `MusterError` when the package Faker is missing.
    """
    names = _Names(seed)
    dice = random.Random(seed)
    staff = [_employ(seat, names, dice, number) for number, seat in enumerate(_seats(people), start=_FIRST_NUMBER)]
    return Company(tuple(staff), _groups(staff, dice))


def scim_user(employee: Employee, manager_id: str | None) -> dict[str, Any]:
    """Return the User document (RFC 7643 sections 4.1 and 4.3); `manager_id` is the manager's SCIM id."""
    enterprise: dict[str, Any] = {
        "employeeNumber": employee.external_id,
        "department": employee.department,
        "division": employee.division,
    }
    if manager_id is not None:
        enterprise["manager"] = {"value": manager_id}
    return {
        "schemas": [_USER, _ENTERPRISE],
        "externalId": employee.external_id,
        "userName": employee.user_name,
        "name": {
            "givenName": employee.given_name,
            "familyName": employee.family_name,
            "formatted": employee.display_name,
        },
        "displayName": employee.display_name,
        "title": employee.title,
        "userType": employee.user_type,
        "active": True,
        "emails": [{"value": f"{employee.user_name}@{_MAIL_DOMAIN}", "type": "work", "primary": True}],
        "timezone": employee.timezone,
        "locale": employee.locale,
        "preferredLanguage": employee.locale,
        _ENTERPRISE: enterprise,
    }


def scim_group(group: Group, ids: Mapping[str, str]) -> dict[str, Any]:
    """Return the Group document (RFC 7643 section 4.2); `ids` gives the SCIM id of each `external_id`."""
    return {
        "schemas": [_GROUP],
        "externalId": group.external_id,
        "displayName": group.display_name,
        "members": [{"value": ids[member]} for member in group.members],
    }


# Who sits where


@dataclass(frozen=True, slots=True)
class _Department:
    name: str
    division: str
    weight: int
    titles: tuple[str, ...]
    reports_to: str = "Chief Executive Officer"


_DEPARTMENTS = (
    _Department(
        "Operations",
        "Logistics",
        24,
        ("Driver", "Dispatcher", "Warehouse Operative", "Driver", "Fleet Planner", "Customs Agent"),
        "Chief Operating Officer",
    ),
    _Department("Sales", "Market", 12, ("Account Manager", "Key Account Manager", "Sales Assistant")),
    _Department("Customer Service", "Market", 10, ("Service Agent", "Claims Handler")),
    _Department("Engineering", "Technology", 12, ("Software Engineer", "Test Engineer", "Data Engineer")),
    _Department(
        "Finance",
        "Corporate",
        6,
        ("Accountant", "Controller", "Payroll Clerk"),
        "Chief Financial Officer",
    ),
    _Department(
        "IT",
        "Technology",
        6,
        ("System Administrator", "Service Desk Analyst"),
        "Chief Information Officer",
    ),
    _Department("People", "Corporate", 5, ("Recruiter", "HR Partner", "Trainer")),
    _Department(COMMUNICATIONS, "Corporate", 5, ("Communications Officer", "Editor")),
)
_CHIEFS = (
    # title, and the size of the company that affords it
    ("Chief Executive Officer", 1),
    ("Chief Information Officer", 20),
    ("Chief Operating Officer", 30),
    ("Chief Financial Officer", 40),
)
_CONTRACTED = frozenset({"Operations", "Customer Service", "Engineering", "IT"})
_CONTRACTOR_EVERY = 4
"""Every so many in those departments comes from an agency, unless people report to them."""


@dataclass(slots=True)
class _Seat:
    title: str
    department: str
    division: str
    manager: _Seat | None
    contracted: bool = False
    level: int = field(init=False)
    external_id: str = ""

    def __post_init__(self) -> None:
        self.level = self.manager.level + 1 if self.manager else 0


def _seats(people: int) -> list[_Seat]:
    """Return the seats, managers first."""
    chiefs = _chief_seats(people)
    seats = list(chiefs.values())
    for department, size in _sizes(people - len(seats)):
        superior = chiefs.get(department.reports_to) or chiefs.get("Chief Executive Officer")
        seats += _department_seats(department, size, superior)
    return sorted(seats, key=lambda seat: seat.level)


def _chief_seats(people: int) -> dict[str, _Seat]:
    seats: dict[str, _Seat] = {}
    for title, affordable_from in _CHIEFS:
        if people >= affordable_from:
            seats[title] = _Seat(title, EXECUTIVE, "Corporate", seats.get("Chief Executive Officer"))
    return seats


def _sizes(people: int) -> list[tuple[_Department, int]]:
    """Divide people by weight: each next one goes where the share lags most; announcing comes first."""
    sizes = dict.fromkeys(_DEPARTMENTS, 0)
    for _ in range(people):
        if sizes[_DEPARTMENTS[-1]] == 0:
            lagging = _DEPARTMENTS[-1]
        else:
            lagging = min(_DEPARTMENTS, key=lambda department: (sizes[department] + 1) / department.weight)
        sizes[lagging] += 1
    return list(sizes.items())


def _department_seats(department: _Department, size: int, superior: _Seat | None) -> list[_Seat]:
    """Seat a department as a tree: the head, then ten under each in order."""
    seats: list[_Seat] = []
    for index in range(size):
        manager = seats[(index - 1) // _REPORTS] if index else superior
        leads = index * _REPORTS + 1 < size
        title = department.titles[index % len(department.titles)]
        if index == 0:
            title = f"Head of {department.name}"
        elif leads:
            title = f"Lead {title}"
        contracted = index > 0 and not leads and index % _CONTRACTOR_EVERY == 0 and department.name in _CONTRACTED
        seats.append(_Seat(title, department.name, department.division, manager, contracted))
    return seats


def _employ(seat: _Seat, names: _Names, dice: random.Random, number: int) -> Employee:
    seat.external_id = f"NW{number}"
    office = dice.choices(_OFFICES, weights=[office.weight for office in _OFFICES])[0]
    locale = dice.choice(office.locales)
    given, family = names.draw(locale)
    return Employee(
        external_id=seat.external_id,
        user_name=names.user_name(given, family, number),
        given_name=given,
        family_name=family,
        display_name=_full_name(locale, given, family),
        title=seat.title,
        department=seat.department,
        division=seat.division,
        user_type=CONTRACTOR if seat.contracted else "Employee",
        timezone=office.timezone,
        locale=locale.replace("_", "-"),
        manager=seat.manager.external_id if seat.manager else None,
        level=seat.level,
    )


def _groups(staff: Sequence[Employee], dice: random.Random) -> tuple[Group, ...]:
    """Return groups that cut across departments; a group of nobody does not exist."""
    permanent = [employee for employee in staff if employee.user_type != CONTRACTOR and employee.level > 1]
    chosen = {
        "Works Council": dice.sample(permanent, k=min(5, len(permanent) // 4)),
        "Fire Wardens": dice.sample(permanent, k=min(20, len(permanent) // 8)),
    }
    return tuple(
        Group(f"G{number}", name, tuple(member.external_id for member in members))
        for number, (name, members) in enumerate(chosen.items(), start=1)
        if members
    )


# What they are called


@dataclass(frozen=True, slots=True)
class _Office:
    timezone: str
    locales: tuple[str, ...]
    weight: int


_OFFICES = (
    _Office("Europe/Berlin", ("de_DE", "de_DE", "tr_TR", "pl_PL"), 8),
    _Office("Europe/Tallinn", ("et_EE",), 6),
    _Office("Europe/London", ("en_GB", "en_GB", "hi_IN"), 3),
    _Office("Europe/Athens", ("el_GR",), 2),
    _Office("Europe/Kyiv", ("uk_UA",), 2),
    _Office("Asia/Bangkok", ("th_TH",), 2),
    _Office("Asia/Dubai", ("ar_AA",), 2),
    _Office("Asia/Tokyo", ("ja_JP", "ko_KR", "zh_CN"), 2),
)
_FAMILY_NAME_FIRST = {"ja_JP": " ", "ko_KR": "", "zh_CN": ""}
_ASCII_FORM = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ł": "l", "ı": "i", "ø": "o", "đ": "d"})


class _Source(Protocol):
    def first_name(self) -> str: ...

    def last_name(self) -> str: ...


class _Names:
    """Names in many scripts, each user name given once."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sources: dict[str, _Source] = {}
        self._taken: dict[str, int] = {}

    def draw(self, locale: str) -> tuple[str, str]:
        """Return a given and a family name."""
        if locale not in self._sources:
            self._sources[locale] = _faker(locale, self._seed)
        source = self._sources[locale]
        return source.first_name(), source.last_name()

    def user_name(self, given: str, family: str, number: int) -> str:
        """Return `given.family` in ASCII, numbered when taken, or the personnel number where the script has none."""
        parts = [_ascii(part) for part in (given, family)]
        wanted = ".".join(parts) if all(parts) else f"nw{number}"
        self._taken[wanted] = self._taken.get(wanted, 0) + 1
        return wanted if self._taken[wanted] == 1 else f"{wanted}{self._taken[wanted]}"


def _faker(locale: str, seed: int) -> _Source:
    try:
        from faker import Faker
    except ImportError as error:
        raise MusterError("the package Faker is not installed; run `uv sync --extra demo`") from error
    source = Faker(locale, use_weighting=False)
    source.seed_instance(seed)
    return source


def _ascii(name: str) -> str:
    """Return the name in lower-case ASCII letters, or an empty text when a letter has no ASCII form."""
    plain = "".join(character for character in name.lower().translate(_ASCII_FORM) if character.isalpha())
    decomposed = unicodedata.normalize("NFKD", plain)
    letters = "".join(character for character in decomposed if not unicodedata.combining(character))
    return letters if letters.isascii() else ""


def _full_name(locale: str, given: str, family: str) -> str:
    if locale in _FAMILY_NAME_FIRST:
        return f"{family}{_FAMILY_NAME_FIRST[locale]}{given}"
    return f"{given} {family}"
