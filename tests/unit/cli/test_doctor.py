"""What the doctor says of the ledger's tables."""

from __future__ import annotations

from bridge.cli.doctor import ledger_is_protected
from bridge.homeserver.checkup import Grade


def test_a_service_that_could_rewrite_the_archive_is_told_how_to_give_that_up() -> None:
    """With the SQL, and which keys of the configuration to set; it goes on working as before."""
    found = ledger_is_protected(["event"], "muster")
    assert found.grade is Grade.ADVICE
    assert "`database_owner`" in found.mend
    assert "CREATE ROLE muster_service LOGIN" in found.command
    assert ledger_is_protected([], "muster_service").grade is Grade.OK
