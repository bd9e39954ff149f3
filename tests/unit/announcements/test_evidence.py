"""The report as text, CSV and page."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

from rich.cells import cell_len

from bridge.announcements.evidence import COLUMNS, Evidence, Hearer, csv_of, html_of, show_as_text
from bridge.announcements.form import Form, Kind
from bridge.announcements.progress import Figures, Progress
from bridge.announcements.values import State
from bridge.ids import EventId, UserId

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"


def _hearer(name: str, *, acknowledged: bool = False) -> Hearer:
    return Hearer(
        UserId(f"@{name}:x"), f"{name} {EVIL}", f"Sales {EVIL}", NOON, NOON, None, NOON if acknowledged else None,
        1 if acknowledged else None, f"=1+{EVIL}" if acknowledged else None,
        EventId("$answer") if acknowledged else None, "abcd" if acknowledged else None,
    )  # fmt: skip


EVIDENCE = Evidence(
    progress=Progress(
        id="7kq2-m9xd",
        desk="news",
        text=f"Gate {EVIL}\n漢字" * 20,
        state=State.OPEN,
        form=Form(Kind.QUIZ, question=f"Where? {EVIL}", options=("A", f"B {EVIL}"), right=1),
        version=2,
        departments={f"Sales {EVIL}": Figures(3, 3, 1, 1), "": Figures(1, 1, 0, 0)},
        answers={"A": 1, f"B {EVIL}": 1},
    ),
    author=UserId("@anna:x"),
    author_name=f"Anna {EVIL}",
    opened_at=NOON,
    people=[_hearer("anna"), _hearer("bo", acknowledged=True), _hearer("cy"), _hearer("di")],
    reminded=2,
    told=1,
)


def test_the_page_stands_alone_and_runs_nothing() -> None:
    """What people wrote is text in it; it names no other file and no address, and forbids itself everything."""
    page = html_of(EVIDENCE, NOON).decode()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert "src=" not in page.replace("default-src='", "")
    assert "http" not in page.replace("http-equiv", "")


def test_every_person_is_on_the_page_with_the_proof() -> None:
    """Who is missing is marked, who has acknowledged is proven."""
    page = html_of(EVIDENCE, NOON).decode()
    assert page.count("<tr class=missing>") == 3
    assert "<code>$answer</code><br><code>abcd</code>" in page
    assert "B &lt;script&gt;alert(1)&lt;/script&gt; (right)" in page


def test_csv_has_a_row_for_each_person_and_no_formula() -> None:
    """Spreadsheets show what was written and calculate nothing."""
    rows = list(csv.reader(io.StringIO(csv_of(EVIDENCE).decode("utf-8-sig"))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 5
    assert not any(field.startswith(("=", "+", "-", "@")) for row in rows[1:] for field in row)


def test_the_text_fits_the_terminal_and_names_so_many() -> None:
    """No line is wider, also in Chinese; what is left out is said."""
    text = show_as_text(EVIDENCE, most_names=1, width=60)
    assert max(map(cell_len, text.splitlines())) <= 60
    assert "Missing (3):" in text
    assert "… and 2 more" in text
    assert "2 reminded, 1 of those above them told" in text


def test_an_announcement_to_nobody_can_be_shown() -> None:
    """There is nothing to divide by."""
    nobody = replace(EVIDENCE, people=[], progress=replace(EVIDENCE.progress, departments={}, answers={}))
    assert "0 of 0 acknowledged (100 %)" in show_as_text(nobody, most_names=5)
    assert html_of(nobody, NOON)
