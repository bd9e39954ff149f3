"""Webhooks as vendors really send them, and what becomes of events that nobody can act on."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bridge.cli import parser
from bridge.clock import system_clock
from bridge.directory.hook_outcome import Outcome
from bridge.directory.hook_store import read_events
from bridge.directory.notice_store import read_untold
from bridge.directory.reuse_store import decide_reuse, load_suspicions
from bridge.directory.store import load_people, load_person
from bridge.errors import RefusedError, UnknownNameError
from bridge.housekeeping import tidy
from tests.integration.directory.conftest import Scim
from tests.integration.directory.sender import Hooks, person
from tests.unit.directory.deliveries import bamboohr, bamboohr_event, generic, hibob, hibob_event, personio_event


async def command(hooks: Hooks, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run `muster directory …` and return what it prints."""
    args = parser(["directory"]).parse_args(["directory", *arguments])
    assert await args.handler.__wrapped__(args, cast("Any", SimpleNamespace(pool=hooks.pool))) == 0
    return capsys.readouterr().out


async def notices(hooks: Hooks) -> list[str]:
    return [notice.body for notice, _ in await read_untold(hooks.pool)]


async def test_vendors_need_no_relay(hooks: Hooks) -> None:
    """Each signs as it does, is answered 200, and is acted on; a wrong signature is 401."""
    assert (await hooks.post_as_vendor("bamboohr", bamboohr(workEmail="anna@x.ee", status="Active")))[0] == 200
    assert (await hooks.post_as_vendor("hibob", hibob("employee.created", email="bo@x.ee")))[0] == 200
    assert (await hooks.post_as_vendor("personio", personio_event("employment.terminated")))[0] == 200
    assert (await hooks.post({}, source="hibob"))[0] == 401
    assert (await hooks.post({}, source="personio", headers={"Authorization": "Bearer guess"}))[0] == 401
    await hooks.work()

    assert {each.user_name for each in await load_people(hooks.pool)} == {"anna@x.ee", "bo@x.ee"}


async def test_vendors_delivery_is_acted_on_once(hooks: Hooks) -> None:
    """Replay: there is no id and sometimes no time, so the same body again is the same delivery."""
    body = hibob("employee.created", email="bo@x.ee")
    assert (await hooks.post_as_vendor("hibob", body))[1] == {"status": "accepted"}
    assert (await hooks.post_as_vendor("hibob", body))[1] == {"status": "duplicate"}
    assert len(await hooks.inbox_rows()) == 1


async def test_hibobs_ping_is_answered(hooks: Hooks) -> None:
    """With 200, without which it makes no connection; it leaves nothing behind."""
    for ping in (b"Ping test", b'{"text":"Ping test"}'):
        assert await hooks.post(ping, source="hibob", headers={"webhook-id": None}) == (200, {"status": "pong"})
    assert await hooks.inbox_rows() == []


async def test_events_without_values_are_taken_and_told_once(hooks: Hooks) -> None:
    """A refusal would switch the webhook off: 200, recorded, and one notice for each source."""
    for number in range(3):
        hook = hibob_event("employee.updated") | {"n": number}
        assert (await hooks.post_as_vendor("hibob", hook))[0] == 200
    assert (await hooks.post_as_vendor("bamboohr", bamboohr_event("employee.updated")))[0] == 200
    assert (await hooks.post_as_vendor("personio", personio_event("person.updated")))[0] == 200
    await hooks.work()

    assert {outcome for outcome, _ in await hooks.inbox_rows()} == {"without_values"}
    assert sorted(body.partition(" ")[0] for body in await notices(hooks)) == ["bamboohr", "hibob", "personio"]


async def test_leaving_needs_no_values(hooks: Hooks) -> None:
    """The kinds of event that say everything by themselves act."""
    await hooks.post_as_vendor("hibob", hibob("employee.created", email="bo@x.ee"))
    await hooks.work()
    assert (await hooks.post_as_vendor("hibob", hibob_event("employee.left")))[0] == 200
    await hooks.work()
    assert not (await load_person(hooks.pool, "bo@x.ee")).active


async def test_refused_events_are_told_once_for_each_reason(hooks: Hooks) -> None:
    """Not once for each event; and anew after a week without."""
    await hooks.tell(generic(person("1", userName="a"), person("2", userName="b")))
    for _ in range(3):
        await hooks.tell(generic(person("2", userName="A")))
    assert len(await notices(hooks)) == 1
    assert "userName cannot be as it says" in (await notices(hooks))[0]

    await hooks.pool.execute("UPDATE notice SET told_at = now()")
    await hooks.tell(generic(person("2", userName="A"), time="2026-05-01T00:00:00Z"))
    assert await notices(hooks) == []
    await hooks.pool.execute("UPDATE notice SET last_at = now() - interval '8 days'")
    await tidy(hooks.pool, system_clock())
    await hooks.tell(generic(person("2", userName="A"), time="2026-06-01T00:00:00Z"))
    assert len(await notices(hooks)) == 1


async def test_refused_event_is_tried_again_when_the_reason_is_gone(
    hooks: Hooks, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its values are kept until then, and shown to nobody."""
    await hooks.tell(generic(person("1", userName="a"), person("2", userName="b")))
    await hooks.tell(generic(person("2", userName="A", title="Secretname"), time="2026-05-01T00:00:00Z"))
    (refused,) = await read_events(hooks.pool, outcome=Outcome.REFUSED)
    shown = await command(hooks, capsys, "events", "--refused")
    assert "generic  2  refused: userName cannot be as it says" in shown
    (listed,) = json.loads(await command(hooks, capsys, "events", "--refused", "--json"))
    assert (listed["source"], listed["subject"], listed["outcome"]) == ("generic", "2", "refused")
    assert "Secretname" not in f"{shown}{listed}"

    await hooks.tell(generic(person("1", userName="c"), time="2026-05-02T00:00:00Z"))
    assert "Tried again: 1." in await command(hooks, capsys, "events", "retry", str(refused.seq))
    await hooks.work()
    assert (await load_person(hooks.pool, "2")).employments[0].title == "Secretname"
    assert await hooks.pool.fetchval("SELECT count(*) FROM hook_event WHERE attributes <> '{}'") == 0


async def test_all_of_a_source_are_tried_again(hooks: Hooks, capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing of another."""
    await hooks.tell(generic(person("9", active=False)))
    await hooks.tell(bamboohr(status="Inactive"), source="bamboo")
    assert "Tried again: 1." in await command(hooks, capsys, "events", "retry", "--source", "bamboo")
    assert [event.outcome for event in await read_events(hooks.pool, source="bamboo")] == [None]
    assert [event.outcome for event in await read_events(hooks.pool, source="generic")] == [Outcome.UNKNOWN]
    assert "waiting" in await command(hooks, capsys, "events", "--source", "bamboo")
    assert "There are none." in await command(hooks, capsys, "events", "--without-values")


async def test_what_cannot_be_tried_again_is_told_why(hooks: Hooks, capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown number, nothing kept, or nothing to do."""
    await hooks.post_as_vendor("bamboohr", bamboohr(status="sabbatical"))
    await hooks.tell(generic(person("1", userName="a")))
    unread, applied = (event.seq for event in reversed(await read_events(hooks.pool)))
    with pytest.raises(UnknownNameError, match="There is no event 999"):
        await command(hooks, capsys, "events", "retry", "999")
    with pytest.raises(RefusedError, match="did not read, so nothing of it is kept"):
        await command(hooks, capsys, "events", "retry", str(unread))
    with pytest.raises(RefusedError, match="is applied; expected one refused"):
        await command(hooks, capsys, "events", "retry", str(applied))


async def test_reused_id_is_held_and_acted_on_when_it_is_decided(hooks: Hooks) -> None:
    """Id reuse: somebody else under a leaver's id changes nobody until a person has said who it is."""
    await hooks.tell(generic(person("7", userName="olga", displayName="Olga Old"), time="2026-01-01T00:00:00Z"))
    await hooks.tell(generic(person("7", active=False), time="2026-02-01T00:00:00Z"))
    newcomer = person("7", userName="nils", displayName="Nils New", active=True)
    await hooks.tell(generic(newcomer, time="2026-03-01T00:00:00Z"))

    assert not (await load_person(hooks.pool, "olga")).active
    assert (await hooks.inbox_rows())[-1] == ("held", "muster directory review")
    assert [(each.user_name, each.source) for each in await load_suspicions(hooks.pool)] == [("nils", "hook:generic")]
    assert "muster directory review" in (await notices(hooks))[0]

    await decide_reuse(hooks.pool, "nils", same=False)
    await hooks.work()
    olga, nils = await load_person(hooks.pool, "olga"), await load_person(hooks.pool, "nils")
    assert (olga.active, nils.active, nils.external_id) == (False, True, "7")
    assert olga.id != nils.id


async def test_returner_under_a_new_name_is_taken_once_confirmed(hooks: Hooks) -> None:
    """Id reuse, the other answer: the same person, who has married and changed address."""
    await hooks.tell(generic(person("7", userName="olga", displayName="Olga Old"), time="2026-01-01T00:00:00Z"))
    await hooks.tell(generic(person("7", active=False), time="2026-02-01T00:00:00Z"))
    back = person("7", userName="olga.new", displayName="Olga New", active=True)
    await hooks.tell(generic(back, time="2026-03-01T00:00:00Z"))
    olga = await load_person(hooks.pool, "olga")

    await decide_reuse(hooks.pool, "olga.new", same=True)
    await hooks.work()
    again = await load_person(hooks.pool, "olga.new")
    assert (again.id, again.active) == (olga.id, True)


async def test_deleted_person_comes_back_as_the_same(hooks: Hooks, scim: Scim) -> None:
    """Rehire: who was deleted and is sent again under the id is that person; what names no userName revives nobody."""
    id_ = await scim.user("olga", externalId="7", displayName="Olga")
    assert (await scim.ask("DELETE", f"/Users/{id_}")).status == 204

    await hooks.tell(generic(person("7", title="Clerk")))
    assert (await hooks.inbox_rows())[-1][0] == "unknown"
    await hooks.tell(generic(person("7", userName="olga"), time="2026-03-01T00:00:00Z"))
    olga = await load_person(hooks.pool, "olga")
    assert (olga.id, olga.active, olga.employments[0].title) == (id_, True, "Clerk")


async def test_other_person_under_a_deleted_ones_id_is_held(hooks: Hooks, scim: Scim) -> None:
    """Id reuse: also when the one before was deleted."""
    id_ = await scim.user("olga", externalId="7", displayName="Olga")
    await scim.ask("DELETE", f"/Users/{id_}")
    await hooks.tell(generic(person("7", userName="nils", displayName="Nils")))

    assert (await hooks.inbox_rows())[-1] == ("held", "muster directory review")
    assert [(each.user_name, each.active) for each in await load_people(hooks.pool)] == [("olga", False)]
