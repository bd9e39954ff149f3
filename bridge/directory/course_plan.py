"""What a file of dated rows changes: decided from the file and who is known, before anything is written. Pure.

Such a file is HR's history of some attributes of a job. Of everybody who is in it, it settles the whole course of these
attributes; the courses of other attributes stay, and so does everybody who is not in it. It brings nobody: people
come by other ways. What the settled attributes were without days, they are no longer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final

from bridge.directory.course import Piece, Span, courses_of, cut
from bridge.directory.csv_file import CsvFile, Problem, Row, problems_error
from bridge.directory.import_plan import ImportPlan, Known, by_external_id
from bridge.directory.scim_resource import Resource, resource_of
from bridge.directory.scim_shape import COURSE, DATES, ENTERPRISE, JOB, MUSTER, Shape, comparison_key
from bridge.directory.scim_user import day_of, employments_of
from bridge.errors import RefusedError
from bridge.ids import PersonId

_SHOWN: Final = 3
_FLOOR: Final = 5
"""So many may always leave by a file."""


def plan_courses(
    file: CsvFile,
    known: Sequence[Known],
    shape: Shape,
    *,
    today: date,
    held: Collection[str] = (),
    shrink: float,
    proven: bool = False,
) -> ImportPlan:
    """Decide what dated rows change; `held` are ids of people whose externalId may be somebody else's by now.

    `removed` are those who by their course work here today no more. Raises `ImportFileError` when nobody of the file is
    known or several people have one externalId, and `RefusedError` when more are removed than the share `shrink` of the
    active people (at least five) and the file is not `proven` to be whole.
    """
    rows, warnings = _rows_by_person(file, known, held)
    changed: list[Resource] = []
    removed: list[Resource] = []
    by_id = {each.id: each for each in known}
    for id_, of_person in rows.items():
        each = by_id[id_]
        after = resource_of(_settled(each.document, of_person, file.columns), each.id, shape)
        if after.document != each.document:
            stays = _works(after.document, today) or not _works(each.document, today)
            (changed if stays else removed).append(after)
    if not proven and len(removed) > _FLOOR:
        _require_few(len(removed), sum(_works(each.document, today) for each in known), shrink)
    return ImportPlan(
        created=(),
        changed=tuple(changed),
        renamed=(),
        removed=tuple(removed),
        joins=(),
        leaves=(),
        regrouped=(),
        unchanged=len(rows) - len(changed) - len(removed),
        held=(),
        dated=(),
        warnings=tuple(warnings),
        named=tuple(map(PersonId, rows)),
    )


def pieces_of(document: Mapping[str, Any]) -> list[Piece]:
    """Return the jobs of a User's course."""
    return [_piece(entry) for entry in (document.get(MUSTER) or {}).get(COURSE) or ()]


def _rows_by_person(
    file: CsvFile, known: Sequence[Known], held: Collection[str]
) -> tuple[dict[str, list[Row]], list[str]]:
    """Return the rows of each person's id, and what is to be said about rows of which nothing is made."""
    by_external = by_external_id(known)
    by_name = {comparison_key(each.document["userName"]): each for each in known}
    found: dict[str, list[Row]] = {}
    unknown: dict[str, int] = {}
    waiting: dict[str, int] = {}
    problems = []
    for row in file.rows:
        candidates = by_external.get(comparison_key(row.external_id, case_exact=True), []) if row.external_id else []
        person = candidates[0] if candidates else by_name.get(comparison_key(row.user_name))
        if len(candidates) > 1:
            problems.append(Problem(row.line, "externalId", f"{len(candidates)} people have {row.external_id!r}"))
        if person is None:
            unknown.setdefault(row.external_id or row.user_name, row.line)
        elif person.id in held:
            waiting.setdefault(row.external_id or row.user_name, row.line)
        else:
            found.setdefault(person.id, []).append(row)
    if unknown and not found and not waiting:
        message = "nobody of this file is known; import the people first, and look which column is their id"
        problems.append(Problem(file.rows[0].line, "", message))
    if problems:
        raise problems_error(file.name, problems)
    return found, [
        *_warning(file.name, unknown, "nobody has this id; left out"),
        *_warning(file.name, waiting, "the id may have been given to somebody else; left out: muster directory review"),
    ]


def _require_few(leavers: int, active: int, shrink: float) -> None:
    limit = max(_FLOOR, int(active * shrink))
    if leavers > limit:
        raise RefusedError(
            f"By these rows {leavers} of {active} active people work here no longer; at most {limit} may, as nothing "
            "proves that the file is whole. Nothing was changed. Expected --rows N, --sha256 HEX, or a mapping with a "
            "`trailer` or `digest`."
        )


def _warning(name: str, ids: Mapping[str, int], what: str) -> list[str]:
    lines = [f"{name}:{line}: {id_}: {what}" for id_, line in list(ids.items())[:_SHOWN]]
    return [*lines, f"{name}: … and {len(ids) - _SHOWN} more like these"] if len(ids) > _SHOWN else lines


def _settled(document: Mapping[str, Any], rows: Sequence[Row], columns: Collection[str]) -> dict[str, Any]:
    """Return the User with the courses of the file's attributes as these rows say them."""
    settled = [name for name in JOB if name in columns]
    extension = dict(document.get(MUSTER) or {})
    courses: dict[str, Sequence[Span]] = {
        name: spans for name, spans in courses_of(pieces_of(document)).items() if name not in settled
    }
    for name in settled:
        courses[name] = [
            Span(row.values[name], _day(row.values["from"]), _day(row.values["to"]))
            for row in rows
            if row.values.get(name)
        ]
    extension[COURSE] = [_entry(piece) for piece in cut(courses)] or [_never(rows)]
    after = {name: value for name, value in document.items() if name not in settled}
    enterprise = {name: value for name, value in (document.get(ENTERPRISE) or {}).items() if name not in settled}
    return {name: value for name, value in {**after, ENTERPRISE: enterprise, MUSTER: extension}.items() if value != {}}


def _piece(entry: Mapping[str, Any]) -> Piece:
    content = tuple((name, entry[name]) for name in sorted(JOB) if entry.get(name))
    return Piece(content, *(_day(entry.get(name)) for name in DATES))


def _entry(piece: Piece) -> dict[str, str]:
    days = ((name, day.isoformat()) for name, day in zip(DATES, (piece.start, piece.end), strict=True) if day)
    return dict((*days, *piece.content))


def _never(rows: Sequence[Row]) -> dict[str, str]:
    """Return the job of somebody whose rows are of no day: held never, so that nobody works here by having none."""
    return {"start": rows[0].values["from"], "end": rows[0].values["to"]}


def _day(text: str | None) -> date | None:
    return day_of(text) if text else None


def _works(document: Mapping[str, Any], today: date) -> bool:
    jobs = employments_of(document)
    return document.get("active", True) and (not jobs or any(job.covers(today) for job in jobs))
