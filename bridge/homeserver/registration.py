"""The application service's registration: what Muster asks of Synapse, as the file that Synapse loads.

The users namespace covers everybody on the server without claiming anybody (`exclusive: false`): so Muster receives
every event of every room with a local member and may act for a person. That makes `as_token` as good as a server
administrator's password. The alias namespace is ours alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.ids import UserId

ALIAS_PREFIX = "muster_"
"""Managed rooms have aliases `#muster_….`; the namespace in the registration is exclusive."""


@dataclass(frozen=True, slots=True, repr=False)
class Registration:
    """The parts of the registration that Muster itself needs. Not printable: it holds both tokens."""

    id: str
    as_token: str
    hs_token: str
    sender_localpart: str

    def bot(self, server_name: str) -> UserId:
        """Return the bot's user ID."""
        return UserId(f"@{self.sender_localpart}:{server_name}")


def document(registration: Registration, *, url: str, server_name: str) -> Mapping[str, Any]:
    """Return the registration as Synapse reads it (spec, "Registration")."""
    domain = re.escape(server_name)
    return {
        "id": registration.id,
        "url": url,
        "as_token": registration.as_token,
        "hs_token": registration.hs_token,
        "sender_localpart": registration.sender_localpart,
        "rate_limited": False,
        "receive_ephemeral": True,
        "namespaces": {
            "users": [{"regex": f"@.*:{domain}", "exclusive": False}],
            "aliases": [{"regex": f"#{ALIAS_PREFIX}.*:{domain}", "exclusive": True}],
            "rooms": [],
        },
    }
