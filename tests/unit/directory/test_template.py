"""How names with attributes in braces are filled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.person import Attributes
from bridge.directory.template import NAME_MAX, display_name, fill, placeholders

MARI: Attributes = {"displayname": ("Mari Tamm",), "title": ("Driver", "Clerk"), "level": (3,), "empty": ("",)}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{displayName}", "Mari Tamm"),
        ("{displayName} · {title}", "Mari Tamm · Driver"),
        ("{displayName} · {absent}", "Mari Tamm"),
        ("{absent} · {displayName}", "Mari Tamm"),
        ("{displayName} · {absent} · {title}", "Mari Tamm · Driver"),
        ("{displayName} ({absent})", "Mari Tamm"),
        ("{displayName} ({absent}) · {title}", "Mari Tamm · Driver"),
        ("{displayName} ({absent}, {title})", "Mari Tamm (Driver)"),
        ("{displayName} ({title}, {absent})", "Mari Tamm (Driver)"),
        ("{displayName} ({absent}, {empty})", "Mari Tamm"),
        ("[{absent}] {displayName}", " Mari Tamm"),
        ("Dr. {displayName}", "Dr. Mari Tamm"),
        ("{ displayname } {LEVEL}", "Mari Tamm 3"),
        ("no attribute", "no attribute"),
        ("{absent}", ""),
    ],
)
def test_an_absent_attribute_goes_with_its_separator(template: str, expected: str) -> None:
    """Nothing hints at what a person does not have: no dot, no comma, no empty brackets."""
    assert fill(template, MARI.get) == expected


def test_placeholders_are_lower_case_paths() -> None:
    """A template says which attributes it names."""
    assert placeholders("{displayName} · {manager.displayName}") == ("displayname", "manager.displayname")


def test_display_name_falls_back_until_something_shows() -> None:
    """Nobody is nameless: displayName, userName, id, in this order."""
    assert display_name("{title}", {"displayname": ("Mari",), "username": ("m",), "id": ("7",)}.get) == "Mari"
    assert display_name("{title}", {"displayname": (" \n ",), "username": ("m",), "id": ("7",)}.get) == "m"
    assert display_name("{title}", {"id": ("7",)}.get) == "7"


def test_display_name_is_one_printable_line() -> None:
    """Line ends, controls and lone surrogates go; marks that scripts need stay."""
    dirty = "Mari\n\x1b[31mTamm\u2028\ud800 \u200fנועה\u200d"
    assert display_name("{displayName}", {"displayname": (dirty,)}.get) == "Mari [31mTamm \u200fנועה\u200d"


@given(st.text(), st.text())
def test_display_name_is_never_empty_nor_too_long(name: str, title: str) -> None:
    """Synapse accepts every display name."""
    known: Attributes = {"displayname": (name,), "title": (title * 50,)}
    shown = display_name("{displayName} · {title}", known.get)
    assert 1 <= len(shown) <= NAME_MAX
    assert "\n" not in shown
