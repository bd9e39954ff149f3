"""What an import has changed, or would change, as people and programs read it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len, set_cell_size

from bridge.directory.import_diff import ImportDiff, PersonDiff

if TYPE_CHECKING:
    from bridge.directory.intake import ImportReport

SHOWN: Final = 20
"""So many people of a kind are shown on a terminal."""
_WIDEST_NAME: Final = 24


def lines_of(report: ImportReport, *, width: int, limit: int | None) -> Iterator[str]:
    """Yield the counts, then the warnings, then for a dry run who is concerned; at most `limit` people of each kind.

    `width` is in columns; what is longer is cut. Who would work here no longer comes last and is never left out.
    """
    yield report.sentence("People" if report.diff is None else "Would be")
    yield from report.warnings
    if report.diff is not None:
        yield from _people("Added", report.diff.added, width, limit)
        yield from _people("Changed", report.diff.changed, width, limit)
        yield from _people("No longer working here", report.diff.removed, width, None)


def report_as_json(report: ImportReport, *, dry_run: bool) -> dict[str, Any]:
    """Return all of it."""
    return {
        "dry_run": dry_run,
        "created": report.created,
        "changed": report.changed,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "missing": report.missing,
        "waiting": {"people": report.waiting, "digest": report.waiting_digest},
        "warnings": list(report.warnings),
        **({} if report.diff is None else {"diff": _diff_as_json(report.diff)}),
    }


def _people(title: str, people: Sequence[PersonDiff], width: int, limit: int | None) -> Iterator[str]:
    if not people:
        return
    shown = people[:limit]
    yield ""
    yield f"{title}:"
    names = min(_WIDEST_NAME, max(cell_len(each.user_name) for each in shown))
    for each in shown:
        name = _fitted(each.user_name, names)
        for text in _texts(each, is_new=title == "Added"):
            yield _cut(f"  {name}  {text}", width)
            name = " " * names
    if len(people) > len(shown):
        yield f"  … and {len(people) - len(shown)} more; --json has all"


def _texts(person: PersonDiff, *, is_new: bool) -> Iterator[str]:
    """Yield what is to be said of a person, a line each, and at least one."""
    if is_new:
        said = {each.attribute: each.after for each in person.changes}
        yield ", ".join(filter(None, (person.display_name, said.get("title"), said.get("department"))))
    else:
        changes = [each for each in person.changes if each.attribute != "active" or each.after == "true"]
        if not changes and not person.joins and not person.leaves:
            yield person.display_name
        for each in changes:
            yield f"{each.attribute}: {each.before or '(none)'} → {each.after or '(none)'}"
    for group in person.joins:
        yield f"joins {group}"
    for group in person.leaves:
        yield f"leaves {group}"


def _diff_as_json(diff: ImportDiff) -> dict[str, Any]:
    return {
        kind: [
            {
                "userName": each.user_name,
                "displayName": each.display_name,
                "changes": [
                    {"attribute": change.attribute, "before": change.before, "after": change.after}
                    for change in each.changes
                ],
                "joins": list(each.joins),
                "leaves": list(each.leaves),
            }
            for each in people
        ]
        for kind, people in (("added", diff.added), ("changed", diff.changed), ("removed", diff.removed))
    }


def _fitted(text: str, size: int) -> str:
    return set_cell_size(text, size) if cell_len(text) <= size else f"{set_cell_size(text, size - 1)}…"


def _cut(line: str, width: int) -> str:
    return line if cell_len(line) <= width else f"{set_cell_size(line, width - 1)}…"
