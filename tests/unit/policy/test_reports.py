"""What the policy says of reports and newcomers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.errors import DocumentError
from bridge.policy.loader import load

HEAD = "version: 1\ncompany: Nordwind\n"
KIND = 'text: Fire, responders: department eq "Safety"'


def test_a_kind_has_defaults_that_keep_names_out() -> None:
    """Anonymous unless the policy says otherwise, one to take it, ten minutes to answer."""
    kind = load(f"{HEAD}reports: {{fire: {{{KIND}}}}}", "p").reports["fire"]
    assert (kind.anonymous, kind.needed, kind.escalate) == (True, 1, timedelta(minutes=10))
    assert (kind.next, kind.not_manager, kind.room) == ((), False, "")


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("reports: {fire: {text: Fire}}", "`responders` is missing"),
        (f"reports: {{end: {{{KIND}}}}}", "says something else behind `report`"),
        (f"reports: {{Fire: {{{KIND}}}}}", "expected one word that people write"),
        (f"reports: {{two words: {{{KIND}}}}}", "expected one word that people write"),
        (f"reports: {{fire: {{{KIND}, escalate: 5s}}}}", "1m at least"),
        (f"reports: {{fire: {{{KIND}, needed: 0}}}}", "from 1 to 20"),
        (f"reports: {{fire: {{{KIND}, responder: x}}}}", "unknown key `responder`; did you mean `responders`?"),
        ("newcomers: {sinse: 3d}", "unknown key `sinse`"),
    ],
)
def test_what_is_wrong_is_said(section: str, problem: str) -> None:
    """With what was expected."""
    with pytest.raises(DocumentError, match=problem.replace("(", r"\(").replace("?", r"\?")):
        load(HEAD + section, "p")


def test_newcomers_are_told_of_a_month() -> None:
    """Unless the policy says otherwise; without the section they get nothing."""
    assert load(HEAD, "p").newcomers is None
    assert load(f"{HEAD}newcomers: {{}}", "p").newcomers == timedelta(days=30)
    assert load(f"{HEAD}newcomers: {{since: 2w}}", "p").newcomers == timedelta(days=14)
