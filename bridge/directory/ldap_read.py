"""Reads an LDAP server to the end: a program of its own, `python -m bridge.directory.ldap_read`.

It takes a `Request` on standard input and writes an `Answer` on standard output, or a sentence on standard error and
exit code 1. It answers only when every page came and the server said success; an answer is never a part of one.

A process of its own, because the library holds the interpreter while it connects and while TLS is agreed on, and
because of its asyncio connection spins while a server is slow: a server that hangs must not stop the service.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import bonsai

from bridge.directory.ldap_exchange import Answer, Entry, Request, Search, decode_request, encode_answer
from bridge.directory.ldap_values import dn_key, guid_text

GUIDS: Final = ("objectGUID", "invocationId")
"""Attributes whose values are sixteen bytes."""
_USN, _TIME = "uSNChanged", "modifyTimestamp"
_NOTHING: Final = "1.1"
"""Asks for no attributes (RFC 4511 section 4.5.1.8)."""


class ReadError(Exception):
    """The server cannot be read; the message says why and what to do."""


def main() -> int:
    """Answer one request."""
    request = decode_request(sys.stdin.buffer.read())
    try:
        answer = read(request)
    except ReadError as error:
        sys.stderr.write(str(error))
        return 1
    except bonsai.LDAPError as error:
        sys.stderr.write(explained(error, request))
        return 1
    except Exception as error:  # its text may hold values of people
        sys.stderr.write(f"{type(error).__name__}: {request.url} says what Muster cannot read")
        return 1
    sys.stdout.buffer.write(encode_answer(answer))
    return 0


def read(request: Request) -> Answer:
    """Read people, groups and managers. Raises `ReadError` and `bonsai.LDAPError`."""
    client = _client(request)
    with client.connect() as connection:
        server, highest = _place(connection, request)
        since = _since(request, server, highest)
        references: list[str] = []
        if since and request.groups and _changed(connection, request, request.groups, since):
            since = ""  # who has left a group can only be told by reading everybody
        people = _paged(connection, request, _narrowed(request, request.people, since), references)
        groups = (
            _paged(connection, request, _narrowed(request, request.groups, ""), references) if request.groups else []
        )
        cursor = highest or _latest([*people, *groups], request.since[1] if since and request.since else "")
        return Answer(
            people=tuple(people),
            groups=tuple(groups),
            managers=tuple(_managers(connection, request, people)),
            changes_only=bool(since),
            server=server,
            cursor=cursor,
            references=tuple(dict.fromkeys(references)),
        )


def explained(error: bonsai.LDAPError, request: Request) -> str:
    """Return the server's refusal in words; nothing of it names a person."""
    if isinstance(error, bonsai.AuthenticationError):
        return f"{request.url} does not accept the password of `bind_dn` {request.bind_dn}"
    if isinstance(error, bonsai.ConnectionError):
        return f"{request.url} cannot be reached, broke off, or has a certificate that is not trusted ({error})"
    if isinstance(error, bonsai.SizeLimitError):
        return (
            f"{request.url} ends the list early (sizeLimitExceeded); let the account read everybody page by page: with "
            f'OpenLDAP by `limits dn.exact="{request.bind_dn}" size.prtotal=unlimited`'
        )
    if isinstance(error, bonsai.NoSuchObjectError):
        return f"{request.url} knows no `base` {request.people.base}, or {request.bind_dn} may not see it"
    if isinstance(error, bonsai.InsufficientAccess):
        return f"{request.url} does not let {request.bind_dn} read (insufficientAccessRights)"
    return f"{request.url} refuses: {error}"


def _client(request: Request) -> Any:
    client = bonsai.LDAPClient(request.url, request.start_tls)
    if request.bind_dn:
        client.set_credentials("SIMPLE", user=request.bind_dn, password=request.password)
    client.set_cert_policy("demand")
    if request.ca:
        client.set_ca_cert(request.ca)
    client.set_raw_attributes(list(GUIDS))
    client.set_auto_page_acquire(False)
    # References are listed and never followed: another server has other rights and another cursor.
    client.set_server_chase_referrals(False)
    client.set_ignore_referrals(False)
    return client


def _place(connection: Any, request: Request) -> tuple[str, str]:
    """Return which server this is, and the number of its last change where it has one; empty for what it hides."""
    if not request.active_directory:
        found = _one(connection, request.people.base, ("entryUUID",))
        return "".join(found.all("entryUUID")) if found else "", ""
    root = _one(connection, "", ("dsServiceName", "highestCommittedUSN"))
    if root is None or not root.all("highestCommittedUSN") or not root.all("dsServiceName"):
        return "", ""
    name = root.all("dsServiceName")[0]
    service = _one(connection, name, ("invocationId",))
    # A domain controller that was restored from a backup counts anew and says so by another invocationId.
    return "|".join([name, *(service.all("invocationId") if service else ())]), root.all("highestCommittedUSN")[0]


def _since(request: Request, server: str, highest: str) -> str:
    """Return the filter of what has changed; empty to read everything."""
    if request.since is None or not server or request.since[0] != server:
        return ""
    cursor = request.since[1]
    if not request.active_directory:
        return f"({_TIME}>={cursor})"
    return f"({_USN}>={int(cursor) + 1})" if int(cursor) <= int(highest) else ""


def _narrowed(request: Request, search: Search, since: str) -> Search:
    """Return the search with the attribute that tells changes, and of these only, if wanted."""
    attributes = search.attributes if request.active_directory else (*search.attributes, _TIME)
    return Search(search.base, f"(&{search.filter}{since})" if since else search.filter, attributes)


def _changed(connection: Any, request: Request, groups: Search, since: str) -> bool:
    found = _paged(connection, request, Search(groups.base, f"(&{groups.filter}{since})", (_NOTHING,)), [])
    return bool(found)


def _latest(entries: Iterable[Entry], before: str) -> str:
    times = [time for entry in entries for time in entry.all(_TIME)]
    return max([*times, before])


def _paged(connection: Any, request: Request, search: Search, references: list[str]) -> list[Entry]:
    """Return all that a search finds, page by page until the server gives no cookie (RFC 2696)."""
    found: list[Entry] = []
    page = connection.paged_search(
        search.base, bonsai.LDAPSearchScope.SUBTREE, search.filter, list(search.attributes), page_size=request.page
    )
    while True:
        for each in page:
            if isinstance(each, bonsai.LDAPReference):
                references.extend(str(url) for url in each.references)
            else:
                found.append(_entry(each))
        message = page.acquire_next_page()
        if message is None:
            return found
        page = connection.get_result(message)


def _managers(connection: Any, request: Request, people: Sequence[Entry]) -> list[Entry]:
    """Return those who are named as managers and are not among the people: outside the base, or unchanged."""
    if not request.manager:
        return []
    there = {dn_key(entry.dn) for entry in people}
    named = {dn_key(name): name for entry in people for name in entry.all(request.manager) if "=" in name}
    missing = [name for key, name in named.items() if key not in there]
    found = (_one(connection, name, request.people.attributes) for name in missing)
    return [entry for entry in found if entry is not None]


def _one(connection: Any, name: str, attributes: Sequence[str]) -> Entry | None:
    """Return the entry by that name; None when it is not there or may not be seen."""
    try:
        found = connection.search(name, bonsai.LDAPSearchScope.BASE, "(objectClass=*)", list(attributes))
    except (bonsai.InsufficientAccess, bonsai.NoSuchObjectError, bonsai.InvalidDN):
        return None
    entries = [each for each in found if not isinstance(each, bonsai.LDAPReference)]
    return _entry(entries[0]) if entries else None


def _entry(found: Any) -> Entry:
    values: dict[str, tuple[str, ...]] = {}
    for attribute in found:
        if attribute == "dn":
            continue
        name, _, option = attribute.lower().partition(";")
        if option.startswith("lang-"):
            continue  # the same in another language
        if option.startswith("range="):
            raise ReadError(
                f"the server gives the values of {name} only in parts, which are not put together here; "
                "say `groups: memberOf` if these are members of a group"
            )
        values[name] = (*values.get(name, ()), *(_text(name, each) for each in found[attribute]))
    return Entry(str(found.dn), values)


def _text(attribute: str, value: object) -> str:
    if isinstance(value, bytes | bytearray):
        if attribute in {name.lower() for name in GUIDS}:
            return guid_text(bytes(value))
        raise ReadError(f"{attribute} is not text in UTF-8; only objectGUID may be binary")
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
