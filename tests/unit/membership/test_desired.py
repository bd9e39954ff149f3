"""Who ought to be where: `tests/cases/desired`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.directory.census import Census
from bridge.ids import PersonId, localpart_of
from bridge.membership.desired import desired
from bridge.membership.values import CurrentAccount, Desired, DesiredRoom

from .notation import SERVER, case_files, census, policy, read_case, user_id


@pytest.mark.parametrize("file", case_files("desired"), ids=lambda file: file.stem)
def test_desired_is_as_the_case_says(file: Path) -> None:
    """The file's name is the requirement."""
    case = read_case(file)
    people = census(case["people"])
    known = {
        PersonId(name): CurrentAccount(PersonId(name), user_id(local), name.capitalize(), True)
        for name, local in case.get("accounts", {}).items()
    }
    wanted = desired(policy(case["policy"]), people, known, server_name=SERVER, taken=case.get("taken", ()))
    expected = case["expect"]
    if "accounts" in expected:
        assert _accounts(wanted) == expected["accounts"]
    if "rooms" in expected:
        fields = {key: room or {} for key, room in expected["rooms"].items()}
        assert {key: _said(wanted.rooms[key], fields.get(key, {}), people) for key in wanted.rooms} == fields


def _accounts(wanted: Desired) -> dict[str, str]:
    """Return accounts as `localpart Display Name`, or `localpart disabled`."""
    return {
        person: f"{localpart_of(account.user_id)} {account.display_name if account.enabled else 'disabled'}"
        for person, account in wanted.accounts.items()
    }


def _said(room: DesiredRoom, asked: Mapping[str, Any], people: Census) -> dict[str, Any]:
    """Return of the room what the case asks for, in its notation."""
    said: dict[str, Any] = {
        "members": " ".join(people.person(row).id for row in room.members),
        "power": {level: " ".join(people.person(row).id for row in who) for level, who in room.power.items()},
        "parents": list(room.parents),
        "order": list(room.order),
        "open_to": room.open_to,
        "exclusive": room.exclusive,
        "kind": room.kind.value,
        "name": room.name,
        "topic": room.topic,
        "because": dict(room.because),
    }
    return {field: said[field] for field in asked}
