"""What the service asks of the process that reads an LDAP server, and what it is told: JSON both ways. Pure.

The reading itself is `ldap_read`'s; what the entries mean is `ldap_mapping`'s.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Search:
    """Everything below a place that fits a filter: exactly these attributes of it."""

    base: str
    filter: str
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What to read, and where."""

    url: str
    start_tls: bool
    ca: str
    """Path of a file with the certificates that are trusted; empty for the system's."""
    bind_dn: str
    password: str = field(repr=False)
    page: int
    """Entries that the server is asked for at a time (RFC 2696)."""
    active_directory: bool
    """Changes are told by uSNChanged, else by modifyTimestamp."""
    people: Search
    groups: Search | None
    manager: str
    """Their attribute whose values are names of managers; empty when none is read."""
    since: tuple[str, str] | None
    """Server and cursor of an earlier answer: only what has changed is wanted, if the server can still tell."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; attributes are in small letters."""

    dn: str
    values: Mapping[str, tuple[str, ...]]

    def all(self, attribute: str) -> tuple[str, ...]:
        """Return the values of an attribute, whatever its spelling."""
        return self.values.get(attribute.lower(), ())


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said, to the end: every page came, and the last result was success."""

    people: tuple[Entry, ...]
    groups: tuple[Entry, ...]
    managers: tuple[Entry, ...]
    """Entries outside `people` that somebody there names as manager, as far as they can be read."""
    changes_only: bool
    """Only those who changed since the cursor of the request."""
    server: str
    """Which server said it; another one counts changes otherwise."""
    cursor: str
    """Where the next reading of changes begins; empty when the server cannot tell changes."""
    references: tuple[str, ...]
    """Servers that hold a part of what was searched, and were not asked."""


def encode_request(request: Request) -> bytes:
    return json.dumps(asdict(request)).encode()


def decode_request(octets: bytes) -> Request:
    found = json.loads(octets)
    return Request(
        **{
            **found,
            "people": _search(found["people"]),
            "groups": found["groups"] and _search(found["groups"]),
            "since": found["since"] and tuple(found["since"]),
        }
    )


def encode_answer(answer: Answer) -> bytes:
    return json.dumps(asdict(answer)).encode()


def decode_answer(octets: bytes) -> Answer:
    found = json.loads(octets)
    entries = {
        name: tuple(
            Entry(each["dn"], {attribute: tuple(values) for attribute, values in each["values"].items()})
            for each in found[name]
        )
        for name in ("people", "groups", "managers")
    }
    return Answer(**{**found, **entries, "references": tuple(found["references"])})


def _search(found: dict[str, object]) -> Search:
    attributes = found["attributes"]
    assert isinstance(attributes, list)
    return Search(str(found["base"]), str(found["filter"]), tuple(attributes))
