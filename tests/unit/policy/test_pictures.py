"""Which files a policy names as pictures, and what becomes of them."""

from __future__ import annotations

import pytest

from bridge.policy.pictures import is_picture_file, rooms_by_picture, with_addresses
from tests.unit.membership.notation import policy

RULES = policy(
    {
        "rooms": {
            "one": {"settings": {"avatar": "logo.png"}},
            "two": {"settings": {"avatar": "mxc://example.org/two"}},
            "three": {"settings": {"avatar": "logo.png", "history": "shared"}},
            "four": {},
        }
    }
)


def test_only_files_are_to_be_uploaded() -> None:
    """Each once, for the first rule that names it."""
    assert {name: room.id for name, room in rooms_by_picture(RULES).items()} == {"logo.png": "one"}


def test_a_file_becomes_its_address_or_nothing_yet() -> None:
    """What is not uploaded is not managed, so no room loses what it has; all else stays."""
    found = {
        rule: room.settings.avatar for rule, room in with_addresses(RULES, {"logo.png": "mxc://a/b"}).rooms.items()
    }
    assert found == {"one": "mxc://a/b", "two": "mxc://example.org/two", "three": "mxc://a/b", "four": None}
    without = with_addresses(RULES, {})
    assert [room.settings.avatar for room in without.rooms.values()] == [None, "mxc://example.org/two", None, None]
    assert without.rooms["three"].settings.history is not None


def test_the_same_addresses_give_the_same_policy() -> None:
    """What was worked out from it is kept; another address makes another."""
    first = with_addresses(RULES, {"logo.png": "mxc://a/b"})
    assert with_addresses(RULES, {"logo.png": "mxc://a/b"}) is first
    assert with_addresses(RULES, {"logo.png": "mxc://a/c"}) is not first


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("logo.png", True),
        ("logos/Our logo.JPG", True),
        ("/etc/logo.png", False),
        ("../logo.png", False),
        ("logos\\logo.png", False),
        ("logo.svg", False),
        ("logo", False),
    ],
)
def test_a_picture_is_beside_the_policy(name: str, good: bool) -> None:
    """Or in a folder there, and called as a picture."""
    assert is_picture_file(name) is good
