"""`muster check` says everything that is wrong, or that nothing is."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from bridge.cli import check
from bridge.membership.picture import initials

GOOD = """version: 1
company: Nordwind
rooms: {news: {name: News, kind: announcement, members: active eq true, posters: title pr}}
spaces: {company: {name: Nordwind, members: active eq true, rooms: [news]}}
tests:
  - {given: {title: x}, in: [news]}
  - {given: {title: x}, in: [company]}
"""
BAD = GOOD.replace("title pr", "titel pr").replace("version: 1", "version: 2")
UNCHECKED = "not checked against the directory: there is no config.yaml, which says where it is\n"
FAILING = GOOD.replace("in: [company]", "not_in: [company]")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a good and a bad policy and one that fails its tests."""
    for name, text in {"good": GOOD, "bad": BAD, "failing": FAILING}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def run(*files: str, config: str = "config.yaml", as_json: bool = False) -> int:
    """Run the verb on these files."""
    parser = argparse.ArgumentParser()
    check.add_parser(parser.add_subparsers())
    args = parser.parse_args(["check", *files], argparse.Namespace(config=Path(config), json=as_json))
    code: int = await args.handler(args)
    return code


async def test_a_good_policy_is_summed_up_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, nothing on standard error; the configuration may be missing when files are named."""
    assert await run("good.yaml") == 0
    printed = capsys.readouterr()
    assert printed.out == "good.yaml: ok: 1 room, 1 space, 2 tests passed\n" + UNCHECKED
    assert printed.err == ""


async def test_every_problem_of_every_file_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1; good files are still named; a missing file is a problem like others."""
    assert await run("bad.yaml", "good.yaml", "failing.yaml", "none.yaml") == 1
    printed = capsys.readouterr()
    assert printed.out == "good.yaml: ok: 1 room, 1 space, 2 tests passed\n" + UNCHECKED
    assert printed.err.splitlines() == [
        "bad.yaml:1:10: error: expected 1, the version of the policy language that this Muster reads, came 2",
        "bad.yaml:3:82: error: unknown attribute `titel`; did you mean `title`?",
        "failing.yaml:7:5: error: expected not to be in company, is in: company, news "
        "(rule spaces.company: active eq true)",
        "none.yaml: error: cannot be read: No such file or directory",
    ]


async def test_scripts_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One document with what is good and what is not."""
    assert await run("good.yaml", "failing.yaml", as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert told["policies"] == [{"file": "good.yaml", "rooms": 1, "spaces": 1, "desks": 0, "tests": 2}]
    assert [(problem["file"], problem["line"], problem["column"]) for problem in told["problems"]] == [
        ("failing.yaml", 7, 5)
    ]


async def test_without_files_the_configuration_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """And says so, if it is missing."""
    assert await run() == 1
    assert capsys.readouterr().err.startswith("config.yaml: error: ")


async def test_the_configuration_says_where_the_policy_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And which attributes the directory has beside the standard ones; its own problems are told too."""
    (folder / "custom.yaml").write_text(GOOD.replace("title pr", "shift pr"))
    config = folder / "config.yaml"
    config.write_text(
        "homeserver: {url: 'http://127.0.0.1:8008', server_name: example.org}\n"
        "policy: custom.yaml\n"
        "directory: {attributes: [shift]}\n"
    )
    (folder / "registration.yaml").write_text(
        "{id: muster, url: 'http://127.0.0.1:1', as_token: aaaaaaaaaaaaaaaaaaaaaaaa, "
        "hs_token: bbbbbbbbbbbbbbbbbbbbbbbb, sender_localpart: muster, rate_limited: false, namespaces: {}}\n"
    )
    code = await run()
    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    assert printed.out == (
        "custom.yaml: ok: 1 room, 1 space, 2 tests passed\n"
        "not checked against the directory: there is no database yet\n"
    )
    assert await run("custom.yaml", "--no-directory") == 0
    assert capsys.readouterr().out == "custom.yaml: ok: 1 room, 1 space, 2 tests passed\n"
    config.write_text("polici: custom.yaml\n")
    assert await run("good.yaml") == 1
    assert "config.yaml:1:1: error: unknown key `polici`; did you mean `policy`?" in capsys.readouterr().err


async def test_a_source_of_announcements_names_a_desk(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the configured policy; one that it does not have is a warning, with the place and the likely name."""
    (folder / "policy.yaml").write_text(
        "version: 1\ncompany: N\nannouncements:\n  newsroom: {name: N, posters: title pr, rooms: [n]}\n"
        "rooms:\n  n: {name: X, members: title pr, kind: announcement}\n"
    )
    (folder / "config.yaml").write_text(
        "homeserver: {url: 'http://127.0.0.1:8008', server_name: example.org}\n"
        "announcements:\n"
        "  feeds: {status: {desk: newsrom, url: 'https://status.example/feed'}}\n"
        "  public: [newsroom]\n"
    )
    (folder / "registration.yaml").write_text(
        "{id: muster, url: 'http://127.0.0.1:1', as_token: aaaaaaaaaaaaaaaaaaaaaaaa, "
        "hs_token: bbbbbbbbbbbbbbbbbbbbbbbb, sender_localpart: muster, rate_limited: false, namespaces: {}}\n"
    )
    assert await run("--no-directory") == 0
    told = capsys.readouterr().err
    assert told == ("config.yaml:3:26: warning: the policy has no desk `newsrom`; did you mean `newsroom`?\n")
    assert await run("policy.yaml", "--no-directory") == 0
    assert capsys.readouterr().err == ""


async def test_a_warning_refuses_nothing_unless_strict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is probably not meant is told on standard error, and counts only with `--strict`."""
    room = "{name: X, members: title pr}"
    (folder / "twins.yaml").write_text(f"version: 1\ncompany: N\nrooms:\n  a: {room}\n  b: {room}\n")
    assert await run("twins.yaml") == 0
    assert capsys.readouterr().err.startswith("twins.yaml:5:6: warning: `b` is")
    assert await run("--strict", "twins.yaml") == 1


async def test_a_picture_that_cannot_be_used_is_a_problem(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file beside the policy that is missing, or is none; one that is good is none."""
    room = "{name: X, members: title pr, avatar: logos/x.png}"
    (folder / "pictured.yaml").write_text(f"version: 1\ncompany: N\nrooms:\n  a: {room}\n")
    assert await run("pictured.yaml") == 1
    told = "pictured.yaml:4:6: error: the picture `logos/x.png` of `a` cannot be used: "
    assert capsys.readouterr().err == f"{told}the file cannot be read (No such file or directory)\n"

    (folder / "logos").mkdir()
    (folder / "logos" / "x.png").write_text("<svg/>")
    assert await run("pictured.yaml") == 1
    assert "expected a picture (PNG, JPEG or WebP), came something else" in capsys.readouterr().err

    (folder / "logos" / "x.png").write_bytes(initials("N", "#000000"))
    assert await run("pictured.yaml") == 0
