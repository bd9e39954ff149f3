"""The configuration: where things are, and no word about what the company wants (that is the policy).

`config.example.yaml` documents every key; a test holds the two together. Paths are relative to the file's folder.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

from bridge import document, yaml_text
from bridge.config_announcements import AnnouncementsConfig, announcements
from bridge.config_archive import ArchiveConfig, archive
from bridge.config_channels import ChannelsConfig, channels
from bridge.config_feeds import Feeds, feeds
from bridge.config_photos import PhotosConfig, photos
from bridge.directory.local_day import is_zone
from bridge.directory.person import Standing
from bridge.document import (
    Kind,
    Section,
    Value,
    a,
    boolean,
    choice,
    duration,
    integer,
    line,
    list_of,
    mapping_of,
    matching,
    url,
)
from bridge.errors import DocumentError, Problem
from bridge.homeserver.registration import Registration


class LogLevel(StrEnum):
    """How much the service says."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"


class Applying(StrEnum):
    """Who applies plans: the service by itself, or `muster apply` alone."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class HomeserverConfig:
    """The company's Synapse."""

    url: str
    server_name: str
    concurrency: int
    """Requests under way at once while a plan is applied."""
    compare_every: timedelta
    """How often a room is compared with what is known of it."""


@dataclass(frozen=True, slots=True)
class AppserviceConfig:
    """Where Muster listens, and what Synapse knows of it."""

    registration: Path
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ScimConfig:
    """The endpoint to which identity providers push."""

    public_url: str | None
    """Its address as they see it; None for that of each request."""
    rate: int
    """Requests a second of one token."""


@dataclass(frozen=True, slots=True)
class DirectoryConfig:
    """What is particular to this company's HR data."""

    attributes: tuple[str, ...]
    """Custom attributes, as they are spelt in the file."""
    timezone: str
    """The IANA zone of people for whom HR sends none."""
    statuses: dict[str, Standing]
    """HR's word for how somebody is employed → what it means here."""
    feeds: Feeds
    photos: PhotosConfig


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration, checked and complete; every path is absolute."""

    path: Path
    homeserver: HomeserverConfig
    appservice: AppserviceConfig
    database: str | None = field(repr=False)
    """A `postgresql://` address, which may hold a password, or None for the embedded server."""
    database_owner: str | None = field(repr=False)
    """The same for the role that owns the tables and upgrades them; None when there is no other."""
    data: Path
    policy: Path
    applying: Applying
    directory: DirectoryConfig
    scim: ScimConfig
    archive: ArchiveConfig
    channels: ChannelsConfig
    announcements: AnnouncementsConfig
    log: LogLevel

    @property
    def attributes(self) -> tuple[str, ...]:
        """The directory's custom attributes, which the policy may speak of too."""
        return self.directory.attributes


def load_config(path: Path) -> Config:
    """Read a configuration file; raise `DocumentError` with every problem."""
    _insist_on(path, "write one with `muster init`, or name yours with `-c FILE`")
    return read_config(yaml_text.read_text(path), path)


def read_config(text: str, path: Path) -> Config:
    """Read the text of the configuration file at `path`; raise `DocumentError` with every problem."""
    return document.read(text, str(path), partial(_config, path=path.absolute()))


def load_registration(path: Path) -> Registration:
    """Read what Muster needs of the registration file, which Synapse reads too; raise `DocumentError`."""
    _insist_on(path, "`muster init` writes it; `appservice.registration` in the configuration says where it is")
    return read_registration(yaml_text.read_text(path), path)


def read_registration(text: str, path: Path) -> Registration:
    """Read the text of the registration file at `path`; raise `DocumentError` with every problem."""
    return document.read(text, str(path), _registration)


def _insist_on(path: Path, mend: str) -> None:
    with suppress(PermissionError):  # reading says so, and why
        if not path.exists():
            raise DocumentError([Problem(str(path), 0, 0, f"there is no such file; {mend}")])


def _config(section: Section, path: Path) -> Config:
    folder = path.parent
    appservice = partial(_appservice, folder=folder)
    directory = partial(_directory, folder=folder)
    signed = partial(archive, folder=folder)
    found = section.optional("directory", a(directory), directory(Section(None)))
    reached = section.optional("channels", channels(found.attributes, folder), ChannelsConfig())
    announced = section.optional("announcements", announcements(folder), AnnouncementsConfig())
    if announced.digest is not None and reached.mail is None:
        section.problem("`digest` needs a mail server: expected `channels: {mail: …}`", key="announcements")
    return Config(
        path=path,
        homeserver=section.required("homeserver", a(_homeserver)),
        appservice=section.optional("appservice", a(appservice), appservice(Section(None))),
        database=section.optional("database", _database, None),
        database_owner=section.optional("database_owner", _owner, None),
        data=folder / section.optional("data", document.path, Path("data")),
        policy=folder / section.optional("policy", document.path, Path("policy.yaml")),
        applying=section.optional("apply", choice(*Applying), Applying.AUTOMATIC),
        directory=found,
        scim=section.optional("scim", a(_scim), _scim(Section(None))),
        archive=section.optional("archive", a(signed), signed(Section(None))),
        channels=reached,
        announcements=announced,
        log=section.optional("log", choice(*LogLevel), LogLevel.INFO),
    )


def _homeserver(section: Section) -> HomeserverConfig:
    return HomeserverConfig(
        url=section.required("url", url).rstrip("/"),
        server_name=section.required("server_name", _server_name),
        concurrency=section.optional("concurrency", integer(1, 50), 10),
        compare_every=section.optional("compare_every", duration, timedelta(seconds=10)),
    )


def _appservice(section: Section, folder: Path) -> AppserviceConfig:
    host, port = section.optional("listen", _address, ("127.0.0.1", 29330))
    return AppserviceConfig(
        registration=folder / section.optional("registration", document.path, Path("registration.yaml")),
        host=host,
        port=port,
    )


def _directory(section: Section, folder: Path) -> DirectoryConfig:
    attributes = section.optional("attributes", list_of(_attribute), ())
    return DirectoryConfig(
        attributes=attributes,
        timezone=section.optional("timezone", _timezone, "UTC"),
        statuses=section.optional("statuses", _statuses, dict[str, Standing]()),
        feeds=feeds(section, attributes, folder),
        photos=section.optional("photos", photos(attributes, folder), PhotosConfig()),
    )


def _scim(section: Section) -> ScimConfig:
    return ScimConfig(
        public_url=section.optional("public_url", _public_url, None),
        rate=section.optional("requests_per_second", integer(1, 100_000), 100),
    )


def _registration(section: Section) -> Registration:
    for synapses_own in ("receive_ephemeral", "namespaces", "protocols"):
        section.optional(synapses_own, _anything, None)
    for synapses_experiments in ("de.sorunome.msc2409.push_ephemeral", "org.matrix.msc3202", "io.element.msc4190"):
        section.optional(synapses_experiments, _anything, None)
    section.required("url", url)
    return Registration(
        id=section.required("id", line),
        as_token=section.required("as_token", line),
        hs_token=section.required("hs_token", line),
        sender_localpart=section.required("sender_localpart", line),
        rate_limited=section.optional("rate_limited", boolean, True),
    )


def _read_database(value: Value) -> str | None:
    """Return None for `embedded`, or the address; `$NAME` takes it from the environment."""
    found = line.make(value)
    if found == "embedded":
        return None
    if found.startswith("$"):
        name = found[1:]
        found = os.environ.get(name, "")
        if not found:
            value.refuse(f"expected the environment variable `{name}` to hold an address; it is not set")
    if not re.match(r"postgres(ql)?://", found):
        # What came may hold a password, so it is not repeated.
        value.refuse("expected `embedded`, an address postgresql://USER:PASSWORD@HOST/DATABASE, or $VARIABLE")
    return found


def _read_owner(value: Value) -> str | None:
    """Return None for `none`, or the address; `$NAME` takes it from the environment."""
    return None if line.make(value) == "none" else _read_database(value)


def _read_public_url(value: Value) -> str | None:
    """Return None for `request`, or the address without a slash at its end."""
    return None if line.make(value) == "request" else url.make(value).rstrip("/")


def _read_address(value: Value) -> tuple[str, int]:
    host, _, port = line.make(value).rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        value.expected("HOST:PORT, such as 127.0.0.1:29330")
    return host.strip("[]"), int(port)


_public_url: Kind[str | None] = Kind(_read_public_url, lambda: None)


def _read_timezone(value: Value) -> str:
    name = line.make(value)
    if not is_zone(name):
        value.expected("a time zone of the IANA database, such as Europe/Tallinn")
    return name


_database: Kind[str | None] = Kind(_read_database, lambda: None)
_owner: Kind[str | None] = Kind(_read_owner, lambda: None)
_address: Kind[tuple[str, int]] = Kind(_read_address, lambda: ("127.0.0.1", 29330))
_statuses = mapping_of(choice(*Standing), line)
_timezone: Kind[str] = Kind(_read_timezone, lambda: "UTC")
_anything: Kind[None] = Kind(lambda _value: None, lambda: None)
_server_name = matching(r"[A-Za-z0-9.:\[\]-]+", "a server name such as example.org")
_attribute = matching(r"[A-Za-z][A-Za-z0-9_-]*", "an attribute's name: letters, digits, - and _")
