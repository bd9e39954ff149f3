"""The report on one announcement, for people and as evidence: text, CSV and a page that stands alone (pure).

Each acknowledgement is shown with the event that made it and that event's leaf in the archive's ledger, so that
`muster archive prove` can show that it was so. Of an anonymous survey neither is shown: the event says what was voted.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from html import escape
from typing import Any

from rich.cells import cell_len, set_cell_size

from bridge.announcements.form import Kind
from bridge.announcements.progress import NOWHERE, Figures, Progress, by_need, figures_line, percent
from bridge.archive.export.csv_rows import safe
from bridge.ids import EventId, UserId

COLUMNS = (
    "announcement", "version", "user_id", "name", "department", "targeted_at", "delivered_at", "seen_at",
    "acknowledged_at", "answer", "event_id", "leaf",
)  # fmt: skip
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1c1c1c;background:#fff}
h1{font-size:1.4rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2rem}.note{color:#595959;margin-top:0}
blockquote{white-space:pre-wrap;border-left:4px solid #2a6f97;margin:1rem 0;padding:.2rem 1rem;background:#f3f6f8}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;
vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}meter{width:8rem;height:1rem}
.missing td{background:#fff4e5}code{font-size:.75rem;word-break:break-all;color:#595959}.wide{overflow-x:auto}
@media print{body{margin:0;max-width:none}.missing td{background:none;font-weight:bold}}
"""


@dataclass(frozen=True, slots=True)
class Hearer:
    """Somebody an announcement is for, and how far it has come with them."""

    user_id: UserId
    name: str
    department: str
    targeted_at: datetime
    delivered_at: datetime | None
    seen_at: datetime | None
    """When the text that counts was seen, by a public receipt: a hint."""
    acknowledged_at: datetime | None
    version: int | None
    """Of the text that was acknowledged."""
    answer: str | None
    event_id: EventId | None
    leaf: str | None
    """Of the event that acknowledged, in the archive's ledger; hexadecimal."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a report says of an announcement."""

    progress: Progress
    author: UserId
    author_name: str
    opened_at: datetime
    people: Sequence[Hearer]
    """By name."""
    reminded: int
    """People who were reminded of the text that counts."""
    told: int
    """Managers who were told of them."""


def show_as_text(evidence: Evidence, *, most_names: int, width: int = 80) -> str:
    """Return the report for a terminal, with at most `most_names` of those who are missing."""
    progress = evidence.progress
    lines = [
        f"{progress.id}  {_minute(evidence.opened_at)}  desk {progress.desk}  {progress.state}, {_version(progress)}",
        f"{_visible(evidence.author_name)} ({_visible(evidence.author)}):",
        f"  {_visible(progress.text)}",
        "",
        figures_line(progress.total),
        f"{evidence.reminded:,} reminded, {evidence.told:,} of those above them told",
        *_departments_as_text(progress.departments, width),
        *_results_as_text(progress),
    ]
    missing = [one for one in evidence.people if one.acknowledged_at is None]
    if missing:
        lines += ["", f"Missing ({len(missing):,}):", *map(_missing_as_text, missing[:most_names])]
    if len(missing) > most_names:
        lines.append(f"  … and {len(missing) - most_names:,} more; --missing N names N of them, --csv FILE all")
    return "\n".join(_cut(line, width) for line in lines)


def show_as_json(evidence: Evidence) -> dict[str, Any]:
    """Return the same for scripts, with everybody in it."""
    progress = evidence.progress
    results = progress.results
    return {
        "id": progress.id,
        "desk": progress.desk,
        "state": progress.state.value,
        "version": progress.version,
        "text": progress.text,
        "author": evidence.author,
        "author_name": evidence.author_name,
        "opened_at": evidence.opened_at.isoformat(),
        "form": progress.form.as_json(),
        **asdict(progress.total),
        "departments": {name: asdict(one) for name, one in progress.departments.items()},
        "answered": sum(progress.answers.values()),
        "results": None if results is None else dict(results),
        "reminded": evidence.reminded,
        "told": evidence.told,
        "people": [_person_as_json(_shown(one, progress)) for one in evidence.people],
    }


def csv_of(evidence: Evidence) -> bytes:
    """Return a row for each person, in UTF-8 with the mark by which spreadsheets know it; no field is a formula."""
    into = io.StringIO(newline="")
    writer = csv.writer(into, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in evidence.people:
        shown = _shown(one, evidence.progress)
        fields = (
            evidence.progress.id,
            str(shown.version or ""),
            shown.user_id,
            shown.name,
            shown.department,
            *(_moment(at) for at in (shown.targeted_at, shown.delivered_at, shown.seen_at, shown.acknowledged_at)),
            shown.answer or "",
            shown.event_id or "",
            shown.leaf or "",
        )
        writer.writerow([safe(field) for field in fields])
    return b"\xef\xbb\xbf" + into.getvalue().encode("utf-8", "replace")


def html_of(evidence: Evidence, at: datetime) -> bytes:
    """Return a page that needs nothing beside it and may load nothing; what people wrote is no markup in it."""
    progress = evidence.progress
    missing = sum(one.acknowledged_at is None for one in evidence.people)
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline';"
        " base-uri 'none'; form-action 'none'\">"
        f"<title>Announcement {escape(progress.id)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>Announcement {escape(progress.id)}</h1>"
        f"<p class=note>{_text(evidence.author_name)}, {_minute(evidence.opened_at)}, desk {_text(progress.desk)},"
        f" {progress.state}, {_version(progress)}</p><blockquote>{_text(progress.text, lines=True)}</blockquote>"
        f"<p><strong>{_text(figures_line(progress.total))}</strong><br>{missing:,} missing,"
        f" {evidence.reminded:,} reminded, {evidence.told:,} of those above them told</p>"
        f"{_departments_as_html(progress.departments)}{_results_as_html(progress)}"
        "<h2>People</h2><div class=wide><table><thead><tr><th>Name<th>Department<th>Delivered<th>Seen (a hint)"
        "<th>Acknowledged<th>Answer and proof</tr></thead><tbody>"
        f"{''.join(_row(_shown(one, progress)) for one in evidence.people)}</tbody></table></div>"
        f"<p class=note>Times in UTC. Report of {_minute(at)}. Under each acknowledgement stand its event and the"
        " event's leaf in the ledger; <code>muster archive prove EVENT</code> shows that it is unaltered.</p>"
        "</body></html>\n"
    )
    return page.encode("utf-8", "replace")


def _shown(one: Hearer, progress: Progress) -> Hearer:
    """Return what is shown of somebody: of an anonymous survey that they answered, and not by which event."""
    if not progress.form.anonymous:
        return one
    return Hearer(
        one.user_id, one.name, one.department, one.targeted_at, one.delivered_at, one.seen_at, one.acknowledged_at,
        one.version, None, None, None,
    )  # fmt: skip


def _departments_as_text(departments: Mapping[str, Figures], width: int) -> list[str]:
    if not departments:
        return []
    column = min(max(len(NOWHERE), *map(cell_len, departments)), max(width - 44, 10))
    lines = ["", f"{'Department':<{column}}  people  delivered   seen  acknowledged"]
    for name, one in by_need(departments):
        cell = set_cell_size(_visible(name or NOWHERE), column)
        counts = (
            f"{one.targeted:>6,}  {one.delivered:>9,}  {one.seen:>5,}  {one.acknowledged:>6,} {percent(one.rate):>5}"
        )
        lines.append(f"{cell}  {counts}")
    return lines


def _results_as_text(progress: Progress) -> list[str]:
    if progress.form.kind not in (Kind.QUIZ, Kind.SURVEY):
        return []
    lines = ["", f"{_visible(progress.form.question)}", f"  {_response(progress)}"]
    if progress.results is None:
        return [*lines, "  The results are shown when more have answered, because it is anonymous."]
    return lines + [
        f"  {times:>6,} {percent(times / max(sum(progress.answers.values()), 1)):>5}  {_visible(option)}"
        f"{_right(progress, option)}"
        for option, times in progress.results.items()
    ]


def _results_as_html(progress: Progress) -> str:
    if progress.form.kind not in (Kind.QUIZ, Kind.SURVEY):
        return ""
    head = f"<h2>{_text(progress.form.question)}</h2><p>{_text(_response(progress))}</p>"
    if progress.results is None:
        return f"{head}<p>The results are shown when more have answered, because it is anonymous.</p>"
    answered = max(sum(progress.answers.values()), 1)
    rows = "".join(
        f"<tr><td>{_text(option)}{_right(progress, option)}<td class=n>{times:,}<td class=n>{percent(times / answered)}"
        f'<td><meter min=0 max={answered} value={times} aria-hidden="true"></meter></tr>'
        for option, times in progress.results.items()
    )
    return f"{head}<table>{rows}</table>"


def _departments_as_html(departments: Mapping[str, Figures]) -> str:
    rows = "".join(
        f"<tr><td>{_text(name or NOWHERE)}<td class=n>{one.targeted:,}<td class=n>{one.delivered:,}"
        f"<td class=n>{one.seen:,}<td class=n>{one.acknowledged:,}<td class=n>{percent(one.rate)}"
        f'<td><meter min=0 max={max(one.targeted, 1)} value={one.acknowledged} aria-hidden="true"></meter></tr>'
        for name, one in by_need(departments)
    )
    return (
        "<h2>By department</h2><table><thead><tr><th>Department<th class=n>People<th class=n>Delivered<th class=n>Seen"
        f"<th class=n>Acknowledged<th class=n>Rate<th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(one: Hearer) -> str:
    missing = "" if one.acknowledged_at else " class=missing"
    proof = "".join(f"<br><code>{_text(part)}</code>" for part in (one.event_id, one.leaf) if part)
    return (
        f"<tr{missing}><td>{_text(one.name)}<br><code>{_text(one.user_id)}</code><td>{_text(one.department)}"
        f"<td>{_moment(one.delivered_at)}<td>{_moment(one.seen_at)}"
        f"<td>{_moment(one.acknowledged_at) or 'missing'}<td>{_text(one.answer or '')}{proof}</tr>"
    )


def _person_as_json(one: Hearer) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in asdict(one).items()}


def _missing_as_text(one: Hearer) -> str:
    where = f"  {_visible(one.department)}" if one.department else ""
    undelivered = "" if one.delivered_at else "  (not delivered)"
    return f"  {_visible(one.name)}  {_visible(one.user_id)}{where}{undelivered}"


def _response(progress: Progress) -> str:
    answered, asked = sum(progress.answers.values()), progress.total.targeted
    return f"{answered:,} of {asked:,} have answered ({percent(answered / asked if asked else 1.0)})."


def _right(progress: Progress, option: str) -> str:
    form = progress.form
    return " (right)" if form.right is not None and form.options[form.right] == option else ""


def _version(progress: Progress) -> str:
    return f"version {progress.version}"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""


def _text(value: str, *, lines: bool = False) -> str:
    kept = "".join(letter if letter.isprintable() or (lines and letter == "\n") else " " for letter in value)
    return escape(kept)


def _visible(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _cut(line: str, width: int) -> str:
    return line if cell_len(line) <= width else set_cell_size(line, width - 1).rstrip() + "…"
