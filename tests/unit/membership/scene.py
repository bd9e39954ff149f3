"""A company of a case file: settled as it was before, and changed by hand since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bridge.ids import PersonId, RoomId, RoomKey
from bridge.membership.barriers import Seat, Walls, walls_of
from bridge.membership.desired import desired
from bridge.membership.plan import plan
from bridge.membership.values import Current, Departures, Plan
from bridge.policy.schema import Policy

from .model import NOTHING, applied
from .notation import BOT, SERVER, census, policy, user_id, users


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
    walls = Walls(walls_of(rules.barriers, everyone), seats, others)
    only = None if touched is None else users(touched)
    return plan(wanted, current, everyone, touched=only, walls=walls, bot=BOT, departures=departures)


def seat_of(rules: Policy, side: str) -> frozenset[Seat]:
    """Return the seat on a side of the policy's first barrier."""
    return frozenset([Seat(rules.barriers[0].id, ("between", "and").index(side))])


def settled_before(case: Mapping[str, Any]) -> Current:
    """Return the settled state before, with the drift of the case."""
    current = NOTHING
    if before := case.get("before"):
        earlier = {"policy": before.get("policy", case["policy"])}
        current = applied(planned(earlier, before["people"], current, None), current)
    for key, drift in case.get("drift", {}).items():
        room = current.rooms[RoomKey(key)]
        power = {user_id(local): level for local, level in drift.get("power", {}).items()}
        members = (room.members | users(drift.get("joined"))) - users(drift.get("left"))
        invited, guests = users(drift.get("invited")), users(drift.get("guests"))
        power = {**room.power, **power}
        changed = replace(room, members=members, invited=invited, guests=guests, power=power)
        fields = {field: drift[field] for field in ("name", "topic") if field in drift}
        current = replace(current, rooms={**current.rooms, room.key: replace(changed, **fields)})
    for name, fields in case.get("accounts", {}).items():
        account = replace(current.accounts[PersonId(name)], **fields)
        current = replace(current, accounts={**current.accounts, PersonId(name): account})
    elsewhere = {RoomId(room_id): users(inside) for room_id, inside in case.get("elsewhere", {}).items()}
    former = {RoomId(room_id): users(before) for room_id, before in case.get("former", {}).items()}
    return replace(current, elsewhere=elsewhere, former=former)
