"""The command line says what is wrong in one message, keeps to 80 columns, and ends with the code it promises."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import __version__, cli
from bridge.errors import DocumentError, MusterError, Problem


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _parsers(below)


def _output(*argv: str) -> tuple[str, str]:
    """Run a program and return what it says on standard output and standard error."""
    ended = subprocess.run(argv, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return ended.stdout, ended.stderr


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[BaseException | int]]:
    """What the command that runs next comes to: a code, or an exception."""
    outcome: list[BaseException | int] = []

    class Parser:
        def parse_args(self, _: object) -> argparse.Namespace:
            async def handler(_: object) -> int:
                end = outcome.pop()
                if isinstance(end, BaseException):
                    raise end
                return end

            return argparse.Namespace(handler=handler)

    monkeypatch.setattr(cli, "parser", lambda _: Parser())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield outcome
    assert outcome == []


def test_help_fits_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every verb, and of every verb below a verb."""
    monkeypatch.setenv("COLUMNS", "80")
    shown = [(parser.prog, parser.format_help()) for parser in _parsers(cli.parser())]
    assert len(shown) > len(cli.VERBS)
    assert [(prog, line) for prog, text in shown for line in text.splitlines() if len(line) > 80] == []


def test_every_verb_takes_a_configuration_and_prints_json() -> None:
    """Where people type them: behind the verb, and behind the verb below it."""
    for parser in _parsers(cli.parser()):
        if parser._subparsers is None:
            assert {"-c", "--config", "--json"} <= set(parser._option_string_actions), parser.prog


def test_every_verb_says_what_it_is_for() -> None:
    """In the list of verbs, and in its own help."""
    top = cli.parser()
    assert [verb for verb in cli.VERBS if not re.search(rf"^ +{verb}\s+\w", top.format_help(), re.MULTILINE)] == []
    described = {parser.prog.removeprefix("muster "): parser.description for parser in _parsers(top)}
    assert [verb for verb in cli.VERBS if not described[verb]] == []


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["apply"], ["plan", "--nonsense"], ["directory"], ["check", "--config"]]
)
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """And shows how it is meant."""
    with pytest.raises(SystemExit) as end:
        cli.execute(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: muster")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["doctor", "--help"]])
def test_help_and_version_end_with_0(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """They are no errors."""
    with pytest.raises(SystemExit) as end:
        cli.execute(arguments)
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(("usage: muster", f"muster {__version__}"))


def test_a_verb_alone_does_not_cost_the_others_imports() -> None:
    """A cheap command is cheap: `muster check` loads neither HTTP nor PostgreSQL's client."""
    loaded = "import sys; from bridge.cli import parser; parser(['check']); print(*sys.modules)"
    modules = _output(sys.executable, "-c", loaded)[0].split()
    assert {"aiohttp", "asyncpg", "mautrix", "scim2_models"} & set(modules) == set()


@pytest.mark.parametrize("code", [0, 1])
def test_the_code_of_a_command_is_its_own(ends_with: list[BaseException | int], code: int) -> None:
    """0 for done, 1 for refused or failed."""
    ends_with.append(code)
    assert cli.execute([]) == code


def test_a_foreseen_error_is_one_message(
    ends_with: list[BaseException | int], capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, and the code is 1."""
    ends_with.append(MusterError("Synapse is away."))
    assert cli.execute([]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "muster: Synapse is away.\n")


def test_problems_of_a_file_begin_with_its_name(
    ends_with: list[BaseException | int], capsys: pytest.CaptureFixture[str]
) -> None:
    """So that an editor or a terminal can jump to the place."""
    ends_with.append(DocumentError([Problem("c.yaml", 3, 1, "b"), Problem("c.yaml", 2, 1, "a")]))
    assert cli.execute([]) == 1
    assert capsys.readouterr().err == "c.yaml:2:1: error: a\nc.yaml:3:1: error: b\n"


def test_an_unforeseen_error_shows_no_traceback(
    ends_with: list[BaseException | int], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is written to a file, which only we can read, to be attached to a report."""
    ends_with.append(ZeroDivisionError("secret"))
    assert cli.execute([]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "secret" not in said
    report = Path(said.split()[-1])
    assert "ZeroDivisionError" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_an_interrupted_command_ends_with_130(
    ends_with: list[BaseException | int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Quietly: whoever pressed Ctrl-C knows."""
    ends_with.append(KeyboardInterrupt())
    assert cli.execute([]) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    """`muster … | head -1` ends without a word."""
    command = f"{sys.executable} -m bridge --help | true; echo ${{PIPESTATUS[0]}}"
    assert _output("/bin/bash", "-c", command) == ("0\n", "")
