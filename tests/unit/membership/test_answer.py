"""What counts as an administrator's answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.homeserver.event import Event
from bridge.ids import EventId
from bridge.membership.answer import Answer, answer_of

QUESTION = EventId("$question")


def said(body: str, **more: Any) -> Event:
    return _event("m.room.message", {"msgtype": "m.text", "body": body, **more})


def reaction(key: str) -> Event:
    return _event("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": str(QUESTION), "key": key}})


def _event(kind: str, content: dict[str, Any]) -> Event:
    return Event.of({"type": kind, "event_id": "$answer", "room_id": "!r", "sender": "@eve:x", "content": content})


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("!approve 3F9c21d07a55", Answer(True, "3f9c21d07a55")),
        (" !Approve  3f9c21d07a55 ", Answer(True, "3f9c21d07a55")),
        ("!reject 3f9c21d07a55", Answer(False, "3f9c21d07a55")),
        ("> <@muster:x> Muster holds back\n\n!approve 3f9c21d07a55", Answer(True, "3f9c21d07a55")),
        ("!approve", Answer(True)),
        ("shall we !approve 3f9c21d07a55", None),
        ("!approve 3f9c21d07a55 or not?", None),
        ("!approved 3f9c21d07a55", None),
        ("no", None),
    ],
)
def test_only_the_whole_command_is_an_answer(body: str, answer: Answer | None) -> None:
    """A message answers when it is exactly the command; talking about it does not."""
    assert answer_of(said(body)) == answer


def test_a_reply_without_a_digest_answers_the_question() -> None:
    """`!approve` as a reply is about the message that is replied to."""
    reply = said("!approve", **{"m.relates_to": {"m.in_reply_to": {"event_id": QUESTION}}})
    assert answer_of(reply) == Answer(True, question=QUESTION)


def test_reactions_answer_the_question() -> None:
    """A check mark is a yes and a cross a no, as every client writes them; other reactions are talk."""
    assert answer_of(reaction("✅")) == answer_of(reaction("✅\ufe0f")) == Answer(True, question=QUESTION)
    assert answer_of(reaction("❌")) == Answer(False, question=QUESTION)
    assert answer_of(reaction("👍")) is None


def test_an_edit_is_no_answer() -> None:
    """What was written first counts; nobody turns talk into an approval afterwards."""
    assert answer_of(said("!approve 3f9c21d07a55", **{"m.relates_to": {"rel_type": "m.replace"}})) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda below: (
        st.lists(below, max_size=2)
        | st.dictionaries(
            st.sampled_from(["m.relates_to", "m.in_reply_to", "event_id", "key", "body", "msgtype"]), below
        )
    ),
    max_leaves=8,
)


@given(st.sampled_from(["m.reaction", "m.room.message"]), _JSON)
def test_no_event_whatever_its_shape_is_an_error(kind: str, content: Any) -> None:
    """Anybody in the room can send anything."""
    answer_of(Event.of({"type": kind, "content": content}))
