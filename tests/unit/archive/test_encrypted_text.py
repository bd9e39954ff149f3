"""What `muster archive encrypted` says."""

from __future__ import annotations

import json
from collections import Counter

from bridge.archive.encrypted import Device, EncryptedRoom, Encryption
from bridge.archive.encrypted_text import encryption_as_json, encryption_as_text
from bridge.ids import RoomId, UserId

DEVICE = Device(UserId("@muster_archive:example.org"), "MUSTER1", "ZcGWtT3X9QkEb0Wg", True)
BOARD = EncryptedRoom(RoomId("!board"), True, 1204, Counter({"no key came": 2, "said before the key begins": 30}))
OTHER = EncryptedRoom(RoomId("!other\x1b"), False, 0, {"not tried yet": 1})


def test_device_and_rooms_are_shown_with_reasons_the_most_frequent_first() -> None:
    """The key stands in groups of four, as in Element; a room that is none of the policy's says so."""
    assert encryption_as_text(Encryption(DEVICE, (BOARD, OTHER)), can_decrypt=True) == (
        "account      @muster_archive:example.org\n"
        "session      MUSTER1\n"
        "session key  ZcGW tT3X 9QkE b0Wg\n"
        "verified     by its account\n"
        "\n"
        "!board\n"
        "  read      1,204\n"
        "  not read  32\n"
        "         30  said before the key begins\n"
        "          2  no key came\n"
        "\n"
        "!other\ufffd  (not encrypted by the policy)\n"
        "  read      0\n"
        "  not read  1\n"
        "          1  not tried yet"
    )


def test_nothing_there_is_said_with_its_mend() -> None:
    """Without the extra, or before the first start, it says what to do."""
    said = encryption_as_text(Encryption(None, ()), can_decrypt=False)
    assert 'pip install "muster[e2ee]"' in said
    assert "`muster run` makes it" in said
    assert said.endswith("No room is encrypted.")


def test_scripts_get_the_same_as_json() -> None:
    """Every figure has its reason as key."""
    found = json.loads(json.dumps(encryption_as_json(Encryption(DEVICE, (BOARD,)))))
    assert found["device"]["fingerprint"] == DEVICE.fingerprint
    assert found["rooms"] == [
        {
            "room_id": "!board",
            "required": True,
            "read": 1204,
            "unread": {"no key came": 2, "said before the key begins": 30},
        }
    ]
    assert encryption_as_json(Encryption(None, ())) == {"device": None, "rooms": []}
