"""The registration asks of Synapse exactly what Muster needs."""

from __future__ import annotations

import re

import pytest
from ruamel.yaml import YAML

from bridge.homeserver.registration import ALIAS_PREFIX, Registration, document, text

TOKENS = Registration(id="muster", as_token="as: \"#'", hs_token="hs\\", sender_localpart="muster")


@pytest.mark.parametrize("server_name", ["example.org", "chat.example.org:8448", "[::1]:8448"])
def test_the_file_says_what_the_document_says(server_name: str) -> None:
    """Comments and quotes change nothing of it, whatever the tokens hold."""
    url = "http://127.0.0.1:29330"
    written = text(TOKENS, url=url, server_name=server_name)
    assert YAML(typ="safe").load(written) == document(TOKENS, url=url, server_name=server_name)


def test_the_namespaces_cover_everybody_here_and_nobody_elsewhere() -> None:
    """Users are not claimed, so that people log in as ever; our aliases are ours alone."""
    namespaces = document(TOKENS, url="", server_name="example.org")["namespaces"]
    (users,), (aliases,) = namespaces["users"], namespaces["aliases"]
    assert re.fullmatch(users["regex"], "@m.tamm:example.org")
    assert not re.fullmatch(users["regex"], "@m.tamm:examplexorg")
    assert not users["exclusive"]
    assert re.fullmatch(aliases["regex"], f"#{ALIAS_PREFIX}town-square:example.org")
    assert not re.fullmatch(aliases["regex"], "#town-square:example.org")
    assert aliases["exclusive"]


def test_synapse_does_not_slow_us_down() -> None:
    """Its limits are made for people."""
    assert document(TOKENS, url="", server_name="x")["rate_limited"] is False
