"""How often the archive is signed and where that is anchored: the documented example loads, bad ones are told."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.config import read_config
from bridge.config_archive import AnchorsConfig, ArchiveConfig
from bridge.errors import DocumentError

HEAD = "homeserver: {url: 'http://localhost:8008', server_name: example.org}\narchive: "
EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def load(text: str) -> ArchiveConfig:
    return read_config(HEAD + text, Path("/etc/muster/config.yaml")).archive


def test_the_documented_anchors_load() -> None:
    """What the example shows is what the reader takes."""
    (shown,) = re.findall(r"For example (\{room: .*?\})\.", EXAMPLE.read_text())
    assert load(f"{{anchors: {shown}}}").anchors == AnchorsConfig(
        "administrators", Path("/mnt/audit/checkpoints"), "https://tsa.example.org/tsr"
    )


def test_paths_are_relative_to_the_file() -> None:
    """As everywhere in the configuration."""
    assert load("{anchors: {file: kept}}").anchors.file == Path("/etc/muster/kept")
    assert load("{checkpoint_every: 5m}") == ArchiveConfig(timedelta(minutes=5), AnchorsConfig())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{checkpoint_every: 30s}", "expected at least 1m, came 30s"),
        ("{anchors: {rom: x}}", "unknown key `rom`; did you mean `room`?"),
        ("{anchors: {room: town-square}}", "expected `administrators` or a room's ID"),
        ("{anchors: {rfc3161: tsa.example.org}}", "expected an address"),
        ("{anchors: []}", "expected a mapping"),
        ("{anchor: {}}", "unknown key `anchor`; did you mean `anchors`?"),
    ],
)
def test_what_makes_no_sense_is_told(text: str, problem: str) -> None:
    """With what was expected."""
    with pytest.raises(DocumentError) as caught:
        load(text)
    assert problem in caught.value.message


def test_languages_are_snowballs() -> None:
    """Any language with a stemmer will do, and none; an unknown one is told with the nearest."""
    assert load("{languages: [Finnish, english]}").languages == ("finnish", "english")
    assert load("{languages: []}").languages == ()
    with pytest.raises(DocumentError, match=r"no inflections of 'estonien'.*estonian"):
        load("{languages: [estonien]}")
