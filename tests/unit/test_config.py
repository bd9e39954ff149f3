"""The configuration is documented by its example, and a bad one is told where, what was expected and what came."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from bridge.cli import init
from bridge.config import Applying, load_config, load_registration, read_config, read_registration
from bridge.config_announcements import AnnouncementsConfig
from bridge.config_archive import AnchorsConfig, MediaConfig
from bridge.config_channels import ChannelsConfig
from bridge.config_photos import PhotosConfig
from bridge.document import Kind, Section
from bridge.errors import DocumentError
from bridge.homeserver import registration
from bridge.homeserver.registration import Registration
from bridge.policy.source import read_policy

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"
REGISTRATION = ROOT / "registration.yaml"
SMALLEST = "homeserver: {url: 'http://localhost:8008', server_name: example.org}\n"
TOKENS = "as_token: REPLACE-ME-AS-TOKEN\nhs_token: REPLACE-ME-HS-TOKEN\n"
REGISTERED = f"id: muster\nurl: http://localhost:29330\nsender_localpart: muster\n{TOKENS}"


def _keys(node: object, prefix: str = "") -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield f"{prefix}{key}"
            yield from _keys(value, f"{prefix}{key}.")


# The examples


def test_the_example_is_what_init_writes() -> None:
    """Who reads the example reads the file that the command gives; it is made again from bridge/templates."""
    values = {"homeserver": "http://127.0.0.1:8008", "server_name": "example.org", "listen": "127.0.0.1:29330"}
    assert EXAMPLE.read_text() == init.template("config.yaml").substitute(values)


def test_the_registration_at_the_top_is_what_init_writes() -> None:
    """Apart from its tokens, which are none."""
    tokens = Registration("muster", "REPLACE-ME-AS-TOKEN", "REPLACE-ME-HS-TOKEN", "muster")
    assert REGISTRATION.read_text() == registration.text(
        tokens, url="http://127.0.0.1:29330", server_name="example.org"
    )


def test_the_examples_load() -> None:
    """With the loaders of the service."""
    loaded = load_config(EXAMPLE)
    assert (loaded.homeserver.server_name, loaded.applying) == ("example.org", Applying.MANUAL)
    assert loaded.appservice.registration == REGISTRATION
    found = load_registration(REGISTRATION)
    assert found.bot("example.org") == "@muster:example.org"
    assert not found.rate_limited


def test_the_example_has_every_key_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that the reader asks for and the example lacks is undocumented; the other way round it is a lie."""
    asked: set[str] = set()

    def recording(name: str) -> Any:
        original = getattr(Section, name)

        def ask(section: Section, key: str, *rest: Kind[object]) -> object:
            if section.place is not None:
                asked.add(f"{section.name}.{key}".lstrip("."))
            return original(section, key, *rest)

        return ask

    for name in ("required", "optional"):
        monkeypatch.setattr(Section, name, recording(name))
    read_config(EXAMPLE.read_text(), EXAMPLE)
    assert asked == set(_keys(YAML(typ="safe").load(EXAMPLE.read_text())))


def test_every_key_of_the_example_is_explained() -> None:
    """What it is for stands above it, with its default unless it is required."""
    lines = EXAMPLE.read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r" *\w+: \S", line):
            start = number
            while lines[start - 1].lstrip().startswith("#"):
                start -= 1
            comment = " ".join(lines[start:number])
            assert re.search(r"Required\.|Default: ", comment), f"line {number + 1}: {line}"


def test_the_defaults_are_those_that_the_example_names() -> None:
    """A configuration of the required keys alone has the values that stand behind `Default:`."""
    text = EXAMPLE.read_text()
    found = read_config(SMALLEST, ROOT / "config.yaml")
    named = re.findall(r"Default: (\[.*?\]|\S+?)[;.]?(?: .*)?\n(?: *#.*\n)*? *(\w+):", text)
    stated = {key: value for value, key in named}
    assert stated == {
        "concurrency": str(found.homeserver.concurrency),
        "compare_every": f"{found.homeserver.compare_every.total_seconds():.0f}s",
        "registration": found.appservice.registration.name,
        "listen": f"{found.appservice.host}:{found.appservice.port}",
        "database": "embedded" if found.database is None else found.database,
        "database_owner": "none" if found.database_owner is None else found.database_owner,
        "data": found.data.name,
        "policy": found.policy.name,
        "apply": found.applying.value,
        "attributes": str(list(found.attributes)),
        "public_url": found.scim.public_url or "request",
        "requests_per_second": str(found.scim.rate),
        "files": str(found.directory.feeds.files),
        "watch": "null" if found.directory.feeds.watch is None else str(found.directory.feeds.watch),
        "webhooks": str(found.directory.feeds.webhooks),
        "ldap": str(found.directory.feeds.ldap),
        "statuses": str(found.directory.statuses),
        "photos": "null" if found.directory.photos == PhotosConfig() else str(found.directory.photos),
        "checkpoint_every": f"{found.archive.checkpoint_every // timedelta(hours=1)}h",
        "anchors": "{}" if found.archive.anchors == AnchorsConfig() else str(found.archive.anchors),
        "dispose": found.archive.dispose.value,
        "dispose_at_most": str(found.archive.dispose_at_most),
        "languages": f"[{', '.join(found.archive.languages)}]",
        "media": "{}" if found.archive.media == MediaConfig() else str(found.archive.media),
        "timezone": found.directory.timezone,
        "channels": "{}" if found.channels == ChannelsConfig() else str(found.channels),
        "announcements": "{}" if found.announcements == AnnouncementsConfig() else str(found.announcements),
        "log": found.log.value,
    }


def test_the_first_policy_is_good(tmp_path: Path) -> None:
    """What `muster init` writes passes `muster check`, its own tests included."""
    (tmp_path / "policy.yaml").write_text(init.template("policy.yaml").substitute())
    assert read_policy(tmp_path / "policy.yaml", ()).tests


# Bad ones


def _problems(text: str) -> str:
    with pytest.raises(DocumentError) as raised:
        read_config(text, Path("config.yaml"))
    return raised.value.message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "config.yaml: error: expected a mapping (`key: value`), came an empty file"),
        ("- a\n", "config.yaml:1:1: error: expected a mapping (`key: value`), came a list"),
        ("homeserver: {url: 'http://x'}\n", "config.yaml:1:13: error: `server_name` is missing"),
        ("log: info\n", "config.yaml:1:1: error: `homeserver` is missing"),
        (SMALLEST + "polici: p.yaml\n", "config.yaml:2:1: error: unknown key `polici`; did you mean `policy`?"),
        (
            SMALLEST + "appservice: {port: 1}\n",
            "config.yaml:2:14: error: unknown key `port`; expected one of: listen, registration",
        ),
        (SMALLEST.replace("http:", "ftp:"), "config.yaml:1:19: error: expected an address such as"),
        (
            SMALLEST.replace("example.org", "http://example.org"),
            "config.yaml:1:57: error: expected a server name such as example.org, came http://example.org",
        ),
        (
            SMALLEST + "appservice: {listen: 'localhost:99999'}\n",
            "config.yaml:2:22: error: expected HOST:PORT, such as 127.0.0.1:29330, came localhost:99999",
        ),
        (SMALLEST + "apply: auto\n", "config.yaml:2:8: error: expected automatic or manual, came auto; did you mean"),
        (SMALLEST + "log: INFO\n", "config.yaml:2:6: error: expected error or warning or info or debug, came INFO"),
        (
            SMALLEST.replace("}", ", concurrency: 500}"),
            "config.yaml:1:83: error: expected a whole number from 1 to 50, came 500",
        ),
        (SMALLEST + "directory: {attributes: [9]}\n", "config.yaml:2:26: error: expected an attribute's name"),
        (SMALLEST + "database: mysql://x\n", "config.yaml:2:11: error: expected `embedded`, an address postgresql://"),
        (
            SMALLEST + "database: $MUSTER_UNSET\n",
            "config.yaml:2:11: error: expected the environment variable `MUSTER_UNSET` to hold an address; it is not",
        ),
        (SMALLEST + "\tlog: info\n", "config.yaml:2:1: error: not YAML: a tab; YAML is indented with spaces"),
    ],
)
def test_a_bad_configuration_is_told_with_place_expectation_and_value(text: str, problem: str) -> None:
    """Each message is `file:line:column: error: expected …, came …`."""
    assert _problems(text).startswith(problem)


def test_every_problem_is_told_at_once() -> None:
    """Nobody mends one to find the next."""
    found = _problems("homeserver: {url: x}\nlog: loud\nnonsense: 1\n").splitlines()
    assert [line.split(":")[1] for line in found] == ["1", "1", "2", "3"]


SECRET = "sw0rdf1sh"


@pytest.mark.parametrize(
    "database",
    [
        f"mysql://muster:{SECRET}@db/muster",
        f"postgresql:/muster:{SECRET}@db",
        f"{SECRET}",
        f"[{SECRET}]",
        f'"postgresql:\\n//{SECRET}"',
        f"postgresql://m:{SECRET}@db: x",
        f"!tag {SECRET}",
    ],
)
def test_a_password_in_a_bad_address_is_not_repeated(database: str) -> None:
    """Messages end up in logs, chats and tickets."""
    assert SECRET not in _problems(f"{SMALLEST}database: {database}\n")


def test_a_password_from_the_environment_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does the configuration show it when it is printed."""
    monkeypatch.setenv("MUSTER_DATABASE", f"mysql://{SECRET}")
    assert SECRET not in _problems(SMALLEST + "database: $MUSTER_DATABASE\n")
    monkeypatch.setenv("MUSTER_DATABASE", f"postgresql://muster:{SECRET}@db/muster")
    loaded = read_config(SMALLEST + "database: $MUSTER_DATABASE\n", Path("config.yaml"))
    assert loaded.database == f"postgresql://muster:{SECRET}@db/muster"
    assert SECRET not in repr(loaded)


@pytest.mark.parametrize(
    "token", [f"[{SECRET}]", f"{{a: {SECRET}}}", f'"{SECRET}\\n"', f"!tag {SECRET}", f'"a\\x01{SECRET}"', "", "true"]
)
def test_a_bad_token_is_not_repeated(token: str) -> None:
    """A registration is refused without its tokens."""
    text = REGISTERED.replace("REPLACE-ME-AS-TOKEN", token).replace("REPLACE-ME-HS-TOKEN", SECRET)
    if token == f'"{SECRET}\\n"':  # space around a value is nothing
        assert read_registration(text, Path("r.yaml")).as_token == SECRET
        return
    with pytest.raises(DocumentError, match=r"r\.yaml:4:\d+: error: ") as raised:
        read_registration(text, Path("r.yaml"))
    assert SECRET not in raised.value.message


def test_a_registration_is_not_printable() -> None:
    """Nothing that prints it by accident shows a token."""
    assert SECRET not in repr(Registration("muster", SECRET, SECRET, "muster"))


def test_a_registration_without_tokens_is_told() -> None:
    """By its missing keys."""
    with pytest.raises(DocumentError, match=r"`as_token` is missing\n.*`hs_token` is missing"):
        read_registration(REGISTERED.replace(TOKENS, ""), Path("r.yaml"))


def test_rate_limits_apply_unless_switched_off() -> None:
    """A key that is absent means true, for Synapse too."""
    assert read_registration(REGISTERED, Path("r.yaml")).rate_limited
    assert not read_registration(REGISTERED + "rate_limited: false\n", Path("r.yaml")).rate_limited


def test_a_missing_configuration_says_how_to_write_one(tmp_path: Path) -> None:
    """A newcomer who begins with another verb is led to `muster init`."""
    with pytest.raises(DocumentError, match="there is no such file; write one with `muster init`"):
        load_config(tmp_path / "config.yaml")


def test_a_missing_registration_says_where_it_comes_from(tmp_path: Path) -> None:
    """And which key says where it is."""
    with pytest.raises(DocumentError, match=r"`muster init` writes it; `appservice\.registration`"):
        load_registration(tmp_path / "registration.yaml")


@pytest.mark.parametrize("load", [load_config, load_registration])
def test_a_file_that_is_none_is_told(tmp_path: Path, load: Any) -> None:
    """A folder where a file was expected is a problem like others."""
    with pytest.raises(DocumentError, match=re.escape(f"{tmp_path}: error: cannot be read: Is a directory")):
        load(tmp_path)


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not matter where the command is run."""
    monkeypatch.chdir("/")
    (tmp_path / "config.yaml").write_text(SMALLEST + "policy: rules/p.yaml\ndata: /var/lib/muster\n")
    loaded = load_config(tmp_path / "config.yaml")
    assert (loaded.policy, str(loaded.data)) == (tmp_path / "rules" / "p.yaml", "/var/lib/muster")


def test_an_address_of_the_sixth_version_is_taken() -> None:
    """IPv6 hosts stand in brackets, which are not part of them."""
    found = read_config(SMALLEST + "appservice: {listen: '[::1]:29330'}\n", Path("config.yaml"))
    assert (found.appservice.host, found.appservice.port) == ("::1", 29330)
