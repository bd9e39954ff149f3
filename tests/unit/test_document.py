"""YAML files are read strictly: every problem at once, each with its place, and never a traceback."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.document import (
    Kind,
    Placed,
    Section,
    Value,
    a,
    boolean,
    choice,
    duration,
    integer,
    line,
    list_of,
    mapping_of,
    matching,
    number,
    path,
    placed,
    read,
    text,
    url,
)
from bridge.errors import DocumentError, Problem
from bridge.yaml_text import LARGEST, read_text


class Colour(StrEnum):
    """Something to choose."""

    RED = "red"
    GREEN = "green"


@dataclass(frozen=True, slots=True)
class Shop:
    """Something with one key of every kind."""

    name: str
    port: int
    share: float
    open: bool
    idle: timedelta
    colour: Colour
    site: str
    data: Path
    motto: str
    tags: tuple[str, ...]
    code: str


def shop(section: Section) -> Shop:
    """Read a shop."""
    return Shop(
        name=section.required("name", line),
        port=section.optional("port", integer(1, 65535), 80),
        share=section.optional("share", number(0, 1), 0.5),
        open=section.optional("open", boolean, True),
        idle=section.optional("idle", duration, timedelta(0)),
        colour=section.optional("colour", choice(*Colour), Colour.RED),
        site=section.optional("site", url, ""),
        data=section.optional("data", path, Path("data")),
        motto=section.optional("motto", text, ""),
        tags=section.optional("tags", list_of(line), ()),
        code=section.optional("code", matching("[a-z]+", "lower-case letters"), "x"),
    )


def shops(section: Section) -> dict[str, Shop]:
    """Read a file of shops."""
    return section.required("shops", mapping_of(a(shop), matching("[a-z]+", "lower-case letters")))


def problems(source: str) -> list[str]:
    """Return what is wrong with a shop, without the file's name."""
    with pytest.raises(DocumentError) as caught:
        read(source, "shop.yaml", shop)
    assert caught.value.message == "\n".join(str(problem) for problem in caught.value.problems)
    return [str(problem).removeprefix("shop.yaml:") for problem in caught.value.problems]


def test_every_kind_of_value_is_read() -> None:
    """What is written arrives as the type it is."""
    source = """
        name:  Anna's shop  # in the High Street
        port: 8080
        share: 1
        open: false
        idle: 2w
        colour: green
        site: https://shop.example:8443/x
        data: /srv/shop
        motto: |
          two
          lines
        tags: [a, 7, 2027-03-01, "true"]
        code: abc
    """
    assert read(source, "shop.yaml", shop) == Shop(
        name="Anna's shop",
        port=8080,
        share=1.0,
        open=False,
        idle=timedelta(days=14),
        colour=Colour.GREEN,
        site="https://shop.example:8443/x",
        data=Path("/srv/shop"),
        motto="two\nlines\n",
        tags=("a", "7", "2027-03-01", "true"),
        code="abc",
    )


def test_absent_keys_have_their_defaults() -> None:
    """Only what is required must be there."""
    assert read("name: x", "shop.yaml", shop).port == 80


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    """Somebody who mends a file wants to see everything that is wrong with it."""
    assert problems("nam: x\nport: 0\ntags: [a, [b], '']\nport: 1\n") == [
        "1:1: error: `name` is missing",
        "1:1: error: unknown key `nam`; did you mean `name`?",
        "2:7: error: expected a whole number from 1 to 65535, came 0",
        "3:11: error: expected text, came a list",
        "3:16: error: expected some text, came ''",
        "4:1: error: the key `port` is already given in line 2",
    ]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("port: 70000", "expected a whole number from 1 to 65535, came 70000"),
        ("port: 1.5", "expected a whole number from 1 to 65535, came 1.5"),
        ("port: 0x50", "expected a whole number from 1 to 65535, came 0x50"),
        ("port: '80'", "expected a whole number from 1 to 65535, came 80"),
        ("port: 99999999999999999999", "expected a whole number from 1 to 65535, came 99999999999999999999"),
        ("share: 1.01", "expected a number from 0 to 1, came 1.01"),
        ("share: .nan", "expected a number from 0 to 1, came .nan"),
        ("share: a lot", "expected a number from 0 to 1, came a lot"),
        ("open: yes", "expected true or false, came yes"),
        ("idle: 5 days", "expected a duration such as 90s, 5m, 12h, 30d or 2w, came 5 days"),
        ("idle: 5", "expected a duration such as 90s, 5m, 12h, 30d or 2w, came 5"),
        ("idle: 99999999d", "expected a duration such as 90s, 5m, 12h, 30d or 2w, came 99999999d"),
        ("colour: gren", "expected red or green, came gren; did you mean `green`?"),
        ("colour: [red]", "expected red or green, came a list"),
        ("site: ftp://x", "expected an address such as https://matrix.example.org, came ftp://x"),
        ("site: https://x:y", "expected an address such as https://matrix.example.org, came https://x:y"),
        ("site: matrix.example.org", "expected an address such as https://matrix.example.org, came matrix.example.org"),
        ("motto: true", "expected text (put it in quotes if it is meant as text), came true"),
        ("motto: {a: b}", "expected text, came a mapping"),
        ("motto: !odd x", "expected text, came the tag !odd"),
        ("data:", "expected text, came nothing"),
        ('tags: ["a\\nb"]', "expected one line of text without control characters"),
        ("tags: a", "expected a list, came a"),
        ("code: A1", "expected lower-case letters, came A1"),
        ("codes: a", "unknown key `codes`; did you mean `code`?"),
        ("[a]: b", "expected a key, came a list"),
        (f"code: {'A' * 60}", f"expected lower-case letters, came {'A' * 39}…"),
    ],
)
def test_a_wrong_value_is_told_with_what_was_expected(entry: str, problem: str) -> None:
    """One message: the place, what was expected, what came."""
    [told] = problems(f"name: x\n{entry}\n")
    assert told.partition(": error: ")[2] == problem
    assert told.startswith("2:")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", " error: expected a mapping (`key: value`), came an empty file"),
        ("# only a remark\n", " error: expected a mapping (`key: value`), came an empty file"),
        ("- a", "1:1: error: expected a mapping (`key: value`), came a list"),
        ("shop", "1:1: error: expected a mapping (`key: value`), came shop"),
        ("name:\n\tx: 1", "2:1: error: not YAML: a tab; YAML is indented with spaces"),
        (
            "name: a: b",
            "1:8: error: not YAML: a `:` must not stand here; put a text that contains `: ` in quotes, "
            "and check the indentation",
        ),
        ("name: [a", "1:9: error: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("name: 'a", "1:9: error: not YAML: found unexpected end of stream"),
        ("name: *x", "1:7: error: not YAML: found undefined alias 'x'"),
        ("name: a\n---\nname: b", "2:1: error: not YAML: but found another document"),
        ("name: \x07", "1:7: error: a control character (U+0007) must not stand here"),
        ("&a [*a]", " error: values are nested too deeply, or an alias (`*…`) contains itself"),
        ("[" * 1_500, " error: values are nested too deeply, or an alias (`*…`) contains itself"),
    ],
)
def test_what_is_no_yaml_is_one_problem(source: str, problem: str) -> None:
    """A syntax error has its place; what has none is told of the file."""
    assert problems(source) == [problem]


def test_aliases_cannot_multiply_without_end() -> None:
    """A few lines that would become a million values are refused before anybody counts to a million."""
    levels = [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]" for n in range(9)]
    source = "\n".join(["a0: &a0 [x]", *levels])
    assert problems(source) == [" error: expected at most 100000 values, its aliases (`*…`) make more"]


def test_aliases_are_values() -> None:
    """An alias is what its anchor is."""
    assert read("name: &n x\ntags: [*n, *n]", "shop.yaml", shop).tags == ("x", "x")


def test_mappings_of_sections_check_their_keys_and_go_on() -> None:
    """A wrong key and a wrong section are two problems; the sections know their keys."""
    assert read("shops: {a: {name: x}}", "f", shops)["a"].name == "x"
    with pytest.raises(DocumentError) as caught:
        read("shops: {A: {name: x, nmae: y}, b: 7}", "f", shops)
    assert [problem.message for problem in caught.value.problems] == [
        "expected lower-case letters, came A",
        "unknown key `nmae`; did you mean `name`?",
        "expected a mapping (`key: value`), came 7",
    ]


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("say: one two", (1, 10)),
        ("say: 'one two'", (1, 11)),
        ('say: "one two"', (1, 11)),
        ('say: "\\u006fne two"', (1, 6)),  # an escape hides the place; the text's own is near enough
        ("say: 'o''ne two'", (1, 13)),
        ("say:\n  one\n  two", (3, 3)),
        ("say: >-\n  one\n  two", (3, 3)),
        ("say: |\n\n  one\n\n  two\n", (5, 3)),
        ("say: > # one two\n  one two", (2, 7)),
    ],
)
def test_a_place_inside_a_text_is_found_in_the_file(source: str, place: tuple[int, int]) -> None:
    """Whichever of YAML's ways of writing text was taken."""

    def refuse_two(value: Value) -> str:
        said = text.make(value)
        value.refuse("here", offset=said.index("two"))

    def top(section: Section) -> str:
        return section.required("say", Kind(refuse_two, str))

    with pytest.raises(DocumentError) as caught:
        read(source, "f", top)
    assert caught.value.problems == (Problem("f", *place, "here"),)


def test_values_remember_their_place_for_later_checks() -> None:
    """Two lists that must agree are compared when both are read; a stand-in is never blamed."""

    def top(section: Section) -> tuple[Placed[str], ...]:
        names = section.required("names", list_of(placed(line)))
        for name in names:
            if name.value != "anna":
                name.problem(f"who is {name.value}?")
        return names

    with pytest.raises(DocumentError) as caught:
        read("names: [anna, [x], otto]", "f", top)
    assert [str(problem) for problem in caught.value.problems] == [
        "f:1:15: error: expected text, came a list",
        "f:1:20: error: who is otto?",
    ]


@given(st.text(st.characters(codec="utf-8")) | st.text("ab:-[]{}&*!|>'\"#%@,? \n\t", max_size=40))
def test_no_text_makes_anything_but_a_document_or_a_document_error(source: str) -> None:
    """Whatever is in the file, a person reads about it and no traceback."""
    try:
        read(source, "f", shop)
    except DocumentError as error:
        told = error.problems
        assert told
        breaks = sum(source.count(mark) for mark in "\n\r\x85\u2028\u2029")  # of lines, as YAML has them
        assert all(problem.line <= breaks + 1 for problem in told)


def test_files_are_read_as_utf_8_with_or_without_a_mark(tmp_path: Path) -> None:
    """A byte order mark is no part of the text."""
    file = tmp_path / "shop.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: Stra\xc3\x9fe")
    assert read(read_text(file), "shop.yaml", shop).name == "Straße"


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        (b"name: x\nmotto: Stra\xdfe", ":2:12: error: expected text in UTF-8; save the file as UTF-8"),
        (b"#" * (LARGEST + 1), f": error: expected at most {LARGEST} bytes, came more"),
        (None, ": error: cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_had_is_one_problem(tmp_path: Path, octets: bytes | None, problem: str) -> None:
    """Missing, too large, not UTF-8: the file is named, and what to do."""
    file = tmp_path / "shop.yaml"
    if octets is not None:
        file.write_bytes(octets)
    with pytest.raises(DocumentError) as caught:
        read_text(file)
    assert caught.value.message == f"{file}{problem}"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """What the system says is passed on."""
    with pytest.raises(DocumentError, match="cannot be read: Is a directory"):
        read_text(tmp_path)
