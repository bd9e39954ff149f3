"""Employees report in confidence: a room opens with those on call, and nobody learns who stays unnamed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bridge.archive.log import entries
from bridge.archive.search.query import parse
from bridge.archive.search.search import search
from bridge.concern.store import load_lines
from bridge.directory.notice_store import read_untold
from bridge.directory.selector import parse as selector
from bridge.errors import HomeserverError, HomeserverUnavailableError
from bridge.policy.schema import Barrier
from tests.integration.concern.office import Watch, furnished, image
from tests.integration.membership.conftest import user
from tests.integration.membership.homeserver import BOT, KilledError

if TYPE_CHECKING:
    from bridge.database import Pool


@pytest.fixture
async def watch(pool: Pool) -> Watch:
    """Cid of the fleet takes accidents, then Eve of the board."""
    return await furnished(pool)


async def test_a_report_opens_a_room_with_those_on_call(watch: Watch) -> None:
    """Invite only, joined by us, history for its members, and its first message asks and rings."""
    answer = await watch.ask("bob", "!report accident named the forklift hit the rack\nnobody is hurt")
    assert answer.startswith("Report 1 is open. You and one person on call")
    assert await watch.inside() == {"bob", "cid"}
    room = watch.homeserver.rooms[await watch.room()]
    assert room.content("m.room.history_visibility") == {"history_visibility": "joined"}
    assert room.content("m.room.power_levels")["invite"] == 100
    assert room.content("m.room.name") == {"name": "Report 1 · accident"}
    summons = await watch.message("words")
    assert "> the forklift hit the rack\n> nobody is hurt" in summons.content["body"]
    assert "Bob Möller (@bob:example.org)" in summons.content["body"]
    assert summons.content["m.mentions"] == {"user_ids": [user("cid")]}
    pins = await watch.pool.fetch("SELECT key, target, rank FROM outgoing WHERE act = 'pin'")
    assert [tuple(row) for row in pins] == [("report/1/status/1/pin", "report/1/status/1", 0)]


async def test_who_reports_anonymously_is_not_there_and_is_named_nowhere(watch: Watch) -> None:
    """Not in the room, its messages, the audit log or any table but one; that row goes with the end."""
    before = await watch.traces("bob")
    room_id = await watch.office.direct("bob")
    answer = await watch.ask("bob", "report an accident anonymously: I saw it all", room_id)
    assert answer.startswith("Report 1 is open, and goes to one person on call without your name.")
    assert await watch.inside() == {"cid"}
    said = watch.homeserver.rooms[await watch.room()].said
    assert not any("bob" in str(event.content).lower() for event in said)
    assert not any("bob" in str(one.entry.details) + one.entry.actor.name for one in await entries(watch.pool))
    found = await watch.traces("bob")
    assert found.keys() - before.keys() == {"bot_act", "reporter"}
    keys = await watch.pool.fetch("SELECT key FROM bot_act WHERE user_id = $1", user("bob"))
    assert all(row["key"].startswith(("answer:", "invite:")) for row in keys)
    await watch.ask("bob", "report end", room_id)
    assert "reporter" not in await watch.traces("bob")


async def test_words_go_both_ways_without_a_name(watch: Watch) -> None:
    """All that the reporter writes is passed on, replies come back, and what is no reply stays in the room."""
    room_id = await watch.office.direct("bob")
    await watch.ask("bob", "report accident it is bad", room_id)
    assert await watch.ask("bob", "help", room_id) == "Passed on, without your name."
    words = await watch.message("words")
    assert words.content["body"] == "The reporter:\n> help"
    await watch.reply("cid", words, "> <@muster> help\n\nWhere are you?")
    assert watch.office.said(room_id)[-1] == "Cid answers:\n> Where are you?"
    aside = {"msgtype": "m.text", "body": "between us"}
    watch.homeserver.say(await watch.room(), user("cid"), "m.room.message", aside)
    await watch.go_on()
    assert "between us" not in str(watch.office.said(room_id))
    assert (await watch.ask("bob", "!whoami", room_id)).startswith("Bob Möller")


async def test_a_file_is_passed_on_without_anything_else(watch: Watch) -> None:
    """A photo of an accident says more than words; what clients add to it may name somebody."""
    room_id = await watch.office.direct("bob")
    await watch.ask("bob", "report accident look at this", room_id)
    watch.homeserver.say(room_id, user("bob"), "m.room.message", image())
    await watch.go_on()
    photo = (await watch.message("words")).content
    assert (photo["msgtype"], photo["url"]) == ("m.image", "mxc://example.org/abc")
    assert "x.secret" not in photo
    assert watch.office.said(room_id)[-1] == "Passed on, without your name."


async def test_files_outside_of_a_report_are_nobodys(watch: Watch) -> None:
    """The bot has no use for them and says nothing."""
    room_id = await watch.office.direct("bob")
    before = watch.office.said(room_id)
    watch.homeserver.say(room_id, user("bob"), "m.room.message", image())
    await watch.go_on()
    assert watch.office.said(room_id) == before


async def test_report_end_ends_the_passing_on(watch: Watch) -> None:
    """Neither words nor answers pass any more, and the room is told."""
    room_id = await watch.office.direct("bob")
    await watch.ask("bob", "report accident it is bad", room_id)
    words = await watch.message("words")
    assert (await watch.ask("bob", "Report end.", room_id)).startswith("Your part in report 1 is over")
    assert "nothing reaches them any more" in str(watch.office.said(await watch.room()))
    assert "I do not know that" in await watch.ask("bob", "are you there", room_id)
    await watch.reply("cid", words, "hello?")
    assert "hello?" not in str(watch.office.said(room_id))
    assert await watch.ask("bob", "report end", room_id) == "You have no report open."


async def test_the_next_are_asked_when_nobody_answers(watch: Watch) -> None:
    """After the policy's minutes, with all that was said so far; the pinned message says when."""
    room_id = await watch.office.direct("bob")
    await watch.ask("bob", "report accident it is bad", room_id)
    assert "Taken by nobody yet (1 needed)." in await watch.status()
    assert "the next are asked at" in await watch.status()
    await watch.ask("bob", "still here", room_id)
    await watch.pass_time(minutes=4)
    assert await watch.inside() == {"cid"}
    await watch.pass_time(minutes=2)
    assert await watch.inside() == {"cid", "eve"}
    summons = await watch.message("words")
    assert "> it is bad\n> still here" in summons.content["body"]
    assert summons.content["m.mentions"] == {"user_ids": [user("eve")]}
    assert "There is nobody else to ask." in await watch.status()
    rows = await watch.pool.fetch("SELECT act, target FROM outgoing WHERE act NOT IN ('send', 'edit') ORDER BY id")
    old, new = "report/1/status/1", "report/1/status/2"
    assert [tuple(row) for row in rows] == [("pin", old), ("pin", new), ("unpin", old), ("redact", old)]


async def test_a_refusal_brings_the_next_at_once(watch: Watch) -> None:
    """And who refused is out of the room."""
    await watch.ask("bob", "report accident it is bad")
    await watch.react("cid", await watch.message("words"), "❌")
    assert await watch.inside() == {"eve"}
    await watch.react("eve", await watch.message("words"), "✅")
    assert "Taken by Eve (1 of 1 needed)." in await watch.status()
    await watch.pass_time(hours=1)
    assert not await read_untold(watch.pool)


async def test_administrators_are_told_when_nobody_takes_it(watch: Watch) -> None:
    """Once, with the number and the kind, and nothing of what it says."""
    await watch.ask("bob", "report accident the secret ramp")
    await watch.pass_time(minutes=6)
    assert not await read_untold(watch.pool)
    await watch.pass_time(minutes=6)
    ((notice, _),) = await read_untold(watch.pool)
    assert notice.topic == "report:1"
    assert "Report 1 (accident) has been open for" in notice.body
    assert "ramp" not in notice.body


async def test_who_has_taken_it_closes_it(watch: Watch) -> None:
    """By ✅ on the pinned message; the reporter is told, and what was said is kept in the archive alone."""
    room_id = await watch.office.direct("bob")
    await watch.ask("bob", "report accident it is bad", room_id)
    status = await watch.message("status")
    await watch.react("cid", await watch.message("words"), "✅")
    await watch.react("cid", status, "✅")
    assert "by Cid." in (await watch.status()).splitlines()[-1]
    assert watch.office.said(room_id)[-1].startswith("Report 1 was closed")
    assert "reporter" not in await watch.traces("bob")
    assert await watch.pool.fetchval("SELECT words FROM report") is None
    assert "I do not know that" in await watch.ask("bob", "one more thing", room_id)
    log = sorted(await entries(watch.pool, deed="report"), key=lambda one: one.seq)
    assert [one.entry.details["did"] for one in log] == ["open", "ask", "take", "close"]
    (line,) = await load_lines(watch.pool, only_open=False, limit=5)
    assert (line.asked, line.taken, line.closed_at is not None) == (1, 1, True)


async def test_only_those_asked_may_take_or_close(watch: Watch) -> None:
    """A named reporter is in the room and decides nothing there."""
    await watch.ask("bob", "report accident named it is bad")
    await watch.react("bob", await watch.message("words"), "✅")
    await watch.react("bob", await watch.message("status"), "✅")
    assert "Taken by nobody yet" in await watch.status()


async def test_nobody_is_asked_about_themselves_or_by_those_below(watch: Watch) -> None:
    """Neither the reporter nor, where the policy says so, whoever is above."""
    answer = await watch.ask("bob", "report harassment by somebody")
    assert "You and one person on call" in answer
    assert await watch.inside() == {"bob", "eve"}


async def test_nobody_behind_a_barrier_is_asked(watch: Watch) -> None:
    """Who must not share a room with the reporter does not read the report."""
    wall = Barrier(selector('department eq "Sales"'), selector('department eq "Fleet"'), "because")
    watch.office.company.policy = replace(watch.office.company.policy, barriers=(wall,))
    await watch.ask("bob", "report accident it is bad")
    assert await watch.inside() == {"eve"}


async def test_without_anybody_on_call_nothing_is_opened(watch: Watch) -> None:
    """And whoever reports is told so at once."""
    await watch.office.company.say("cid", active=False)
    await watch.office.company.say("eve", active=False)
    assert (await watch.ask("bob", "report accident it is bad")).startswith("Nobody can be asked")
    assert await watch.pool.fetchval("SELECT count(*) FROM report") == 0


async def test_somebody_whose_account_is_refused_counts_as_a_refusal(watch: Watch) -> None:
    """Nobody waits five minutes for a locked account."""
    original = watch.homeserver.join

    async def join(room_id: object, *, as_user: object) -> None:
        if as_user == user("cid"):
            raise HomeserverError("This account has been locked", status=401, errcode="M_USER_LOCKED")
        await original(room_id, as_user=as_user)  # type: ignore[arg-type]

    watch.homeserver.join = join  # type: ignore[method-assign]
    await watch.ask("bob", "report accident it is bad")
    assert "eve" in await watch.inside()


@pytest.mark.parametrize("request_name", ["create_room", "invite", "join", "send"])
async def test_killed_anywhere_it_goes_on_as_if_nothing_were(watch: Watch, request_name: str) -> None:
    """One room, everybody asked once, and the words there once; the homeserver had done what was asked of it."""
    room_id = await watch.office.direct("bob")
    killed = False

    def kill(_number: int, name: str) -> Exception | None:
        nonlocal killed
        if name == request_name and not killed:
            killed = True
            return KilledError()
        return None

    watch.homeserver.after = kill
    with pytest.raises(KilledError):
        await watch.ask("bob", "report accident it is bad", room_id)
    watch.homeserver.restart()
    watch.restart()
    await watch.go_on()
    await watch.pass_time(minutes=1)
    assert await watch.inside() == {"cid"}
    rooms = [room for room in watch.homeserver.rooms.values() if "Report" in str(room.content("m.room.name"))]
    assert len(rooms) == 1
    assert sum("it is bad" in str(event.content["body"]) for event in rooms[0].said) == 1
    assert sum(said.startswith("Report 1 is open") for said in watch.office.said(room_id)) == 1


async def test_a_homeserver_that_is_away_is_waited_for(watch: Watch) -> None:
    """What cannot be done now is tried again, and who is waited for is not asked twice."""
    await watch.office.direct("bob")
    watch.homeserver.before = lambda _n, name: HomeserverUnavailableError("away.") if name == "join" else None
    await watch.ask("bob", "report accident it is bad", await watch.office.direct("bob"))
    assert await watch.reports.go_on() == "away."
    watch.homeserver.before = lambda _n, _name: None
    await watch.go_on()
    assert await watch.inside() == {"cid"}


async def test_what_is_reported_is_found_by_no_search_without_a_case(watch: Watch) -> None:
    """Neither in the room of the report nor where it was written, in a room that the bot made itself too."""
    room_id = await watch.office.direct("bob")
    await watch.ask("bob", "report accident the zebra fell", room_id)
    cid = {"msgtype": "m.text", "body": "a zebra? and three of us are here"}
    watch.homeserver.say(await watch.room(), user("cid"), "m.room.message", cid)
    for name in ("ann", "eve"):
        watch.homeserver.act(await watch.room(), BOT, "join", user(name))
    await watch.go_on()
    await watch.index()
    found = await search(watch.pool, parse("zebra"), server_name="example.org")
    assert found.hits == ()
    assert found.closed == 3


async def test_the_room_of_a_report_is_not_taken_for_a_direct_chat(watch: Watch) -> None:
    """One responder alone with the bot may say anything there without being answered as by self-service."""
    await watch.ask("bob", "report accident it is bad")
    before = watch.office.said(await watch.room())
    said = {"msgtype": "m.text", "body": "whoami"}
    watch.homeserver.say(await watch.room(), user("cid"), "m.room.message", said)
    await watch.go_on()
    assert watch.office.said(await watch.room()) == before


async def test_one_report_at_a_time(watch: Watch) -> None:
    """Whose words would else be unclear."""
    room_id = await watch.office.direct("bob")
    await watch.ask("bob", "report accident it is bad", room_id)
    assert (await watch.ask("bob", "!report accident again", room_id)).startswith("Your report 1 is open.")
