"""What is to be done: `tests/cases/plan`.

A case settles the company as it was `before`, lets the rooms `drift` by hand, and expects the changes that the
`people` and the `policy` of now call for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.ids import RoomId
from bridge.membership.values import Departures, HandOver

from .model import applied
from .notation import case_files, line_of, name_of, read_case, user_id, users
from .scene import planned, settled_before


@pytest.mark.parametrize("file", case_files("plan"), ids=lambda file: file.stem)
def test_plan_is_as_the_case_says(file: Path) -> None:
    """The file's name is the requirement."""
    case = read_case(file)
    current = settled_before(case)
    found = planned(case, case["people"], current, case.get("touched"), _departures(case))
    assert [line_of(change) for change in found.changes] == case["expect"]
    kept_out = [f"{each.room} {name_of(user)}: {each.reason}" for each in found.kept_out for user in each.users]
    assert kept_out == case.get("kept_out", kept_out)
    waits = [f"{key} {name_of(user)}" for key, entering in found.divided.items() for user in sorted(entering)]
    assert waits == case.get("waits", waits)
    assert [line_of(change) for change in found.shadowed] == case.get("shadow", [])
    if not {"touched", "departures", "own_rooms"} & case.keys():
        assert planned(case, case["people"], applied(found, current), None).changes == ()


def _departures(case: Mapping[str, Any]) -> Departures:
    said = case.get("departures", {})
    overs = (HandOver(RoomId(room), *map(user_id, pair.split())) for room, pair in said.get("hand_overs", {}).items())
    return Departures(users(said.get("staying")), users(said.get("ending")), tuple(overs))
