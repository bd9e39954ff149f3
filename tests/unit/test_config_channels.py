"""Second channels of the configuration: the documented example loads, bad ones are told, secrets are never repeated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.channels.mail import MailServer, Security
from bridge.config import read_config
from bridge.config_channels import ChannelsConfig, MailConfig, SmsConfig
from bridge.errors import DocumentError

HEAD = "homeserver: {url: 'http://localhost:8008', server_name: example.org}\ndirectory: {attributes: [mobile]}\n"
EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
SMS = "sms: {url: 'https://sms.example.org/send', key: $SMS_KEY, attribute: mobile}"


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put them where the configurations say."""
    monkeypatch.setenv("SMS_KEY", "whsec_aGlkZGVuLWhpZGRlbi1oaWRkZW4=")
    monkeypatch.setenv("SMTP_PASSWORD", "hidden")


def load(text: str) -> ChannelsConfig:
    return read_config(f"{HEAD}channels: {text}\n", Path("/etc/muster/config.yaml")).channels


def test_the_documented_channels_load() -> None:
    """What the example shows is what the reader takes."""
    (shown,) = re.findall(r"^# (\{sms: .*\n# mail: .*?\}\})\. Default", EXAMPLE.read_text(), re.MULTILINE)
    found = load(shown.replace("\n#", ""))
    assert found.sms == SmsConfig("https://sms.example.org/send", b"hidden-hidden-hidden", "mobile")
    server = MailServer("smtp.example.org", 587, Security.START, "muster@example.org", "muster", "hidden")
    assert found.mail == MailConfig(server, "emails")
    assert found.names == ("sms", "mail")
    assert "hidden" not in repr(found)
    assert load("{}").names == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{{{SMS.replace('mobile', 'mobil')}}}", "expected one of `directory.attributes`, came mobil"),
        (f"{{{SMS.replace('$SMS_KEY', '$NO_KEY')}}}", "`NO_KEY` to hold a key; it is not set"),
        ("{mail: {host: h, from: muster}}", "expected an e-mail address such as muster@example.org"),
        ("{mail: {host: h, from: m@x.org, username: m}}", "`username` and `password` go together"),
        ("{mail: {host: h, from: m@x.org, security: none}}", "would cross the network unencrypted"),
        ("{mail: {host: h, from: m@x.org, ca: nowhere.pem}}", "expected the path of a file with certificates"),
        ("{fax: {}}", "unknown key `fax`"),
    ],
)
def test_what_makes_no_sense_is_told(text: str, problem: str) -> None:
    """With what was expected, and without the secret."""
    with pytest.raises(DocumentError) as caught:
        load(text)
    assert problem in caught.value.message
    assert "hidden" not in caught.value.message


def test_a_server_on_this_machine_needs_no_encryption() -> None:
    """Nobody is in between."""
    found = load("{mail: {host: localhost, from: m@x.org, security: none}}").mail
    assert found is not None
    assert (found.server.port, found.server.security) == (25, Security.NONE)
