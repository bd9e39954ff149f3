"""How a plan looks."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace

from bridge.ids import UserId
from bridge.membership.rendering import SHOWN, as_json, as_text
from bridge.membership.values import ACTIONS, TAKES_AWAY, Action, Change, Plan

from .notation import user_id


def _change(action: Action, room: str = "", name: str = "", value: str = "", reason: str = "reason") -> Change:
    return Change(ACTIONS.index(action), room, user_id(name) if name else UserId(""), value, name, "rule", reason)


def _plan(*changes: Change) -> Plan:
    return Plan(tuple(sorted(changes)), digest="d1g35t")


def test_nothing_to_do_says_so() -> None:
    """An empty plan is one sentence."""
    assert as_text(_plan()) == "Nothing to do.\n"


def test_a_plan_reads_from_counts_to_what_is_taken_away() -> None:
    """Counts come first, additions next, and what is taken away last, with its reasons and the digest to apply."""
    plan = _plan(
        _change(Action.CREATE_ACCOUNT, name="mari", value="Mari Tamm"),
        _change(Action.CREATE_ACCOUNT, name="jaan", value="Jaan"),
        _change(Action.CREATE_ROOM, "sales", value="Sales"),
        _change(Action.CHANGE_ROOM, "it", value="name, topic"),
        _change(Action.JOIN, "sales", "mari"),
        _change(Action.JOIN, "sales", "jaan"),
        _change(Action.RAISE_POWER, "sales", "mari", "50"),
        _change(Action.DISABLE_ACCOUNT, name="gone", reason="no longer works here"),
        _change(Action.REMOVE, "sales", "gone", reason="no longer works here"),
        _change(Action.REMOVE, "sales", "other", reason="exclusive room"),
        _change(Action.LOWER_POWER, "it", "mari", "0", reason="the policy gives no power here"),
    )
    assert as_text(plan) == textwrap.dedent(
        """\
        2 new accounts, 1 new room, 1 room changed, 2 memberships added, 1 power raised,
        1 account disabled, 2 memberships removed, 1 power lowered.

        2 new accounts:
          @jaan:example.org  Jaan
          @mari:example.org  Mari Tamm

        1 new room:
          sales  Sales

        1 room changed:
          it  name, topic

        2 memberships added:
          sales (2): @jaan:example.org, @mari:example.org

        1 power raised:
          sales (1): @mari:example.org to 50

        1 account disabled:
          @gone:example.org  no longer works here

        2 memberships removed:
          sales
            @gone:example.org  no longer works here
            @other:example.org  exclusive room

        1 power lowered:
          it
            @mari:example.org to 0  the policy gives no power here

        Digest: d1g35t
        """
    )


def test_long_additions_are_cut_and_removals_never() -> None:
    """Of many joins the first are named and the rest counted; everybody who loses something is named."""
    names = [f"somebody-with-a-long-name-{number:03}" for number in range(100)]
    for action in ACTIONS:
        subject = "" if "account" in action else "sales"
        if action in (Action.CREATE_ROOM, Action.CHANGE_ROOM):
            continue
        text = as_text(_plan(*(_change(action, subject, name) for name in names)))
        named = sum(user_id(name) in text for name in names)
        assert named == (len(names) if action in TAKES_AWAY else SHOWN), action
        assert ("and 90 more" in text) is (action not in TAKES_AWAY)


def test_lines_fit_the_terminal() -> None:
    """No line is wider than asked."""
    changes = [_change(action, "a-room", f"person{number}") for action in ACTIONS for number in range(30)]
    for width in (60, 80, 120):
        assert max(map(len, as_text(_plan(*changes), width).splitlines())) <= width


def test_names_cannot_write_on_the_terminal() -> None:
    """Control characters from the directory are shown as replacement characters."""
    text = as_text(_plan(_change(Action.CREATE_ROOM, "department/\x1b[2J", value="a\x9bb")))
    assert "  department/�[2J  a�b\n" in text


def test_json_has_everything() -> None:
    """Programs get digest, counts, and each change with all its fields, in the order of applying."""
    plan = _plan(_change(Action.JOIN, "sales", "mari"), _change(Action.DISABLE_ACCOUNT, name="gone"))
    assert json.loads(json.dumps(as_json(plan))) == {
        "digest": plan.digest,
        "counts": {"join": 1, "disable account": 1},
        "changes": [
            {
                "action": "disable account",
                "room": "",
                "user_id": "@gone:example.org",
                "value": "",
                "person": "gone",
                "rule": "rule",
                "reason": "reason",
            },
            {
                "action": "join",
                "room": "sales",
                "user_id": "@mari:example.org",
                "value": "",
                "person": "mari",
                "rule": "rule",
                "reason": "reason",
            },
        ],
        "shadow": [],
    }


def test_what_a_rule_in_shadow_would_do_is_told_apart() -> None:
    """It stands after what is done, and is no part of the counts or the changes."""
    plan = replace(
        _plan(_change(Action.JOIN, "it", "jaan")), shadowed=_plan(_change(Action.JOIN, "it", "mari")).changes
    )
    head, _, tail = as_text(plan).partition("in shadow:\n")
    assert head.startswith("1 membership added.\n")
    assert tail == "would: 1 membership added\n  it (1): @mari:example.org\n\nDigest: d1g35t\n"
    assert [change["user_id"] for change in as_json(plan)["shadow"]] == [user_id("mari")]  # type: ignore[attr-defined]
    assert as_text(replace(_plan(), shadowed=plan.shadowed)).startswith("Nothing to do.\n\nOnly told")
