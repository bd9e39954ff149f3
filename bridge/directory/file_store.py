"""The statements on files of the drop folder: one function each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bridge.database import Connection


async def find_import(connection: Connection, claim: str) -> dict[str, Any] | None:
    """Return what the import of the file changed that was claimed under this name, None when it is not in."""
    report: dict[str, Any] | None = await connection.fetchval("SELECT report FROM file_import WHERE claim = $1", claim)
    return report


async def record_import(connection: Connection, claim: str, report: dict[str, Any]) -> None:
    """Note, in the database transaction that imports it, that the file is in, and what it changed."""
    await connection.execute("INSERT INTO file_import (claim, report) VALUES ($1, $2)", claim, report)
