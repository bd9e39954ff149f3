"""The database is brought to this version, once, by one process; what is not ours or not known is refused."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from importlib.resources import files

import asyncpg
import pytest

from bridge.announcements.outbox_store import of_event
from bridge.database import AWAY, open_database, open_to_read
from bridge.database.embedded import EmbeddedPostgres
from bridge.errors import DatabaseError, DatabaseUnavailableError, DatabaseVersionError
from bridge.ids import EventId

UPGRADES = sorted(
    entry.name for entry in files("bridge.database").joinpath("upgrades").iterdir() if entry.name.endswith(".sql")
)


@pytest.fixture
async def empty(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of an empty database."""
    name = f"empty_{secrets.token_hex(6)}"
    await postgres.create_database(name)
    yield postgres.url_for(name)
    await postgres.drop_database(name)


async def _run(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def _refuses_to_read(url: str, message: str) -> None:
    before = await _schema(url)
    with pytest.raises(DatabaseError, match=message):
        async with open_to_read(url):
            pass
    assert await _schema(url) == before


async def _schema(url: str) -> object:
    """Return every column and index of the database, as one text."""
    return await _run(
        url,
        "SELECT string_agg(line, '|' ORDER BY line) FROM ("
        "SELECT concat_ws(' ', table_name, column_name, data_type, column_default, is_nullable) AS line "
        "FROM information_schema.columns WHERE table_schema = 'public' "
        "UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public') AS lines",
    )


def test_upgrades_are_numbered_without_gaps() -> None:
    """The number is the version that the database has afterwards."""
    assert [int(name[:4]) for name in UPGRADES] == list(range(1, len(UPGRADES) + 1))


async def test_an_empty_database_gets_every_table(empty: str) -> None:
    """And remembers which version it has."""
    async with open_database(empty) as pool:
        assert await pool.fetchval("SELECT version FROM version") == len(UPGRADES)
        assert await pool.fetchval("SELECT owner FROM database_owner") == "muster"
        assert await pool.fetchval("SELECT count(*) FROM event") == 0


async def test_opening_again_changes_nothing(empty: str) -> None:
    """Neither tables nor what is in them."""
    async with open_database(empty) as pool:
        await pool.execute("INSERT INTO policy_version (digest, text, loaded_at) VALUES ('d', 't', now())")
    before = await _schema(empty)
    async with open_database(empty) as pool:
        assert await pool.fetchval("SELECT count(*) FROM policy_version") == 1
    assert await _schema(empty) == before


async def test_an_older_database_is_brought_up_to_date(empty: str) -> None:
    """From any version on; what it has stays."""
    first = files("bridge.database").joinpath("upgrades", UPGRADES[0]).read_text()
    connection = await asyncpg.connect(empty)
    await connection.execute(f"{first}; CREATE TABLE version (version INTEGER PRIMARY KEY)")
    await connection.execute("INSERT INTO version VALUES (1)")
    await connection.execute("INSERT INTO scim_token (name, hash, created_at) VALUES ('hr', '\\x00', now())")
    await connection.close()
    async with open_database(empty) as pool:
        assert await pool.fetchval("SELECT version FROM version") == len(UPGRADES)
        assert tuple(await pool.fetchrow("SELECT name, source FROM scim_token") or ()) == ("hr", "hr")


async def test_two_processes_may_start_at_once(empty: str) -> None:
    """One upgrades, the others wait for it."""

    async def start() -> int:
        async with open_database(empty) as pool:
            found: int = await pool.fetchval("SELECT version FROM version")
            return found

    assert await asyncio.gather(*(start() for _ in range(4))) == [len(UPGRADES)] * 4


async def test_a_newer_database_is_refused(empty: str) -> None:
    """An older Muster would damage what it does not know; the message says what to do."""
    async with open_database(empty) as pool:
        await pool.execute("UPDATE version SET version = version + 1")
    before = await _schema(empty)
    with pytest.raises(DatabaseVersionError, match=r"made by a newer Muster.*Install the Muster that made it, or rest"):
        async with open_database(empty):
            pass
    assert await _schema(empty) == before


async def test_who_only_reads_neither_upgrades_nor_changes_anything(empty: str) -> None:
    """A check tells that the database is older, newer or empty, and leaves it so."""
    await _refuses_to_read(empty, "no tables of Muster's yet")
    async with open_database(empty):
        pass
    for change, message in (
        ("UPDATE version SET version = version - 1", "is older"),
        ("UPDATE version SET version = version + 2", "made by a newer Muster"),
        ("UPDATE database_owner SET owner = 'somebody'", "belongs to another program"),
    ):
        await _run(empty, change)
        await _refuses_to_read(empty, message)
    await _run(empty, "UPDATE version SET version = version - 1")
    await _run(empty, "UPDATE database_owner SET owner = 'muster'")
    async with open_to_read(empty) as pool:
        assert await pool.fetchval("SELECT count(*) FROM event") == 0
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await pool.execute("DELETE FROM event")


@pytest.mark.parametrize(
    "table",
    [
        "CREATE TABLE state_groups_state (state_group bigint)",
        "CREATE TABLE database_owner (key integer PRIMARY KEY, owner text); INSERT INTO database_owner VALUES (0, 'b')",
    ],
)
async def test_a_database_of_another_program_is_refused(empty: str, table: str) -> None:
    """Synapse's for example, or a bridge's; it stays as it is."""
    connection = await asyncpg.connect(empty)
    await connection.execute(table)
    await connection.close()
    before = await _schema(empty)
    with pytest.raises(DatabaseError, match=r"belongs to another program .* Give Muster a database of its own\."):
        async with open_database(empty):
            pass
    assert await _schema(empty) == before


async def test_a_role_that_may_not_make_tables_is_told(empty: str) -> None:
    """PostgreSQL 15 and newer let only the owner of a database make tables."""
    connection = await asyncpg.connect(empty)
    await connection.execute("DROP ROLE IF EXISTS guest")
    await connection.execute("CREATE ROLE guest LOGIN")
    await connection.close()
    with pytest.raises(DatabaseError, match="OWNER TO muster"):
        async with open_database(empty.replace("muster@", "guest@")):
            pass
    await _run(empty, "DROP ROLE guest")


async def test_nobody_at_the_address_is_an_absence() -> None:
    """The service waits then; a command says what to mend, and nobody repeats the password."""
    with pytest.raises(DatabaseUnavailableError, match=r"does not answer .* mend `database`") as raised:
        async with open_database("postgresql://muster:sw0rdf1sh@127.0.0.1:9/muster"):
            pass
    assert "sw0rdf1sh" not in raised.value.message


@pytest.mark.parametrize(
    "address",
    ["postgresql://muster:sw0rdf1sh@db:port/x", "postgresql://[sw0rdf1sh/x", "postgresql://a?sslmode=sw0rdf1sh"],
)
async def test_an_address_that_does_not_read_is_told(address: str) -> None:
    """With its form, and without what came."""
    with pytest.raises(DatabaseError, match=r"does not read\. Expected postgresql://USER:PASSWORD@HOST/D") as raised:
        async with open_database(address):
            pass
    assert "sw0rdf1sh" not in raised.value.message


async def test_a_database_that_does_not_exist_is_told(postgres: EmbeddedPostgres) -> None:
    """In PostgreSQL's words."""
    with pytest.raises(DatabaseError, match='database "nothing" does not exist'):
        async with open_database(postgres.url_for("nothing")):
            pass


async def test_a_database_in_another_encoding_is_refused(postgres: EmbeddedPostgres, empty: str) -> None:
    """It could not keep what people write."""
    connection = await asyncpg.connect(empty)
    await connection.execute(
        "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    )
    await connection.close()
    with pytest.raises(DatabaseError, match="Expected a database in UTF8, came LATIN1"):
        async with open_database(postgres.url_for("latin")):
            pass
    await postgres.drop_database("latin")


async def test_a_pool_connects_again_by_itself(empty: str) -> None:
    """After its connections were ended, the next statement finds a new one."""
    async with open_database(empty) as pool:
        await pool.execute("SELECT 1")
        await _run(
            empty,
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        with suppress(*AWAY):  # a connection that has not heard of its end yet
            await pool.fetchval("SELECT 1")
        assert await pool.fetchval("SELECT '{\"a\": 1}'::jsonb") == {"a": 1}


async def test_managers_are_taken_over(empty: str) -> None:
    """Who was somebody's manager is it after the upgrade; who was named to a webhook is found on coming."""
    before = [entry for entry in UPGRADES if int(entry[:4]) < 12]
    texts = [files("bridge.database").joinpath("upgrades", name).read_text() for name in before]
    connection = await asyncpg.connect(empty)
    await connection.execute("; ".join([*texts, "CREATE TABLE version (version INTEGER PRIMARY KEY)"]))
    await connection.execute("INSERT INTO version VALUES ($1)", len(before))
    await connection.execute("CREATE TABLE database_owner (key INTEGER PRIMARY KEY DEFAULT 0, owner TEXT NOT NULL)")
    await connection.execute("INSERT INTO database_owner (key, owner) VALUES (0, 'muster')")
    for id_, manager in (("boss", None), ("report", "boss"), ("told", None)):
        await connection.execute(
            """INSERT INTO scim_resource (id, kind, name_key, display_name, active, manager_id, document, keys, version,
                                          changed, created, modified)
               VALUES ($1, 'User', $1, $1, true, $2, jsonb_build_object('userName', $1::text), '{}', 1, 1, now(),
                       now())""",
            id_,
            manager,
        )
    await connection.execute("INSERT INTO hook_person VALUES ('hr', '1', 'told', '{}', 'Later')")
    await connection.close()
    async with open_database(empty) as pool:
        rows = await pool.fetch("SELECT person_id, manager_id FROM manager_reference ORDER BY 1")
        assert [tuple(row) for row in rows] == [("report", "boss"), ("told", None)]
        await pool.execute(
            """INSERT INTO scim_resource (id, kind, name_key, display_name, active, document, keys, version, changed,
                                          created, modified)
               VALUES ('l', 'User', 'later', 'L', true, '{"userName": "later"}', '{}', 2, 2, now(), now())"""
        )
        rows = await pool.fetch("SELECT person_id, manager_id FROM manager_reference ORDER BY 1")
        assert [tuple(row) for row in rows] == [("report", "boss"), ("told", "l")]


async def test_who_set_a_run_off_is_taken_over(empty: str) -> None:
    """It stood in the cause, with the id of whoever applied, undid or approved."""
    before = UPGRADES[: next(at for at, entry in enumerate(UPGRADES) if "who_set_runs_off" in entry)]
    texts = [files("bridge.database").joinpath("upgrades", name).read_text() for name in before]
    causes = ("directory", "retry; approved by p1", "apply", "apply by p2; approved by p1", "undo of run 3 by p2")
    connection = await asyncpg.connect(empty)
    await connection.execute("; ".join([*texts, "CREATE TABLE version (version INTEGER PRIMARY KEY)"]))
    await connection.execute("INSERT INTO version VALUES ($1)", len(before))
    await connection.execute("CREATE TABLE database_owner (key INTEGER PRIMARY KEY DEFAULT 0, owner TEXT NOT NULL)")
    await connection.execute("INSERT INTO database_owner (key, owner) VALUES (0, 'muster')")
    for cause in (*causes, "report for root"):
        await connection.execute("INSERT INTO run (cause, plan_digest, started_at) VALUES ($1, '', now())", cause)
    await connection.close()
    async with open_database(empty) as pool:
        rows = await pool.fetch("SELECT cause, set_off_by, by_person, approved_by FROM run ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("directory", "service", None, None),
        ("retry", "service", None, "p1"),
        ("apply", "command line", None, None),
        ("apply", "command line", "p2", "p1"),
        ("undo of run 3", "command line", "p2", None),
        ("report", "root", None, None),
    ]


async def test_announcements_are_taken_over(empty: str) -> None:
    """Those that wait go out as before, those that went out are known by their events, and answers stay given."""
    before = UPGRADES[: next(at for at, entry in enumerate(UPGRADES) if "outgoing" in entry)]
    texts = [files("bridge.database").joinpath("upgrades", name).read_text() for name in before]
    connection = await asyncpg.connect(empty)
    await connection.execute("; ".join([*texts, "CREATE TABLE version (version INTEGER PRIMARY KEY)"]))
    await connection.execute("INSERT INTO version VALUES ($1)", len(before))
    await connection.execute("CREATE TABLE database_owner (key INTEGER PRIMARY KEY DEFAULT 0, owner TEXT NOT NULL)")
    await connection.execute("INSERT INTO database_owner (key, owner) VALUES (0, 'muster')")
    body = {"msgtype": "m.text", "body": "Closed", "format": "x", "formatted_body": "<b>Closed</b>"}
    await connection.execute(
        """INSERT INTO managed_room (key, room_id, rule, kind, name, topic, alias)
           VALUES ('news', '!n', 'news', 'announcement', '', '', 'n'),
                  ('d/1', '!d', 'd', 'announcement', '', '', 'd')"""
    )
    await connection.execute(
        """INSERT INTO announcement (id, desk, source_event_id, author, author_name, body, created_at)
           VALUES ('7kq2-m9xd', 'desk', '$source', '@a:x', E'Anna\n <T>', $1, '2026-03-02')""",
        json.dumps(body),
    )
    await connection.execute(
        """INSERT INTO delivery (announcement, room_id, state, event_id, delivered_at, transaction_id)
           VALUES ('7kq2-m9xd', '!n', 'delivered', '$sent', '2026-03-02', '1'),
                  ('7kq2-m9xd', '!d', 'waiting', NULL, NULL, '2')"""
    )
    await connection.execute(
        """INSERT INTO desk_answer (event_id, room_id, text, state, transaction_id)
           VALUES ('$e', '!k', 'Hm', 'waiting', '')"""
    )
    await connection.close()
    async with open_database(empty) as pool:
        assert (await of_event(pool, [EventId("$sent")]))[EventId("$sent")].key == "7kq2-m9xd/copy/!n"
        rows = await pool.fetch("SELECT key, state, content FROM outgoing ORDER BY key")
        assert [(row["key"], row["state"]) for row in rows] == [
            ("7kq2-m9xd/copy/!d", "waiting"),
            ("7kq2-m9xd/copy/!n", "done"),
            ("answer/$e", "waiting"),
        ]
        assert rows[0]["content"] == {
            "msgtype": "m.text",
            "body": "📣 Anna <T>\n\nClosed\n\nReact with ✅ to acknowledge.",
            "format": "org.matrix.custom.html",
            "formatted_body": "<p>📣 <strong>Anna &lt;T&gt;</strong></p>\n<b>Closed</b>\n"
            "<p><em>React with ✅ to acknowledge.</em></p>",
            "m.mentions": {},
            "io.muster.announcement": {"id": "7kq2-m9xd", "version": 1},
        }
        assert rows[2]["content"]["m.relates_to"] == {"m.in_reply_to": {"event_id": "$e"}}
        assert (rows[2]["content"]["msgtype"], rows[2]["content"]["body"]) == ("m.notice", "Hm")
        found = await pool.fetchrow("SELECT origin, audience, state, priority FROM announcement")
        assert tuple(found or ()) == ("desk", {"rooms": ["d", "news"]}, "open", 3)
        assert await pool.fetchval("SELECT body FROM announcement_text WHERE version = 1 AND language = ''") == body
