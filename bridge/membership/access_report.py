"""The access report: who had access to which room, one row a person and room, for whoever has to confirm it. Pure.

Whoever a rule asks for and who is kept out, or is yet to be put in, has a row too, told apart by the membership.

As CSV it opens in any spreadsheet, and nothing in it is a formula there; as HTML it is one file that needs no network,
can be searched, and prints.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO

from bridge.membership.who import Occupancy, Occupant
from bridge.membership.why_text import moment, rank

COLUMNS = (
    "name",
    "user ID",
    "department",
    "title",
    "room",
    "membership",
    "since",
    "power",
    "power by",
    "by",
    "rule",
    "reason",
    "until",
    "owner",
    "source",
    "waits",
    "approved by",
    "event ID",
    "room ID",
)
_FORMULA = tuple("=+-@\t\r\n\uff0b\uff0d\uff1d\uff20")
"""Also as full-width signs, which some spreadsheets read alike."""
_SECURITY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_CLASSES = {"since": ' class="since"', **dict.fromkeys(("user ID", "event ID", "room ID"), ' class="id"')}


@dataclass(frozen=True, slots=True)
class Heading:
    """What a report says of itself."""

    company: str
    at: str
    """The moment it is about, ISO 8601, UTC."""
    made_at: str
    by: str
    key_id: str


def rows(occupancies: Sequence[Occupancy]) -> Iterator[tuple[str, ...]]:
    """Yield the rows, in the order of `COLUMNS`."""
    for occupancy in occupancies:
        for occupant in (*occupancy.occupants, *occupancy.absent):
            yield _row(occupancy, occupant)


def as_csv(occupancies: Sequence[Occupancy]) -> str:
    """Return the report as CSV (RFC 4180), UTF-8 with a byte order mark, which spreadsheets want.

    A field that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([defused(field) for field in row] for row in rows(occupancies))
    return "\ufeff" + text.getvalue()


def defused(field: str) -> str:
    """Return a field that no spreadsheet takes for a formula."""
    return f"'{field}" if field.lstrip(" ").startswith(_FORMULA) else field


def as_html(occupancies: Sequence[Occupancy], heading: Heading) -> str:
    """Return the report as one HTML page."""
    count = sum(len(occupancy.occupants) for occupancy in occupancies)
    absent = sum(len(occupancy.absent) for occupancy in occupancies)
    title = f"Access report, {heading.company}"
    head = "".join(f'<th scope="col">{column}</th>' for column in COLUMNS)
    incomplete = "".join(
        f"<li>{escape(one.name)} ({escape(one.room_id)}): {escape(one.completeness)}</li>"
        for one in occupancies
        if not one.complete
    )
    return _PAGE.format(
        title=escape(title),
        security=_SECURITY,
        facts=f"As of {moment(heading.at)}. {count:,} memberships in {len(occupancies):,} rooms; "
        f"{absent:,} more are kept out or yet to be put in. "
        f"Made {moment(heading.made_at)} for {escape(heading.by)}; signed with the key {heading.key_id}.",
        incomplete=f"{_INCOMPLETE}<ul>{incomplete}</ul></details>" if incomplete else "",
        head=head,
        body="\n".join(_html_row(row) for row in rows(occupancies)),
    )


def _row(occupancy: Occupancy, occupant: Occupant) -> tuple[str, ...]:
    return (
        occupant.person,
        occupant.user_id,
        occupant.department,
        occupant.title,
        occupancy.key or occupancy.name,
        occupant.membership,
        moment(occupant.since) if occupant.since else "",
        rank(occupant.level),
        occupant.power_by,
        occupant.ground,
        occupant.rule if occupant.rule != "-" else "",
        occupant.reason,
        occupant.until,
        occupant.owner,
        occupant.source,
        occupant.waits,
        occupant.approved_by,
        occupant.event_id,
        occupancy.room_id,
    )


def _html_row(row: Sequence[str]) -> str:
    cells = (f"<td{_CLASSES.get(column, '')}>{escape(field)}</td>" for column, field in zip(COLUMNS, row, strict=True))
    return f"<tr>{''.join(cells)}</tr>"


_INCOMPLETE = "<details open><summary>Where the archive may not be complete</summary>"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{security}">
<title>{title}</title>
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #1a1a1a; background: #fff }}
h1 {{ font-size: 1.3rem; margin: 0 0 .3rem }}
input {{ font: inherit; padding: .4rem .6rem; width: 24rem; max-width: 100%; margin: .6rem 0;
  border: 1px solid #767676; border-radius: 4px }}
.table {{ overflow-x: auto }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid #ccc }}
th {{ background: #f2f2f2 }}
td {{ overflow-wrap: break-word; min-width: 4.5rem }}
.since {{ min-width: 6.5rem }}
.id {{ font-family: ui-monospace, monospace; font-size: .85em; overflow-wrap: anywhere; min-width: 8rem }}
@media print {{
  @page {{ size: A4 landscape; margin: 10mm }}
  body {{ font-size: 7pt; margin: 0 }}
  label, #shown {{ display: none }}
  .table {{ overflow: visible }}
  table {{ table-layout: fixed }}
  th, td {{ min-width: 0; padding: 1mm; overflow-wrap: anywhere }}
  .id, .since {{ min-width: 0 }}
  thead {{ display: table-header-group }}
  tr {{ break-inside: avoid }}
}}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{facts}</p>
{incomplete}
<label>Search <input id="search" type="search" autocomplete="off" placeholder="name, room, rule …"></label>
<span id="shown" aria-live="polite"></span>
<div class="table">
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</div>
<script>
const rows = [...document.querySelectorAll("tbody tr")].map(row => [row, row.textContent.toLowerCase()]);
document.getElementById("search").addEventListener("input", event => {{
  const words = event.target.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let count = 0;
  for (const [row, text] of rows) {{
    row.hidden = !words.every(word => text.includes(word));
    count += !row.hidden;
  }}
  document.getElementById("shown").textContent = words.length ? count + " of " + rows.length : "";
}});
</script>
</body>
</html>
"""
