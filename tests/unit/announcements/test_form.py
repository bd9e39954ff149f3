"""What an announcement asks, and what counts as an answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.form import (
    AGREED,
    HELP,
    LANGUAGES,
    POLL_START,
    SAFE,
    Form,
    Kind,
    answer_of,
    answered_event,
    counts,
    poll_of,
    problem_of,
    request_of,
)
from bridge.homeserver.event import Event

QUIZ = Form(Kind.QUIZ, question="Where do we meet?", options=("Gate A", "Car park"), right=1)
SURVEY = Form(Kind.SURVEY, question="Canteen?", options=("Yes", "No"), anonymous=True)
OPEN = Form(Kind.SURVEY, question="What do you need?")
STATEMENT = Form(Kind.STATEMENT, statement="I have read {everything}.")
FORMS = (Form(Kind.NONE), Form(), STATEMENT, QUIZ, SURVEY, OPEN, Form(Kind.SAFETY))


def _event(kind: str, content: dict[str, Any], state_key: str | None = None) -> Event:
    raw = {"event_id": "$answer", "room_id": "!room", "type": kind, "content": content}
    return Event.of(raw if state_key is None else {**raw, "state_key": state_key})


def _reaction(key: object) -> Event:
    return _event("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$copy", "key": key}})


def _vote(chosen: object) -> Event:
    relation = {"rel_type": "m.reference", "event_id": "$poll"}
    return _event(
        "org.matrix.msc3381.poll.response",
        {"m.relates_to": relation, "org.matrix.msc3381.poll.response": {"answers": chosen}},
    )


def _stable_vote(chosen: object) -> Event:
    relation = {"rel_type": "m.reference", "event_id": "$poll"}
    return _event("m.poll.response", {"m.relates_to": relation, "m.selections": chosen})


def _reply(body: object, relation: dict[str, Any] | None = None) -> Event:
    relation = relation or {"m.in_reply_to": {"event_id": "$copy"}}
    return _event("m.room.message", {"msgtype": "m.text", "body": body, "m.relates_to": relation})


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.kind)
def test_a_form_is_read_back_as_it_was_stored(form: Form) -> None:
    """What is stored of a form says all of it."""
    assert Form.of_json(form.as_json()) == form


def test_a_button_is_stored_as_the_default_of_the_table() -> None:
    """An announcement of before forms existed asks for a reaction."""
    assert Form().as_json() == {"kind": "button"}


@pytest.mark.parametrize("key", ["✅", "👍", "no!"])
def test_any_reaction_presses_the_button(key: str) -> None:
    """Whatever the emoji, somebody who reacts has seen it; the emoji is the answer."""
    assert answer_of(Form(), _reaction(key)) == key


def test_a_reaction_without_a_key_presses_the_button_too() -> None:
    """A client that leaves the emoji out still acknowledges."""
    assert answer_of(Form(), _reaction(None)) == ""


@pytest.mark.parametrize("key", ["✅", "✅\ufe0f", "✔\ufe0f", "☑\ufe0f"])
def test_a_statement_is_agreed_to_with_a_check_mark(key: str) -> None:
    """Clients send the check mark with or without the variation selector."""
    assert answer_of(STATEMENT, _reaction(key)) == AGREED


@pytest.mark.parametrize("key", ["👎", "👍", "❌", "", None])
def test_a_statement_is_agreed_to_with_nothing_else(key: str | None) -> None:
    """Agreeing is explicit: 👎 under a statement is no signature."""
    assert answer_of(STATEMENT, _reaction(key)) is None


def test_a_statement_is_not_agreed_to_in_writing() -> None:
    """A reply may as well say no."""
    assert answer_of(STATEMENT, _reply("I do not agree")) is None


@pytest.mark.parametrize("vote", [_vote, _stable_vote])
def test_a_vote_answers_with_the_text_of_its_option(vote: Any) -> None:
    """Both forms of a vote are read: clients send the unstable one still."""
    assert answer_of(QUIZ, vote(["1"])) == "Car park"


@pytest.mark.parametrize("chosen", [[], ["7"], [1], "1", None, [None], ["-1"], ["01"]])
@pytest.mark.parametrize("vote", [_vote, _stable_vote])
def test_a_spoiled_vote_is_no_answer(vote: Any, chosen: object) -> None:
    """Nothing selected, or something that was not on offer, is no vote (MSC3381)."""
    assert answer_of(QUIZ, vote(chosen)) is None


def test_a_reaction_does_not_answer_a_poll() -> None:
    """What is asked is the question."""
    assert answer_of(QUIZ, _reaction("✅")) is None
    assert answer_of(SURVEY, _reaction("✅")) is None


def test_a_vote_does_not_answer_what_is_no_poll() -> None:
    """A made-up vote under an announcement with a button is nothing."""
    assert answer_of(Form(), _vote(["0"])) is None
    assert answer_of(OPEN, _vote(["0"])) is None


def test_a_quiz_counts_when_it_is_right() -> None:
    """A wrong answer is an answer and no acknowledgement; of any other form every answer counts."""
    assert counts(QUIZ, "Car park")
    assert not counts(QUIZ, "Gate A")
    assert counts(SURVEY, "No")
    assert counts(Form(), "👍")


@pytest.mark.parametrize(
    ("event", "answer"),
    [(_reaction("✅"), SAFE), (_reaction("🆘"), HELP), (_vote([SAFE]), SAFE), (_vote([HELP]), HELP)],
)
def test_a_roll_call_is_answered_by_reaction_or_vote(event: Event, answer: str) -> None:
    """I am safe, or I need help: by whichever the person finds first."""
    assert answer_of(Form(Kind.SAFETY), event) == answer


@pytest.mark.parametrize("event", [_reaction("👍"), _vote(["0"]), _reply("safe")])
def test_a_roll_call_is_answered_by_nothing_else(event: Event) -> None:
    """Who means 👍 may not be safe: only what was offered counts."""
    assert answer_of(Form(Kind.SAFETY), event) is None


def test_a_reply_answers_in_writing() -> None:
    """A written answer is kept without the quote that old clients put before it."""
    assert answer_of(OPEN, _reply("> <@bot:x> What do you need?\n> Really\n\nA chair\n> quoted")) == "A chair\n> quoted"
    assert answer_of(Form(), _reply("Understood")) == "Understood"


@pytest.mark.parametrize("body", ["", "  \n", None, 7])
def test_an_empty_reply_is_no_answer(body: object) -> None:
    """Nothing was written."""
    assert answer_of(OPEN, _reply(body)) is None


@pytest.mark.parametrize(
    ("event", "target"),
    [
        (_reaction("✅"), "$copy"),
        (_vote(["0"]), "$poll"),
        (_reply("x"), "$copy"),
        (_reply("x", {"rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": {"event_id": "$other"}}), "$root"),
        (_reply("x", {"rel_type": "m.replace", "event_id": "$copy"}), None),
        (_reply("x", {"m.in_reply_to": "$copy"}), None),
        (_event("m.room.message", {"body": "x"}), None),
        (_event("m.poll.response", {"m.relates_to": {"rel_type": "m.annotation", "event_id": "$poll"}}), None),
        (_event("m.room.topic", {"m.relates_to": {"rel_type": "m.reference", "event_id": "$copy"}}, ""), None),
    ],
)
def test_an_answer_names_what_it_answers(event: Event, target: str | None) -> None:
    """Reactions, votes, replies and threads each refer in their own way; an edit of an answer is none."""
    assert answered_event(event) == target


@given(st.sampled_from(FORMS), st.dictionaries(st.text(max_size=5), st.integers() | st.text() | st.none()))
def test_no_content_makes_an_answer_fail(form: Form, content: dict[str, Any]) -> None:
    """Anybody can send an event of any shape."""
    for kind in ("m.reaction", "m.room.message", "m.poll.response", "org.matrix.msc3381.poll.response"):
        for relation in (content, {"m.relates_to": content, "org.matrix.msc3381.poll.response": content}):
            event = _event(kind, relation)
            answered_event(event)
            answer = answer_of(form, event)
            assert answer is None or "\x00" not in answer


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.kind)
@pytest.mark.parametrize("language", [*LANGUAGES, "de-CH", "th", ""])
def test_every_form_is_asked_for_in_every_language(form: Form, language: str) -> None:
    """A line asks for the answer, with the question and the statement in it; only what asks nothing has none."""
    line = request_of(form, language)
    assert bool(line) == (form.kind != Kind.NONE)
    assert form.question in line
    assert form.statement in line
    assert "{" not in line.replace("{everything}", "")


def test_a_language_without_words_is_asked_in_english() -> None:
    """Whoever reads Thai gets a line that most can read."""
    assert request_of(Form(), "th") == request_of(Form(), "en") != request_of(Form(), "de")
    assert request_of(Form(), "de-CH") == request_of(Form(), "de")


def test_a_poll_offers_every_option_once() -> None:
    """The unstable type is sent, because Element draws only that; results stay hidden till the end."""
    poll = poll_of(QUIZ)
    assert poll is not None
    start = poll[POLL_START]
    assert [answer["org.matrix.msc1767.text"] for answer in start["answers"]] == ["Gate A", "Car park"]
    assert start["question"]["body"] == "Where do we meet?"
    assert start["kind"].endswith("undisclosed")
    assert start["max_selections"] == 1
    assert "Car park" in poll["org.matrix.msc1767.text"]


@pytest.mark.parametrize("form", [form for form in FORMS if form.is_poll], ids=lambda form: form.kind)
def test_every_option_of_a_poll_can_be_voted_for(form: Form) -> None:
    """The IDs that the poll offers are those that votes are read by."""
    poll = poll_of(form, "Are you safe?", "de")
    assert poll is not None
    answers = [answer_of(form, _vote([offered["id"]])) for offered in poll[POLL_START]["answers"]]
    assert None not in answers
    assert len(set(answers)) == len(answers) == 2


def test_what_is_no_poll_has_none() -> None:
    """A button, a statement and a question answered in writing are asked for in the text alone."""
    assert [poll_of(form) for form in (Form(Kind.NONE), Form(), STATEMENT, OPEN)] == [None] * 4


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.kind)
def test_a_whole_form_has_no_problem(form: Form) -> None:
    """Every kind can be asked."""
    assert problem_of(form) is None


@pytest.mark.parametrize(
    ("form", "word"),
    [
        (Form(Kind.STATEMENT), "text"),
        (Form(Kind.QUIZ, options=("a", "b"), right=0), "question"),
        (Form(Kind.QUIZ, question="?", options=("a", "b")), "right option"),
        (Form(Kind.QUIZ, question="?", options=("a", "b"), right=2), "right option"),
        (Form(Kind.QUIZ, question="?", options=("a",), right=0), "2 to 20"),
        (Form(Kind.SURVEY, question="?", options=("a", "a ")), "own"),
        (Form(Kind.SURVEY, question="?", options=("a", "")), "own"),
        (Form(Kind.SURVEY, question="?", options=tuple(map(str, range(21)))), "21"),
        (Form(Kind.BUTTON, anonymous=True), "anonymous"),
    ],
)
def test_a_form_that_cannot_be_asked_says_why(form: Form, word: str) -> None:
    """Whoever wrote it is told what is missing."""
    assert word in (problem_of(form) or "")
