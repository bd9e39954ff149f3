"""What single checks make of what the homeserver says."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bridge.homeserver.checkup import Grade, Patient, keeps_clients_from_encrypting


class Homeserver:
    """A homeserver that tells clients this."""

    server_name = "example.org"

    def __init__(self, said: dict[str, Any]) -> None:
        self._said = said

    async def well_known(self) -> dict[str, Any]:
        return self._said


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"m.homeserver": {"base_url": "https://example.org"}},
        {"io.element.e2ee": {"default": False}},
        {"io.element.e2ee": {"default": True, "force_disable": True}},
        {"io.element.e2ee": "off"},
    ],
)
async def test_clients_that_may_encrypt_are_advised_against(said: dict[str, Any]) -> None:
    """Only both words keep Element from encrypting; the mend are the lines for homeserver.yaml."""
    finding = await keeps_clients_from_encrypting(cast("Patient", Homeserver(said)))
    assert finding.grade is Grade.ADVICE
    assert "force_disable: true" in finding.command
    assert "https://example.org/.well-known/matrix/client" in finding.mend


async def test_clients_that_are_told_are_fine() -> None:
    """What Synapse serves when homeserver.yaml has the lines."""
    told = {"io.element.e2ee": {"default": False, "force_disable": True}}
    finding = await keeps_clients_from_encrypting(cast("Patient", Homeserver(told)))
    assert finding.grade is Grade.OK
