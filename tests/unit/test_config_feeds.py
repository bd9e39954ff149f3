"""The files, drop folder and webhooks of the configuration: the documented example loads, bad ones are told."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.config import Config, read_config
from bridge.config_feeds import AdapterName, SignatureName
from bridge.directory.feed import Feed
from bridge.directory.file_mapping import Ends
from bridge.directory.hook_adapters import ADAPTERS
from bridge.errors import DocumentError

ROOT = Path(__file__).parents[2]
HEAD = "homeserver: {url: 'http://localhost:8008', server_name: example.org}\n"
DATED = "f: from, e: to"
KEY = "whsec_" + base64.b64encode(bytes(24)).decode()


def load(text: str, folder: Path) -> Config:
    return read_config(HEAD + text, folder / "config.yaml")


def problem(text: str, folder: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        load(text, folder)
    return caught.value.message


def test_documented_examples_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What docs/feeds.md shows is what the reader takes, and every key of a mapping is shown there."""
    files, hooks, *_ = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "feeds.md").read_text(), re.DOTALL)
    monkeypatch.setenv("BAMBOO_KEY", "0123456789abcdef")
    monkeypatch.setenv("PAYROLL_KEY", KEY)
    (tmp_path / "next-key.txt").write_text("fedcba9876543210\n")
    found = load(files, tmp_path).directory.feeds

    payroll = found.files["payroll"]
    assert payroll.columns["Personalnummer"] == ("externalId", "userName")
    assert (payroll.dates, payroll.delimiter, payroll.encoding) == ("DD.MM.YYYY", ";", "cp1252")
    assert (payroll.complete, payroll.shrink, payroll.trailer) == (True, 0.05, "ENDE;{rows}")
    assert payroll.translate == {"department": {"D1": "Sales", "D2": "Finance"}}
    dated = found.files["departments"]
    assert (payroll.ends, dated.ends) == (None, Ends.EXCLUSIVE)
    assert dated.columns["from_date"] == ("from",)
    assert (payroll.digest, payroll.grace) == (True, timedelta(days=1))
    assert payroll.feed == Feed("file:payroll", True, 0.05, timedelta(days=1))
    assert found.watch is not None
    assert (found.watch.folder, found.watch.mapping, found.watch.every) == (
        tmp_path / "drop",
        payroll,
        timedelta(seconds=10),
    )
    webhooks = load(
        hooks.replace("directory:\n", "directory:\n  attributes: [shift]\n"), tmp_path
    ).directory.feeds.webhooks
    bamboo, payroll_hook = webhooks["bamboo"], webhooks["payroll"]
    assert (bamboo.adapter, bamboo.signature) == ("bamboohr", SignatureName.VENDOR)
    assert bamboo.keys == (b"0123456789abcdef", b"fedcba9876543210")
    assert (payroll_hook.keys, payroll_hook.signature) == ((bytes(24),), SignatureName.STANDARD)
    assert bamboo.attributes == {"shift": "fields.customShift"}
    assert bamboo.statuses == {"garden leave": False}


def test_every_adapter_can_be_named() -> None:
    """The configuration knows those that there are."""
    assert {name.value for name in AdapterName} == set(ADAPTERS)


def test_keys_are_not_printable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that prints the configuration by accident shows one."""
    monkeypatch.setenv("HOOK_KEY", "whsec_" + base64.b64encode(b"sw0rdf1shsw0rdf1sh").decode())
    found = load("directory: {webhooks: {a: {adapter: generic, keys: [$HOOK_KEY]}}}\n", tmp_path)
    assert found.directory.feeds.webhooks["a"].keys == (b"sw0rdf1shsw0rdf1sh",)
    assert "sw0rdf1sh" not in repr(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("files: {p: {}}", "`columns` is missing"),
        ("files: {p: {columns: {a: title}}}", "expected a column for userName"),
        ("files: {p: {columns: {a: birthDate}}}", "unknown attribute `birthDate`"),
        ("files: {p: {columns: {a: [userName, titel]}}}", "unknown attribute `titel`; did you mean `title`?"),
        ("files: {P P: {columns: {a: userName}}}", "expected a name of small letters"),
        ("files: {p: {columns: {a: userName}, dates: DD.MM}}", "expected how days are written, such as DD.MM.YYYY"),
        ("files: {p: {columns: {a: userName}, encoding: hex}}", "expected an encoding such as"),
        ("files: {p: {columns: {a: userName}, encoding: latin-99}}", "expected an encoding such as"),
        ("files: {p: {columns: {a: userName}, delimiter: ';;'}}", "expected one character"),
        ("files: {p: {columns: {a: userName}, trailer: END}}", "expected a line with {rows} in it"),
        ("files: {p: {columns: {a: userName, b: from, c: to}}}", "expected beside `from` and `to` what `to` is"),
        ("files: {p: {columns: {a: userName, b: title}, ends: inclusive}}", "expected columns for `from` and `to`"),
        (f"files: {{p: {{columns: {{{DATED}, t: title}}, ends: inclusive}}}}", "expected a column for externalId or"),
        (
            f"files: {{p: {{columns: {{{DATED}, u: userName}}, ends: inclusive}}}}",
            "expected a column for at least one of",
        ),
        (
            f"files: {{p: {{columns: {{{DATED}, u: userName, t: title, m: email}}, ends: inclusive}}}}",
            "dated rows may speak of title, userType, department, division, organization, costCenter, employeeNumber; "
            "came email",
        ),
        (
            f"files: {{p: {{columns: {{{DATED}, u: userName, t: title}}, ends: inclusive, complete: true}}}}",
            "a file of dated rows removes nobody by absence",
        ),
        (f"files: {{p: {{columns: {{{DATED}, u: userName, t: title}}, ends: never}}}}", "inclusive"),
        ("files: {p: {columns: {a: userName}, translate: {title: {a: b}}}}", "unknown attribute `title`"),
        ("files: {p: {columns: {a: userName}, shrink: 2}}", "expected a number from 0 to 1"),
        ("files: {p: {columns: {a: userName}, complete: true}}", "expected `trailer` or `digest: true`"),
        ("files: {p: {columns: {a: userName}, grace: 1y}}", "expected a duration such as"),
        ("watch: {folder: d, mapping: p}", "expected a name under `files`, came p"),
        ("watch: {mapping: p}", "`folder` is missing"),
        ("files: {p: {columns: {a: userName}}}, watch: {folder: d, mapping: p, every: 0s}", "expected at least 1s"),
        ("webhooks: {a: {adapter: bambohr, keys: [$X]}}", "did you mean `bamboohr`?"),
        ("webhooks: {a: {adapter: generic}}", "`keys` is missing"),
        ("webhooks: {a: {adapter: generic, keys: []}}", "expected at least 1 in the list"),
        ("webhooks: {a: {adapter: generic, keys: [$UNSET_KEY]}}", "`UNSET_KEY` to hold a key; it is not set"),
        ("webhooks: {a: {adapter: generic, keys: [nothing.txt]}}", "there is none that can be read"),
        ("webhooks: {a: {adapter: generic, keys: [bad.txt]}}", "at least 16 bytes in base64"),
        (f"webhooks: {{a: {{adapter: generic, keys: [{KEY}]}}}}", "came the key itself"),
        ("webhooks: {a: {adapter: bamboohr, keys: [whsec.txt]}}", "say `signature: standard`"),
        ("webhooks: {a: {adapter: hibob, keys: [short.txt]}}", "at least 16 characters"),
        ("webhooks: {a: {adapter: generic, signature: vendor, keys: [bad.txt]}}", "expected standard: generic has no"),
        ("webhooks: {a: {adapter: hibob, signature: hibob, keys: [bad.txt]}}", "expected vendor or standard"),
        ("webhooks: {a: {adapter: generic, keys: [$K], attributes: {ssn: fields.ssn}}}", "unknown attribute `ssn`"),
    ],
)
def test_bad_feeds_are_told_without_secrets(text: str, message: str, tmp_path: Path) -> None:
    """Each with its place; no key is repeated."""
    (tmp_path / "bad.txt").write_text("whsec_c2VjcmV0\n")
    (tmp_path / "whsec.txt").write_text(KEY)
    (tmp_path / "short.txt").write_text("c2VjcmV0")
    found = problem(f"directory: {{{text}}}\n", tmp_path)
    assert message in found
    assert KEY not in found
    assert "c2VjcmV0" not in found
