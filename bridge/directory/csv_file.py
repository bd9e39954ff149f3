"""A CSV file of people, read and checked: all of it or nothing. Pure.

The header names SCIM attributes (`COLUMNS` and those the configuration names), or what a `FileMapping` maps to them.
UTF-8 with or without a mark, or UTF-16; commas or semicolons; or what the mapping says. What a row means for somebody
who is known already is `import_plan`'s.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final
from unicodedata import normalize

from bridge.directory.file_mapping import COLUMNS, PLAIN, FileMapping, iso_day
from bridge.directory.scim_shape import DATES, comparison_key
from bridge.directory.scim_user import day_of
from bridge.errors import ImportFileError

SHOWN: Final = 20
"""So many problems are listed; the others are counted."""

_TRUTH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_IDS: Final = ("externalId", "employeeNumber", "manager", "userName")
_FORMULA: Final = re.compile(r"[=@]|[+-].*[(!|]", re.DOTALL)
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


def read_csv(data: bytes, name: str, *, custom: Sequence[str] = (), mapping: FileMapping = PLAIN) -> CsvFile:
    """Read a file of people; `name` is what messages call it, `custom` are the company's own attributes.

    Raises `ImportFileError` with every problem found; a file without people is one, since absence is no news.
    """
    text = _decoded(data, name, mapping.encoding)
    if "\x00" in text:
        raise problems_error(name, [Problem(text.count("\n", 0, text.index("\x00")) + 1, "", "unexpected NUL byte")])
    text, announced = _without_trailer(text, name, mapping)
    records = list(_records(text, name, mapping.delimiter))
    if not records:
        raise problems_error(name, [Problem(1, "", "expected a header, came an empty file")])
    columns = _header(records[0], name, (*COLUMNS, *custom), mapping.columns)
    problems: list[Problem] = []
    rows = list(_rows(records[1:], columns, problems))
    if announced is not None and announced != len(records) - 1:
        message = f"expected {announced} people, as the last line says, came {len(records) - 1}; is the file cut off?"
        problems.append(Problem(text.count("\n") + 1, "", message))
    if mapping.dates:
        rows = [_with_iso_days(row, mapping.dates, problems) for row in rows]
    problems.extend(problem for row in rows for problem in row_problems(row))
    problems.extend(_duplicates(rows))
    if not rows and not problems:
        problems.append(Problem(1, "", "expected people below the header, came none; nobody is removed by absence"))
    if problems:
        raise problems_error(name, problems)
    return CsvFile(name, tuple(name for names in columns for name in names), tuple(rows))


def truth_of(text: str) -> bool:
    """Return what the `active` column says; the text has been checked."""
    return _TRUTH[text.lower()]


def row_problems(row: Row) -> Iterator[Problem]:
    """Yield what is wrong with one person, whoever the others are."""
    if row.values.get("userName") == "":
        yield Problem(row.line, "userName", "expected a name, came nothing")
    active = row.values.get("active")
    if active is not None and active.lower() not in _TRUTH:
        yield Problem(row.line, "active", f"expected true or false, came {active!r}")
    email = row.values.get("email")
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        yield Problem(row.line, "email", f"expected an address with one @, came {email!r}")
    for column in _IDS:
        if re.fullmatch(r"[0-9]+([.,][0-9]+)?[eE]\+[0-9]+", row.values.get(column, "")):
            message = f"{row.values[column]!r} was an id before a spreadsheet shortened it; export it as text"
            yield Problem(row.line, column, message)
    for column, text in row.values.items():
        if _FORMULA.match(text):
            yield Problem(row.line, column, "expected text, came a formula of a spreadsheet")
    yield from _day_problems(row)


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
    return ImportFileError("\n".join([*lines, "Nothing was changed."]), (problem.column for problem in ordered))


def _decoded(data: bytes, name: str, wanted: str) -> str:
    marked = next((encoding for mark, encoding in _ENCODINGS if data.startswith(mark)), None)
    encoding = marked or wanted or _guess(data)
    if wanted and not marked and _is_otherwise_utf_8(data, wanted):
        message = f"expected {wanted}, as the mapping says, came UTF-8; export it so, or mend `encoding`"
        raise problems_error(name, [Problem(1, "", message)])
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        expected = wanted or "UTF-8 or UTF-16"
        message = f"expected {expected}, came byte 0x{data[error.start]:02x}; save the file as {wanted or 'UTF-8'}"
        raise problems_error(name, [Problem(line, "", message)]) from error


def _is_otherwise_utf_8(data: bytes, wanted: str) -> bool:
    """Tell a file in UTF-8 that would read as nonsense in another encoding: real text is never both by chance."""
    if data.isascii() or codecs.lookup(wanted).name.startswith("utf"):
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _without_trailer(text: str, name: str, mapping: FileMapping) -> tuple[str, int | None]:
    """Return the text before the last line, and how many people that announces, where the mapping has such a line.

    A complete file without one at least ends with its last line, not within it.
    """
    if mapping.trailer:
        before, _, last = text.rstrip("\r\n").rpartition("\n")
        found = re.fullmatch(re.escape(mapping.trailer).replace(r"\{rows\}", "([0-9]{1,9})"), last.strip(" \t\r,;"))
        if found is None:
            expected = mapping.trailer.replace("{rows}", "N")
            message = f"expected the last line {expected!r}, came another; is the file cut off?"
            raise problems_error(name, [Problem(text.rstrip("\r\n").count("\n") + 1, "", message)])
        return before + "\n", int(found[1])
    if mapping.complete and text and text[-1] not in "\r\n":
        message = "expected a line end after the last line of a complete file; is the file cut off?"
        raise problems_error(name, [Problem(text.count("\n") + 1, "", message)])
    return text, None


def _guess(data: bytes) -> str:
    """Tell UTF-16 without a mark from UTF-8: a header of Latin letters has a NUL in every second byte of it."""
    start = data[:64]
    if len(start) >= 4 and not any(start[1::2]):
        return "utf-16-le"
    if len(start) >= 4 and not any(start[::2]):
        return "utf-16-be"
    return "utf-8"


def _records(text: str, name: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record begins, and its fields; empty lines are skipped."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(text), strict=True)
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


def _header(
    record: tuple[int, list[str]], name: str, known: Sequence[str], mapped: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, ...], ...]:
    """Return our attributes for each column; none for one that the mapping leaves out."""
    line, fields = record
    fields = [normalize("NFC", field.strip()) for field in fields]
    spelled = {column.lower(): attributes for column, attributes in mapped.items()} or {
        column.lower(): (column,) for column in known
    }
    columns = [spelled.get(field.lower(), ()) for field in fields]
    there = {field.lower() for field in fields}
    if mapped:
        problems = [
            Problem(line, column, "the mapping names this column and the header lacks it")
            for column in mapped
            if column.lower() not in there
        ]
    else:
        problems = [
            Problem(line, field, _unknown_column(field, known))
            for field, names in zip(fields, columns, strict=True)
            if not names
        ]
    flat = [column for names in columns for column in names]
    problems += [
        Problem(line, column, "the column stands twice in the header")
        for column in dict.fromkeys(flat)
        if flat.count(column) > 1
    ]
    if "userName" not in flat and not mapped:
        problems.append(Problem(line, "userName", "expected this column in the header"))
    if problems:
        raise problems_error(name, problems)
    return tuple(columns)


def _unknown_column(field: str, known: Sequence[str]) -> str:
    near = get_close_matches(field.lower(), [column.lower() for column in known], n=1)
    spelled = {column.lower(): column for column in known}
    hint = f"did you mean {spelled[near[0]]}?" if near else f"known are {', '.join(known)}"
    return f"unknown column {field!r}; {hint}"


def _rows(
    records: Iterable[tuple[int, list[str]]], columns: Sequence[Sequence[str]], problems: list[Problem]
) -> Iterator[Row]:
    places = [(place, name) for place, names in enumerate(columns) for name in names]
    for line, fields in records:
        if len(fields) == len(columns):
            yield Row(line, {name: normalize("NFC", fields[place].strip()) for place, name in places})
        else:
            problems.append(Problem(line, "", f"expected {len(columns)} fields as in the header, came {len(fields)}"))


def _with_iso_days(row: Row, dates: str, problems: list[Problem]) -> Row:
    days = {}
    for column in DATES:
        if text := row.values.get(column):
            day = iso_day(text, dates)
            if day is None:
                problems.append(Problem(row.line, column, f"expected a day as {dates}, came {text!r}"))
            days[column] = day or ""
    return Row(row.line, {**row.values, **days})


def _day_problems(row: Row) -> Iterator[Problem]:
    days = {}
    for column in DATES:
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
