"""A CSV file of people, read and checked: all of it or nothing. Pure.

The header names SCIM attributes (`COLUMNS`, and those the configuration names). UTF-8 with or without a mark, or
UTF-16; commas or semicolons. What a row means for somebody who is known already is `import_plan`'s.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final
from unicodedata import normalize

from bridge.directory.scim_schema import comparison_key
from bridge.directory.scim_user import day_of
from bridge.errors import ImportFileError

COLUMNS: Final = (
    *("userName", "externalId", "displayName", "givenName", "familyName", "email", "title", "userType", "active"),
    *("department", "division", "organization", "costCenter", "employeeNumber", "manager", "start", "end"),
    "employmentStatus",
    *("timezone", "locale", "preferredLanguage", "groups"),
)
SHOWN: Final = 20
"""So many problems are listed; the others are counted."""

_TRUTH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_KEYS: Final = ("userName", "externalId")
_ENCODINGS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class Row:
    """One person of the file: every column of the header, trimmed and in NFC; empty where there is nothing."""

    line: int
    """Where it begins, 1-based."""
    values: Mapping[str, str]

    @property
    def user_name(self) -> str:
        return self.values["userName"]

    @property
    def external_id(self) -> str:
        return self.values.get("externalId", "")


@dataclass(frozen=True, slots=True)
class CsvFile:
    """The people of a file, checked one by one and against each other."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a file, and where."""

    line: int
    column: str
    message: str


def read_csv(data: bytes, name: str, *, custom: Sequence[str] = ()) -> CsvFile:
    """Read a file of people; `name` is what messages call it, `custom` are the company's own attributes.

    Raises `ImportFileError` with every problem found; a file without people is one, since absence is no news.
    """
    text = _decoded(data, name)
    if "\x00" in text:
        raise problems_error(name, [Problem(text.count("\n", 0, text.index("\x00")) + 1, "", "unexpected NUL byte")])
    records = list(_records(text, name))
    if not records:
        raise problems_error(name, [Problem(1, "", "expected a header, came an empty file")])
    columns = _header(records[0], name, (*COLUMNS, *custom))
    problems: list[Problem] = []
    rows = list(_rows(records[1:], columns, problems))
    problems.extend(_row_problems(rows))
    problems.extend(_duplicates(rows))
    if not rows and not problems:
        problems.append(Problem(1, "", "expected people below the header, came none; nobody is removed by absence"))
    if problems:
        raise problems_error(name, problems)
    return CsvFile(name, columns, tuple(rows))


def truth_of(text: str) -> bool:
    """Return what the `active` column says; the text has been checked."""
    return _TRUTH[text.lower()]


def groups_of(text: str) -> tuple[str, ...]:
    """Return the names in the `groups` column."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(";") if name.strip()))


def problems_error(name: str, problems: Sequence[Problem]) -> ImportFileError:
    """Return the error that lists the problems in the order of the file."""
    ordered = sorted(problems, key=lambda problem: (problem.line, problem.column))
    lines = [
        ":".join(part for part in (name, str(problem.line), problem.column) if part) + f": error: {problem.message}"
        for problem in ordered[:SHOWN]
    ]
    if len(ordered) > SHOWN:
        lines.append(f"… and {len(ordered) - SHOWN} more")
    return ImportFileError("\n".join([*lines, "Nothing was changed."]))


def _decoded(data: bytes, name: str) -> str:
    encoding = next((encoding for mark, encoding in _ENCODINGS if data.startswith(mark)), _guess(data))
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"expected UTF-8 or UTF-16, came byte 0x{data[error.start]:02x}; save the file as UTF-8"
        raise problems_error(name, [Problem(line, "", message)]) from error


def _guess(data: bytes) -> str:
    """Tell UTF-16 without a mark from UTF-8: a header of Latin letters has a NUL in every second byte of it."""
    start = data[:64]
    if len(start) >= 4 and not any(start[1::2]):
        return "utf-16-le"
    if len(start) >= 4 and not any(start[::2]):
        return "utf-16-be"
    return "utf-8"


def _records(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record begins, and its fields; empty lines are skipped."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    line = 1
    try:
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise problems_error(name, [Problem(line, "", f"not CSV: {error}; is the file cut off?")]) from error


def _delimiter(text: str) -> str:
    header = re.sub(r'"[^"]*"', "", text.split("\n", 1)[0])
    return ";" if header.count(";") > header.count(",") else ","


def _header(record: tuple[int, list[str]], name: str, known: Sequence[str]) -> tuple[str, ...]:
    line, fields = record
    spelled = {column.lower(): column for column in known}
    columns = [spelled.get(field.strip().lower(), "") for field in fields]
    problems = [
        Problem(line, field.strip(), _unknown_column(field.strip(), known))
        for field, column in zip(fields, columns, strict=True)
        if not column
    ]
    problems += [
        Problem(line, column, "the column stands twice in the header")
        for column in dict.fromkeys(columns)
        if column and columns.count(column) > 1
    ]
    if "userName" not in columns:
        problems.append(Problem(line, "userName", "expected this column in the header"))
    if problems:
        raise problems_error(name, problems)
    return tuple(columns)


def _unknown_column(field: str, known: Sequence[str]) -> str:
    near = get_close_matches(field.lower(), [column.lower() for column in known], n=1)
    spelled = {column.lower(): column for column in known}
    hint = f"did you mean {spelled[near[0]]}?" if near else f"known are {', '.join(known)}"
    return f"unknown column {field!r}; {hint}"


def _rows(records: Iterable[tuple[int, list[str]]], columns: Sequence[str], problems: list[Problem]) -> Iterator[Row]:
    for line, fields in records:
        if len(fields) == len(columns):
            yield Row(line, dict(zip(columns, (normalize("NFC", field.strip()) for field in fields), strict=True)))
        else:
            problems.append(Problem(line, "", f"expected {len(columns)} fields as in the header, came {len(fields)}"))


def _row_problems(rows: Iterable[Row]) -> Iterator[Problem]:
    for row in rows:
        if not row.user_name:
            yield Problem(row.line, "userName", "expected a name, came nothing")
        active = row.values.get("active")
        if active is not None and active.lower() not in _TRUTH:
            yield Problem(row.line, "active", f"expected true or false, came {active!r}")
        email = row.values.get("email")
        if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
            yield Problem(row.line, "email", f"expected an address with one @, came {email!r}")
        yield from _day_problems(row)


def _day_problems(row: Row) -> Iterator[Problem]:
    days = {}
    for column in ("start", "end"):
        text = row.values.get(column)
        try:
            days[column] = day_of(text) if text else None
        except ValueError:
            yield Problem(row.line, column, f"expected a day such as 2027-03-01, came {text!r}")
    start, end = days.get("start"), days.get("end")
    if start and end and end < start:
        yield Problem(row.line, "end", f"expected a day not before the start {start}, came {end}")


def _duplicates(rows: Sequence[Row]) -> Iterator[Problem]:
    for column in _KEYS:
        first: dict[str, int] = {}
        for row in rows:
            value = row.values.get(column)
            if value:
                line = first.setdefault(comparison_key(value, case_exact=column == "externalId"), row.line)
                if line != row.line:
                    yield Problem(row.line, column, f"{value!r} stands already in line {line}")
