"""The part of the configuration that says which LDAP servers are read, and how."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from bridge import document
from bridge.directory.feed import GRACE, SHRINK
from bridge.directory.file_mapping import COLUMNS
from bridge.directory.ldap_mapping import ACTIVE_DIRECTORY, OPENLDAP, GroupSearch, LdapSource
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
    number,
)

Attributes = Mapping[str, tuple[str, ...]]

_NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
_HERE = ("localhost", "127.0.0.1", "::1")
_SCHEMES = ("ldap", "ldaps")
_SHORTEST_EVERY = timedelta(seconds=10)
_SHORTEST_TIMEOUT = timedelta(seconds=1)
_LONGEST_TIMEOUT = timedelta(hours=6)


class Flavour(StrEnum):
    """Kinds of server, by which what is not said is filled in."""

    ACTIVE_DIRECTORY = "ad"
    OPENLDAP = "openldap"


FILTERS = {
    Flavour.ACTIVE_DIRECTORY: "(&(objectCategory=person)(objectClass=user))",
    Flavour.OPENLDAP: "(objectClass=inetOrgPerson)",
}


def ldap_sources(attributes: Sequence[str], folder: Path) -> Kind[dict[str, LdapSource]]:
    """Return the kind of LDAP sources by name; `attributes` are the company's own, `folder` is the file's."""
    known = tuple(name for name in (*COLUMNS, *attributes) if name != "groups")
    source = partial(_source, known=known, folder=folder)
    return mapping_of(a(source), matching(_NAME, "a name of small letters, digits, - and _"))


def _source(section: Section, known: Sequence[str], folder: Path) -> LdapSource:
    flavour = section.optional("flavour", choice(*Flavour), Flavour.OPENLDAP)
    defaults = ACTIVE_DIRECTORY if flavour is Flavour.ACTIVE_DIRECTORY else OPENLDAP
    url = section.required("url", _url)
    start_tls, ca = section.optional("tls", a(partial(_tls, folder=folder)), (False, ""))
    attributes = section.optional("attributes", mapping_of(_attributes(known), _attribute), defaults)
    _check(section, url, attributes, start_tls=start_tls)
    return LdapSource(
        name=section.name,
        url=url,
        base=section.required("base", _dn),
        active_directory=flavour is Flavour.ACTIVE_DIRECTORY,
        filter=section.optional("filter", _filter, FILTERS[flavour]),
        attributes=attributes,
        groups=section.optional("groups", _groups, None),
        bind_dn=section.required("bind_dn", line),
        password=section.required("password", password(folder)),
        start_tls=start_tls,
        ca=ca,
        page=section.optional("page", integer(1, 100_000), 500),
        timeout=section.optional("timeout", _between(_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT), timedelta(minutes=5)),
        every=section.optional("every", _between(_SHORTEST_EVERY), timedelta(minutes=10)),
        full=section.optional("full", duration, timedelta(hours=24)),
        shrink=section.optional("shrink", number(0, 1), SHRINK),
        grace=section.optional("grace", duration, GRACE),
        expect=section.optional("expect", _dn, ""),
    )


def _check(section: Section, url: str, attributes: Attributes, *, start_tls: bool) -> None:
    """Report what each key allows and all together do not."""
    parts = urlsplit(url)
    if parts.scheme == "ldap" and not start_tls and parts.hostname not in _HERE:
        section.problem(
            "the password and everybody's data would cross the network unencrypted; expected ldaps://, or "
            "`tls: {start: true}` beside ldap://",
            key="url",
        )
    if parts.scheme == "ldaps" and start_tls:
        section.problem("ldaps:// is encrypted from the beginning; `start` is for ldap://", key="tls")
    named = [ours for names in attributes.values() for ours in names]
    if section.place is not None and attributes and "userName" not in named:
        section.problem("expected an attribute for userName, such as `uid: userName`", key="attributes")
    for twice in dict.fromkeys(ours for ours in named if named.count(ours) > 1):
        section.problem(f"two attributes are mapped to `{twice}`", key="attributes")


def _tls(section: Section, folder: Path) -> tuple[bool, str]:
    ca = section.optional("ca", readable(folder), "")
    return section.optional("start", boolean, False), ca


def _make_groups(value: Value) -> GroupSearch | str | None:
    if value.scalar("null") is not None:
        return None
    return _attribute.make(value) if value.scalar("str") is not None else a(_group_search).make(value)


def _group_search(section: Section) -> GroupSearch:
    plain = GroupSearch("")
    return GroupSearch(
        base=section.required("base", _dn),
        filter=section.optional("filter", _filter, plain.filter),
        member=section.optional("member", _attribute, plain.member),
        name=section.optional("name", _attribute, plain.name),
    )


def _attributes(known: Sequence[str]) -> Kind[tuple[str, ...]]:
    def name(value: Value) -> str:
        found = line.make(value)
        if found == "groups":
            value.refuse("groups are read as the key `groups` of this source says")
        if found not in known:
            value.refuse(f"unknown attribute `{found}`{document.nearest(found, known)}")
        return found

    one = Kind(name, str)
    return Kind(
        lambda value: list_of(one, least=1).make(value) if value.is_list else (one.make(value),), lambda: ("userName",)
    )


def password(folder: Path) -> Kind[str]:
    """Return the kind of secrets that are not in the file itself; no message repeats one."""

    def make(value: Value) -> str:
        where = line.make(value)
        if where.startswith("$"):
            found = os.environ.get(where[1:], "")
            if not found:
                value.refuse(f"expected the environment variable `{where[1:]}` to hold the password; it is not set")
            return found
        try:
            found = (folder / where).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError):
            value.refuse("expected $VARIABLE or the path of a file that holds the password; there is none to be read")
        if not found:
            value.refuse("expected a password in the file, came an empty file")
        return found

    return Kind(make, str)


def readable(folder: Path) -> Kind[str]:
    def make(value: Value) -> str:
        found = folder / document.path.make(value)
        if not found.is_file():
            value.expected("the path of a file with certificates")
        return str(found)

    return Kind(make, str)


def _make_url(value: Value) -> str:
    found = line.make(value)
    try:
        parts = urlsplit(found)
        fits = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits or parts.path.strip("/") or parts.query or parts.username or " " in found:
        value.expected("an address such as ldaps://ldap.example.org or ldap://127.0.0.1:389")
    return found.rstrip("/")


def _make_dn(value: Value) -> str:
    found = line.make(value)
    if "=" not in found:
        value.expected("a distinguished name such as ou=People,dc=example,dc=org")
    return found


def _make_filter(value: Value) -> str:
    found = line.make(value)
    if not (found.startswith("(") and found.endswith(")") and found.count("(") == found.count(")")):
        value.expected("a search filter in parentheses, such as (objectClass=person)")
    return found


def _between(low: timedelta, high: timedelta = timedelta.max) -> Kind[timedelta]:
    def make(value: Value) -> timedelta:
        found = duration.make(value)
        if not low <= found <= high:
            value.expected(
                f"at least {low.total_seconds():g}s" if found < low else f"at most {high.total_seconds():g}s"
            )
        return found

    return Kind(make, lambda: low)


_url: Kind[str] = Kind(_make_url, lambda: "ldaps://localhost")
_dn: Kind[str] = Kind(_make_dn, str)
_filter: Kind[str] = Kind(_make_filter, str)
_groups: Kind[GroupSearch | str | None] = Kind(_make_groups, lambda: None)
_attribute = matching(r"[A-Za-z][A-Za-z0-9-]*", "the name of an LDAP attribute")
