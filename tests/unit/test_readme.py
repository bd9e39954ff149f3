"""Every command that the documents show is one that exists."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.cli import VERBS, parser

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md",
    "docs/announcements.md",
    "docs/directory.md",
    "docs/people-in-time.md",
    "docs/operating.md",
    "docs/policy.md",
    "docs/architecture.md",
    "docs/archive.md",
    "docs/retention.md",
    "docs/why.md",
    "docs/selfservice.md",
    "docs/emergency.md",
    "docker/README.md",
)
_FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_OPTIONAL = re.compile(r" \[[^]]*\]")


def _shown(document: str) -> Iterator[str]:
    """Yield the lines of shell blocks, and what stands in backquotes in tables and sentences."""
    text = (ROOT / document).read_text()
    for language, block in _FENCED.findall(text):
        if language == "sh":
            yield from block.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`([^`\n]+)`", _FENCED.sub("", text))


def _commands(document: str, program: str) -> list[str]:
    found = []
    for line in _shown(document):
        first, *_ = line.strip().removeprefix("$ ").split(maxsplit=1) or [""]
        if Path(first).name == program:
            words, *_ = line.split(" > ")
            found.append(shlex.join([program, *shlex.split(words, comments=True)[1:]]))
    return sorted(set(found))


def _parses(words: list[str]) -> bool:
    """Tell whether the command line takes these words; a verb alone may lack its arguments, as it does in prose."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            parser([words[0]] if words and words[0] in VERBS else VERBS).parse_args(words)
    except SystemExit as end:
        is_a_mention = len(words) <= 2 and "the following arguments are required" in said.getvalue()
        return end.code == 0 or is_a_mention
    return True


@pytest.mark.parametrize(
    "command",
    [pytest.param(each, id=f"{document}: {each}") for document in DOCUMENTS for each in _commands(document, "muster")],
)
def test_a_command_that_is_shown_parses(command: str) -> None:
    """The real parser takes it; what stands in [ ] may be left out."""
    for form in {_OPTIONAL.sub("", command), command.replace("[", "").replace("]", "")}:
        assert _parses(shlex.split(form)[1:]), form


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_make_target_that_is_shown_exists(document: str) -> None:
    """The Makefile has it, and has the variables that are set on it."""
    makefile = (ROOT / "Makefile").read_text()
    for command in _commands(document, "make"):
        for word in shlex.split(command)[1:]:
            name, is_variable, _ = word.partition("=")
            assert f"$({name})" in makefile if is_variable else re.search(rf"^{name}:", makefile, re.MULTILINE), command


def test_the_commands_of_the_readme_are_found() -> None:
    """The test above would pass if it found nothing."""
    assert {"muster run", "muster doctor", "muster plan", "muster check"} <= set(_commands("README.md", "muster"))
    assert {"make demo", "make test", "make check", "make bench"} <= set(_commands("README.md", "make"))


def test_every_verb_is_in_the_readme() -> None:
    """What there is, a newcomer can find."""
    shown = {word for command in _commands("README.md", "muster") for word in shlex.split(command)[1:2]}
    assert shown >= set(VERBS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_file_that_is_linked_exists(document: str) -> None:
    """Links inside the repository lead somewhere."""
    folder = (ROOT / document).parent
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / document).read_text())
    assert [link for link in links if not (folder / link).exists()] == []


def test_the_unit_file_runs_the_service() -> None:
    """What administrators copy into systemd is a command that the parser takes."""
    text = (ROOT / "docs/operating.md").read_text()
    command, *_ = re.findall(r"^ExecStart=\S*/muster (.*)$", text, re.MULTILINE)
    assert shlex.split(command)[0] == "run"
    assert _parses(shlex.split(command))
