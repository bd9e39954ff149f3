"""The ways in which HR's files come damaged: each is read rightly or refused as a whole, with its line and reason."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest

from bridge.directory.csv_file import CsvFile, read_csv
from bridge.directory.file_mapping import FileMapping
from bridge.directory.import_plan import ImportPlan, Known, plan_import
from bridge.directory.scim_schema import shapes_for
from bridge.directory.scim_shape import USER
from bridge.errors import ImportFileError, RefusedError

MAPPING = FileMapping(
    columns={"Nr": ("externalId",), "Login": ("userName",), "Straße": ("department",), "Eintritt": ("start",)},
    dates="DD.MM.YYYY",
)
TEXT = "Nr;Login;Straße;Eintritt\n0017;jürgen;Müük;1.3.2027\n"
ROW = {"externalId": "0017", "userName": "jürgen", "department": "Müük", "start": "2027-03-01"}
SHAPE = shapes_for()["User"]


def read(data: bytes | str, **changes: Any) -> CsvFile:
    mapping = FileMapping(**{"columns": MAPPING.columns, "dates": MAPPING.dates, **changes})
    return read_csv(data.encode() if isinstance(data, str) else data, "hr.csv", mapping=mapping)


def refused(data: bytes | str, **changes: Any) -> str:
    with pytest.raises(ImportFileError) as caught:
        read(data, **changes)
    assert caught.value.message.endswith("\nNothing was changed.")
    return caught.value.message.splitlines()[0]


def is_read(data: bytes | str, **changes: Any) -> None:
    assert [dict(row.values) for row in read(data, **changes).rows] == [ROW]


def staff(number: int) -> list[Known]:
    return [
        Known(str(each), {"schemas": [USER], "userName": f"p{each}", "externalId": f"{each:04}", "active": True})
        for each in range(number)
    ]


def plan(text: str, people: Sequence[Known], *, mapping: FileMapping, **options: Any) -> ImportPlan:
    numbers = count()
    file = read_csv(text.encode(), "hr.csv", mapping=mapping)
    return plan_import(
        file,
        people,
        SHAPE,
        new_id=lambda: f"new{next(numbers)}",
        complete=mapping.complete,
        shrink=mapping.shrink,
        **options,
    )


def test_bom() -> None:
    """A byte order mark is no part of the first column's name."""
    is_read(codecs.BOM_UTF8 + TEXT.encode())
    is_read(codecs.BOM_UTF8 + TEXT.encode(), encoding="cp1252")


def test_utf_16() -> None:
    """As Excel's "Unicode text" is saved, with and without its mark, also when the mapping names it."""
    is_read(TEXT.encode("utf-16"))
    is_read(TEXT.encode("utf-16-le"))
    is_read(TEXT.encode("utf-16-be"), encoding="utf-16-be")


def test_cp1252() -> None:
    """Read when the mapping says so; refused with line and byte when it does not; never guessed."""
    is_read(TEXT.encode("cp1252"), encoding="cp1252")
    assert refused(TEXT.encode("cp1252")).startswith("hr.csv:1: error: expected UTF-8 or UTF-16, came byte 0xdf")


def test_utf_8_where_cp1252_was_said() -> None:
    """It would read without error, as `jÃ¼rgen`."""
    assert refused(TEXT, encoding="cp1252") == (
        "hr.csv:1: error: expected cp1252, as the mapping says, came UTF-8; export it so, or mend `encoding`"
    )


def test_nfd() -> None:
    """Decomposed letters, in header and rows, are the same as composed ones."""
    is_read(TEXT.replace("ü", "u\u0308"))
    assert read("Nr;Login;u\u0308\n1;a;b\n", columns={"Nr": ("externalId",), "Login": ("userName",), "ü": ("title",)})


def test_semicolons() -> None:
    """And every other separator that the mapping names."""
    is_read(TEXT)
    is_read(TEXT.replace(";", "\t"), delimiter="\t")
    is_read(TEXT.replace(";", "|"), delimiter="|")


def test_renamed_column() -> None:
    """A column that the mapping names and the header lacks is told, and nobody's attribute is emptied."""
    assert refused(TEXT.replace("Eintritt", "Eintrittsdatum")) == (
        "hr.csv:1:Eintritt: error: the mapping names this column and the header lacks it"
    )


def test_column_that_the_mapping_leaves_out_is_never_read() -> None:
    """Privacy: salary and birth date stand in every export."""
    row = read(TEXT.replace("Eintritt\n", "Eintritt;Gehalt\n").replace("2027\n", "2027;84000\n")).rows[0]
    assert dict(row.values) == ROW


def test_swapped_columns() -> None:
    """Another order is nothing; contents under each other's headers would make strangers of everybody: refused."""
    is_read("Eintritt;Straße;Login;Nr\n1.3.2027;Müük;jürgen;0017\n")
    with pytest.raises(ImportFileError, match=r"hr\.csv:2:userName: .*have the columns been swapped"):
        plan("externalId,userName\np1,0001\np2,0002\n", staff(3), mapping=FileMapping())


def test_ragged_rows() -> None:
    """A field too few or too many moves every attribute behind it."""
    assert refused(TEXT + "18;bo;Müük\n") == "hr.csv:3: error: expected 4 fields as in the header, came 3"
    assert refused(TEXT + "18;bo;M;ük;1.1.2027\n") == "hr.csv:3: error: expected 4 fields as in the header, came 5"


def test_cut_file() -> None:
    """Ended within a row, a quote or a character."""
    assert refused(TEXT + "18;bo").endswith("expected 4 fields as in the header, came 2")
    assert refused(TEXT + '18;bo;"Mü').endswith("is the file cut off?")
    assert "came byte 0xc3" in refused(TEXT.encode() + "18;bo;ü".encode()[:-1])


def test_complete_file_that_is_cut_within_its_last_field() -> None:
    """A complete file ends with a line end, so that `Sal` is not taken for `Sales`."""
    cut = TEXT + "18;bo;Sal;1.1.2027"
    assert refused(cut, complete=True).endswith("expected a line end after the last line of a complete file; is the "
                                                "file cut off?")  # fmt: skip
    assert len(read(cut).rows) == 2


def test_half_file() -> None:
    """Cut between two rows, a complete file lacks its trailer, or too many people: absence does not act."""
    assert refused(TEXT, trailer="ENDE {rows}").endswith(
        "hr.csv:2: error: expected the last line 'ENDE N', came another; is the file cut off?"
    )
    assert refused(TEXT + "ENDE 2\n", trailer="ENDE {rows}").endswith(
        "expected 2 people, as the last line says, came 1; is the file cut off?"
    )
    is_read(TEXT + "ENDE 1\n", trailer="ENDE {rows}")
    is_read(TEXT + "ENDE 1;;;\r\n\r\n", trailer="ENDE {rows}")
    half = "userName\n" + "".join(f"p{each}\n" for each in range(50))
    with pytest.raises(RefusedError, match="50 of 100 active people are missing"):
        plan(half, staff(100), mapping=FileMapping(complete=True))


def test_complete_file_may_shrink_by_what_the_mapping_says() -> None:
    """The bound is the company's own, and `--allow-removals` names an exact number."""
    file = "userName\n" + "".join(f"p{each}\n" for each in range(92))
    assert len(plan(file, staff(100), mapping=FileMapping(complete=True)).removed) == 8
    strict = FileMapping(complete=True, shrink=0.05)
    with pytest.raises(RefusedError, match="8 of 100"):
        plan(file, staff(100), mapping=strict)
    assert len(plan(file, staff(100), mapping=strict, allow_removals=8).removed) == 8
    assert plan(file, staff(100), mapping=FileMapping()).removed == ()


def test_header_only() -> None:
    """A file without people removes nobody, whatever its trailer says."""
    assert refused("Nr;Login;Straße;Eintritt\n").endswith("came none; nobody is removed by absence")
    assert "came none" in refused("Nr;Login;Straße;Eintritt\nENDE 0\n", trailer="ENDE {rows}", complete=True)
    assert refused("").endswith("expected a header, came an empty file")


@pytest.mark.parametrize("formula", ["=1+1", '=HYPERLINK("http://x")', "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd|x"])
def test_formula_text(formula: str) -> None:
    """It would run in the next spreadsheet that somebody opens."""
    quoted = formula.replace('"', '""')
    assert refused(TEXT.replace("Müük", f'"{quoted}"')) == (
        "hr.csv:2:department: error: expected text, came a formula of a spreadsheet"
    )


@pytest.mark.parametrize("name", ["-", "+372 Sales", "-5", "Sales = Service", "R&D @ home"])
def test_text_that_only_looks_like_a_formula(name: str) -> None:
    """Dashes for nothing and signs inside are text."""
    assert read(TEXT.replace("Müük", name)).rows[0].values["department"] == name


@pytest.mark.parametrize("shortened", ["1.2E+10", "1,23457E+11", "1E+05"])
def test_shortened_ids(shortened: str) -> None:
    """What a spreadsheet has rounded is nobody's id any more."""
    assert refused(TEXT.replace("0017", shortened)).endswith("shortened it; export it as text")


def test_ids_without_their_zeros() -> None:
    """Ids are opaque: 17 is not 0017, and a known userName with another id is refused, not taken over."""
    with pytest.raises(ImportFileError, match=r"hr\.csv:2:userName: .*another externalId, '0001'"):
        plan("externalId,userName\n1,p1\n", staff(3), mapping=FileMapping())


def test_nul() -> None:
    """A block of zeros that a failing disk or network left."""
    assert refused(TEXT + "\x00\x00\n") == "hr.csv:3: error: unexpected NUL byte"


@pytest.mark.parametrize("day", ["2027-03-01", "3/1/2027", "31.02.2027", "1.3.27", "13.13.2027"])
def test_day_in_another_format(day: str) -> None:
    """Read by the mapping's format alone: nobody starts in the wrong month."""
    assert refused(TEXT.replace("1.3.2027", day)) == (
        f"hr.csv:2:start: error: expected a day as DD.MM.YYYY, came {day!r}"
    )
