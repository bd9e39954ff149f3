"""LDAP servers of the configuration: the documented example loads, bad ones are told, secrets are never repeated."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.config import read_config
from bridge.directory.ldap_mapping import ACTIVE_DIRECTORY, OPENLDAP, GroupSearch, LdapSource
from bridge.errors import DocumentError

ROOT = Path(__file__).parents[2]
HEAD = "homeserver: {url: 'http://localhost:8008', server_name: example.org}\n"
GOOD = "url: ldaps://x.example.org, base: 'dc=x', bind_dn: cn=m, password: $LDAP_PASSWORD"


@pytest.fixture(autouse=True)
def _secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put them where the configurations say."""
    monkeypatch.setenv("LDAP_PASSWORD", "hidden1")
    monkeypatch.setenv("AD_PASSWORD", "hidden2")
    (tmp_path / "ldap-password.txt").write_text(" hidden3 \n")
    (tmp_path / "company-ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "empty.txt").write_text("\n")


def load(text: str, folder: Path) -> dict[str, LdapSource]:
    return dict(read_config(HEAD + text, folder / "config.yaml").directory.feeds.ldap)


def main(folder: Path, more: str = "", *, good: str = GOOD) -> LdapSource:
    return load(f"directory: {{ldap: {{main: {{{good}{more}}}}}}}\n", folder)["main"]


def documented() -> str:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "feeds.md").read_text(), re.DOTALL)
    (found,) = [block for block in blocks if "  ldap:" in block]
    return str(found)


def test_documented_example_loads(tmp_path: Path) -> None:
    """What docs/feeds.md shows is what the reader takes."""
    found = load(documented(), tmp_path)
    ad, unix = found["ad"], found["unix"]
    assert (ad.name, ad.origin, ad.active_directory, ad.password) == ("ad", "ldap:ad", True, "hidden2")
    assert (ad.page, ad.timeout, ad.every, ad.full) == (
        500,
        timedelta(minutes=5),
        timedelta(minutes=10),
        timedelta(hours=24),
    )
    assert (ad.shrink, ad.grace, ad.start_tls) == (0.1, timedelta(hours=12), False)
    assert ad.ca == str(tmp_path / "company-ca.pem")
    assert ad.groups == "memberOf"
    assert ad.attributes["userAccountControl"] == ("active",)
    assert unix.password == " hidden3 "
    assert unix.groups == GroupSearch("ou=Groups,dc=example,dc=org", "(objectClass=groupOfNames)", "member", "cn")


def test_defaults_are_those_that_the_documents_name(tmp_path: Path) -> None:
    """By the flavour; the table of docs/feeds.md has them all."""
    table = (ROOT / "docs" / "feeds.md").read_text()
    for flavour, attributes in (("ad", ACTIVE_DIRECTORY), ("openldap", OPENLDAP)):
        found = main(tmp_path, f", flavour: {flavour}")
        assert found.attributes == attributes
        (row,) = re.findall(rf"^\| `{flavour}` \| `(.*?)` \| (.*) \|$", table, re.MULTILINE)
        named = dict(re.findall(r"`(\w+)(?:: (\w+))?`", row[1]))
        assert row[0] == found.filter
        assert {theirs: (ours or theirs,) for theirs, ours in named.items()} == attributes


@pytest.mark.parametrize(
    ("good", "said"),
    [
        (GOOD.replace("ldaps:", "ldap:"), "unencrypted"),
        (GOOD + ", tls: {start: true}", "encrypted from the beginning"),
        (GOOD.replace("ldaps://x.example.org", "https://x"), "expected an address such as ldaps://"),
        (GOOD.replace("x.example.org", "x.example.org/dc=x"), "expected an address such as ldaps://"),
        (GOOD.replace("$LDAP_PASSWORD", "$NOT_SET"), "`NOT_SET` to hold the password; it is not set"),
        (GOOD.replace("$LDAP_PASSWORD", "Secret1234"), "there is none to be read"),
        (GOOD.replace("$LDAP_PASSWORD", "empty.txt"), "came an empty file"),
        (GOOD.replace(", password: $LDAP_PASSWORD", ""), "`password` is missing"),
        (GOOD.replace("dc=x", "people"), "expected a distinguished name"),
        (GOOD + ", filter: objectClass=person", "expected a search filter in parentheses"),
        (GOOD + ", attributes: {mail: email}", "expected an attribute for userName"),
        (GOOD + ", attributes: {uid: userName, cn: userName}", "two attributes are mapped to `userName`"),
        (GOOD + ", attributes: {uid: userName, jpegPhoto: photo}", "unknown attribute `photo`"),
        (GOOD + ", attributes: {uid: userName, memberOf: groups}", "as the key `groups`"),
        (GOOD + ", attributes: {'*': userName}", "expected the name of an LDAP attribute"),
        (GOOD + ", groups: {member: member}", "`base` is missing"),
        (GOOD + ", page: 0", "expected a whole number from 1"),
        (GOOD + ", every: 1s", "expected at least 10s"),
        (GOOD + ", timeout: 9h", "expected at most 21600s"),
        (GOOD + ", tls: {ca: nowhere.pem}", "expected the path of a file with certificates"),
        (GOOD + ", flavor: ad", "did you mean `flavour`?"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, good: str, said: str) -> None:
    """And no secret is repeated."""
    with pytest.raises(DocumentError) as caught:
        main(tmp_path, good=good)
    assert said in caught.value.message
    assert re.match(r".*config\.yaml:2:\d+: error: ", caught.value.message)
    assert "Secret1234" not in caught.value.message


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_server_on_the_same_machine_needs_no_encryption(tmp_path: Path, host: str) -> None:
    """Nor does one with StartTLS."""
    assert main(tmp_path, good=GOOD.replace("ldaps://x.example.org", f'"ldap://{host}"')).url == f"ldap://{host}"
    assert main(tmp_path, ", tls: {start: true}", good=GOOD.replace("ldaps:", "ldap:")).start_tls
