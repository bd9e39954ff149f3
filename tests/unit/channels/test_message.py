"""Numbers and texts as second channels want them."""

from __future__ import annotations

import pytest

from bridge.channels.message import LONGEST_TEXT, number_of, shortened


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+372 5551 2345", "+37255512345"),
        ("(0372) 555-12.34", "03725551234"),
        ("ext. 17", None),
        ("+372 555\r\nBcc: x", None),
        ("", None),
        ("٠١٢٣٤٥٦", None),
    ],
)
def test_a_number_is_its_digits(written: str, number: str | None) -> None:
    """Whatever people put between them; anything else is no number."""
    assert number_of(written) == number


def test_a_long_text_is_cut_at_a_word() -> None:
    """And one that fits is left alone."""
    assert shortened("Fire in hall 2") == "Fire in hall 2"
    cut = shortened("fire " * 300)
    assert len(cut) <= LONGEST_TEXT
    assert cut.endswith("fire…")
    assert shortened("x" * 700) == "x" * (LONGEST_TEXT - 1) + "…"
