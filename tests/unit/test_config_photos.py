"""Where photos of people are: the documented example loads, bad ones are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.config import read_config
from bridge.config_photos import PhotosConfig
from bridge.errors import DocumentError

HEAD = "homeserver: {url: 'http://localhost:8008', server_name: example.org}\ndirectory: "
EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def load(text: str) -> PhotosConfig:
    return read_config(HEAD + text, Path("/etc/muster/config.yaml")).directory.photos


def test_the_documented_photos_load() -> None:
    """What the example shows is what the reader takes; the folder is relative to the file."""
    (shown,) = re.findall(r"For example (\{folder: photos.*?\})\.", EXAMPLE.read_text())
    assert load(f"{{attributes: [photoUrl], photos: {shown}}}") == PhotosConfig(Path("/etc/muster/photos"), "photoUrl")
    assert load("{photos: null}") == load("{}") == PhotosConfig()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{photos: {attribute: photoUrl}}", "expected one of `directory.attributes`, came photoUrl"),
        ("{attributes: [photoUrl], photos: {attribute: photUrl}}", "did you mean `photoUrl`?"),
        ("{photos: {folders: x}}", "unknown key `folders`; did you mean `folder`?"),
    ],
)
def test_what_makes_no_sense_is_told(text: str, problem: str) -> None:
    """With what was expected."""
    with pytest.raises(DocumentError) as caught:
        load(text)
    assert problem in caught.value.message
