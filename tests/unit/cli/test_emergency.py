"""What `muster emergency` prints."""

from __future__ import annotations

from rich.cells import cell_len

from bridge.cli.emergency import filled


def test_a_board_with_many_names_keeps_to_the_terminal() -> None:
    """Wide letters count as two; what is broken goes on indented, and short lines stay as they are."""
    names = "; ".join(["Tunguç Yüksel (Communications)", "乌坤 (Executive)"] * 20)
    lines = filled(f"🔔 DRILL\n  Sales: ✅ 0 safe\n\nSILENT (40): {names}").split("\n")
    assert lines[:3] == ["🔔 DRILL", "  Sales: ✅ 0 safe", ""]
    assert all(cell_len(line) <= 80 for line in lines)
    assert " ".join(line.strip() for line in lines[3:]) == f"SILENT (40): {names}"
    assert all(line.startswith("    ") for line in lines[4:])
