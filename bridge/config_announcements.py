"""The part of the configuration that says where announcements come from and where else they go."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from bridge import document
from bridge.config_kinds import at_least, or_nothing, secret, source_name
from bridge.document import Kind, Section, Value, a, boolean, integer, line, list_of, mapping_of, matching, nearest, url
from bridge.errors import Problem
from bridge.hook_signature import key_of

_SHORTEST_TOKEN: Final = 24
_LARGEST_MAIL: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """What every source says of itself."""

    desk: str
    """The policy's desk whose rooms and posters it uses."""
    author: str
    """Who is said to write; empty: the company."""
    confirmed: bool
    """Announces by itself; else a poster of the desk confirms each draft."""


@dataclass(frozen=True, slots=True)
class AnnouncingHook:
    """Somebody who may announce by webhook."""

    source: SourceConfig
    keys: tuple[bytes, ...] = field(repr=False)
    token: str = field(repr=False)
    """The last part of an address that is a secret in itself, as Slack has them; empty when there is none."""


@dataclass(frozen=True, slots=True)
class FeedConfig:
    """An RSS or Atom feed that is read."""

    source: SourceConfig
    url: str
    every: timedelta
    at_most: int
    """New entries of one reading; the others come with the next."""


@dataclass(frozen=True, slots=True)
class MailConfig:
    """A maildir whose letters are announced."""

    source: SourceConfig
    maildir: Path
    senders: tuple[str, ...]
    """Addresses, or domains behind an @; in small letters."""
    trust: str
    """The mail server whose Authentication-Results are believed; empty: none."""
    every: timedelta
    largest: int
    """Bytes of a letter."""


@dataclass(frozen=True, slots=True)
class OutboundConfig:
    """Somebody who is told of announcements by webhook."""

    url: str
    key: bytes = field(repr=False)
    desks: tuple[str, ...]
    """Whose announcements; empty: all desks'."""


@dataclass(frozen=True, slots=True)
class DeskNamed:
    """Where the section names a desk; line and column are 1-based."""

    desk: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class AnnouncementsConfig:
    """All of the section."""

    webhooks: dict[str, AnnouncingHook] = field(default_factory=dict)
    feeds: dict[str, FeedConfig] = field(default_factory=dict)
    mail: dict[str, MailConfig] = field(default_factory=dict)
    outbound: dict[str, OutboundConfig] = field(default_factory=dict)
    digest: time | None = None
    """When in the day people without an account get theirs, on the clock of `directory.timezone`."""
    public: tuple[str, ...] = ()
    """The desks whose announcements anybody may read as a feed."""
    named: tuple[DeskNamed, ...] = field(default=(), compare=False)
    """Every desk that is named anywhere here, which a policy may have or not."""


def unknown_desks(config: AnnouncementsConfig, known: Collection[str], file: str) -> list[Problem]:
    """Return a warning for each desk that the configuration in this file names and the policy does not have (pure)."""
    return [
        Problem(
            file,
            each.line,
            each.column,
            f"the policy has no desk `{each.desk}`{nearest(each.desk, sorted(known))}",
            "warning",
        )
        for each in config.named
        if each.desk not in known
    ]


def announcements(folder: Path) -> Kind[AnnouncementsConfig]:
    """Return the kind of the section; `folder` is the file's."""
    some = a(partial(_announcements, folder=folder))

    def make(value: Value) -> AnnouncementsConfig:
        return some.make(value) if value.entries() else AnnouncementsConfig()

    return Kind(make, AnnouncementsConfig)


def _announcements(section: Section, folder: Path) -> AnnouncementsConfig:
    named: list[DeskNamed] = []
    desk = _desk(named)
    hook = a(partial(_hook, desk=desk, folder=folder))
    mail = a(partial(_mail, desk=desk, folder=folder))
    outbound = a(partial(_outbound, desk=desk, folder=folder))
    found = AnnouncementsConfig(
        webhooks=section.optional("webhooks", mapping_of(hook, source_name), {}),
        feeds=section.optional("feeds", mapping_of(a(partial(_feed, desk=desk)), source_name), {}),
        mail=section.optional("mail", mapping_of(mail, source_name), {}),
        outbound=section.optional("outbound", mapping_of(outbound, source_name), {}),
        digest=section.optional("digest", or_nothing(_daily), None),
        public=section.optional("public", list_of(desk), ()),
    )
    return replace(found, named=tuple(named))


def _desk(named: list[DeskNamed]) -> Kind[str]:
    """Return the kind of a desk's name, which notes where it stands."""

    def make(value: Value) -> str:
        name = line.make(value)
        named.append(DeskNamed(name, value.line, value.column))
        return name

    return Kind(make, str)


def _source(section: Section, desk: Kind[str]) -> SourceConfig:
    return SourceConfig(
        desk=section.required("desk", desk),
        author=section.optional("author", line, ""),
        confirmed=section.optional("confirmed", boolean, False),
    )


def _hook(section: Section, desk: Kind[str], folder: Path) -> AnnouncingHook:
    source = _source(section, desk)
    keys = section.optional("keys", list_of(secret(folder, key_of, bytes), least=1), ())
    token = section.optional("token", secret(folder, _token, str), "")
    if section.place is not None and bool(keys) == bool(token):
        section.problem("expected either `keys`, with which the sender signs, or the `token` of a secret address")
    if token and source.confirmed:
        section.problem(
            "whoever gets hold of a secret address may write there; a poster must confirm, so leave this out",
            key="confirmed",
        )
    return AnnouncingHook(source, keys, token)


def _feed(section: Section, desk: Kind[str]) -> FeedConfig:
    return FeedConfig(
        source=_source(section, desk),
        url=section.required("url", url),
        every=section.optional("every", at_least(timedelta(minutes=1), "1m"), timedelta(minutes=15)),
        at_most=section.optional("at_most", integer(1, 100), 5),
    )


def _mail(section: Section, desk: Kind[str], folder: Path) -> MailConfig:
    source = _source(section, desk)
    trust = section.optional("trust", line, "")
    if source.confirmed and not trust:
        section.problem(
            "anybody can write anybody's name as the sender: expected `trust`, the name of the mail server whose "
            "Authentication-Results are to be believed, or no `confirmed`",
            key="confirmed",
        )
    return MailConfig(
        source=source,
        maildir=folder / section.required("maildir", document.path),
        senders=tuple(each.lower() for each in section.required("senders", list_of(_sender, least=1))),
        trust=trust.lower(),
        every=section.optional("every", at_least(timedelta(seconds=1), "1s"), timedelta(seconds=30)),
        largest=section.optional("largest", integer(10_000, 100_000_000), _LARGEST_MAIL),
    )


def _outbound(section: Section, desk: Kind[str], folder: Path) -> OutboundConfig:
    return OutboundConfig(
        url=section.required("url", url),
        key=section.required("key", secret(folder, key_of, bytes)),
        desks=section.optional("desks", list_of(desk), ()),
    )


def _token(text: str) -> str:
    token = text.strip()
    if not re.fullmatch(rf"[A-Za-z0-9_-]{{{_SHORTEST_TOKEN},200}}", token):
        raise ValueError(
            f"expected at least {_SHORTEST_TOKEN} letters, digits, - and _, such as `openssl rand -hex 24`"
        )
    return token


def _read_daily(value: Value) -> time:
    match = re.fullmatch(r"daily ([01][0-9]|2[0-3]):([0-5][0-9])", line.make(value))
    if match is None:
        value.expected("`daily HH:MM`, such as daily 07:00, or null")
    return time(int(match[1]), int(match[2]))


_daily: Kind[time] = Kind(_read_daily, time)
_sender = matching(
    r"[^@\s]*@[^@\s]+\.[^@\s]+", "an address such as press@example.org, or a domain such as @example.org"
)
