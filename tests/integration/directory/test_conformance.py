"""The endpoint before other people's conformance suites, over HTTP as an identity provider sees it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.integration.directory.conftest import Scim

_BIN = Path(sys.executable).parent
SCIM2_CLI_CHECKS: Final = 116
"""Of 135 with the whole schemas of the RFC: the suite makes three for each attribute that `/Schemas` publishes."""
SANITY_CHECKS: Final = 28
"""Of 31; those of three drafts are skipped, which are not published."""
SANITY_EXCEPTIONS: Final = {
    "PATCH /Groups/{id}": "Expected HTTP 200, got 204 (RFC 7644 §3.3); Response body is empty",
    "PATCH /Groups/{id} add member": "Expected 200, got 204",
    "PATCH /Groups/{id} remove members": "Expected 200, got 204",
}
"""What scim-sanity complains of and RFC 7644 section 3.5.2 allows: 204 to the PATCH of a group, which Entra expects.

A fourth complaint of the kind, about Users, does not arise: those are answered with 200 and the body.
"""


async def run(program: str, *arguments: str, **environment: str) -> tuple[int | None, str]:
    """Run a program of the virtual environment; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        _BIN / program,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **environment},
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_every_check_of_scim2_cli_passes(scim: Scim) -> None:
    """`scim2 test` finds nothing to complain of, and has really looked: it makes a check per published attribute."""
    code, output = await run("scim2", "--url", scim.url, "test", SCIM_CLI_HEADERS=f"Authorization: Bearer {scim.token}")

    outcomes = re.findall(r"^([A-Z]+) \w+$", output, re.MULTILINE)
    assert code == 0, output
    assert set(outcomes) == {"SUCCESS"}, output
    assert len(outcomes) == SCIM2_CLI_CHECKS


async def test_scim_sanity_complains_of_nothing_but_204(scim: Scim) -> None:
    """scim-sanity's checks pass, but for those it takes from its own idea of PATCH, which are named."""
    _, output = await run(
        *("scim-sanity", "probe", scim.url, "--token", scim.token, "--json-output", "--i-accept-side-effects")
    )

    results = json.loads(output[output.index("{") :])["results"]
    complaints = {each["name"]: each["message"] for each in results if each["status"] not in ("pass", "skip")}
    assert complaints == SANITY_EXCEPTIONS
    assert sum(each["status"] == "pass" for each in results) == SANITY_CHECKS - len(SANITY_EXCEPTIONS)
