"""Webhooks over HTTP: what is taken, what is refused, and what becomes of it in the directory."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bridge.clock import system_clock
from bridge.database import AWAY
from bridge.database.listen import HOOKS, Listener
from bridge.directory.hook_inbox import HookInbox
from bridge.directory.intake import import_csv
from bridge.directory.store import load_history, load_people, load_person
from bridge.errors import UnknownNameError
from bridge.hook_signature import TOLERANCE, sign
from bridge.housekeeping import tidy
from tests.integration.directory.sender import KEY, MAX_BODY, NEXT_KEY, Hooks, person
from tests.unit.directory.deliveries import PRIVATE, bamboohr, generic
from tests.waiting import wait_until

if TYPE_CHECKING:
    from bridge.database import Pool


async def test_unknown_person_is_created_changed_and_leaves(hooks: Hooks) -> None:
    """Unknown: created; a change touches what it names; a termination makes inactive; each is in the history."""
    await hooks.tell(bamboohr("Created", workEmail="anna@x.ee", jobTitle="Clerk", status="Active"), source="bamboo")
    await hooks.tell(bamboohr(time="2026-02-01T00:00:00Z", jobTitle="Chief"), source="bamboo")
    anna = await load_person(hooks.pool, "123")
    assert (anna.user_name, anna.active, anna.employments[0].title) == ("anna@x.ee", True, "Chief")

    await hooks.tell(bamboohr(time="2026-03-01T00:00:00Z", status="Inactive"), source="bamboo")
    anna = await load_person(hooks.pool, "123")
    assert (anna.active, anna.employments[0].title) == (False, "Chief")
    history = await load_history(hooks.pool, anna.id)
    assert [(entry.action, entry.source) for entry in history] == [
        ("created", "hook:bamboo"),
        ("changed", "hook:bamboo"),
        ("changed", "hook:bamboo"),
    ]


async def test_nothing_private_is_stored_or_logged(hooks: Hooks, caplog: pytest.LogCaptureFixture) -> None:
    """Privacy: the database and the log never see what the mapping does not name; the log sees no value at all."""
    with caplog.at_level(logging.DEBUG):
        await hooks.post(bamboohr(workEmail="anna@x.ee", lastName="Secretname"), source="bamboo")
        rows = await hooks.pool.fetch("SELECT to_jsonb(e)::text AS row FROM hook_event e")
        await hooks.work()
        await hooks.post(bamboohr(status="Secretname"), source="bamboo")
    everything = "".join(row["row"] for row in rows)
    assert "Secretname" in everything
    assert [value for value in PRIVATE if value in everything] == []
    logged = " ".join(record.getMessage() for record in caplog.records)
    assert "webhook event of bamboo: refused (what it says does not read: active)" in logged
    assert not any(value in logged for value in (*PRIVATE, "Secretname", "anna@x.ee"))
    assert await hooks.pool.fetchval("SELECT count(*) FROM hook_event WHERE attributes <> '{}'") == 0


@pytest.mark.parametrize(
    ("body", "options", "status", "code"),
    [
        ({}, {"source": "nobody"}, 404, "unknown_source"),
        ({}, {"key": b"x" * 32}, 401, "not_signed"),
        ({}, {"headers": {"webhook-signature": "v1,%%%"}}, 401, "not_signed"),
        ({}, {"headers": {"webhook-signature": None}}, 401, "not_signed"),
        ({}, {"headers": {"webhook-timestamp": None}}, 401, "not_signed"),
        (b"\xff\xfe", {}, 400, "not_json"),
        (b'{"people": [', {}, 400, "not_json"),
        (b"[" * 15_000, {}, 400, "not_json"),
        (b"x" * (MAX_BODY + 1), {}, 413, "too_large"),
        ({"people": [{"externalId": "1"}]}, {}, 422, "not_understood"),
    ],
)
async def test_bad_input_ends_in_one_shape_and_changes_nothing(
    hooks: Hooks, body: object, options: dict[str, Any], status: int, code: str
) -> None:
    """Unknown source, bad signature, not JSON, too large, unmappable: an error in JSON, and an empty inbox."""
    found, answer = await hooks.post(body, **options)

    assert (found, answer["error"]) == (status, code)
    assert set(answer) == {"error", "message"}
    assert await hooks.inbox_rows() == []
    assert await load_people(hooks.pool) == []


async def test_stale_delivery_is_refused(hooks: Hooks) -> None:
    """One that was recorded and is sent again later, signature and all."""
    sent = datetime.now(UTC) - TOLERANCE - timedelta(seconds=2)
    body = json.dumps(generic(person(userName="a"))).encode()
    headers = {
        "webhook-id": "m",
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": sign(KEY, "m", sent, body),
    }

    status, answer = await hooks.post(body, headers=headers)
    assert (status, answer["error"]) == (401, "not_signed")
    assert "five minutes" in answer["message"]


async def test_keys_rotate(hooks: Hooks) -> None:
    """Both keys of a source are taken."""
    assert (await hooks.post(generic(person(userName="a")), key=NEXT_KEY))[0] == 200


async def test_replay_is_answered_and_not_repeated(hooks: Hooks) -> None:
    """A delivery that comes again by its id, or without one by what it says, is acted on once."""
    body = generic(person(userName="a", title="x"))
    for id_ in ("msg_x", None):
        assert (await hooks.post(body, headers={"webhook-id": id_}))[1] == {"status": "accepted"}
        assert (await hooks.post(body, headers={"webhook-id": id_}))[1] == {"status": "duplicate"}
    assert len(await hooks.inbox_rows()) == 2


async def test_ids_are_kept_for_three_days_at_least(hooks: Hooks) -> None:
    """What is older than a week is forgotten, what may still be sent again is not."""
    await hooks.tell(generic(person(userName="a")), headers={"webhook-id": "old"})
    await hooks.tell(generic(person(title="x")), headers={"webhook-id": "young"})
    await hooks.pool.execute("UPDATE hook_event SET received_at = now() - interval '8 days' WHERE delivery = 'old'")
    await hooks.pool.execute("UPDATE hook_event SET received_at = now() - interval '4 days' WHERE delivery = 'young'")
    await tidy(hooks.pool, system_clock())
    assert [row["delivery"] for row in await hooks.pool.fetch("SELECT delivery FROM hook_event")] == ["young"]


async def test_older_never_overwrites_newer(hooks: Hooks) -> None:
    """Disorder: an attribute keeps its newest word; what only the late delivery says still counts."""
    await hooks.tell(generic(person(userName="a", title="Clerk"), time="2026-01-01T00:00:00Z"))
    await hooks.tell(generic(person(title="Chief"), time="2026-03-01T00:00:00Z"))
    await hooks.tell(generic(person(title="Head", department="Sales"), time="2026-02-01T00:00:00Z"))
    await hooks.tell(generic(person(title="Head"), time="2026-02-01T00:00:00Z"))

    job = (await load_person(hooks.pool, "a")).employments[0]
    assert (job.title, job.department) == ("Chief", "Sales")
    assert [outcome for outcome, _ in await hooks.inbox_rows()] == ["applied", "applied", "applied", "outdated"]


async def test_event_before_its_person_waits_for_the_name(hooks: Hooks) -> None:
    """Disorder: a termination that overtakes the hire is not lost."""
    await hooks.tell(generic(person(active=False), time="2026-02-01T00:00:00Z"))
    assert await hooks.inbox_rows() == [("unknown", "nobody has this id yet, and it names no userName")]

    await hooks.tell(generic(person(userName="a", active=True), time="2026-01-01T00:00:00Z"))
    assert not (await load_person(hooks.pool, "a")).active
    assert [outcome for outcome, _ in await hooks.inbox_rows()] == ["applied", "applied"]


async def test_source_touches_only_its_own_people(hooks: Hooks) -> None:
    """Somebody whom another brought is matched by externalId alone, never by the name."""
    await import_csv(hooks.pool, b"userName,externalId,title\nboss,,Chief\nbo,7,Clerk\n", "hr.csv")

    await hooks.tell(generic(person("666", userName="boss", active=False)))
    await hooks.tell(generic(person("7", title="Driver")))
    assert (await load_person(hooks.pool, "boss")).active
    assert (await load_person(hooks.pool, "bo")).employments[0].title == "Driver"
    with pytest.raises(UnknownNameError):
        await load_person(hooks.pool, "666")
    assert (await hooks.inbox_rows())[0] == (
        "refused",
        "the userName is that of somebody whom this source did not bring",
    )


async def test_event_that_cannot_be_does_not_stop_the_others(
    hooks: Hooks, owner: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    """It is set aside with its reason, which names attributes and no values; a poisonous row too."""
    await hooks.tell(generic(person("1", userName="a"), person("2", userName="b")))
    await owner.execute("ALTER TABLE scim_resource ADD CHECK (display_name <> 'poison')")
    with caplog.at_level(logging.INFO):
        await hooks.tell(generic(person("2", userName="A"), person("1", displayName="poison"), person("1", title="x")))
    assert (await hooks.inbox_rows())[2:] == [
        ("refused", "userName cannot be as it says"),
        ("refused", "CheckViolationError"),
        ("applied", None),
    ]
    assert "poison" not in caplog.text


async def test_manager_and_groups_arrive_with_the_person(hooks: Hooks) -> None:
    """The same way into the directory as a file's: references and groups too."""
    await hooks.tell(
        generic(person("1", userName="boss"), person("2", userName="bo", manager="1", groups=["Drivers", "Night"]))
    )
    bo = await load_person(hooks.pool, "bo")
    assert bo.employments[0].manager == (await load_person(hooks.pool, "boss")).id
    assert bo.other["groups"] == ("Drivers", "Night")


async def test_manager_may_come_after_the_reports(hooks: Hooks) -> None:
    """References in a second phase: who is not known yet is filled in on arrival, unless there is newer word."""
    await hooks.tell(generic(person("2", userName="bo", manager="1"), person("3", userName="cy", manager="1")))
    await hooks.tell(generic(person("4", userName="dee"), person("3", manager="4"), time="2026-05-01T00:00:00Z"))
    assert (await load_person(hooks.pool, "bo")).employments == ()
    await hooks.tell(generic(person("1", userName="boss", manager="2"), time="2026-06-01T00:00:00Z"))

    boss, bo, cy, dee = [await load_person(hooks.pool, name) for name in ("boss", "bo", "cy", "dee")]
    assert (bo.employments[0].manager, cy.employments[0].manager) == (boss.id, dee.id)
    assert boss.employments[0].manager == bo.id


async def test_inbox_survives_its_worker_being_killed(hooks: Hooks) -> None:
    """What was answered is done by whoever comes next, once, when the worker's connection dies half-way."""
    for number in range(3):
        await hooks.post(generic(person(str(number), userName=f"p{number}")))
    async with hooks.pool.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE person_history IN EXCLUSIVE MODE")
        working = asyncio.create_task(hooks.inbox.handle_next())

        async def is_blocked() -> bool:
            found: bool = await hooks.pool.fetchval(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname ="
                " current_database())"
            )
            return found

        await wait_until(is_blocked)
        await hooks.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname ="
            " current_database()"
        )
        with pytest.raises(AWAY):
            await working
    assert await load_people(hooks.pool) == []
    await hooks.work()
    assert len(await load_people(hooks.pool)) == 3
    assert await hooks.pool.fetchval("SELECT count(*) FROM person_history") == 3


async def test_running_inbox_acts_on_what_comes(hooks: Hooks, database_url: str) -> None:
    """It is woken by the delivery, and two of them do not act twice."""
    listener = Listener(database_url)
    tasks = [
        asyncio.create_task(coroutine)
        for coroutine in (
            HookInbox(hooks.pool).run(listener.subscribe(HOOKS)),
            HookInbox(hooks.pool).run(listener.subscribe(HOOKS)),
            listener.run(),
        )
    ]
    try:
        for number in range(10):
            await hooks.post(generic(person(str(number), userName=f"p{number}")))

        async def all_are_there() -> bool:
            return len(await load_people(hooks.pool)) == 10

        await wait_until(all_are_there)
        assert await hooks.pool.fetchval("SELECT count(*) FROM person_history") == 10
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
