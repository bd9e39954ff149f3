"""A slapd of each test's own. Without it or the library, tests are skipped with the reason, unless CI forbids it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.integration.ldap.server import SLAPD, Slapd


@pytest.fixture
async def slapd(tmp_path: Path) -> AsyncIterator[Slapd]:
    """A server without people, not started."""
    missing = [what for what, there in (("slapd", SLAPD), ("the extra `ldap`", find_spec("bonsai"))) if not there]
    if missing:
        reason = f"{' and '.join(missing)} missing: apt-get install slapd ldap-utils; make ldap"
        if os.environ.get("MUSTER_TEST_LDAP") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    server = Slapd(tmp_path / "slapd")
    yield server
    await server.stop()
