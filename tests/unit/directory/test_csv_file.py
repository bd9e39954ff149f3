"""Reading a CSV file of people: what is understood, and what every damaged file is told."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.directory.csv_file import read_csv
from bridge.errors import ImportFileError

TEXT = "userName,displayName,department\nm.tamm,Mari Tamm,Müük\n"


def problems(data: bytes | str, *custom: str) -> str:
    """Return the message with which the file is refused."""
    with pytest.raises(ImportFileError) as caught:
        read_csv(data.encode() if isinstance(data, str) else data, "hr.csv", custom=custom)
    assert caught.value.message.endswith("\nNothing was changed.")
    return caught.value.message.removesuffix("\nNothing was changed.")


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.replace(",", ";").encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\n\n").encode(),
        TEXT.replace("ü", "u\u0308").encode(),
        TEXT.replace("userName", " USERNAME ").encode(),
        TEXT.replace("Mari Tamm", '" Mari Tamm"').encode(),
    ],
)
def test_file_is_read_however_it_was_saved(data: bytes) -> None:
    """UTF-8 with or without a mark, UTF-16, commas or semicolons, line ends, and composed or decomposed letters."""
    file = read_csv(data, "hr.csv")

    assert file.columns == ("userName", "displayName", "department")
    assert [dict(row.values) for row in file.rows] == [
        {"userName": "m.tamm", "displayName": "Mari Tamm", "department": "Müük"}
    ]


def test_row_knows_the_line_on_which_it_begins() -> None:
    """Line numbers count through quoted line ends and empty lines."""
    file = read_csv(b'userName,title\na,"two\nlines"\n\nb,x\n', "hr.csv")

    assert [row.line for row in file.rows] == [2, 5]


def test_configured_attribute_may_be_a_column() -> None:
    """The company's own attributes are columns when the configuration names them, and only then."""
    data = "userName,shift\na,night\n"

    assert read_csv(data.encode(), "hr.csv", custom=["shift"]).columns == ("userName", "shift")
    assert problems(data).startswith("hr.csv:1:shift: error: unknown column 'shift'; ")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "hr.csv:1: error: expected a header, came an empty file"),
        ("userName\n", "hr.csv:1: error: expected people below the header, came none; nobody is removed by absence"),
        ("userName,titel\na,x\n", "hr.csv:1:titel: error: unknown column 'titel'; did you mean title?"),
        ("title\nx\n", "hr.csv:1:userName: error: expected this column in the header"),
        ("userName,title,Title\na,x,y\n", "hr.csv:1:title: error: the column stands twice in the header"),
        ("userName,title\na,x\nb\n", "hr.csv:3: error: expected 2 fields as in the header, came 1"),
        ("userName,title\na,x,y\n", "hr.csv:2: error: expected 2 fields as in the header, came 3"),
        ("userName,title\n,x\n", "hr.csv:2:userName: error: expected a name, came nothing"),
        ("userName,active\na,maybe\n", "hr.csv:2:active: error: expected true or false, came 'maybe'"),
        ("userName,active\na,\n", "hr.csv:2:active: error: expected true or false, came ''"),
        ("userName,email\na,a at b\n", "hr.csv:2:email: error: expected an address with one @, came 'a at b'"),
        ("userName,start\na,1.3.2027\n", "hr.csv:2:start: error: expected a day such as 2027-03-01, came '1.3.2027'"),
        (
            "userName,start,end\na,2027-03-01,2027-02-28\n",
            "hr.csv:2:end: error: expected a day not before the start 2027-03-01, came 2027-02-28",
        ),
        ("userName\na\nA\n", "hr.csv:3:userName: error: 'A' stands already in line 2"),
        ("userName,externalId\na,1\nb,1\n", "hr.csv:3:externalId: error: '1' stands already in line 2"),
        ("userName\na\x00\n", "hr.csv:2: error: unexpected NUL byte"),
        (
            'userName,title\na,"cut o',
            "hr.csv:2: error: not CSV: unexpected end of data; is the file cut off?",
        ),
        (
            "userName\na\nm\xfc\n".encode("cp1252"),
            "hr.csv:3: error: expected UTF-8 or UTF-16, came byte 0xfc; save the file as UTF-8",
        ),
    ],
)
def test_damaged_file_is_refused_with_line_column_and_reason(data: bytes | str, message: str) -> None:
    """Each defect is told as file:line:column, with what was expected and what came."""
    assert problems(data) == message


def test_every_problem_is_told_at_once() -> None:
    """All problems of a file are listed in its order, the first twenty in full and the rest as a number."""
    message = problems("userName,active\n" + ",maybe\n" * 15).split("\n")

    assert len(message) == 21
    assert message[0].startswith("hr.csv:2:active")
    assert message[1].startswith("hr.csv:2:userName")
    assert message[-1] == "… and 10 more"


def test_ids_are_told_apart_by_case_and_user_names_are_not() -> None:
    """externalId is case-exact."""
    assert len(read_csv(b"userName,externalId\na,x\nb,X\n", "hr.csv").rows) == 2


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"userName,title\n{text}".encode()))
def test_no_file_is_more_than_refused(data: bytes) -> None:
    """Whatever the bytes, the file is read or refused with a message; nothing else is raised."""
    try:
        file = read_csv(data, "hr.csv")
    except ImportFileError:
        return
    assert file.rows
    assert all(row.user_name for row in file.rows)
