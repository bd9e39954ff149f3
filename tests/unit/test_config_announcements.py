"""Where announcements come from and go to: the documented examples load, bad ones are told."""

from __future__ import annotations

import base64
import re
from datetime import time, timedelta
from pathlib import Path

import pytest

from bridge.config import Config, read_config
from bridge.errors import DocumentError

PAGE = Path(__file__).parents[2] / "docs" / "announcements.md"
HEAD = "homeserver: {url: 'http://localhost:8008', server_name: example.org}\n"
KEY = "whsec_" + base64.b64encode(bytes(24)).decode()
TOKEN = "0123456789abcdefghijklmn"


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GRAFANA_KEY": KEY, "INTRANET_KEY": KEY, "JENKINS_TOKEN": TOKEN, "SMTP_PASSWORD": "x"}.items():
        monkeypatch.setenv(name, value)


def load(text: str) -> Config:
    return read_config(HEAD + text, Path("/etc/muster/config.yaml"))


def problem(text: str) -> str:
    with pytest.raises(DocumentError) as caught:
        load(f"announcements: {text}")
    return caught.value.message


def test_documented_examples_load() -> None:
    """What docs/announcements.md shows is what the reader takes."""
    blocks = re.findall(r"```yaml\n# config\.yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    sources, beyond = (block for block in blocks if "announcements:" in block)
    found = load(sources).announcements
    grafana, jenkins = found.webhooks["grafana"], found.webhooks["jenkins"]
    assert (grafana.source.desk, grafana.source.author, grafana.source.confirmed) == ("it", "Monitoring", True)
    assert (grafana.keys, grafana.token, jenkins.keys, jenkins.token) == ((bytes(24),), "", (), TOKEN)
    status = found.feeds["status"]
    assert (status.every, status.at_most, status.source.confirmed) == (timedelta(minutes=15), 5, False)
    press = found.mail["press"]
    assert (press.senders, press.trust) == (("press@example.org", "@agency.example"), "mx.example.org")
    assert (press.maildir, press.every, press.largest) == (Path("/var/mail/press"), timedelta(seconds=30), 10_000_000)
    out = load(beyond).announcements
    assert (out.outbound["intranet"].desks, out.digest, out.public) == (("news",), time(7), ("news",))


def test_secrets_are_not_shown() -> None:
    """Neither keys nor tokens stand in what is printed of a configuration."""
    text = "announcements: {webhooks: {a: {desk: d, token: $JENKINS_TOKEN}, b: {desk: d, keys: [$GRAFANA_KEY]}}}"
    shown = repr(load(text))
    assert TOKEN not in shown
    assert repr(bytes(24)) not in shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{webhooks: {a: {desk: d}}}", "expected either `keys`"),
        ("{webhooks: {a: {desk: d, keys: [$GRAFANA_KEY], token: $JENKINS_TOKEN}}}", "expected either `keys`"),
        ("{webhooks: {a: {desk: d, token: $JENKINS_TOKEN, confirmed: true}}}", "a poster must confirm"),
        ("{webhooks: {a: {desk: d, token: $SMTP_PASSWORD}}}", "at least 24 letters"),
        (f"{{webhooks: {{a: {{desk: d, keys: [{KEY}]}}}}}}", "came the key itself"),
        ("{webhooks: {A!: {desk: d, keys: [$GRAFANA_KEY]}}}", "expected a name of small letters"),
        ("{feeds: {a: {desk: d, url: 'ftp://x'}}}", "expected an address such as https"),
        ("{feeds: {a: {desk: d, url: 'https://x.example', every: 5s}}}", "expected at least 1m"),
        ("{mail: {a: {desk: d, maildir: m, senders: [x@y.ee], confirmed: true}}}", "expected `trust`"),
        ("{mail: {a: {desk: d, maildir: m, senders: []}}}", "at least 1 in the list"),
        ("{mail: {a: {desk: d, maildir: m, senders: [press]}}}", "expected an address such as press@example.org"),
        ("{digest: daily 7}", "expected `daily HH:MM`"),
        ("{digest: daily 07:00}", "`digest` needs a mail server"),
        ("{fedes: {}}", "did you mean `feeds`?"),
    ],
)
def test_what_is_wrong_is_told(text: str, words: str) -> None:
    """Each with what was expected."""
    assert words in problem(text)
