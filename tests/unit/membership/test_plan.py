"""What is to be done: `tests/cases/plan`.

A case settles the company as it was `before`, lets the rooms `drift` by hand, and expects the changes that the
`people` and the `policy` of now call for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.membership.barriers import Seat, Walls, walls_of
from bridge.membership.desired import desired
from bridge.membership.guests import guest_seats, guesthood
from bridge.membership.plan import plan
from bridge.membership.unmanaged import UnmanagedRoom, unmanaged_changes
from bridge.membership.values import Current, Departures, Desired, HandOver, Plan
from bridge.policy.schema import Policy

from .model import NOTHING, applied
from .notation import BOT, SERVER, case_files, census, guests, line_of, name_of, policy, read_case, user_id, users

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize("file", case_files("plan"), ids=lambda file: file.stem)
def test_plan_is_as_the_case_says(file: Path) -> None:
    """The file's name is the requirement."""
    case = read_case(file)
    current = _current(case)
    found = _plan(case, case["people"], current, case.get("touched"), _departures(case))
    assert [line_of(change) for change in found.changes] == case["expect"]
    kept_out = [f"{each.room} {name_of(user)}: {each.reason}" for each in found.kept_out for user in each.users]
    assert kept_out == case.get("kept_out", kept_out)
    assert [line_of(change) for change in found.shadowed] == case.get("shadow", [])
    if not {"touched", "departures", "own_rooms"} & case.keys():
        assert _plan(case, case["people"], applied(found, current), None).changes == ()


def _departures(case: Mapping[str, Any]) -> Departures:
    said = case.get("departures", {})
    overs = (HandOver(RoomId(room), *map(user_id, pair.split())) for room, pair in said.get("hand_overs", {}).items())
    return Departures(users(said.get("staying")), users(said.get("ending")), tuple(overs))


def _plan(
    case: Mapping[str, Any],
    people: Mapping[str, Any],
    current: Current,
    touched: str | None,
    departures: Departures | None = None,
) -> Plan:
    everyone, rules = census(people), policy(case["policy"])
    wanted = desired(rules, everyone, current.accounts, server_name=SERVER)
    seats = {user_id(name): _seat(rules, side) for name, side in case.get("guests", {}).items()}
    others = {RoomKey(key): _seat(rules, side) for key, side in case.get("taken", {}).items()}
    hood = guesthood(rules.guests, guests(case.get("sponsored")), everyone, SERVER)
    walls = walls_of(rules.barriers, everyone)
    only = None if touched is None else users(touched)
    return plan(
        wanted,
        current,
        everyone,
        touched=only,
        walls=Walls(walls, {**seats, **guest_seats(hood, walls)}, others),
        bot=BOT,
        departures=departures,
        guests=hood,
        unmanaged=list(unmanaged_changes(rules.unmanaged_rooms, _own_rooms(case), NOW, BOT, _owners(wanted))),
    )


def _own_rooms(case: Mapping[str, Any]) -> list[UnmanagedRoom]:
    """Return the rooms that people made; `announced` is so many days ago."""
    return [
        UnmanagedRoom(
            RoomId(room_id),
            said.get("name", ""),
            users(said["inside"]),
            said.get("adopted", False),
            NOW - timedelta(days=said["announced"]) if "announced" in said else None,
            said.get("closed", False),
        )
        for room_id, said in case.get("own_rooms", {}).items()
    ]


def _owners(wanted: Desired) -> dict[UserId, PersonId]:
    return {account.user_id: account.person for account in wanted.accounts.values()}


def _seat(rules: Policy, side: str) -> frozenset[Seat]:
    """Return the seat on a side of the policy's first barrier."""
    return frozenset([Seat(rules.barriers[0].id, ("between", "and").index(side))])


def _current(case: Mapping[str, Any]) -> Current:
    """Return the settled state before, with the drift of the case."""
    current = NOTHING
    if before := case.get("before"):
        earlier = {"policy": before.get("policy", case["policy"]), "sponsored": before.get("sponsored")}
        current = applied(_plan(earlier, before["people"], current, None), current)
    for key, drift in case.get("drift", {}).items():
        room = current.rooms[RoomKey(key)]
        power = {user_id(local): level for local, level in drift.get("power", {}).items()}
        members = (room.members | users(drift.get("joined"))) - users(drift.get("left"))
        changed = replace(room, members=members, invited=users(drift.get("invited")), power={**room.power, **power})
        fields = {field: drift[field] for field in ("name", "topic") if field in drift}
        current = replace(current, rooms={**current.rooms, room.key: replace(changed, **fields)})
    for name, fields in case.get("accounts", {}).items():
        account = replace(current.accounts[PersonId(name)], **fields)
        current = replace(current, accounts={**current.accounts, PersonId(name): account})
    elsewhere = {RoomId(room_id): users(inside) for room_id, inside in case.get("elsewhere", {}).items()}
    former = {RoomId(room_id): users(before) for room_id, before in case.get("former", {}).items()}
    return replace(current, elsewhere=elsewhere, former=former)
