"""The compact notation of the case files, read into the values that deciding works on.

People are `mari: {title: Driver, department: Sales}`: the name is id and userName, the display name is the name with
a capital, and everybody works here unless `active: false`. User IDs are written as localparts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bridge.directory.census import Census
from bridge.directory.local_day import everywhere
from bridge.directory.person import Employment, Person
from bridge.directory.selector import Selector, parse
from bridge.ids import PersonId, RoomKey, UserId, localpart_of
from bridge.membership.guests import Guest
from bridge.membership.values import Change
from bridge.policy.schema import (
    Accounts,
    Avatars,
    Barrier,
    Brake,
    Desk,
    Exemption,
    Guests,
    Policy,
    Room,
    RoomKind,
    Space,
    UnmanagedRooms,
)
from bridge.policy.settings import Join, Rank, from_json

DAY = date(2026, 3, 2)
SERVER = "example.org"
BOT = UserId("@muster:example.org")
CASES = Path(__file__).parents[2] / "cases"
_JOB = {
    "title": "title",
    "department": "department",
    "division": "division",
    "userType": "user_type",
    "manager": "manager",
    "managerName": "manager_name",
    "start": "start",
    "end": "end",
}
_OWN = {"active", "barred", "userName", "displayName", "externalId"}


def case_files(folder: str) -> list[Path]:
    """Return the case files of a folder of `tests/cases`; there must be some."""
    files = sorted((CASES / folder).glob("*.yaml"))
    assert files
    return files


def read_case(file: Path) -> dict[str, Any]:
    """Return what a case file says."""
    loaded: dict[str, Any] = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    return loaded


def census(people: Mapping[str, Mapping[str, Any]] | None) -> Census:
    """Return the census of the people."""
    return Census([person(name, said or {}) for name, said in (people or {}).items()], everywhere(DAY))


def person(name: str, said: Mapping[str, Any]) -> Person:
    """Return one person."""
    job = Employment(**{_JOB[key]: value for key, value in said.items() if key in _JOB})
    return Person(
        id=PersonId(name),
        user_name=said.get("userName", name),
        display_name=said.get("displayName", name.capitalize()),
        active=said.get("active", True),
        barred=said.get("barred", False),
        external_id=said.get("externalId"),
        employments=(job,),
        other={key.lower(): (value,) for key, value in said.items() if key not in _JOB and key not in _OWN},
    )


def policy(said: Mapping[str, Any]) -> Policy:
    """Return a policy; what it does not say has its default, and names are the ids."""
    return Policy(
        company="Nordwind",
        accounts=_accounts(**said.get("accounts", {})),
        spaces={key: _space(key, value) for key, value in said.get("spaces", {}).items()},
        rooms={key: _room(key, value) for key, value in said.get("rooms", {}).items()},
        desks={key: _desk(key, value) for key, value in said.get("desks", {}).items()},
        brake=Brake(approvers=tuple(map(parse, said.get("approvers", ())))),
        tests=(),
        digest="",
        barriers=tuple(_barrier(each) for each in said.get("barriers", ())),
        guests=_guests(**said["guests"]) if "guests" in said else None,
        unmanaged_rooms=UnmanagedRooms(said.get("unmanaged_rooms", "report")),
    )


def _guests(sponsors: str, domains: Sequence[str] = ()) -> Guests:
    return Guests(parse(sponsors), tuple(domains))


def guests(said: Mapping[str, Mapping[str, Any]] | None) -> list[Guest]:
    """Return guests written as `kim:partner.example: {sponsor: ann, rooms: [yard], until: 2026-03-09}`."""
    return [
        Guest(
            user_id(name),
            PersonId(each["sponsor"]),
            tuple(map(RoomKey, each.get("rooms", ()))),
            "helps",
            datetime.combine(DAY, time(), UTC),
            each.get("until", DAY),
            datetime.combine(DAY, time(), UTC) if each.get("ended") else None,
        )
        for name, each in (said or {}).items()
    ]


def _accounts(prepared: int = 0, **said: Any) -> Accounts:
    avatar = Avatars(said.pop("avatar")) if "avatar" in said else None
    return Accounts(prepared=timedelta(days=prepared), avatar=avatar, **said)


def _space(key: str, said: Mapping[str, Any]) -> Space:
    return Space(key, said.get("name", key), parse(said["members"]), *(tuple(said.get(k, ())) for k in _CHILDREN))


def _room(key: str, said: Mapping[str, Any]) -> Room:
    return Room(
        key,
        said.get("name", key),
        parse(said.get("members", "active eq true")),
        topic=said.get("topic", ""),
        kind=RoomKind(said.get("kind", "chat")),
        moderators=_selector(said.get("moderators")),
        posters=_selector(said.get("posters")),
        for_each=said.get("for_each"),
        exclusive=said.get("exclusive", False),
        admins=_selector(said.get("admins")),
        managers={Rank(rank): levels for rank, levels in said.get("managers", {}).items()},
        join=Join(said["join"]) if "join" in said else None,
        exceptions=tuple(_exception(key, each) for each in said.get("exceptions", ())),
        shadow=said.get("shadow", False),
        renamed=said.get("renamed", {}),
        settings=replace(from_json(said.get("settings", {})), knock=said.get("join") == "knock"),
    )


def _exception(rule: str, said: Mapping[str, Any]) -> Exemption:
    return Exemption(
        rule, said.get("value", ""), said["person"], said.get("add", False), said["until"], "k.saar", "needed"
    )


def _barrier(said: Mapping[str, Any]) -> Barrier:
    return Barrier(
        parse(said["between"]), parse(said["and"]), said.get("reason", "kept apart"), tuple(said.get("except", ()))
    )


def _desk(key: str, said: Mapping[str, Any]) -> Desk:
    return Desk(key, said.get("name", key), parse(said["posters"]), tuple(said["rooms"]))


def _selector(text: str | None) -> Selector | None:
    return None if text is None else parse(text)


def user_id(localpart: str) -> UserId:
    """Return the user ID of a localpart on the server of the cases, or of another with its server behind a colon."""
    return UserId(f"@{localpart}" if ":" in localpart else f"@{localpart}:{SERVER}")


def name_of(user: UserId) -> str:
    """Return the localpart of a user ID."""
    return localpart_of(user)


def users(localparts: str | None) -> frozenset[UserId]:
    """Return the user IDs of localparts separated by spaces."""
    return frozenset(map(user_id, (localparts or "").split()))


def line_of(change: Change) -> str:
    """Return a change as a line of a case file: `remove department/Sales mari: no longer works here`."""
    name = localpart_of(UserId(change.user_id)) if change.user_id else ""
    words = (change.action.value, change.room, name, change.value)
    return f"{' '.join(word for word in words if word)}: {change.reason}"


_CHILDREN = ("rooms", "spaces")
