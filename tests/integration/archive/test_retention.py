"""What the policy keeps no longer is shown, and goes when that is wanted, on a real PostgreSQL."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bridge.archive.entry import Actor
from bridge.archive.hold_store import held_seqs
from bridge.archive.ingest import ingest
from bridge.archive.log import entries
from bridge.archive.nightly import Nightly
from bridge.archive.retention import carry_out, find_preview, preview
from bridge.archive.schedule import Preview
from bridge.archive.verify import verify
from bridge.cli.archive_dispose import add_dispose
from bridge.directory.notice_store import read_untold
from bridge.errors import RefusedError
from bridge.ids import UserId
from bridge.policy.loader import load
from tests.integration.archive.test_search import archived
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from collections.abc import Collection

    from bridge.database import Connection, Pool

NOW = datetime(2024, 3, 31, 12, tzinfo=UTC)  # long past: an event counts as sent when it arrived, at the latest
TODAY = NOW.date()
BOT = UserId("@muster:x")
DPO = Actor("k.saar", "root")
POLICY = """
version: 1
company: Nordwind
rooms:
  canteen: {name: Canteen, members: active eq true, retain: 30d}
archive:
  retain: {default: forever, direct: 8w, unmanaged: 1y}
"""


def _policy(text: str = POLICY) -> Any:
    return load(text, "policy.yaml")


def _ago(days: float) -> int:
    return int((NOW - timedelta(days=days)).timestamp() * 1000)


def _said(event_id: str, room: str, days: float, **fields: Any) -> dict[str, Any]:
    return an_event(event_id, room_id=room, origin_server_ts=_ago(days), **fields)


def _joined(room: str, *people: str, days: float = 800) -> list[dict[str, Any]]:
    return [
        _said(f"${room}{who}", room, days, type="m.room.member", state_key=who, content={"membership": "join"})
        for who in people
    ]


@pytest.fixture(autouse=True)
async def _company(pool: Pool) -> None:
    """Archive a managed room, a direct room, one that three people made, and one that nobody manages and keeps."""
    await pool.execute(
        "INSERT INTO managed_room (key, rule, kind, name, topic, open_to, alias, room_id)"
        " VALUES ('canteen', 'canteen', 'room', 'Canteen', '', '{}', '#c:x', '!canteen')"
    )
    await ingest(
        pool,
        [
            *_joined("!canteen", "@a:x", "@b:x", "@c:x", BOT),
            *_joined("!direct", "@a:x", "@b:x", BOT),
            *_joined("!club", "@a:x", "@b:x", "@c:x"),
            *(_said(f"$canteen{days}", "!canteen", days) for days in (400, 40, 29)),
            *(_said(f"$direct{days}", "!direct", days) for days in (400, 40)),
            *(_said(f"$club{days}", "!club", days) for days in (400, 300)),
        ],
    )


async def _look(pool: Pool, text: str = POLICY) -> Preview:
    return await preview(pool, _policy(text), BOT, TODAY, held_seqs)


async def _gone(pool: Pool) -> set[str]:
    return {row["event_id"] for row in await pool.fetch("SELECT event_id FROM event WHERE body IS NULL")}


def _clock() -> datetime:
    return NOW


async def test_words_that_nobody_says_any_more_go_too(pool: Pool) -> None:
    """When a disposal is through, not even the list of words knows what only the records said that went."""
    word = {"content": {"msgtype": "m.text", "body": "lunch with salamander"}}
    kept = {"content": {"msgtype": "m.text", "body": "lunch"}}
    await archived(pool, _said("$goes", "!canteen", 35, **word), _said("$stays", "!canteen", 5, **kept))
    known = "SELECT count(*) FROM search_word WHERE word IN ('lunch', 'salamander')"
    assert await pool.fetchval(known) == 2
    await carry_out(pool, await _look(pool), DPO, held_seqs, _clock)
    assert await pool.fetchval(known) == 1
    assert await pool.fetchval("SELECT count(*) FROM search_form WHERE form LIKE '~salamand%'") == 0


async def test_what_is_over_is_shown_by_rule_and_room(pool: Pool) -> None:
    """With how much, from when to when; looking disposes of nothing."""
    found = await _look(pool)
    assert [(one.rule.name, one.name, one.count) for one in found.shares] == [
        ("canteen", "canteen", 2),
        ("unmanaged", "!club", 1),
        ("direct", "!direct", 1),
    ]
    canteen = found.shares[0]
    assert (canteen.oldest, canteen.newest) == (NOW - timedelta(days=400), NOW - timedelta(days=40))
    assert canteen.size == await pool.fetchval(
        "SELECT sum(length(body)) FROM event WHERE event_id IN ('$canteen400', '$canteen40')"
    )
    assert (found.going, found.there) == (4, 17)
    assert await _gone(pool) == set()


async def test_exactly_what_was_shown_goes(pool: Pool) -> None:
    """An entry for each rule says why; the ledger verifies; afterwards nothing is over."""
    found = await _look(pool)
    planned = await find_preview(pool, _policy(), BOT, TODAY, held_seqs, found.digest[:12])
    outcome = await carry_out(pool, planned, DPO, held_seqs, _clock)
    assert outcome.disposed == 4
    assert await _gone(pool) == {"$canteen400", "$canteen40", "$direct400", "$club400"}
    rules = {one.entry.details["rule"] for one in await entries(pool)}
    assert rules == {"canteen, kept 30d", "direct, kept 8w", "unmanaged, kept 1y"}
    assert (await verify(pool)).ok
    assert (await _look(pool)).shares == []


async def test_a_preview_of_yesterday_still_counts(pool: Pool) -> None:
    """Who looks in the evening may decide in the morning."""
    found = await preview(pool, _policy(), BOT, TODAY - timedelta(days=1), held_seqs)
    planned = await find_preview(pool, _policy(), BOT, TODAY, held_seqs, found.digest)
    assert planned.today == TODAY - timedelta(days=1)


@pytest.mark.parametrize("digest", ["", "0", "0123456789ab"])
async def test_something_else_than_was_shown_is_refused(pool: Pool, digest: str) -> None:
    """A digest that names nothing, or what is different by now."""
    found = await _look(pool)
    await ingest(pool, [_said("$late", "!canteen", 50)], "backfill")
    for given in (digest, found.digest):
        with pytest.raises(RefusedError, match="Nothing was disposed of"):
            await find_preview(pool, _policy(), BOT, TODAY, held_seqs, given)


async def test_what_comes_after_the_preview_stays(pool: Pool) -> None:
    """Also when it is as old."""
    found = await _look(pool)
    await ingest(pool, [_said("$late", "!canteen", 50)], "backfill")
    await carry_out(pool, found, DPO, held_seqs, _clock)
    assert "$late" not in await _gone(pool)


async def test_holds_win(pool: Pool) -> None:
    """They are shown, count in the digest, and what they cover stays, also when they came after the preview."""
    seq = await pool.fetchval("SELECT seq FROM event WHERE event_id = '$canteen400'")

    async def held(_db: Connection | Pool, seqs: Collection[int]) -> frozenset[int]:
        return frozenset(seqs) & {seq}

    before = await _look(pool)
    found = await preview(pool, _policy(), BOT, TODAY, held)
    assert (found.shares[0].held, found.going) == (1, 3)
    assert found.digest != before.digest
    outcome = await carry_out(pool, before, DPO, held, _clock)
    assert (outcome.disposed, outcome.held) == (3, (seq,))
    assert "$canteen400" not in await _gone(pool)


async def test_state_goes_when_the_room_has_nothing_and_nobody(pool: Pool) -> None:
    """Messages first, and what the room lived by at the next time."""
    text = POLICY.replace("unmanaged: 1y", "unmanaged: 9mo")
    await carry_out(pool, await _look(pool, text), DPO, held_seqs, _clock)
    assert "$!club@a:x" not in await _gone(pool)
    await pool.execute("INSERT INTO room_member VALUES ('!club', '@a:x', 'join', NULL, now())")
    assert (await _look(pool, text)).shares == []
    await pool.execute("UPDATE room_member SET membership = 'leave'")
    found = await _look(pool, text)
    assert [(one.name, one.count, one.limit.whole) for one in found.shares] == [("!club", 3, True)]
    await carry_out(pool, found, DPO, held_seqs, _clock)
    assert "$!club@a:x" in await _gone(pool)
    assert "$!canteen@a:x" not in await _gone(pool)
    assert (await verify(pool)).ok


def _nightly(pool: Pool, at_most: float) -> Nightly:
    return Nightly(pool, _policy, BOT, held_seqs, clock=_clock, timezone="UTC", at_most=at_most)


async def test_the_service_disposes_at_night(pool: Pool) -> None:
    """By itself, in its own name."""
    assert await _nightly(pool, 0.5).dispose() == 4
    assert {one.entry.actor for one in await entries(pool)} == {Actor("muster", "service")}
    assert await _nightly(pool, 0.5).dispose() == 0


async def test_too_much_in_one_night_waits(pool: Pool) -> None:
    """Nothing goes, and the administrators are told how to look."""
    assert await _nightly(pool, 0.1).dispose() == 0
    assert await _gone(pool) == set()
    ((notice, _),) = await read_untold(pool)
    assert "4 of 17 archived records" in notice.body
    assert "muster archive dispose" in notice.body


async def test_the_command_shows_and_disposes(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    """First what would go and how to say yes; then it is gone."""

    async def run(*words: str, as_json: bool = False) -> int:
        parser = argparse.ArgumentParser()
        add_dispose(parser.add_subparsers())
        args = parser.parse_args(["dispose", *words])
        args.json = as_json
        services = SimpleNamespace(
            pool=pool, clock=_clock, policy=_policy, homeserver=SimpleNamespace(bot=BOT), config=None
        )
        code: int = await args.handler.__wrapped__(args, services)
        return code

    assert await run() == 0
    shown = capsys.readouterr().out
    assert "canteen, kept 30d" in shown
    assert "4 of 17 records would go (23.5 %)" in shown
    digest = shown.split()[-1]
    assert await run(as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["digest"].startswith(digest)
    assert await run("--apply", digest) == 0
    assert "Disposed of 4 records" in capsys.readouterr().out
    assert len(await _gone(pool)) == 4
    with pytest.raises(RefusedError):
        await run("--apply", digest)
