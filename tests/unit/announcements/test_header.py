"""The lines at the head of a message say how it is announced; what is wrong is refused with its line."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.announcements.form import Form, Kind
from bridge.announcements.header import HELP, Lines, Setting, read_lines
from bridge.announcements.language import SAID_TO_ALL
from bridge.announcements.values import Priority
from bridge.directory.selector import parse
from bridge.errors import RefusedError
from bridge.policy.schema import Desk

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVERYONE = parse("active eq true")
DESK = Desk(
    id="desk",
    name="Desk",
    posters=EVERYONE,
    rooms=("news", "drivers"),
    people=parse('department ne "Board"'),
    templates={"gate": "!important\n!en\nGate {gate} is {state}.\n!et\nVärav {gate}: {state}.", "note": "Note: {text}"},
)


def _read(text: str, desk: Desk = DESK, *, bounded: bool = True) -> Lines:
    return read_lines(text, Setting(desk, NOW, ZoneInfo("Europe/Tallinn"), ("shift",), bounded))


def test_a_message_without_a_head_is_as_it_was_written() -> None:
    """Whoever writes a plain message needs to know nothing of all this."""
    assert _read("The gate is closed.\n\n!!! Mind it.") == Lines(
        {SAID_TO_ALL: "The gate is closed.\n\n!!! Mind it."}, plain=True
    )


def test_every_line_of_the_head_is_taken() -> None:
    """One line each, in any order; the text begins below them."""
    found = _read('!to title co "Driver"\n!urgent\n!statement I know the way.\n!at 2026-03-03 08:00\n!for 2d\n\nText')
    assert found.whom is not None
    assert found.whom.people is not None
    assert found.whom.people.text == '(title co "Driver") and (department ne "Board")'
    assert found.priority is Priority.URGENT
    assert found.form == Form(kind=Kind.STATEMENT, statement="I know the way.")
    assert found.due_at == datetime(2026, 3, 3, 6, tzinfo=UTC)
    assert found.lasts == timedelta(days=2)
    assert found.texts == {SAID_TO_ALL: "Text"}
    assert not found.plain


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ("!ack none", Form(kind=Kind.NONE)),
        ("!ack button", Form()),
        ("!quiz Which? | 4 | *5", Form(kind=Kind.QUIZ, question="Which?", options=("4", "5"), right=1)),
        ("!survey When? | Mon | Tue", Form(kind=Kind.SURVEY, question="When?", options=("Mon", "Tue"))),
        ("!survey How was it?", Form(kind=Kind.SURVEY, question="How was it?")),
        ("!survey When? | a | b\n!anonymous", Form(Kind.SURVEY, "When?", ("a", "b"), anonymous=True)),
    ],
)
def test_a_line_says_how_it_is_acknowledged(line: str, form: Form) -> None:
    """Nobody is asked, or for a reaction, the right answer, or a vote."""
    assert _read(f"{line}\nText").form == form


def test_languages_begin_on_lines_of_their_own() -> None:
    """Each text goes on to the next language, in the order in which they were written."""
    found = _read("!important\n!en\nClosed.\n\nToday.\n!et\nSuletud.\n!pt-BR\nFechado.")
    assert list(found.texts.items()) == [("en", "Closed.\n\nToday."), ("et", "Suletud."), ("pt-BR", "Fechado.")]


def test_a_desk_with_languages_takes_only_those() -> None:
    """Where the policy names the languages, another short word at the head is a mistake, and below it is text."""
    desk = Desk(id="d", name="D", posters=EVERYONE, rooms=("news",), languages=("en", "et"))
    assert _read("!en\nSay\n!ack\nor !no", desk).texts == {"en": "Say\n!ack\nor !no"}
    with pytest.raises(RefusedError, match="this desk's languages are: en, et"):
        _read("!pl\nZamknięte", desk)


def test_rooms_of_the_desk_can_be_chosen() -> None:
    """A desk announces in its own rooms only."""
    found = _read("!to room drivers\nText").whom
    assert found is not None
    assert found.rooms == ("drivers",)


def test_an_administrator_is_not_bounded_by_the_desk() -> None:
    """On the command line people are those who are selected."""
    found = _read("!to shift eq “night”\nText", bounded=False).whom
    assert found is not None
    assert found.people is not None
    assert found.people.text == 'shift eq "night"'


def test_a_template_is_filled_in() -> None:
    """Its own lines count as if they had been written."""
    found = _read('!template gate gate=4 state="closed today"')
    assert found.priority is Priority.IMPORTANT
    assert found.texts == {"en": "Gate 4 is closed today.", "et": "Värav 4: closed today."}
    assert _read("!template note\nMind the gate.").texts == {SAID_TO_ALL: "Note: Mind the gate."}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("!urgent\n!importnat\nx", r"^Line 2: `!importnat` is not known; did you mean `!important`\?"),
        ("!whatever\nx", "Line 1: `!whatever` is not known; `!help` lists what there is"),
        ("!urgent\n!important\nx", "Line 2: `!important` says again, or otherwise"),
        ("!to departmnt eq 5\nx", r"Line 1: `departmnt` is not known; did you mean `department`\?"),
        ("!to department is Sales\nx", "Line 1: expected people such as"),
        ("!to room nwes\nx", "Line 1: this desk announces in: news, drivers; came `nwes`"),
        ("!ack maybe\nx", "Line 1: `!ack` is followed by none or button; came `maybe`"),
        ("!quiz Which? | 4 | 5\nx", "Line 1: one answer of a quiz is marked as right"),
        ("!quiz Which? | *4\nx", "Line 1: A quiz needs 2 to 20 options; this one has 1"),
        ("!statement\nx", "Line 1: A statement needs the text"),
        ("!at tomorrow\nx", "Line 1: `!at` is followed by a day and a time such as 2027-01-04 08:00; came `tomorrow`"),
        ("!at 2026-03-03\nx", "Line 1: `!at` is followed by a time too"),
        ("!at 2026-03-02 13:59\nx", r"Line 1: 2026-03-02 13:59 is past .* it is 2026-03-02 14:00 in Europe/Tallinn"),
        ("!at 2026-03-29 03:30\nx", "Line 1: there is no 2026-03-29 03:30 in Europe/Tallinn"),
        ("!at 2028-03-29 03:30\nx", "more than a year ahead"),
        ("!for ages\nx", "Line 1: `!for` is followed by a duration"),
        ("!for 0d\nx", "Line 1: `!for` is followed by a duration"),
        ("!urgent now\nx", "Line 1: nothing follows `!urgent`"),
        ("!anonymous\nx", "`!anonymous`: Only a survey can be anonymous"),
        ("Hello\n!et\nTere", "Line 2: say in which language the text above `!et` is"),
        ("!en\na\n!et\nb\n!en\nc", "Line 5: the text in `en` has begun already"),
        ("!en\n!et\nb", "There is no text after `!en`"),
        ("!template gtae", r"Line 1: there is no template `gtae`; did you mean `gate`\?"),
        ("!template gate gate=4", "Line 1: the template `gate` also wants state=…"),
        ("!template gate gate=4 state=x door=1", "Line 1: the template `gate` has no door; it has: gate, state"),
        ("!template gate 4", "Line 1: expected key=value"),
        ("!template gate gate=4 state=x\nMore", "Line 1: nothing follows the template `gate`"),
        ("!urgent\n!template gate gate=4 state=x", "Line 2: `!template` stands in the first line"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(text: str, problem: str) -> None:
    """Whoever wrote it learns where, what was expected, and what is known."""
    with pytest.raises(RefusedError, match=problem):
        _read(text)


def test_a_desk_that_reaches_nobody_by_selector_says_so() -> None:
    """Posters reach only whom the policy lets them reach."""
    with pytest.raises(RefusedError, match="this desk announces in rooms only"):
        _read("!to active eq true\nx", Desk(id="d", name="D", posters=EVERYONE, rooms=("news",)))


def test_help_names_every_line() -> None:
    """`!help` tells all that can be written."""
    words = ("to", "urgent", "important", "ack", "statement", "quiz", "survey", "anonymous", "at", "for", "template")
    assert [word for word in (*words, "minor", "retract", "end") if f"!{word}" not in HELP] == []


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(["!to", "!at", "!en", "!quiz", " | ", "\n", "a", "*", "!", "{"])).map("".join)
)
def test_anything_can_be_written(text: str) -> None:
    """Whatever stands there is read, or refused in a sentence."""
    with suppress(RefusedError):
        assert _read(text).texts
