"""The storage keeps the contract of the SCIM library, every check of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from scim2_models import ScimProvider
from scim2_server.storage import ScimStorage
from scim2_server.testing import AsyncScimStorageContract, BlockingStorage

from bridge.database import open_database
from bridge.directory.scim_schema import provider_for, shapes_for
from bridge.directory.scim_storage import PostgresStorage


class TestPostgresStorage(AsyncScimStorageContract):
    """The library's own suite, on the schemas we publish."""

    @pytest.fixture
    def provider(self) -> ScimProvider:
        return provider_for()

    @pytest.fixture
    def storage(self, provider: ScimProvider, database_url: str) -> Iterator[ScimStorage]:
        with asyncio.Runner() as runner:
            opened = open_database(database_url)
            pool = runner.run(opened.__aenter__())
            yield BlockingStorage(PostgresStorage(pool, provider, shapes_for(), "scim:test"), runner)
            runner.run(opened.__aexit__(None, None, None))


def test_contract_is_whole() -> None:
    """The suite has as many kinds of checks as it had when it was last read, 108 with their parameters."""
    assert sum(name.startswith("test_") for name in dir(AsyncScimStorageContract)) == 44
