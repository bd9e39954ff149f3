"""Everything about one event, on a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bridge.archive.ingest import ingest
from bridge.archive.show import show
from bridge.archive.store import snapshot
from bridge.directory.intake import import_csv
from bridge.ids import EventId, UserId
from bridge.membership.called import called
from tests.integration.archive.test_scope import member, word
from tests.integration.archive.test_search import edited, redacted
from tests.unit.archive.test_batch import an_event

if TYPE_CHECKING:
    from bridge.database import Pool

SAID = EventId("$said")


def related(event_id: str, relation: dict[str, Any], sender: str = "@mari:x", **fields: Any) -> dict[str, Any]:
    """Return a message or reaction that is about another event."""
    kind = "m.reaction" if relation.get("rel_type") == "m.annotation" else "m.room.message"
    content = {"body": "yes", "m.relates_to": relation}
    return an_event(event_id, type=kind, sender=sender, content=content, room_id="!a", **fields)


async def test_everything_about_a_message_is_shown(pool: Pool) -> None:
    """Original, edits with who took them back, reactions with those taken back, answers, thread and audience."""
    like = {"rel_type": "m.annotation", "event_id": SAID, "key": "👍"}
    await ingest(
        pool,
        [
            member("$in", "join", 1),
            word(SAID, 2),
            edited("$edit", SAID, "better", sender="@boss:x", room_id="!a"),
            edited("$foreign", SAID, "forged", sender="@mari:x", room_id="!a"),
            redacted("$undo", "$edit", sender="@boss:x", room_id="!a"),
            related("$like", like),
            related("$gone", like, sender="@k:x"),
            redacted("$unlike", "$gone", sender="@k:x", room_id="!a"),
            related("$answer", {"m.in_reply_to": {"event_id": SAID}}),
            related("$thread", {"rel_type": "m.thread", "event_id": SAID, "m.in_reply_to": {"event_id": SAID}}),
            related(
                "$older",
                {
                    "rel_type": "m.thread",
                    "event_id": SAID,
                    "is_falling_back": True,
                    "m.in_reply_to": {"event_id": SAID},
                },
            ),
            related("$elsewhere", like) | {"room_id": "!b"},
            member("$late", "join", 20, user="@late:x"),
        ],
    )
    story = await show(pool, SAID)
    assert [(edit.event.event_id, edit.redaction and edit.redaction.event_id) for edit in story.edits] == [
        ("$edit", "$undo")
    ]
    reactions = [(one.key, one.version.event.event_id, one.version.redaction is not None) for one in story.reactions]
    assert reactions == [("👍", "$like", False), ("👍", "$gone", True)]
    assert story.replies == ("$answer", "$thread")
    assert story.thread == ("$thread", "$older")
    assert story.audience is not None
    assert story.audience.then == ("@mari:x",)
    assert [late.user_id for late in story.audience.later] == ["@late:x"]


async def test_a_moment_beyond_all_calendars_is_shown(pool: Pool) -> None:
    """What a sender's server says about the time may be anything; then it counts when it arrived."""
    await ingest(pool, [an_event("$far", origin_server_ts=2**53 - 1), an_event("$never", origin_server_ts=-1)])
    for event_id in ("$far", "$never"):
        story = await show(pool, EventId(event_id))
        assert story.sent_at == story.received_at


async def test_people_are_called_as_they_were_then(pool: Pool) -> None:
    """Name and department are those of the moment; whom the directory did not know is left out."""
    await import_csv(pool, b"userName,displayName,department\nmari,Mari Tamm,Sales\n", "hr.csv")
    person = await pool.fetchval("SELECT id FROM scim_resource")
    await pool.execute(
        "INSERT INTO account (user_id, person_id, display_name, enabled) VALUES ('@mari:x', $1, 'M', true)", person
    )
    before = datetime.now(UTC)
    await import_csv(pool, b"userName,displayName,department\nmari,Mari Kask,Finance\n", "hr.csv")
    users = [UserId("@mari:x"), UserId("@guest:y")]
    async with snapshot(pool) as db:
        assert await called(db, users, before, "UTC") == {"@mari:x": "Mari Tamm (Sales)"}
        assert await called(db, users, datetime.now(UTC), "UTC") == {"@mari:x": "Mari Kask (Finance)"}
        assert await called(db, users, datetime(2020, 1, 1, tzinfo=UTC), "UTC") == {}
