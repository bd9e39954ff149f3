"""The application service's registration: what Muster asks of Synapse, as the file that Synapse loads.

The users namespace covers everybody on the server without claiming anybody (`exclusive: false`): so Muster receives
every event of every room with a local member and may act for a person. That makes `as_token` as good as a server
administrator's password. The alias namespace is ours alone.
"""

from __future__ import annotations

import json
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
    rate_limited: bool = False
    """Whether Synapse slows us down as it does people."""

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
        "rate_limited": registration.rate_limited,
        "receive_ephemeral": True,
        "namespaces": {
            "users": [{"regex": f"@.*:{domain}", "exclusive": False}],
            "aliases": [{"regex": f"#{ALIAS_PREFIX}.*:{domain}", "exclusive": True}],
            "rooms": [],
        },
    }


def text(registration: Registration, *, url: str, server_name: str) -> str:
    """Return the registration file: YAML, with its meaning beside each line that an administrator may wonder about."""
    shape = document(registration, url=url, server_name=server_name)
    (users,) = shape["namespaces"]["users"]
    (aliases,) = shape["namespaces"]["aliases"]
    return _TEXT.format(
        id=json.dumps(shape["id"]),
        url=json.dumps(url),
        as_token=json.dumps(shape["as_token"]),
        hs_token=json.dumps(shape["hs_token"]),
        bot=json.dumps(shape["sender_localpart"]),
        rate_limited=json.dumps(shape["rate_limited"]),
        users=json.dumps(users["regex"]),
        aliases=json.dumps(aliases["regex"]),
    )


_TEXT = """\
# Muster's registration at Synapse. Name this file in `app_service_config_files` of homeserver.yaml.
# Both tokens are secrets, and as_token opens everybody's account: keep the file readable by Synapse and Muster alone.
id: {id}
url: {url}  # where Synapse reaches Muster
as_token: {as_token}
hs_token: {hs_token}
sender_localpart: {bot}
rate_limited: {rate_limited}  # Muster moves whole companies; Synapse's limits are made for people
receive_ephemeral: true
namespaces:
  users:
    - regex: {users}  # everybody: Muster sees every room of theirs and can act for them
      exclusive: false  # but claims nobody: people keep their accounts and log in as ever
  aliases:
    - regex: {aliases}  # the addresses of the rooms that Muster makes
      exclusive: true
  rooms: []
"""
