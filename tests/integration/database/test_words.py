"""What PostgreSQL refuses is told in its words, and never with what it refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bridge.archive.store import database_errors
from bridge.errors import DatabaseError

if TYPE_CHECKING:
    from bridge.database import Pool


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("INSERT INTO search_pending (event_id, room_id) VALUES ($1, $1)", "null value"),
        ("INSERT INTO search_word (word) SELECT $1 FROM generate_series(1, 2)", "duplicate key"),
    ],
)
async def test_no_row_is_quoted(pool: Pool, statement: str, words: str) -> None:
    """PostgreSQL's details hold the row that it did not take, which may be a message or a person."""
    with pytest.raises(DatabaseError, match=words) as raised, database_errors():
        await pool.execute(statement, "quokka")
    assert "quokka" in str(raised.value.__cause__)
    assert "quokka" not in raised.value.message
