"""`muster backup` and `muster restore`, on a real PostgreSQL with something in every table."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from pyrage import x25519

from bridge.archive.blob import name_of, open_blobs
from bridge.archive.ingest import ingest
from bridge.archive.notary import Notary
from bridge.archive.signing import open_key
from bridge.backup import store as tables
from bridge.backup.lock import new_key
from bridge.cli import parser
from bridge.config_archive import MediaConfig
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.directory.intake import import_csv
from bridge.errors import InputError, MusterError, RefusedError
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

_VALUES = {
    "text": "'x'",
    "bigint": "1",
    "integer": "1",
    "smallint": "1",
    "boolean": "true",
    "bytea": "'x'::bytea",
    "jsonb": '\'{"key": [1, "\\u00e4"]}\'',
    "timestamp with time zone": "'2027-02-11 12:00Z'",
    "date": "'2027-02-11'",
    "interval": "'1 day'",
    "text[]": "'{x,y}'",
    "tsvector": "'x:1'",
    "double precision": "1.5",
    "bigint[]": "'{1}'",
    "uuid": "'00000000-0000-0000-0000-000000000001'",
}


@pytest.fixture
async def other(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of an empty database."""
    name = f"copy_{secrets.token_hex(6)}"
    await postgres.create_database(name)
    yield postgres.url_for(name)
    await postgres.drop_database(name)


@pytest.fixture
async def home(tmp_path: Path, pool: Pool, database_url: str, owner_url: str) -> Path:
    """An installation with a signed archive, and a row in every table that takes a plain one."""
    folder = _installation(tmp_path / "home", database_url)
    events = [an_event(f"${n}", content={"body": secrets.token_hex(20_000)}) for n in range(60)]
    await ingest(pool, events)
    await Notary(pool, open_key(folder / "data"), "example.org/muster").make()
    people = "userName,externalId,displayName,department,manager\nkarl,1,Karl,Sales,\nmari,2,Mari,Sales,1\n"
    await import_csv(pool, people.encode(), "hr.csv")
    await _fill(owner_url)
    return folder


def _installation(folder: Path, url: str) -> Path:
    (folder / "data").mkdir(parents=True)
    files = {
        "registration.yaml": "id: m\nurl: http://127.0.0.1:9\nas_token: a\nhs_token: h\nsender_localpart: muster\n",
        "policy.yaml": "version: 1\ncompany: Company\n",
        "config.yaml": f"homeserver: {{url: 'http://127.0.0.1:9', server_name: example.org}}\ndatabase: {url}\n"
        f"database_owner: {url.replace('//muster_service@', '//muster@')}\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


_VERIFIED = ("key_rotation", "disposed")
"""Tables in which verifying the archive takes no plain values."""


async def _fill(url: str) -> None:
    """Put a row into each table that has none, as far as its checks let in plain values, and what a check lists."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            """SELECT attrelid::regclass::text AS name, array_agg(quote_ident(attname) ORDER BY attnum) AS columns,
                      array_agg(format_type(atttypid, NULL) ORDER BY attnum) AS types
               FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
               WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND attgenerated = ''
                     AND NOT attisdropped
               GROUP BY attrelid"""
        )
        checks = await connection.fetch(
            "SELECT conrelid::regclass::text AS name, pg_get_constraintdef(oid) AS text FROM pg_constraint"
            " WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
        )
        listed = {
            (check["name"], found[1]): found[2]
            for check in checks
            if (found := re.search(r"(\w+) = ANY \(ARRAY\[('[^']*'::text)", check["text"]))
        }
        for row in rows * 3:  # a table may refer to one that comes later
            if row["name"] in _VERIFIED:
                continue
            values = ", ".join(
                listed.get((row["name"], column), _VALUES[kind])
                for column, kind in zip(row["columns"], row["types"], strict=True)
            )
            columns = ", ".join(row["columns"])
            with suppress(asyncpg.IntegrityConstraintViolationError):
                await connection.execute(
                    f"INSERT INTO {row['name']} ({columns}) OVERRIDING SYSTEM VALUE SELECT {values}"  # noqa: S608
                    f" WHERE NOT EXISTS (SELECT FROM {row['name']})"
                )
        await connection.execute("SELECT setval('entry_id_seq', 41); SELECT nextval('entry_id_seq')")
    finally:
        await connection.close()


async def _contents(url: str) -> dict[str, Any]:
    """Return for each table how many rows it has, and a digest of all of them."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind = 'r'"
        )
        statement = "SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM {} t"
        return {row["name"]: (await connection.fetch(statement.format(row["name"])))[0] for row in tables}
    finally:
        await connection.close()


async def _shape(url: str) -> Any:
    """Return every constraint, index and trigger of the database."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(
            """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
               WHERE connamespace = 'public'::regnamespace
               UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
               UNION ALL SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
               ORDER BY 1, 2, 3"""
        )
    finally:
        await connection.close()


async def _is_empty(url: str) -> bool:
    return not await _contents(url)


async def muster(*words: str | Path) -> int:
    """Run a command as a person types it."""
    args = parser().parse_args([str(word) for word in words])
    code: int = await args.handler(args)
    return code


async def backed_up(home: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[Path, Path, dict[str, Any]]:
    """Return a backup, the key to it, and what was said of it."""
    key = home.parent / "key"
    public = new_key(key)
    file = home.parent / "backup.age"
    assert await muster("backup", file, "--to", public, "--json", "-c", home / "config.yaml", *more) == 0
    return file, key, json.loads(capsys.readouterr().out)


async def test_a_backup_restored_is_the_same(
    home: Path, database_url: str, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every table, generated column, constraint, trigger and number is as it was, and the root is the backup's."""
    file, key, made = await backed_up(home, capsys)
    copy = _installation(home.parent / "copy", other)
    assert await muster("restore", file, "--identity", key, "--json", "-c", copy / "config.yaml") == 0
    said = json.loads(capsys.readouterr().out)
    before = await _contents(database_url)
    assert sum(1 for rows, _ in before.values() if rows) > 0.7 * len(before)
    assert all(before[name][0] for name in ("event", "scim_resource", "ledger_checkpoint", "run"))
    assert await _contents(other) == before
    assert await _shape(other) == await _shape(database_url)
    assert said["restored"]["ok"]
    assert said["restored"]["checkpoints"] == 1
    assert said["restored"]["root"] == said["backup"]["root"] == made["root"]
    assert said["written"] == [str(copy / "data" / name) for name in ("archive-key.pem", "archive-key.pub.pem")]
    assert said["kept"] == [str(copy / "config.yaml")]
    assert (copy / "data/archive-key.pem").read_bytes() == (home / "data/archive-key.pem").read_bytes()
    async with open_database(other) as pool:
        assert await pool.fetchval("SELECT nextval('entry_id_seq')") == 43
    assert await muster("archive", "verify", "-c", copy / "config.yaml") == 0


async def test_every_table_is_in_a_backup(home: Path, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What an upgrade adds is backed up without anybody thinking of it."""
    _, _, made = await backed_up(home, capsys)
    assert {name: rows for name, (rows, _) in (await _contents(database_url)).items()} == made["rows"]


async def test_an_installation_that_is_gone_comes_back_with_its_files(
    home: Path, database_url: str, postgres: EmbeddedPostgres, capsys: pytest.CaptureFixture[str]
) -> None:
    """With nothing but backup and key, configuration, policy, registration and key come back, closed to others."""
    name = database_url.partition("/@/")[2] or database_url.rpartition("@/")[2].partition("?")[0]
    file, key, _ = await backed_up(home, capsys)
    await postgres.drop_database(name)
    await postgres.create_database(name)
    fresh = home.parent / "fresh" / "etc"
    assert await muster("restore", file, "--identity", key, "-c", fresh / "config.yaml") == 0
    for each in ("config.yaml", "policy.yaml", "registration.yaml", "data/archive-key.pem"):
        assert (fresh / each).read_bytes() == (home / each).read_bytes()
        assert stat.S_IMODE((fresh / each).stat().st_mode) == 0o600
    assert "Every event and the root agree." in capsys.readouterr().out


async def test_a_passphrase_opens_what_it_closed(home: Path, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Another passphrase opens nothing, and is told so."""
    for name, words in (("right", "correct horse"), ("wrong", "battery staple")):
        (home.parent / name).write_text(words + "\n")
    file, config = home.parent / "b.age", home / "config.yaml"
    copy = _installation(home.parent / "copy", other) / "config.yaml"
    assert await muster("backup", file, "--passphrase-file", home.parent / "right", "-c", config) == 0
    with pytest.raises(InputError, match="passphrase does not open"):
        await muster("restore", file, "--passphrase-file", home.parent / "wrong", "-c", copy)
    assert await muster("restore", file, "--passphrase-file", home.parent / "right", "-c", copy) == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) * 2 // 3], "cut off or altered"),
        (lambda content: content[:-1], "cut off or altered"),
        (lambda content: content[:300], "beginning is damaged|cut off"),
        (lambda content: content[:-90_000] + bytes([content[-90_000] ^ 1]) + content[-89_999:], "cut off or altered"),
        (lambda content: content + b"more", "cut off or altered"),
        (lambda _: b"hello", "no backup"),
        (lambda _: b"", "no backup"),
    ],
    ids=["cut", "one byte short", "cut early", "altered", "longer", "something else", "empty"],
)
async def test_a_damaged_backup_leaves_the_database_empty(
    home: Path, other: str, capsys: pytest.CaptureFixture[str], damage: Any, message: str
) -> None:
    """Whatever is wrong with the file is one message, and nothing of it stays."""
    file, key, _ = await backed_up(home, capsys)
    bad = home.parent / "bad.age"
    bad.write_bytes(damage(file.read_bytes()))
    copy = _installation(home.parent / "copy", other)
    with pytest.raises(InputError, match=message):
        await muster("restore", bad, "--identity", key, "-c", copy / "config.yaml")
    assert await _is_empty(other)
    assert not (copy / "data/archive-key.pem").exists()


async def test_another_key_opens_nothing(home: Path, other: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The database stays empty and the message says whose fault it is."""
    file, _, _ = await backed_up(home, capsys)
    wrong = home.parent / "wrong"
    new_key(wrong)
    copy = _installation(home.parent / "copy", other)
    with pytest.raises(InputError, match="key does not open"):
        await muster("restore", file, "--identity", wrong, "-c", copy / "config.yaml")
    assert await _is_empty(other)


async def test_a_database_in_use_is_refused(home: Path, database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is ever restored over what there is."""
    file, key, _ = await backed_up(home, capsys)
    before = await _contents(database_url)
    with pytest.raises(RefusedError, match="not empty"):
        await muster("restore", file, "--identity", key, "-c", home / "config.yaml")
    assert await _contents(database_url) == before


async def test_another_key_of_the_archives_is_refused(
    home: Path, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With it the restored archive could never be signed again."""
    file, key, _ = await backed_up(home, capsys)
    copy = _installation(home.parent / "copy", other)
    open_key(copy / "data")
    with pytest.raises(RefusedError, match="another key than the backup's"):
        await muster("restore", file, "--identity", key, "-c", copy / "config.yaml")
    assert await _is_empty(other)


async def test_a_backup_is_of_one_moment(
    home: Path, pool: Pool, other: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that come while it is made are in none of its tables."""
    copied = tables.copy_out

    async def slow(*given: Any) -> int:
        await ingest(pool, [an_event(f"$late-{secrets.token_hex(4)}")])
        rows: int = await copied(*given)
        return rows

    monkeypatch.setattr(tables, "copy_out", slow)
    file, key, made = await backed_up(home, capsys)
    assert await pool.fetchval("SELECT size FROM ledger_head") > made["events"]
    copy = _installation(home.parent / "copy", other)
    assert await muster("restore", file, "--identity", key, "--json", "-c", copy / "config.yaml") == 0
    assert json.loads(capsys.readouterr().out)["restored"]["size"] == made["events"]


async def test_a_backup_is_recorded_and_leaves_nothing_half(
    home: Path, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The archive's log says who made one for whom; a second under the same name is refused, the first stays."""
    file, _, _ = await backed_up(home, capsys)
    body = await pool.fetchval("SELECT convert_from(body, 'UTF8') FROM event WHERE type = 'muster.backup'")
    assert json.loads(body)["content"]["details"]["file"] == "backup.age"
    before = file.read_bytes()
    public = str(x25519.Identity.generate().to_public())
    with pytest.raises(RefusedError, match="exists already"):
        await muster("backup", file, "--to", public, "-c", home / "config.yaml")
    assert file.read_bytes() == before
    assert sorted(path.name for path in home.parent.iterdir()) == ["backup.age", "home", "key"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_full_disk_is_one_message(home: Path) -> None:
    """What cannot be written is told, and no task or file is left behind."""
    public = str(x25519.Identity.generate().to_public())
    with pytest.raises(MusterError, match="cannot be written"):
        await muster("backup", Path("/dev/full/x"), "--to", public, "-c", home / "config.yaml")


async def test_shared_files_come_along_when_asked_for(
    home: Path, pool: Pool, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is under its hash again; one that is damaged in the store is counted, and ends nothing."""
    blobs, kept = open_blobs(MediaConfig(), home / "data"), {}
    for content in (secrets.token_bytes(9_000_000), b"small", b"damaged"):
        received = await blobs.receive(_pieces(content), 10_000_000)
        kept[received.sha256] = content
        await pool.execute("INSERT INTO media_file VALUES ($1, $2, '', now())", received.sha256, received.size)
    (home / "data/media" / name_of(received.sha256)).write_bytes(b"DAMAGED")
    file, key, made = await backed_up(home, capsys, "--with-media")
    assert (made["files"], made["damaged_files"]) == (2, 2)  # the other one is of a row without a file
    copy = _installation(home.parent / "copy", other)
    assert await muster("restore", file, "--identity", key, "--json", "-c", copy / "config.yaml") == 0
    assert json.loads(capsys.readouterr().out)["files"] == 2
    restored = open_blobs(MediaConfig(), copy / "data")
    for sha256, content in kept.items():
        if content != b"damaged":
            assert b"".join([piece async for piece in restored.read(sha256)]) == content
    assert len([path for path in (copy / "data/media").rglob("*") if path.is_file()]) == 2


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100_000):
        yield content[start : start + 100_000]


async def test_a_folder_gets_a_file_with_the_time(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that a timer can make one every night."""
    folder = home.parent / "backups"
    await asyncio.to_thread(folder.mkdir)
    public = str(x25519.Identity.generate().to_public())
    assert await muster("backup", folder, "--to", public, "-c", home / "config.yaml") == 0
    assert [path.suffix for path in folder.iterdir()] == [".age"]
    assert "root" in capsys.readouterr().out
