"""Privacy: what is not on the allow-list is neither stored nor logged, whichever way it comes, but counted by name."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.cli import parser
from bridge.directory.file_mapping import FileMapping
from bridge.directory.intake import import_csv
from bridge.directory.refusal import MOST_NAMES, OTHER
from bridge.directory.refusals import Refusals, write_refused
from bridge.directory.refused_store import load_refused
from bridge.directory.scim_shape import ENTERPRISE
from tests.integration.directory.conftest import Scim
from tests.integration.directory.sender import Hooks
from tests.unit.directory.deliveries import PRIVATE, bamboohr, generic, hibob, personio
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool

SECRETS = (*PRIVATE, "Dummy-Pass-1", "+49 151 000", "divorced", "Setu", "2027-01-salary", "olga@home.example")


async def dumped(pool: Pool) -> str:
    """Return every column of every table."""
    tables = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    texts = [
        await pool.fetchval(f"SELECT string_agg(to_jsonb(t)::text, ' ') FROM {row['tablename']} t")  # noqa: S608
        for row in tables
    ]
    return " ".join(text for text in texts if text)


async def counted(pool: Pool) -> dict[tuple[str, str], int]:
    return {(each.source, each.name): each.times for each in await load_refused(pool)}


async def test_nothing_private_comes_in_by_any_way(
    scim: Scim, hooks: Hooks, refusals: Refusals, caplog: pytest.LogCaptureFixture
) -> None:
    """SCIM, webhooks and files: national id, birth date, gender, ethnicity, marital status, pay, home address, private
    contacts, reason of leave and password are in no table and no log."""
    private = {
        "birthDate": PRIVATE[0],
        "ssn": PRIVATE[1],
        "salary": {"2027-01-salary": PRIVATE[2]},
        "addresses": [{"type": "home", "streetAddress": PRIVATE[3]}],
        "phoneNumbers": [{"type": "mobile", "value": "+49 151 000"}],
        "password": "Dummy-Pass-1",
        "maritalStatus": "divorced",
        "urn:okta:hr:1.0:user": {"ethnicity": "Setu", "gender": PRIVATE[5], "leaveReason": PRIVATE[6]},
        ENTERPRISE: {"department": "Sales", "salary": PRIVATE[2]},
        "emails": [{"type": "work", "value": "olga@x.ee"}, {"type": "home", "value": "olga@home.example"}],
    }
    with caplog.at_level(logging.DEBUG):
        id_ = await scim.user("olga", **private)
        await scim.ask("PUT", f"/Users/{id_}", {"userName": "olga", **private})
        for name, value in private.items():
            await scim.patch(f"/Users/{id_}", {"op": "replace", "path": name, "value": value})
        home = {"op": "add", "path": 'emails[type eq "home"].value', "value": "olga@home.example"}
        await scim.patch(f"/Users/{id_}", home)
        for source, body in (
            ("bamboohr", bamboohr(jobTitle="x")),
            ("hibob", hibob(email="bo@x.ee")),
            ("personio", personio(email="cai@x.ee")),
        ):
            await hooks.post_as_vendor(source, body)
        await hooks.tell(generic({"externalId": "1", "userName": "dee", **private}))
        await import_csv(
            hooks.pool,
            f"login;birth;pay\neve;{PRIVATE[0]};{PRIVATE[2]}\n".encode(),
            "people.csv",
            mapping=FileMapping(columns={"login": ("userName",)}),
        )
        await refusals.flush()

    everything = await dumped(hooks.pool)
    assert "olga@x.ee" in everything
    assert [value for value in SECRETS if value in everything] == []
    logged = " ".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert [value for value in SECRETS if value in logged] == []
    found = await counted(hooks.pool)
    assert found["scim:hr", "password"] == 3
    assert found["scim:hr", "ethnicity"] == 3
    assert found["scim:hr", "emails (private)"] == 4
    assert found["hook:generic", "salary"] == 1
    assert found["hook:bamboohr", "fields.dateOfBirth"] == 1
    assert found["hook:hibob", "personal"] == 1
    assert found["hook:personio", "attributes.gender"] == 1
    assert (found["file:csv", "birth"], found["file:csv", "pay"]) == (1, 1)


async def test_private_addresses_are_taken_and_dropped(scim: Scim) -> None:
    """Over SCIM only the address at work is kept; no provider is told off for another."""
    id_ = await scim.user("olga", emails=[{"type": "home", "value": "o@home"}, {"value": "o@x"}])
    assert [entry["value"] for entry in (await scim.read(f"/Users/{id_}"))["emails"]] == ["o@x"]


async def test_counting_writes_nothing_when_nothing_is_refused(scim: Scim, refusals: Refusals, pool: Pool) -> None:
    """The hot path stays as it is."""
    await scim.user("olga", title="T")
    await refusals.flush()
    assert await counted(pool) == {}


async def test_names_of_a_source_are_bounded(pool: Pool) -> None:
    """Also over many writings, by many processes."""
    for first in range(0, MOST_NAMES + 100, 50):
        await write_refused(pool, "hook:x", {f"n{number}": 1 for number in range(first, first + 50)})
    found = await counted(pool)
    assert len(found) == MOST_NAMES + 1
    assert found["hook:x", OTHER] == 100


async def test_counts_are_written_by_themselves(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some seconds later, and at the end."""
    monkeypatch.setattr("bridge.directory.refusals._EVERY", 0.01)
    refusals = Refusals(pool)
    running = asyncio.create_task(refusals.run())
    refusals.count("scim:a", {"ssn": 2})

    async def is_written() -> bool:
        return bool(await counted(pool))

    await wait_until(is_written)
    refusals.count("scim:a", {"ssn": 1})
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert await counted(pool) == {("scim:a", "ssn"): 3}


async def test_administrators_see_names_and_numbers(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """With a mark at what no chat has to know."""
    await write_refused(pool, "scim:okta", {"password": 41, "nickName": 3})
    args = parser(["directory"]).parse_args(["directory", "refused"])
    services = cast("Any", SimpleNamespace(pool=pool))
    assert await args.handler.__wrapped__(args, services) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["!", "3"]
    assert "41" in lines[0]
    assert lines[0].endswith("scim:okta  password")
    args.json = True
    await args.handler.__wrapped__(args, services)
    assert [each["sensitive"] for each in json.loads(capsys.readouterr().out)] == [True, False]
