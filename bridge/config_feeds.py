"""The part of the configuration that says who brings people besides SCIM: files, a drop folder, LDAP, webhooks."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

from bridge import document
from bridge.config_kinds import at_least, or_nothing, secret, source_name
from bridge.config_ldap import ldap_sources
from bridge.directory.feed import GRACE, SHRINK
from bridge.directory.file_mapping import COLUMNS, SPAN, Ends, FileMapping, is_date_format
from bridge.directory.ldap_mapping import LdapSource
from bridge.directory.scim_shape import JOB
from bridge.directory.vendor_signature import SCHEMES, secret_of
from bridge.document import (
    Kind,
    Section,
    Value,
    a,
    boolean,
    choice,
    duration,
    line,
    list_of,
    mapping_of,
    number,
)
from bridge.hook_signature import key_of


class AdapterName(StrEnum):
    """Sources of webhooks that are known by name."""

    BAMBOOHR = "bamboohr"
    GENERIC = "generic"
    HIBOB = "hibob"
    PERSONIO = "personio"


class SignatureName(StrEnum):
    """Who says how deliveries are signed."""

    VENDOR = "vendor"
    STANDARD = "standard"


@dataclass(frozen=True, slots=True)
class HookConfig:
    """Somebody who may send webhooks."""

    adapter: str
    """A name of `bridge.directory.hook_adapters.ADAPTERS`."""
    attributes: Mapping[str, str]
    """Our attribute → where it is in a body, beside what the adapter knows."""
    statuses: Mapping[str, bool]
    """A word of the status → whether the person is active."""
    keys: tuple[bytes, ...] = field(repr=False)
    signature: SignatureName
    """The vendor's own, by the adapter's name in `bridge.directory.vendor_signature.SCHEMES`, or Standard Webhooks."""


@dataclass(frozen=True, slots=True)
class WatchConfig:
    """The drop folder."""

    folder: Path
    mapping: FileMapping
    every: timedelta


@dataclass(frozen=True, slots=True)
class Feeds:
    """Everything of `directory` but the attributes."""

    files: Mapping[str, FileMapping] = field(default_factory=dict)
    watch: WatchConfig | None = None
    webhooks: Mapping[str, HookConfig] = field(default_factory=dict)
    ldap: Mapping[str, LdapSource] = field(default_factory=dict)


def feeds(section: Section, attributes: Sequence[str], folder: Path) -> Feeds:
    """Read the files, the drop folder, the webhooks and the LDAP servers.

    `attributes` are the company's own, `folder` is the file's.
    """
    known = (*COLUMNS, *attributes)
    mappings = section.optional("files", mapping_of(a(partial(_file_mapping, known=known)), source_name), {})
    files = {name: replace(mapping, name=name) for name, mapping in mappings.items()}
    hook = a(partial(_hook, own=attributes, folder=folder))
    webhooks = section.optional("webhooks", mapping_of(hook, source_name), dict[str, HookConfig]())
    ldap = section.optional("ldap", ldap_sources(attributes, folder), dict[str, LdapSource]())
    return Feeds(
        files=files,
        watch=section.optional("watch", or_nothing(a(partial(_watch, files=files, folder=folder))), None),
        webhooks=webhooks,
        ldap=ldap,
    )


def _file_mapping(section: Section, known: Sequence[str]) -> FileMapping:
    columns = section.required("columns", mapping_of(_attributes((*known, *SPAN))))
    ends = section.optional("ends", or_nothing(choice(*Ends)), None)
    names = {name for names in columns.values() for name in names}
    if section.place is not None and columns:
        for problem in _column_problems(names, ends):
            section.problem(problem, key="columns")
    complete = section.optional("complete", boolean, False)
    if complete and ends is not None:
        section.problem("a file of dated rows removes nobody by absence; leave this out", key="complete")
    tables = mapping_of(mapping_of(line), _attribute(sorted(names)))
    translate = section.optional("translate", tables, dict[str, dict[str, str]]())
    trailer = section.optional("trailer", _trailer, "")
    digest = section.optional("digest", boolean, False)
    if section.place is not None and complete and not (trailer or digest):
        section.problem("expected `trailer` or `digest: true`, which prove a file complete", key="complete")
    return FileMapping(
        columns=columns,
        ends=ends,
        translate=translate,
        dates=section.optional("dates", _dates, ""),
        delimiter=section.optional("delimiter", _delimiter, ""),
        encoding=section.optional("encoding", _encoding, ""),
        complete=complete,
        shrink=section.optional("shrink", number(0, 1), SHRINK),
        trailer=trailer,
        digest=digest,
        grace=section.optional("grace", duration, GRACE),
    )


def _column_problems(names: Collection[str], ends: Ends | None) -> Iterator[str]:
    if ends is None and "userName" not in names and not set(SPAN) & set(names):
        yield "expected a column for userName, such as `employee_id: [userName, externalId]`"
    if ends is None and set(SPAN) & set(names):
        yield (
            "expected beside `from` and `to` what `to` is: `ends: inclusive` for the last day, `ends: exclusive` for "
            "the day after"
        )
    if ends is not None and not set(SPAN) <= set(names):
        yield "expected columns for `from` and `to`, since `ends` is given"
    if ends is not None and not {"userName", "externalId"} & set(names):
        yield "expected a column for externalId or userName"
    if ends is not None and not set(JOB) & set(names):
        yield f"expected a column for at least one of {', '.join(JOB)}"
    others = sorted(set(names) - {*SPAN, *JOB, "userName", "externalId"})
    if ends is not None and others:
        yield f"dated rows may speak of {', '.join(JOB)}; came {', '.join(others)}"


def _watch(section: Section, files: Mapping[str, FileMapping], folder: Path) -> WatchConfig:
    return WatchConfig(
        folder=folder / section.required("folder", document.path),
        mapping=section.required("mapping", _one_of(files)),
        every=section.optional("every", at_least(timedelta(seconds=1), "1s"), timedelta(seconds=10)),
    )


def _hook(section: Section, own: Sequence[str], folder: Path) -> HookConfig:
    paths = section.optional("attributes", mapping_of(line, _attribute((*COLUMNS, *own))), dict[str, str]())
    statuses = section.optional("statuses", mapping_of(boolean), dict[str, bool]())
    adapter = section.required("adapter", choice(*AdapterName)).value
    own_way = SignatureName.VENDOR if adapter in SCHEMES else SignatureName.STANDARD
    signature = section.optional("signature", choice(*SignatureName), own_way)
    if signature is SignatureName.VENDOR and adapter not in SCHEMES:
        section.problem(f"expected standard: {adapter} has no way of signing of its own", key="signature")
    read = secret_of if signature is SignatureName.VENDOR else key_of
    return HookConfig(
        adapter=adapter,
        attributes=paths,
        statuses=statuses,
        keys=section.required("keys", list_of(secret(folder, read, bytes), least=1)),
        signature=signature,
    )


def _one_of(files: Mapping[str, FileMapping]) -> Kind[FileMapping]:
    def make(value: Value) -> FileMapping:
        name = line.make(value)
        if name not in files:
            value.refuse(f"expected a name under `files`, came {name}{document.nearest(name, files)}")
        return files[name]

    return Kind(make, FileMapping)


def _attribute(known: Sequence[str]) -> Kind[str]:
    def make(value: Value) -> str:
        name = line.make(value)
        if name not in known:
            value.refuse(f"unknown attribute `{name}`{document.nearest(name, known)}")
        return name

    return Kind(make, str)


def _attributes(known: Sequence[str]) -> Kind[tuple[str, ...]]:
    one = _attribute(known)

    def make(value: Value) -> tuple[str, ...]:
        return list_of(one, least=1).make(value) if value.is_list else (one.make(value),)

    return Kind(make, tuple)


def _checked(kind: Kind[str], fits: Callable[[str], bool], what: str) -> Kind[str]:
    def make(value: Value) -> str:
        found = kind.make(value)
        if not fits(found):
            value.expected(what)
        return found

    return Kind(make, str)


def _is_codec(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except LookupError:
        return False


_dates = _checked(line, is_date_format, "how days are written, such as DD.MM.YYYY")
_delimiter = _checked(document.text, lambda text: len(text) == 1 and not text.isalnum(), "one character, such as ';'")
_encoding = _checked(line, _is_codec, "an encoding such as utf-8, utf-16 or cp1252")
_trailer = _checked(line, lambda text: text.count("{rows}") == 1, "a line with {rows} in it, such as 'END {rows}'")
