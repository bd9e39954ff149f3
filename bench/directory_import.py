"""The file import: 10,000 people from a CSV file, through a mapping, into the durable embedded PostgreSQL.

`directory.import` is the first import, which writes everybody; `directory.import.dry_run` the same without writing,
with the difference. Both are held against the limits that we promise. `directory.import.dated` is the history of these
people's departments, 20,000 rows, beside the import of the people themselves just before.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.report import Figure
from bridge.database import open_database
from bridge.database.embedded import EmbeddedPostgres
from bridge.directory.file_mapping import Ends, FileMapping
from bridge.directory.intake import import_csv

_PEOPLE = 10_000
_ROUNDS = 3
_IMPORT_SECONDS = 5.0
_DRY_RUN_SECONDS = 10.0
_DATED = FileMapping(
    columns={"Nr": ("externalId",), "Abteilung": ("department",), "von": ("from",), "bis": ("to",)},
    dates="DD.MM.YYYY",
    ends=Ends.INCLUSIVE,
)
_MAPPING = FileMapping(
    columns={
        "Nr": ("externalId", "userName"),
        "Vorname": ("givenName",),
        "Nachname": ("familyName",),
        "Mail": ("email",),
        "Abteilung": ("department",),
        "Titel": ("title",),
        "Chef": ("manager",),
        "Eintritt": ("start",),
    },
    dates="DD.MM.YYYY",
    encoding="cp1252",
)


def make_file() -> bytes:
    """Return a company, each with a manager, in the manner of a payroll's export."""
    dice = random.Random(7)
    rows = ["Nr;Vorname;Nachname;Mail;Abteilung;Titel;Chef;Eintritt;Gehalt"]
    for number in range(_PEOPLE):
        manager = f"{10_000 + number // 8}" if number else ""
        rows.append(
            f"{10_000 + number};Jürgen;Müller {number};p{number}@x.ee;Abteilung {dice.randrange(40)};"
            f"Fahrer {dice.randrange(9)};{manager};{dice.randrange(1, 29)}.{dice.randrange(1, 13)}.2019;84000"
        )
    return ("\r\n".join(rows) + "\r\n").encode("cp1252")


async def _seconds(*, dry_run: bool) -> float:
    """Return how long one import into an empty directory takes."""
    data = make_file()
    with TemporaryDirectory(prefix="muster-bench-") as folder:
        async with EmbeddedPostgres(Path(folder)) as server, open_database(server.url) as pool:
            start = time.perf_counter()
            report = await import_csv(pool, data, "hr.csv", mapping=_MAPPING, dry_run=dry_run)
            seconds = time.perf_counter() - start
    assert (report.created, report.warnings) == (_PEOPLE, ())
    return seconds


def make_history() -> bytes:
    """Return two departments of everybody, one after the other."""
    rows = ["Nr;Abteilung;von;bis"]
    for number in range(_PEOPLE):
        rows.append(f"{10_000 + number};Abteilung {number % 40};01.01.2020;31.12.2022")
        rows.append(f"{10_000 + number};Abteilung {number % 7};01.01.2023;")
    return "\n".join([*rows, ""]).encode()


async def measure_dated() -> Figure:
    """Measure seconds for a history of 10,000 people who are known, durable."""
    with TemporaryDirectory(prefix="muster-bench-") as folder:
        async with EmbeddedPostgres(Path(folder)) as server, open_database(server.url) as pool:
            start = time.perf_counter()
            await import_csv(pool, make_file(), "hr.csv", mapping=_MAPPING)
            between = time.perf_counter()
            report = await import_csv(pool, make_history(), "history.csv", mapping=_DATED)
            seconds = time.perf_counter() - between
    assert (report.changed, report.warnings) == (_PEOPLE, ())
    return Figure("directory.import.dated", seconds, "s", "directory.import", between - start)


async def measure_import() -> Figure:
    """Measure seconds for 10,000 new people, durable."""
    seconds = statistics.median([await _seconds(dry_run=False) for _ in range(_ROUNDS)])
    return Figure("directory.import", seconds, "s", "limit", _IMPORT_SECONDS)


async def measure_dry_run() -> Figure:
    """Measure seconds to say what 10,000 rows would change."""
    seconds = statistics.median([await _seconds(dry_run=True) for _ in range(_ROUNDS)])
    return Figure("directory.import.dry_run", seconds, "s", "limit", _DRY_RUN_SECONDS)


FIGURES: Mapping[str, Callable[[], Awaitable[Figure]]] = {
    "directory.import": measure_import,
    "directory.import.dry_run": measure_dry_run,
    "directory.import.dated": measure_dated,
}
