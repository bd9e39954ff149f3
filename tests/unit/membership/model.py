"""What carrying out a plan does to the current state, without a homeserver: the pure counterpart of `apply`."""

from __future__ import annotations

from dataclasses import replace

from bridge.directory.expression import fold
from bridge.ids import PersonId, RoomId, RoomKey, UserId, server_of
from bridge.membership.profile import divide
from bridge.membership.values import FIELDS, Action, Change, Current, CurrentAccount, CurrentRoom, Plan

from .notation import SERVER

NOTHING = Current({}, {})


def applied(plan: Plan, current: Current) -> Current:
    """Return the state after every change of the plan, in its order."""
    for change in plan.changes:
        current = _changed(change, current, plan)
    return current


def _changed(change: Change, current: Current, plan: Plan) -> Current:
    if change.room.startswith("!"):
        room_id = RoomId(change.room)
        if change.action is Action.HAND_OVER:
            return current
        if change.action is Action.JOIN:
            waiting = current.former[room_id] - {UserId(change.user_id)}
            return replace(current, former={**current.former, room_id: waiting})
        left = current.elsewhere[room_id] - {UserId(change.user_id)}
        return replace(current, elsewhere={**current.elsewhere, room_id: left})
    if change.room:
        key = RoomKey(change.room)
        served = current.served
        if change.action in (Action.CREATE_ROOM, Action.CHANGE_ROOM):
            own, now = key.partition("/")[2], plan.rooms[key].value
            served = {
                **{other: value for other, value in served.items() if other != key},
                **({key: now} if fold(now) != fold(own) else {}),
            }
        rooms = {**current.rooms, key: _changed_room(change, current.rooms.get(key), plan)}
        return replace(current, rooms=rooms, served=served)
    person = PersonId(change.person)
    account = _changed_account(change, current.accounts.get(person))
    return replace(current, accounts={**current.accounts, person: account})


def _changed_account(change: Change, account: CurrentAccount | None) -> CurrentAccount:
    if change.action is Action.CREATE_ACCOUNT:
        assert account is None
        return CurrentAccount(PersonId(change.person), UserId(change.user_id), change.value, True)
    if change.action is Action.PREPARE_ACCOUNT:
        assert account is None
        return CurrentAccount(PersonId(change.person), UserId(change.user_id), change.value, False)
    assert account is not None
    assert account.user_id == change.user_id
    if change.action is Action.RENAME_ACCOUNT:
        return replace(account, display_name=change.value)
    if change.action is Action.CHANGE_PROFILE:
        name, text = divide(change.value)
        others = {other: said for other, said in account.profile.items() if other != name}
        return replace(account, profile={**others, name: text} if text else others)
    if change.action is Action.DEACTIVATE_ACCOUNT:
        assert not account.enabled
        return replace(account, deactivated=True)
    assert account.enabled is (change.action is Action.DISABLE_ACCOUNT)
    return replace(account, enabled=change.action is Action.ENABLE_ACCOUNT)


def _changed_room(change: Change, room: CurrentRoom | None, plan: Plan) -> CurrentRoom:
    if change.action is Action.CREATE_ROOM:
        assert room is None
        return created(plan, RoomKey(change.room))
    assert room is not None
    user = UserId(change.user_id)
    if change.action is Action.CHANGE_ROOM:
        wanted = plan.rooms[room.key]
        fields = change.value.split(", ")
        said = {field: getattr(wanted, field) for field in FIELDS if field in fields}
        settings = wanted.settings.over(room.settings)
        return replace(room, **said, altered=room.altered.difference(fields), settings=settings)
    if change.action is Action.JOIN:
        assert user not in room.members
        if server_of(user) != SERVER:
            return replace(room, invited=room.invited | {user}, granted=room.granted | {user})
        return replace(
            room, members=room.members | {user}, invited=room.invited - {user}, granted=room.granted | {user}
        )
    if change.action is Action.REMOVE:
        assert user in room.members | room.invited
        return replace(
            room, members=room.members - {user}, invited=room.invited - {user}, granted=room.granted - {user}
        )
    level, now = int(change.value), room.power.get(user, 0)
    assert level > now if change.action is Action.RAISE_POWER else level < now
    others = {other: value for other, value in room.power.items() if other != user}
    return replace(room, power={**others, user: level} if level else others)


def created(plan: Plan, key: RoomKey) -> CurrentRoom:
    """Return the empty room that the plan makes."""
    wanted = plan.rooms[key]
    return CurrentRoom(
        key=key,
        room_id=RoomId(f"!id-of-{key}"),
        kind=wanted.kind,
        name=wanted.name,
        topic=wanted.topic,
        parents=wanted.parents,
        order=wanted.order,
        open_to=wanted.open_to,
        members=frozenset(),
        settings=wanted.settings,
    )
