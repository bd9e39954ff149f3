"""How a policy says what becomes of accounts before the first day and after the last one, and what a profile has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from bridge.document import Kind, Placed, Section, Value, a, choice, duration, line, list_of, placed
from bridge.policy.schema import Accounts, LeaverStage, LeaverStep

_LONGEST_PREPARED = timedelta(days=90)
_LONGEST_FIELD = 255
_OWN_SETTINGS = {
    "displayname": "`displayname` is what `accounts.display_name` says",
    "avatar_url": "`avatar_url` is what `accounts.avatar` says",
}


def joiners(section: Section) -> timedelta:
    """Return how long before the first day accounts are made: whole days, which begin where the person will work."""
    before = section.required("before", duration)
    if before % timedelta(days=1) or before > _LONGEST_PREPARED:
        section.problem(f"expected whole days, at most {_LONGEST_PREPARED.days}", key="before")
    return before


def _profile_field(value: Value) -> str:
    name = line.make(value)
    if name in _OWN_SETTINGS:
        value.refuse(_OWN_SETTINGS[name])
    if not re.fullmatch(r"[a-z][a-z0-9._-]*", name) or len(name) > _LONGEST_FIELD:
        value.expected(
            "a profile field of lower-case letters, digits, `.`, `_` and `-`, such as m.tz or org.example.title"
            f" (at most {_LONGEST_FIELD})"
        )
    return name


profile_field = Kind(_profile_field, lambda: "m.tz")
"""The name of a field of an account's profile (Matrix specification, "Common Namespaced Identifier Grammar")."""


@dataclass(frozen=True, slots=True)
class _Stage:
    after: timedelta
    do: tuple[Placed[LeaverStep], ...]


def _stage(section: Section) -> _Stage:
    return _Stage(
        after=section.required("after", duration),
        do=section.required("do", list_of(placed(choice(*LeaverStep)), least=1)),
    )


def _leavers(value: Value) -> tuple[LeaverStage, ...]:
    written = list_of(a(_stage), least=1).make(value)
    stages = tuple(LeaverStage(stage.after, tuple(step.value for step in stage.do)) for stage in written)
    if all(step.place is not None for stage in written for step in stage.do):
        for problem in _problems(stages):
            value.problem(problem)
    return stages


def _problems(stages: tuple[LeaverStage, ...]) -> list[str]:
    """Return what is wrong with the stages as a whole: they shut out at once, leave no room without an administrator,
    and do at the end what cannot be undone."""
    at: dict[LeaverStep, int] = {}
    problems = []
    for number, stage in enumerate(stages):
        if number and stage.after <= stages[number - 1].after:
            problems.append("each stage must be later than the one before it")
        for step in stage.do:
            if step in at:
                problems.append(f"`{step}` is done once, and stands here twice")
            at.setdefault(step, number)
    reversible = [step for step in LeaverStep if step is not LeaverStep.DEACTIVATE]
    if missing := [step for step in reversible if step not in at]:
        problems.append(f"`{missing[0]}` is missing: only `{LeaverStep.DEACTIVATE}` may be left out")
        return problems
    if stages[0].after or at[LeaverStep.LOCK] or at[LeaverStep.END_SESSIONS]:
        problems.append("the first stage must be `after: 0s` and do `lock` and `end_sessions`: who has left is out")
    if at[LeaverStep.HAND_OVER_ROOMS] > at[LeaverStep.LEAVE_ROOMS]:
        problems.append("`hand_over_rooms` must not be later than `leave_rooms`, else rooms are left to nobody")
    if at.get(LeaverStep.DEACTIVATE, len(stages) - 1) < len(stages) - 1:
        problems.append("`deactivate` cannot be undone, so it belongs into the last stage")
    return problems


leavers = Kind(_leavers, lambda: Accounts().leavers)
"""The stages of leaving, in the order of time."""
