"""What the service makes of the errors that its tasks ended with."""

from __future__ import annotations

import asyncpg

from bridge.cli.run import foreseen
from bridge.errors import DatabaseUnavailableError, HomeserverError, MusterError


def _group(*errors: Exception) -> BaseExceptionGroup[BaseException]:
    return ExceptionGroup("tasks", [ExceptionGroup("inner", list(errors))])


def test_a_lost_connection_means_that_the_database_is_away() -> None:
    error = foreseen(_group(asyncpg.InternalClientError("another operation is in progress")))
    assert isinstance(error, DatabaseUnavailableError)
    assert "another operation" in error.message


def test_the_word_of_whoever_watches_the_database_goes_first() -> None:
    said = DatabaseUnavailableError("it has ended")
    assert foreseen(_group(ConnectionResetError(), OSError("x"), said)) is said


def test_a_foreseen_error_is_let_out() -> None:
    said = MusterError("the port is taken")
    assert foreseen(_group(said)) is said


def test_a_defect_beside_a_lost_connection_stays_a_defect() -> None:
    assert foreseen(_group(asyncpg.ConnectionDoesNotExistError(), ValueError())) is None


def test_what_the_file_system_refuses_is_not_the_database() -> None:
    assert foreseen(_group(PermissionError())) is None
    assert foreseen(_group(HomeserverError("no"), PermissionError())) is None
