"""The lines at the head of a message that say how it is announced (pure).

`read_lines` makes of a text what is wanted, or raises `RefusedError` with the line and what was expected there. What a
text says in which language is divided here; what becomes of it is `announcing`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import NoReturn
from zoneinfo import ZoneInfo

from bridge.announcements.form import Form, Kind, problem_of
from bridge.announcements.language import SAID_TO_ALL
from bridge.announcements.values import Priority, Whom
from bridge.directory.expression import leaves
from bridge.directory.person import STANDARD_ATTRIBUTES
from bridge.directory.selector import Selector, all_of, parse
from bridge.errors import RefusedError, SelectorError
from bridge.policy.desk_section import TAG, TEMPLATE_KEY
from bridge.policy.schema import Desk, RuleId

HELP = """\
Write a message here and I show you a draft; nothing is announced before you react to it with ✅. ❌ drops it.
Lines at the head of the message say more:
!to department eq "Sales" – to these people, each in a room of their own
!to room news – only in this room of the desk
!urgent or !important – breaks quiet hours, or comes at once without ringing
!ack none – nobody is asked to acknowledge; !ack button – by a reaction, which is usual
!statement I have read the fire rules. – people confirm this sentence
!quiz Which gate is closed? | *Gate 4 | Gate 5 – who finds the right answer (*) has acknowledged
!survey Which day suits you? | Monday | Tuesday – a poll; without answers people write one
!anonymous – a survey whose answers are counted without names
!at 2027-01-04 08:00 – when it goes
!for 7d – how long it is current and pinned; !for ever – until it is ended by hand
!template NAME key=value – a text that the policy holds ready
!et on a line of its own begins the text in Estonian, !en in English, and so on
Edit your message and the announcement changes everywhere; !minor at its head: who has acknowledged needs not again.
Delete it, or reply to it with !retract, and it is taken back everywhere; reply with !end and it is over.\
"""
LONGEST_LEAD = timedelta(days=366)
"""An announcement is scheduled at most so far ahead."""

_HEAD = re.compile(r"!([a-z][A-Za-z0-9-]*)(?:[ \t]+(.*))?")
_PAIR = re.compile(r"""([a-z][a-z0-9_]*)=("[^"]*"|“[^”]*”|\S*)[ \t]*""")
_DURATION = re.compile(r"([0-9]{1,4})([mhdw])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


_BY_REACTION = Form()


@dataclass(frozen=True, slots=True)
class Setting:
    """What has to be known to read a message."""

    desk: Desk
    now: datetime
    zone: ZoneInfo
    """Of times that are written without one."""
    attributes: Sequence[str] = ()
    """The directory's custom ones, as they are spelt."""
    bounded: bool = True
    """Whether people are reached only within `desk.people`."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What a text says of itself, and what it says."""

    texts: Mapping[str, str]
    """Language → text; in none, `SAID_TO_ALL`, the only one."""
    whom: Whom | None = None
    priority: Priority = Priority.NORMAL
    form: Form = _BY_REACTION
    due_at: datetime | None = None
    lasts: timedelta | None = None
    """None: as long as the desk says."""
    endless: bool = False
    """Whether it lasts until it is ended by hand."""
    minor: bool = False
    plain: bool = False
    """Whether there were neither lines at the head nor languages: the message is as it was written."""


def read_lines(text: str, setting: Setting) -> Lines:
    """Return what a message wants; raises `RefusedError`, which names the line, its fault and what is known."""
    return _Reader(setting).read(text)


def language_of(typed: str, desk: Desk) -> str | None:
    """Return the language that a line such as `!et` names; None when it is no such line."""
    if not TAG.fullmatch(typed):
        return None
    if not desk.languages:
        return typed
    return next((tag for tag in desk.languages if tag.lower() == typed.lower()), None)


class _Reader:
    """Reads one message."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._where = ""
        self._given: set[str] = set()
        self._lines = Lines({})
        self._anonymous = False

    def read(self, text: str) -> Lines:
        lines, first = text.strip("\n").split("\n"), 1
        if (called := _template_call(lines)) is not None:
            lines, first = self._expanded(lines, called), 0
        at = self._read_head(lines, first)
        texts = self._divided(lines[at:], first + at)
        self._check()
        plain = not self._given and list(texts) == [SAID_TO_ALL]
        return replace(self._lines, texts=texts, plain=plain)

    # The head

    def _read_head(self, lines: Sequence[str], first: int) -> int:
        """Read the lines of the head and return how many there are."""
        for index, line in enumerate(lines):
            found = _HEAD.fullmatch(line.strip())
            if found is None and (line.strip() or not self._given):
                return index
            self._where = f"Line {first + index}" if first else "The template"
            if found is not None and not self._take(found[1], (found[2] or "").strip()):
                return index
        return len(lines)

    def _take(self, word: str, rest: str) -> bool:
        """Read a line of the head; False when it is not one but begins the text in a language."""
        if word not in _WORDS:
            if not rest and language_of(word, self._setting.desk):
                return False
            self._refuse_word(word)
        topic = _SAME.get(word, word)
        if topic in self._given:
            self._refuse(f"`!{word}` says again, or otherwise, what a line above it says")
        self._given.add(topic)
        _WORDS[word](self, rest)
        return True

    def _refuse_word(self, word: str) -> NoReturn:
        languages = self._setting.desk.languages
        known = [*_WORDS, "template", "help", *languages]
        near = get_close_matches(word, known, 1, 0.6)
        hint = f"did you mean `!{near[0]}`?" if near else "`!help` lists what there is"
        if TAG.fullmatch(word) and languages and not near:
            hint = f"this desk's languages are: {', '.join(languages)}"
        self._refuse(f"`!{word}` is not known; {hint}")

    def to(self, rest: str) -> None:
        """Read for whom it is."""
        room = re.fullmatch(r"rooms?[ \t]+(.+)", rest)
        whom = Whom(rooms=self._rooms(room[1])) if room else Whom(people=self._people(rest))
        self._lines = replace(self._lines, whom=whom)

    def _rooms(self, named: str) -> tuple[RuleId, ...]:
        rooms = tuple(dict.fromkeys(re.split(r"[,\s]+", named.strip(", "))))
        for room in rooms:
            if room not in self._setting.desk.rooms:
                self._refuse(f"this desk announces in: {', '.join(self._setting.desk.rooms)}; came `{room}`")
        return rooms

    def _people(self, rest: str) -> Selector:
        try:
            selector = parse(rest.translate(_QUOTES))
        except SelectorError as error:
            self._refuse(f'expected people such as department eq "Sales", or `room` and its name: {error.message}')
        known = {name.lower(): name for name in (*STANDARD_ATTRIBUTES, *self._setting.attributes)}
        for leaf in leaves(selector.root):
            if leaf.path not in known:
                near = get_close_matches(leaf.path, known, 1, 0.5)
                hint = f"did you mean `{known[near[0]]}`?" if near else "the directory has no such attribute"
                self._refuse(f"`{leaf.path}` is not known; {hint}")
        if not self._setting.bounded:
            return selector
        if self._setting.desk.people is None:
            self._refuse("this desk announces in rooms only, not to people")
        return all_of([selector, self._setting.desk.people])

    def urgent(self, rest: str) -> None:
        """Read that it breaks quiet hours."""
        self._nothing_after("urgent", rest)
        self._lines = replace(self._lines, priority=Priority.URGENT)

    def important(self, rest: str) -> None:
        """Read that it comes at once."""
        self._nothing_after("important", rest)
        self._lines = replace(self._lines, priority=Priority.IMPORTANT)

    def ack(self, rest: str) -> None:
        """Read whether it is acknowledged at all."""
        if rest not in (Kind.NONE, Kind.BUTTON):
            self._refuse(f"`!ack` is followed by none or button; came `{rest}`")
        self._ask(Form(kind=Kind(rest)))

    def statement(self, rest: str) -> None:
        """Read what people confirm."""
        self._ask(Form(kind=Kind.STATEMENT, statement=rest))

    def quiz(self, rest: str) -> None:
        """Read a question with one right answer, marked by `*`."""
        question, options = _divided(rest)
        right = [number for number, option in enumerate(options) if option.startswith("*")]
        if len(right) != 1:
            self._refuse("one answer of a quiz is marked as right: `!quiz Which gate? | *Gate 4 | Gate 5`")
        options = tuple(option.removeprefix("*").strip() for option in options)
        self._ask(Form(kind=Kind.QUIZ, question=question, options=options, right=right[0]))

    def survey(self, rest: str) -> None:
        """Read a question to vote on, or to answer in writing."""
        question, options = _divided(rest)
        self._ask(Form(kind=Kind.SURVEY, question=question, options=options))

    def anonymous(self, rest: str) -> None:
        """Read that a survey's answers are counted without names."""
        self._nothing_after("anonymous", rest)
        self._anonymous = True

    def _ask(self, form: Form) -> None:
        if (problem := problem_of(form)) is not None:
            self._refuse(problem.rstrip("."))
        self._lines = replace(self._lines, form=form)

    def at(self, rest: str) -> None:
        """Read when it goes."""
        try:
            written = datetime.fromisoformat(rest)
        except ValueError:
            self._refuse(f"`!at` is followed by a day and a time such as 2027-01-04 08:00; came `{rest}`")
        if ":" not in rest:
            self._refuse(f"`!at` is followed by a time too, such as {rest} 08:00")
        local = written if written.tzinfo is not None else written.replace(tzinfo=self._setting.zone)
        due_at = local.astimezone(UTC)
        if due_at.astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None):
            self._refuse(f"there is no {rest} in {self._setting.zone.key}: the clocks are put forward then")
        if not self._setting.now < due_at <= self._setting.now + LONGEST_LEAD:
            now = self._setting.now.astimezone(self._setting.zone)
            self._refuse(f"{rest} is past or more than a year ahead; it is {now:%Y-%m-%d %H:%M} in {now.tzinfo} now")
        self._lines = replace(self._lines, due_at=due_at)

    def lasting(self, rest: str) -> None:
        """Read how long it is current."""
        if rest in ("ever", "forever"):
            self._lines = replace(self._lines, endless=True)
            return
        found = _DURATION.fullmatch(rest)
        if found is None or not int(found[1]):
            self._refuse(f"`!for` is followed by a duration such as 90m, 12h, 7d or 2w, or by ever; came `{rest}`")
        self._lines = replace(self._lines, lasts=int(found[1]) * _UNITS[found[2]])

    def minor(self, rest: str) -> None:
        """Read that an edit changes nothing that had to be acknowledged."""
        self._nothing_after("minor", rest)
        self._lines = replace(self._lines, minor=True)

    def template(self, _: str) -> NoReturn:
        """Refuse a template that is not called for by the first line."""
        self._refuse("`!template` stands in the first line of a message, and in no template")

    def _nothing_after(self, word: str, rest: str) -> None:
        if rest:
            self._refuse(f"nothing follows `!{word}` on its line; came `{rest}`")

    def _check(self) -> None:
        if self._anonymous:
            form = replace(self._lines.form, anonymous=True)
            if (problem := problem_of(form)) is not None:
                raise RefusedError(f"`!anonymous`: {problem}")
            self._lines = replace(self._lines, form=form)

    # The texts

    def _divided(self, lines: Sequence[str], first: int) -> dict[str, str]:
        """Return the text of each language."""
        found: dict[str, list[str]] = {SAID_TO_ALL: []}
        language = SAID_TO_ALL
        for index, line in enumerate(lines):
            typed = line.strip()
            tag = language_of(typed[1:], self._setting.desk) if typed.startswith("!") else None
            if tag is None:
                found[language].append(line)
                continue
            self._where = f"Line {first + index}" if first else "The template"
            if tag in found:
                self._refuse(f"the text in `{tag}` has begun already")
            if language == SAID_TO_ALL and "".join(found[SAID_TO_ALL]).strip():
                self._refuse(f"say in which language the text above `!{tag}` is, by a line such as !en before it")
            language, found[tag] = tag, []
        texts = {tag: "\n".join(said).strip("\n") for tag, said in found.items() if said or tag}
        if len(texts) > 1:
            texts.pop(SAID_TO_ALL, None)
        for tag, said in texts.items():
            if tag and not said.strip():
                raise RefusedError(f"There is no text after `!{tag}`; nothing is announced.")
        return texts or {SAID_TO_ALL: ""}

    # Templates

    def _expanded(self, lines: Sequence[str], called: str) -> list[str]:
        """Return the lines of the template that the first line calls for, filled in."""
        self._where = "Line 1"
        name, _, rest = called.partition(" ")
        templates = self._setting.desk.templates
        if name not in templates:
            near = get_close_matches(name, templates, 1, 0.5)
            known = f"there are: {', '.join(templates)}" if templates else "this desk has none"
            self._refuse(f"there is no template `{name}`; {f'did you mean `{near[0]}`?' if near else known}")
        given = self._pairs(rest.strip())
        text = "\n".join(lines[1:]).strip("\n")
        wanted = dict.fromkeys(TEMPLATE_KEY.findall(templates[name]))
        if text and "text" in wanted:
            given = {"text": text, **given}
        elif text:
            self._refuse(f"nothing follows the template `{name}`: it has no place for a text, `{{text}}`")
        if missing := [key for key in wanted if key not in given]:
            self._refuse(f"the template `{name}` also wants {', '.join(f'{key}=…' for key in missing)}")
        if strange := [key for key in given if key not in wanted]:
            self._refuse(f"the template `{name}` has no {', '.join(strange)}; it has: {', '.join(wanted) or 'no keys'}")
        return TEMPLATE_KEY.sub(lambda key: given[key[1]], templates[name]).strip("\n").split("\n")

    def _pairs(self, rest: str) -> dict[str, str]:
        found, at = {}, 0
        while at < len(rest):
            pair = _PAIR.match(rest, at)
            if pair is None:
                self._refuse(f'expected key=value or key="more words", came `{rest[at:]}`')
            found[pair[1]], at = pair[2].strip('"“”'), pair.end()
        return found

    def _refuse(self, problem: str) -> NoReturn:
        raise RefusedError(f"{self._where}: {problem}. Nothing is announced.")


def _template_call(lines: Sequence[str]) -> str | None:
    found = _HEAD.fullmatch(lines[0].strip())
    return (found[2] or "").strip() if found is not None and found[1] == "template" else None


def _divided(rest: str) -> tuple[str, tuple[str, ...]]:
    question, *options = (part.strip() for part in rest.split("|"))
    return question, tuple(options)


_WORDS: dict[str, Callable[[_Reader, str], None]] = {
    "to": _Reader.to,
    "urgent": _Reader.urgent,
    "important": _Reader.important,
    "ack": _Reader.ack,
    "statement": _Reader.statement,
    "quiz": _Reader.quiz,
    "survey": _Reader.survey,
    "anonymous": _Reader.anonymous,
    "at": _Reader.at,
    "for": _Reader.lasting,
    "minor": _Reader.minor,
    "template": _Reader.template,
}
_SAME = {"important": "urgent", "statement": "ack", "quiz": "ack", "survey": "ack"}
"""Words of which a message has one."""
_QUOTES = str.maketrans("“”„«»", '"""""')
"""Phones write quotation marks of their own."""
