"""What integration and acceptance tests share: one PostgreSQL a session, a fresh database a test, no leaked tasks."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import settings

from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from bridge.database import Pool

# A busy machine is slow now and then, so no test asserts a time; and what was not touched does not fail by chance.
# What chance would find is looked for with `--hypothesis-profile=explore`.
settings.register_profile("muster", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("muster")

_TEMPLATE = "muster_template"
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of a name of its own is made in it
_ROOM = 2 << 30
_OURS = "muster-tests-"
_TICKS = 10
"""Turns of the event loop that a task which is already ending gets to end."""


@pytest.fixture
async def no_leaked_tasks() -> AsyncIterator[None]:
    """Fail a test that leaves a task behind; folders whose tests use an event loop switch it on for all of them."""
    before = asyncio.all_tasks()
    yield
    for _ in range(_TICKS):
        await asyncio.sleep(0)
    leaked = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in leaked:
        task.cancel()
    await asyncio.gather(*leaked, return_exceptions=True)
    assert not leaked, f"the test left tasks behind: {', '.join(str(task.get_coro()) for task in leaked)}"


def _place() -> Path | None:
    """Return where the session's PostgreSQL goes: into memory where there is room, else where temporary files go.

    A fresh database is a thousand files, which costs a second a test on some disks.
    """
    if not os.access(_MEMORY, os.W_OK) or shutil.disk_usage(_MEMORY).free < _ROOM:
        return None
    for left in _MEMORY.glob(f"{_OURS}*"):
        if not psutil.pid_exists(int(left.name.split("-")[2])):  # a run that was killed; memory is not for keeping
            shutil.rmtree(left, ignore_errors=True)
    return _MEMORY


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """One embedded PostgreSQL for the session."""
    with TemporaryDirectory(prefix=f"{_OURS}{os.getpid()}-", dir=_place()) as folder:
        async with EmbeddedPostgres(Path(folder), durable=False) as server:
            yield server


@pytest.fixture(scope="session")
async def template_database(postgres: EmbeddedPostgres) -> str:
    """The name of a database in which every upgrade has been applied, to be copied."""
    await postgres.create_database(_TEMPLATE)
    async with open_database(postgres.service_url_for(_TEMPLATE), owner=postgres.url_for(_TEMPLATE)):
        return _TEMPLATE


@pytest.fixture
async def owner_url(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[str]:
    """The address of a fresh database with the present tables, for the role that owns them."""
    name = f"test_{secrets.token_hex(8)}"
    await postgres.create_database(name, template=template_database)
    yield postgres.url_for(name)
    await postgres.drop_database(name)


@pytest.fixture
def database_url(owner_url: str) -> str:
    """The same for the role of the running service."""
    return owner_url.replace("//muster@", "//muster_service@")


@pytest.fixture
async def owner(owner_url: str) -> AsyncIterator[Pool]:
    """A pool of the tables' owner, who may change what the service must not."""
    async with open_database(owner_url, max_connections=2) as opened:
        yield opened


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """A pool, as the service has it, on a fresh database."""
    async with open_database(database_url) as opened:
        yield opened
