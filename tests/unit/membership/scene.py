"""A company of a case file: settled as it was before, and changed by hand since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.ids import PersonId, RoomId, RoomKey, UserId
from bridge.membership.barriers import Seat, Walls, walls_of
from bridge.membership.desired import desired
from bridge.membership.guests import guest_seats, guesthood
from bridge.membership.plan import plan
from bridge.membership.unmanaged import UnmanagedRoom, unmanaged_changes
from bridge.membership.values import Current, Departures, Desired, Plan
from bridge.policy.schema import Policy

from .model import NOTHING, applied
from .notation import BOT, SERVER, census, guests, policy, user_id, users

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def planned(
    case: Mapping[str, Any],
    people: Mapping[str, Any],
    current: Current,
    touched: str | None,
    departures: Departures | None = None,
) -> Plan:
    """Return what is to be done about the case's policy and these people."""
    everyone, rules = census(people), policy(case["policy"])
    wanted = desired(rules, everyone, current.accounts, server_name=SERVER)
    seats = {user_id(name): seat_of(rules, side) for name, side in case.get("guests", {}).items()}
    others = {RoomKey(key): seat_of(rules, side) for key, side in case.get("taken", {}).items()}
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


def seat_of(rules: Policy, side: str) -> frozenset[Seat]:
    """Return the seat on a side of the policy's first barrier."""
    return frozenset([Seat(rules.barriers[0].id, ("between", "and").index(side))])


def settled_before(case: Mapping[str, Any]) -> Current:
    """Return the settled state before, with the drift of the case."""
    current = NOTHING
    if before := case.get("before"):
        earlier = {"policy": before.get("policy", case["policy"]), "sponsored": before.get("sponsored")}
        current = applied(planned(earlier, before["people"], current, None), current)
    for key, drift in case.get("drift", {}).items():
        room = current.rooms[RoomKey(key)]
        power = {user_id(local): level for local, level in drift.get("power", {}).items()}
        members = (room.members | users(drift.get("joined"))) - users(drift.get("left"))
        invited, returning = users(drift.get("invited")), users(drift.get("guests"))
        power = {**room.power, **power}
        changed = replace(room, members=members, invited=invited, guests=returning, power=power)
        fields = {field: drift[field] for field in ("name", "topic") if field in drift}
        current = replace(current, rooms={**current.rooms, room.key: replace(changed, **fields)})
    for name, fields in case.get("accounts", {}).items():
        account = replace(current.accounts[PersonId(name)], **fields)
        current = replace(current, accounts={**current.accounts, PersonId(name): account})
    elsewhere = {RoomId(room_id): users(inside) for room_id, inside in case.get("elsewhere", {}).items()}
    former = {RoomId(room_id): users(before) for room_id, before in case.get("former", {}).items()}
    return replace(current, elsewhere=elsewhere, former=former)
