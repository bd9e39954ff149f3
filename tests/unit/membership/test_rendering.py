"""How a plan looks."""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace

import pytest

from bridge.ids import UserId
from bridge.membership.rendering import (
    LISTED,
    SHOWN,
    By,
    as_json,
    as_markdown,
    as_text,
    waiting_as_markdown,
    waiting_as_text,
)
from bridge.membership.values import ACTIONS, TAKES_AWAY, Action, Change, Plan

from .notation import user_id


def _change(action: Action, room: str = "", name: str = "", value: str = "", reason: str = "reason") -> Change:
    return Change(ACTIONS.index(action), room, user_id(name) if name else UserId(""), value, name, "rule", reason)


def _plan(*changes: Change) -> Plan:
    return Plan(tuple(sorted(changes)), digest="d1g35t")


PLAN = _plan(
    _change(Action.CREATE_ACCOUNT, name="mari", value="Mari Tamm"),
    _change(Action.CREATE_ACCOUNT, name="jaan", value="Jaan"),
    _change(Action.CREATE_ROOM, "sales", value="Sales"),
    _change(Action.CHANGE_ROOM, "it", value="name, topic"),
    _change(Action.JOIN, "sales", "mari"),
    _change(Action.JOIN, "sales", "jaan"),
    _change(Action.JOIN, "it", "jaan"),
    _change(Action.RAISE_POWER, "sales", "mari", "50"),
    _change(Action.DISABLE_ACCOUNT, name="gone", reason="no longer works here"),
    _change(Action.REMOVE, "sales", "gone", reason="no longer works here"),
    _change(Action.REMOVE, "sales", "other", reason="exclusive room"),
    _change(Action.LOWER_POWER, "it", "mari", "0", reason="the policy gives no power here"),
)
COUNTS = """\
        2 new accounts, 1 new room, 1 room changed, 3 memberships added, 1 power raised,
        1 account disabled, 2 memberships removed, 1 power lowered.
"""


def test_nothing_to_do_says_so() -> None:
    """An empty plan is one sentence, in text and Markdown."""
    assert as_text(_plan()) == as_markdown(_plan()) == "Nothing to do.\n"


def test_a_plan_by_room_reads_from_counts_to_what_is_taken_away() -> None:
    """Counts come first, additions next, and what is taken away last, with its reasons and the digest to apply."""
    assert as_text(PLAN) == textwrap.dedent(
        f"""\
{COUNTS}
        Added and changed:
          Accounts
            new account (2): @jaan:example.org Jaan, @mari:example.org Mari Tamm
          it
            changed: name, topic
            joins: @jaan:example.org
          sales
            new room: Sales
            joins (2): @jaan:example.org, @mari:example.org
            power raised: @mari:example.org to 50

        Taken away:
          Accounts
            account disabled: @gone:example.org  no longer works here
          it
            power lowered: @mari:example.org to 0  the policy gives no power here
          sales
            removed: @gone:example.org  no longer works here
            removed: @other:example.org  exclusive room

        Digest: d1g35t
        """
    )


def test_a_plan_by_person_tells_what_happens_to_each() -> None:
    """By person, each has the account, the rooms and the power together; what is lost still comes last."""
    assert as_text(PLAN, by=By.PERSON) == textwrap.dedent(
        f"""\
{COUNTS}
        Added and changed:
          Rooms
            new room: sales Sales
            changed: it name, topic
          @jaan:example.org
            new account: Jaan
            joins (2): it, sales
          @mari:example.org
            new account: Mari Tamm
            joins: sales
            power raised: sales to 50

        Taken away:
          @gone:example.org
            account disabled: no longer works here
            removed: sales  no longer works here
          @mari:example.org
            power lowered: it to 0  the policy gives no power here
          @other:example.org
            removed: sales  exclusive room

        Digest: d1g35t
        """
    )


def test_a_plan_as_markdown_goes_into_a_ticket() -> None:
    """Markdown has the same groups as headed lists, and shows names as they are, whatever they contain."""
    plan = _plan(
        _change(Action.CREATE_ROOM, "sales", value="*Sales* [x](y)"),
        _change(Action.REMOVE, "it", "gone", reason='department eq "IT"'),
    )
    assert as_markdown(plan) == textwrap.dedent(
        """\
        # Plan d1g35t

        1 new room, 1 membership removed.

        ## Added and changed

        - **sales**
          - new room: \\*Sales\\* \\[x\\]\\(y\\)

        ## Taken away

        - **it**
          - removed: @gone:example.org department eq "IT"

        Digest: `d1g35t`
        """
    )


@pytest.mark.parametrize("by", By)
def test_long_additions_are_cut_and_removals_never(by: By) -> None:
    """Of many additions the first are named and the rest counted; everybody who loses something is named."""
    names = [f"somebody-with-a-long-name-{number:03}" for number in range(100)]
    for action in ACTIONS:
        subject = "" if "account" in action else "sales"
        if action in (Action.CREATE_ROOM, Action.CHANGE_ROOM):
            continue
        text = as_text(_plan(*(_change(action, subject, name) for name in names)), by=by)
        named = sum(user_id(name) in text for name in names)
        shown = SHOWN if by is By.ROOM else LISTED
        assert named == (len(names) if action in TAKES_AWAY else shown), action
        assert (f"and {100 - shown} more" in text) is (action not in TAKES_AWAY)


@pytest.mark.parametrize("by", By)
def test_lines_fit_the_terminal(by: By) -> None:
    """No line is wider than asked."""
    changes = [_change(action, "a-room", f"person{number}") for action in ACTIONS for number in range(60)]
    for width in (60, 80, 120):
        assert max(map(len, as_text(_plan(*changes), width, by).splitlines())) <= width


def test_names_cannot_write_on_the_terminal() -> None:
    """Control characters from the directory are shown as replacement characters."""
    text = as_text(_plan(_change(Action.CREATE_ROOM, "department/\x1b[2J", value="a\x9bb")))
    assert "  department/�[2J\n    new room: a�b\n" in text


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
        "kept_out": [],
        "shadow": [],
        "resting": [],
    }


def test_what_a_rule_in_shadow_would_do_is_told_apart() -> None:
    """It stands after what is done, and is no part of the counts or the changes."""
    plan = replace(
        _plan(_change(Action.JOIN, "it", "jaan")), shadowed=_plan(_change(Action.JOIN, "it", "mari")).changes
    )
    head, _, tail = as_text(plan).partition("Only told, and not done, because the rule is in shadow: ")
    assert head.startswith("1 membership added.\n")
    assert tail == "1 membership added.\n  it\n    joins: @mari:example.org\n\nDigest: d1g35t\n"
    assert [change["user_id"] for change in as_json(plan)["shadow"]] == [user_id("mari")]  # type: ignore[attr-defined]
    assert as_text(replace(_plan(), shadowed=plan.shadowed)).startswith("Nothing to do.\n\nOnly told")


def test_what_rests_is_told_besides() -> None:
    """Also where nothing else is to be done; text, Markdown and JSON say it, with how to go on."""
    resting = (_change(Action.REMOVE, "sales", "other"),)
    text = as_text(replace(_plan(), resting=resting))
    assert text.startswith("Nothing to do.\n\nLeft as it is, because somebody undoes it again and again")
    assert "removed: @other:example.org" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "muster drift list" in text
    assert "Left as it is" in as_markdown(replace(_plan(), resting=resting))
    told = as_json(replace(PLAN, resting=resting))["resting"]
    assert isinstance(told, list)
    assert told[0]["action"] == "remove"


def test_who_waits_for_a_removal_is_named() -> None:
    """With the room and the reason; and nothing is said where nobody waits."""
    waiting = [_change(Action.JOIN, "sales", "mari")]
    lines = waiting_as_text(waiting, 80, By.ROOM)
    assert lines[-1] == "    joins: @mari:example.org"
    assert max(map(len, lines)) <= 80
    assert any("mari" in line for line in waiting_as_markdown(waiting, By.ROOM))
    assert waiting_as_text([], 80, By.ROOM) == waiting_as_markdown([], By.ROOM) == []
