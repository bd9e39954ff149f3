"""What of a profile is ours, and what differs; whole plans are in `tests/cases/plan`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.membership.profile import differing, divide, fill_profile, managed_part

NAMES = st.from_regex(r"[a-z][a-z0-9._-]{0,8}", fullmatch=True)
TEXTS = st.text().map(lambda text: " ".join(text.split()))
PROFILES = st.dictionaries(NAMES, TEXTS)


@given(PROFILES, PROFILES)
def test_what_differs_makes_the_one_of_the_other(wanted: dict[str, str], known: dict[str, str]) -> None:
    """Carried out, the differences leave none, and touch no other field."""
    made = {**known, **dict(map(divide, differing(wanted, known)))}
    assert differing(wanted, made) == []
    assert {name: text for name, text in made.items() if name not in wanted} == {
        name: text for name, text in known.items() if name not in wanted
    }


def test_a_field_is_one_line_of_bounded_length() -> None:
    """What the directory says is cleaned as display names are; what it does not say is empty."""
    said = {"title": ("Head\nof\x07  Drivers",), "department": ("x" * 999,)}
    filled = fill_profile({"a": "{title}", "b": "{department}", "c": "{timezone}"}, said.get)
    assert filled == {"a": "Head of Drivers", "b": "x" * 256, "c": ""}


@pytest.mark.parametrize(("said", "seen"), [("Queen", "Queen"), ("", None), ({"a": 1}, '{"a": 1}'), (None, "null")])
def test_what_is_no_text_is_seen_as_its_json(said: object, seen: str | None) -> None:
    """Somebody's object in a field of ours is a difference like any other; fields of their own are not looked at."""
    found = managed_part(
        {"displayname": "Mari", "org.example.own": "x", "org.example.title": said}, {"org.example.title"}
    )
    assert found == ({} if seen is None else {"org.example.title": seen})
