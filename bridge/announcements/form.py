"""What an announcement asks of those it is for, and what counts as an answer (pure).

A button is any reaction or a written reply; a statement is agreed to with ✅; a quiz and a survey are polls; a survey
without options is answered in writing; a roll call (safety) is answered with ✅ or 🆘 or in its poll. Where the poll is
sent and what becomes of an answer is left to others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from bridge.announcements.tracking import acknowledged_event, valid_event_id
from bridge.homeserver.event import Event
from bridge.ids import EventId

POLL_START = "org.matrix.msc3381.poll.start"
"""The stable `m.poll.start` is drawn blank by Element Web 1.12."""
VOTES = ("org.matrix.msc3381.poll.response", "m.poll.response")
ANSWERS = ("m.reaction", "m.room.message", *VOTES)
"""The types of the events that may be an answer."""
SAFE, HELP = "safe", "help"
"""The answers to a roll call."""
AGREED = "agreed"
"""The answer to a statement."""
MOST_OPTIONS = 20
"""MSC3381: later answers of a poll are cut off by clients."""
LONGEST_ANSWER = 2_000
"""Characters of a written answer that are kept."""

_TEXT = "org.matrix.msc1767.text"
_CHECKS = frozenset("✅✔☑")
_REPLY_QUOTE = re.compile(r"\A(?:> [^\n]*\n)+\n?")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_REQUESTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "button": "React with ✅ to acknowledge.",
        "statement": "React with ✅ to confirm: “{statement}”",
        "quiz": "Answer the question below to acknowledge: {question}",
        "survey": "Please vote below: {question}",
        "written": "Please reply to this message with your answer: {question}",
        "safety": "React with ✅ if you are safe, with 🆘 if you need help.",
        "anonymous": "Muster counts the answers without names; in a room, others may see who voted.",
        SAFE: "I am safe",
        HELP: "I need help",
    },
    "de": {
        "button": "Bitte mit ✅ reagieren, um den Empfang zu bestätigen.",
        "statement": "Bitte mit ✅ bestätigen: „{statement}“",
        "quiz": "Bitte zur Bestätigung die Frage unten beantworten: {question}",
        "survey": "Bitte unten abstimmen: {question}",
        "written": "Bitte auf diese Nachricht antworten: {question}",
        "safety": "Bitte mit ✅ reagieren, wenn Sie in Sicherheit sind, mit 🆘, wenn Sie Hilfe brauchen.",
        "anonymous": "Muster zählt die Antworten ohne Namen; im Raum sehen andere vielleicht, wer abgestimmt hat.",
        SAFE: "Ich bin in Sicherheit",
        HELP: "Ich brauche Hilfe",
    },
    "fr": {
        "button": "Réagissez avec ✅ pour confirmer la lecture.",
        "statement": "Réagissez avec ✅ pour confirmer : « {statement} »",
        "quiz": "Répondez à la question ci-dessous pour confirmer la lecture : {question}",
        "survey": "Merci de voter ci-dessous : {question}",
        "written": "Merci de répondre à ce message : {question}",
        "safety": "Réagissez avec ✅ si vous êtes en sécurité, avec 🆘 si vous avez besoin d’aide.",
        "anonymous": "Muster compte les réponses sans les noms ; dans un salon, d’autres peuvent voir qui a voté.",
        SAFE: "Je suis en sécurité",
        HELP: "J’ai besoin d’aide",
    },
    "es": {
        "button": "Reaccione con ✅ para confirmar la lectura.",
        "statement": "Reaccione con ✅ para confirmar: «{statement}»",
        "quiz": "Responda a la pregunta de abajo para confirmar la lectura: {question}",
        "survey": "Vote abajo, por favor: {question}",
        "written": "Responda a este mensaje, por favor: {question}",
        "safety": "Reaccione con ✅ si está a salvo, con 🆘 si necesita ayuda.",
        "anonymous": "Muster cuenta las respuestas sin nombres; en una sala, otros pueden ver quién ha votado.",
        SAFE: "Estoy a salvo",
        HELP: "Necesito ayuda",
    },
}
LANGUAGES = tuple(_REQUESTS)
"""The languages in which Muster can ask; any other is asked in English."""


class Kind(StrEnum):
    """How an announcement is acknowledged."""

    NONE = "none"
    BUTTON = "button"
    STATEMENT = "statement"
    QUIZ = "quiz"
    SURVEY = "survey"
    SAFETY = "safety"


@dataclass(frozen=True, slots=True)
class Form:
    """What an announcement asks."""

    kind: Kind = Kind.BUTTON
    question: str = ""
    """Of a quiz or a survey."""
    options: tuple[str, ...] = ()
    """Of a quiz or a survey; a survey without any is answered in writing."""
    right: int | None = None
    """The position of the right option of a quiz, from 0."""
    statement: str = ""
    """What is agreed to."""
    anonymous: bool = False
    """Of a survey: answers are counted and not kept with the person."""

    def as_json(self) -> dict[str, Any]:
        """Return the form as it is stored; what is empty is left out."""
        wanted = {
            "question": self.question,
            "options": list(self.options),
            "right": self.right,
            "statement": self.statement,
            "anonymous": self.anonymous,
        }
        return {
            "kind": self.kind.value,
            **{key: value for key, value in wanted.items() if value not in ("", [], None, False)},
        }

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote."""
        return cls(
            kind=Kind(stored["kind"]),
            question=stored.get("question", ""),
            options=tuple(stored.get("options", ())),
            right=stored.get("right"),
            statement=stored.get("statement", ""),
            anonymous=stored.get("anonymous", False),
        )

    @property
    def is_poll(self) -> bool:
        """Whether a poll is sent beside the text."""
        return self.kind == Kind.SAFETY or (self.kind in (Kind.QUIZ, Kind.SURVEY) and bool(self.options))


def problem_of(form: Form) -> str | None:
    """Return what is wrong with a form that somebody wrote, as a sentence; None when it can be asked."""
    if form.kind == Kind.STATEMENT and not form.statement.strip():
        return "A statement needs the text that people agree to."
    if form.anonymous and form.kind != Kind.SURVEY:
        return "Only a survey can be anonymous; what is acknowledged is known by name."
    if form.kind not in (Kind.QUIZ, Kind.SURVEY):
        return None
    if not form.question.strip():
        return f"A {form.kind} needs a question."
    return _problem_of_options(form)


def _problem_of_options(form: Form) -> str | None:
    count = len(form.options)
    if form.kind == Kind.SURVEY and count == 0:
        return None
    if not 2 <= count <= MOST_OPTIONS:
        return f"A {form.kind} needs 2 to {MOST_OPTIONS} options; this one has {count}."
    if len({option.strip() for option in form.options}) < count or not all(option.strip() for option in form.options):
        return "Each option needs a text of its own."
    if form.kind == Kind.QUIZ and (form.right is None or not 0 <= form.right < count):
        return f"A quiz needs its right option, 1 to {count}."
    return None


def request_of(form: Form, language: str = "") -> str:
    """Return the line that asks for the acknowledgement in the language (RFC 5646, such as `de-CH`); none: empty."""
    if form.kind == Kind.NONE:
        return ""
    words = _words(language)
    written = form.kind == Kind.SURVEY and not form.options
    line = words["written" if written else form.kind.value]
    # replaced and not formatted: a statement may well contain braces
    line = line.replace("{statement}", form.statement).replace("{question}", form.question)
    return f"{line} {words['anonymous']}" if form.anonymous else line


def poll_of(form: Form, text: str = "", language: str = "") -> dict[str, Any] | None:
    """Return the content of the `POLL_START` event to send beside the text, None when the form is no poll.

    `text` is asked when the form has no question of its own (a roll call). Results stay hidden (undisclosed) until the
    poll is over, so that the first answers do not lead the others (MSC3381).
    """
    if not form.is_poll:
        return None
    question = form.question or text
    answers = _options(form, language)
    return {
        POLL_START: {
            "kind": "org.matrix.msc3381.poll.undisclosed",
            "max_selections": 1,
            "question": {_TEXT: question, "body": question, "msgtype": "m.text"},
            "answers": [{"id": key, _TEXT: shown} for key, shown in answers],
        },
        _TEXT: "\n".join([question, *(f"{number}. {shown}" for number, (_, shown) in enumerate(answers, 1))]),
        "m.mentions": {},
    }


def answered_event(event: Event) -> EventId | None:
    """Return the event that a reaction, a vote or a written answer refers to; None for any other event.

    A reply names it in `m.in_reply_to`; in a thread it is the thread's root (spec "Rich replies", "Threading").
    """
    if event.type == "m.reaction":
        return acknowledged_event(event)
    relation = event.content.get("m.relates_to")
    if not isinstance(relation, dict):
        return None
    if event.type in VOTES:
        return valid_event_id(relation.get("event_id")) if relation.get("rel_type") == "m.reference" else None
    if event.type != "m.room.message" or event.state_key is not None:
        return None
    if relation.get("rel_type") == "m.thread":
        return valid_event_id(relation.get("event_id"))
    reply = relation.get("m.in_reply_to")
    return valid_event_id(reply.get("event_id")) if isinstance(reply, dict) and "rel_type" not in relation else None


def answer_of(form: Form, event: Event) -> str | None:
    """Return the answer that an event gives to the form, None when it gives none.

    The event is taken to refer to the announcement or to its poll (`answered_event`). Of a button the emoji or what was
    written; of a statement `AGREED`; of a poll the option's text; of a roll call `SAFE` or `HELP`. A vote with nothing
    selected, or with something that was not on offer, is spoiled (MSC3381).
    """
    if form.kind == Kind.NONE:
        return None
    if event.type in VOTES:
        return _voted(form, event)
    if event.type == "m.reaction":
        return _reacted(form, event)
    writable = form.kind == Kind.BUTTON or (form.kind == Kind.SURVEY and not form.options)
    return _written(event) if writable and event.type == "m.room.message" else None


def counts(form: Form, answer: str) -> bool:
    """Tell whether the answer acknowledges: of a quiz only the right one does."""
    return form.kind != Kind.QUIZ or (form.right is not None and answer == form.options[form.right])


def _words(language: str) -> Mapping[str, str]:
    return _REQUESTS.get(language.lower().replace("_", "-").split("-")[0], _REQUESTS["en"])


def _options(form: Form, language: str) -> list[tuple[str, str]]:
    """Return the options of the poll: the ID in its votes, and what is shown."""
    if form.kind == Kind.SAFETY:
        return [(key, _words(language)[key]) for key in (SAFE, HELP)]
    return [(str(number), option) for number, option in enumerate(form.options)]


def _voted(form: Form, event: Event) -> str | None:
    response = event.content.get(VOTES[0])
    chosen = response.get("answers") if isinstance(response, dict) else event.content.get("m.selections")
    first = chosen[0] if isinstance(chosen, list) and chosen else None
    if not form.is_poll or not isinstance(first, str):
        return None
    if form.kind == Kind.SAFETY:
        return first if first in (SAFE, HELP) else None
    return next((option for number, option in enumerate(form.options) if str(number) == first), None)


def _reacted(form: Form, event: Event) -> str | None:
    relation = event.content.get("m.relates_to")
    key = relation.get("key") if isinstance(relation, dict) else None
    # clients add the variation selector or not
    emoji = _UNSTORABLE.sub("", key).replace("\ufe0f", "")[:100] if isinstance(key, str) else ""
    match form.kind:
        case Kind.BUTTON:
            return emoji
        case Kind.STATEMENT:
            return AGREED if emoji in _CHECKS else None
        case Kind.SAFETY:
            return SAFE if emoji in _CHECKS else HELP if emoji == "🆘" else None
        case _:
            return None


def _written(event: Event) -> str | None:
    body = event.content.get("body")
    if not isinstance(body, str):
        return None
    return _UNSTORABLE.sub("", _REPLY_QUOTE.sub("", body)).strip()[:LONGEST_ANSWER] or None
