"""The part of the configuration that says by what else than Matrix people are reached: short messages, e-mail."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bridge.channels.mail import MailServer, Security
from bridge.config_kinds import secret
from bridge.config_ldap import password, readable
from bridge.document import Kind, Section, Value, a, choice, integer, line, matching, nearest, url
from bridge.hook_signature import key_of

_PORTS = {Security.START: 587, Security.TLS: 465, Security.NONE: 25}
_HERE = ("localhost", "127.0.0.1", "::1")
_EMAILS = "emails"


@dataclass(frozen=True, slots=True)
class SmsConfig:
    """The gateway that takes short messages."""

    url: str
    key: bytes = field(repr=False)
    attribute: str
    """Lower-case path of the attribute that holds telephone numbers."""


@dataclass(frozen=True, slots=True)
class MailConfig:
    """The server that takes e-mail."""

    server: MailServer
    attribute: str
    """Lower-case path of the attribute that holds addresses."""


@dataclass(frozen=True, slots=True)
class ChannelsConfig:
    """The second channels that there are."""

    sms: SmsConfig | None = None
    mail: MailConfig | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The channels that are configured."""
        return tuple(name for name, found in (("sms", self.sms), ("mail", self.mail)) if found is not None)


def channels(attributes: Collection[str], folder: Path) -> Kind[ChannelsConfig]:
    """Return the kind of the section; `attributes` are the company's own, `folder` is the file's."""
    some = a(partial(_channels, attributes=attributes, folder=folder))

    def make(value: Value) -> ChannelsConfig:
        return some.make(value) if value.entries() else ChannelsConfig()

    return Kind(make, ChannelsConfig)


def _channels(section: Section, attributes: Collection[str], folder: Path) -> ChannelsConfig:
    return ChannelsConfig(
        section.optional("sms", a(partial(_sms, attributes=attributes, folder=folder)), None),
        section.optional("mail", a(partial(_mail, attributes=attributes, folder=folder)), None),
    )


def _sms(section: Section, attributes: Collection[str], folder: Path) -> SmsConfig:
    return SmsConfig(
        url=section.required("url", url),
        key=section.required("key", secret(folder, key_of, bytes)),
        attribute=section.required("attribute", _attribute(attributes)).lower(),
    )


def _mail(section: Section, attributes: Collection[str], folder: Path) -> MailConfig:
    security = section.optional("security", choice(*Security), Security.START)
    username = section.optional("username", line, None)
    server = MailServer(
        host=section.required("host", line),
        port=section.optional("port", integer(1, 65535), _PORTS[security]),
        security=security,
        sender=section.required("from", _SENDER),
        username=username,
        password=section.optional("password", password(folder), None),
        ca=section.optional("ca", readable(folder), None),
    )
    if (username is None) != (server.password is None):
        section.problem("`username` and `password` go together: expected both or neither")
    if security is Security.NONE and server.host not in _HERE:
        section.problem("what is said would cross the network unencrypted; expected start or tls", key="security")
    return MailConfig(server, section.optional("attribute", _attribute((_EMAILS, *attributes)), _EMAILS).lower())


def _attribute(known: Collection[str]) -> Kind[str]:
    """Return the kind of attributes that can hold an address."""

    def make(value: Value) -> str:
        found = line.make(value)
        if found.lower() not in {name.lower() for name in known}:
            value.refuse(f"expected one of `directory.attributes`, came {found}{nearest(found, known)}")
        return found

    return Kind(make, str)


_SENDER = matching(r"[!-?A-~]+@[A-Za-z0-9.-]+", "an e-mail address such as muster@example.org")
