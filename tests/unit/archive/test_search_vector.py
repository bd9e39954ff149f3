"""The bytes that PostgreSQL takes for what a text is found by.

That it takes them, and reads in them what stands here, is asked in `tests/integration/archive/test_recall.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from bridge.archive.search_vector import Vector, file_of, flags_of, row_of, vector_of
from bridge.archive.segment import LANGUAGES

TEXT = st.text(st.characters(codec=None), max_size=40)
LATIN = st.text(st.sampled_from("aäbßéŒ 1_-'\\.жλ“👍\u0301"), max_size=30)


def read(vector: Vector) -> Mapping[str, list[tuple[int, str]]]:
    """Return each lexeme with its places and their weights, as PostgreSQL would read them."""
    rest, found = vector.lexemes, dict[str, list[tuple[int, str]]]()
    for _ in range(vector.size):
        lexeme, _, rest = rest.partition(b"\0")
        count, rest = int.from_bytes(rest[:2]), rest[2:]
        places = [int.from_bytes(rest[at : at + 2]) for at in range(0, 2 * count, 2)]
        assert lexeme.decode() not in found
        assert places == sorted(set(places))
        found[lexeme.decode()] = [(place & 0x3FFF, "DCBA"[place >> 14]) for place in places]
        rest = rest[2 * count :]
    assert not rest
    return found


def lexemes(text: str, languages: tuple[str, ...] = LANGUAGES) -> set[str]:
    """Return what a text is found by."""
    return set(read(vector_of(text, languages)))


def test_places_follow_the_text() -> None:
    """Words and neighbours stand at places one after the other, repeated ones too; marked lexemes have none."""
    assert read(vector_of("Der Häuser der 東京都 ok")) == {
        "~haus": [],
        "der": [(1, "A"), (3, "A")],
        "häuser": [(2, "A")],
        "東京": [(4, "A")],
        "京都": [(5, "A")],
        "都": [(6, "A")],
        "ok": [(7, "A")],
    }
    assert vector_of("!? 👍") == Vector(0, b"")


@given(TEXT | LATIN)
def test_quick_ways_are_the_long_way(text: str) -> None:
    """Text of ASCII or Latin alone, and of words of which none stands twice, gives what it gives beside others."""
    words = read(vector_of(text))
    longer = read(vector_of(f"{text} 東"))
    assert words == {lexeme: places for lexeme, places in longer.items() if lexeme != "東"}
    again = read(vector_of(f"{text} xx xx"))
    assert words == {lexeme: places for lexeme, places in again.items() if lexeme not in ("xx", "~xx")}


def test_vector_is_long_when_places_are_lost() -> None:
    """PostgreSQL keeps 255 places of each word, up to the 16,383rd."""
    assert not vector_of("word " * 255).is_long
    assert vector_of("word " * 256).is_long
    assert read(vector_of("word " * 300))["word"][-1] == (255, "A")
    words = " ".join(f"a{number}" for number in range(16_382))
    assert not vector_of(words).is_long
    many = vector_of(f"{words} one more")
    assert many.is_long
    assert read(many)["more"] == [(16_383, "A")]


def test_flags_have_no_place() -> None:
    """What filters ask is held once each, whatever characters a name is of."""
    assert read(flags_of(["=x", "=s@a\0\ud800:b", "=x"])) == {"=x": [], "=s@a?:b": []}


def test_rows_are_copied_as_postgresql_reads_them() -> None:
    """A file of COPY begins with its signature and ends with a row of -1 fields (documentation, "Binary Format")."""
    row = row_of(5, 7, 3, Vector(1, b"a\0\0\0"))
    fields = [(8, 5), (8, 7), (4, 3), (8, 1)]
    numbers = b"".join(
        size.to_bytes(4) + value.to_bytes(min(size, 8) if at < 3 else 4) for at, (size, value) in enumerate(fields)
    )
    assert row == (4).to_bytes(2) + numbers + b"a\0\0\0"
    assert file_of([row]) == b"PGCOPY\n\xff\r\n\0" + bytes(8) + row + b"\xff\xff"
