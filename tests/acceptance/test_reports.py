"""An employee reports in confidence, with real clients on a real Synapse."""

from __future__ import annotations

from typing import Any

from tests.acceptance.client import MatrixClient
from tests.acceptance.company import POLICY, Company
from tests.waiting import wait_until

_REPORTS = """
reports:
  accident: {text: An accident, responders: title eq "Nurse", escalate: 5m}
"""


async def _said(client: MatrixClient, room_id: str, words: str) -> dict[str, Any]:
    """Wait for a message with these words; return its event."""
    found: list[dict[str, Any]] = []

    async def has_come() -> bool:
        events = await client.messages(room_id)
        found[:] = [event for event in events if words in str(event["content"].get("body", ""))]
        return bool(found)

    await wait_until(has_come)
    return found[0]


async def test_who_reports_anonymously_talks_with_those_on_call(company: Company) -> None:
    """A room opens that nobody else can enter, words and answers pass through the bot, also over its death, a pinned
    message shows how it stands and closes it, and a search does not find it."""
    company.policy.write_text(POLICY + _REPORTS)
    await company.hire("mari")
    await company.hire("nora", title="Nurse", department="Care")
    await company.is_in("mari", {"square", "news", "department/Sales"})
    await company.is_in("nora", {"square", "news", "department/Care"})
    mari, nora = await company.client("mari"), await company.client("nora")
    before = await nora.joined_rooms()
    bot = company.homeserver.bot
    direct = await mari.create_room(preset="trusted_private_chat", is_direct=True, invite=[bot])
    await _said(mari, direct, "report <what> <what happened>")

    await mari.send(direct, "report accident the quokka fell off the rack")
    await _said(mari, direct, "Report 1 is open")

    async def has_been_called() -> bool:
        return bool(await nora.joined_rooms() - before)

    await wait_until(has_been_called)
    [room_id] = await nora.joined_rooms() - before
    summons = await _said(nora, room_id, "quokka")
    assert "mari" not in str(await nora.messages(room_id)).lower()
    assert await nora.members(room_id) == {bot, nora.user_id}
    assert (await nora.state(room_id, "m.room.join_rules"))["join_rule"] == "invite"

    async def is_pinned() -> bool:
        return bool(await company.pool.fetchval("SELECT bool_and(state = 'done') FROM outgoing WHERE act = 'pin'"))

    await wait_until(is_pinned)
    [status] = (await nora.state(room_id, "m.room.pinned_events"))["pinned"]

    await company.kill()
    await nora.react(room_id, summons["event_id"])
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": summons["event_id"]}}}
    await nora.send(room_id, "Where are you?", **reply)
    await mari.send(direct, "in hall 3")
    await company.start()
    assert (await _said(mari, direct, "Where are you?"))["content"]["body"].startswith("Nora answers:")
    await _said(nora, room_id, "in hall 3")
    await _said(nora, room_id, "Taken by Nora (1 of 1 needed).")

    await nora.react(room_id, status)
    await _said(mari, direct, "Report 1 was closed")
    listed = await company.muster("reports")
    assert listed.code == 0
    assert "accident" in listed.out
    found = await company.muster("archive", "search", "quokka")
    assert "Nothing was found." in found.out
    assert "more in direct rooms, which only a case opens" in found.out
