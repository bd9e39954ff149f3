"""What retention would dispose of, and did, as text for a terminal and as JSON for scripts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bridge.archive.rendering import printable
from bridge.archive.schedule import Preview, Rule, Share

_NAMED = 10
"""So many rooms of a rule are shown one by one."""
_DIGITS = 12


def preview_as_text(found: Preview) -> str:
    """Return what would go, by rule and room, and how to have it carried out."""
    if not found.shares:
        return "Nothing is over: nothing would be disposed of."
    lines = [line for rule, shares in found.by_rule().items() for line in _rule_lines(rule, shares)]
    held = sum(share.held for share in found.shares)
    size = sum(share.size for share in found.shares)
    part = f"{100 * found.going / found.there:.1f} %" if found.there else "0 %"
    lines += [
        f"{found.going:,} of {found.there:,} records would go ({part}), about {_bytes(size)}; held back {held:,}.",
        "Their leaves stay. Nothing was disposed of yet; this is exactly what does, until",
        "tomorrow's end:",
        f"  muster archive dispose --apply {found.digest[:_DIGITS]}",
    ]
    return "\n".join(lines)


def preview_as_json(found: Preview) -> dict[str, Any]:
    """Return what would go as JSON."""
    return {
        "digest": found.digest,
        "today": found.today.isoformat(),
        "going": found.going,
        "there": found.there,
        "rooms": [
            {
                "rule": share.rule.name,
                "kept": str(share.rule.period) if share.rule.period else None,
                "room_id": share.limit.room_id,
                "name": share.name,
                "sent_before": share.limit.cutoff.isoformat(),
                "state_too": share.limit.whole,
                "count": share.count,
                "held": share.held,
                "oldest": share.oldest.isoformat(),
                "newest": share.newest.isoformat(),
                "bytes": share.size,
            }
            for share in found.shares
        ],
    }


def _rule_lines(rule: Rule, shares: Sequence[Share]) -> Iterator[str]:
    yield printable(str(rule))
    for share in shares[:_NAMED]:
        yield f"  {printable(share.name)}{', what its state was too' if share.limit.whole else ''}"
        held = f"; held back {share.held:,}" if share.held else ""
        yield f"    {share.count:,} of {share.oldest:%Y-%m-%d} to {share.newest:%Y-%m-%d}, {_bytes(share.size)}{held}"
    if rest := shares[_NAMED:]:
        yield f"  and {len(rest):,} more rooms with {sum(share.count for share in rest):,}"
    yield ""


def _bytes(size: int) -> str:
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
