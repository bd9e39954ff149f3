"""Which files of the drop folder are ready to be taken."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.directory.drop_folder import Look, claim_name, settled


def test_file_is_taken_when_two_looks_find_it_the_same() -> None:
    """One that is new, or grows, or was written again, waits; the oldest comes first."""
    before = {
        1: Look("same.csv", 5, 70),
        2: Look("grows.csv", 5, 70),
        3: Look("again.csv", 5, 70),
        9: Look("b.csv", 1, 9),
    }
    now = {
        1: Look("same.csv", 5, 70),
        2: Look("grows.csv", 6, 70),
        3: Look("again.csv", 5, 71),
        4: Look("new.csv", 5, 70),
        9: Look("b.csv", 1, 9),
    }

    assert settled(before, now) == ["b.csv", "same.csv"]
    assert settled({}, now) == []


def test_file_that_was_renamed_into_place_is_taken() -> None:
    """It has been whole under its temporary name for as long as it takes."""
    assert settled({1: Look("hr.csv.part", 5, 70)}, {1: Look("hr.csv", 5, 70)}) == ["hr.csv"]


def test_file_waits_for_its_digest() -> None:
    """A digest that is being written, or that the mapping wants, is waited for; by itself it is no file."""
    file, digest = {1: Look("hr.csv", 5, 70)}, {2: Look("hr.csv.sha256", 64, 70)}

    assert settled(file, file) == ["hr.csv"]
    assert settled(file, file, digest=True) == []
    assert settled(file, file | digest) == []
    assert settled(file | digest, file | digest, digest=True) == ["hr.csv"]
    assert settled(digest, digest) == []


@pytest.mark.parametrize("name", ["hr.csv.part", "HR.CSV.TMP", ".hidden.csv", "hr.csv~", "hr.filepart"])
def test_temporary_file_is_left_alone(name: str) -> None:
    """However long it stays."""
    assert settled({1: Look(name, 5, 70)}, {1: Look(name, 5, 70)}) == []


@pytest.mark.parametrize("name", ["hr.csv", "bad\udcff\n.csv", "王" * 80 + ".csv", "x" * 250 + ".csv"])
def test_taken_file_has_a_name_that_can_be_written_everywhere(name: str) -> None:
    """Whatever bytes somebody has named it with."""
    claim = claim_name(name, datetime(2027, 3, 1, 8, tzinfo=UTC), "01234567")
    assert claim.startswith("20270301T080000Z-01234567-")
    assert claim.endswith(".csv")
    assert claim.isprintable()
    assert len(f"{claim}.txt".encode()) < 255
