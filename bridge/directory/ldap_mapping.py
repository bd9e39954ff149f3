"""One LDAP source, and what its entries say about people, in the notation of files. Pure.

Reading is `ldap_read`'s, what the rows change is `import_plan`'s, and who leaves by being absent the door's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from unicodedata import normalize
from zoneinfo import ZoneInfo

from bridge.directory.csv_file import SHOWN, CsvFile, Problem, Row, row_problems
from bridge.directory.feed import GRACE, SHRINK
from bridge.directory.ldap_exchange import Answer, Entry, Request, Search
from bridge.directory.ldap_values import dn_key, dn_parts, is_enabled, last_day
from bridge.directory.scim_shape import DATES, comparison_key
from bridge.errors import ImportFileError, RefusedError

ACTIVE_DIRECTORY: Final[Mapping[str, tuple[str, ...]]] = {
    "sAMAccountName": ("userName",),
    "objectGUID": ("externalId",),
    "displayName": ("displayName",),
    "givenName": ("givenName",),
    "sn": ("familyName",),
    "mail": ("email",),
    "title": ("title",),
    "department": ("department",),
    "company": ("organization",),
    "employeeID": ("employeeNumber",),
    "manager": ("manager",),
    "userAccountControl": ("active",),
    "accountExpires": ("end",),
}
"""Their attribute → ours, where the configuration names none."""
OPENLDAP: Final[Mapping[str, tuple[str, ...]]] = {
    "uid": ("userName",),
    "entryUUID": ("externalId",),
    "displayName": ("displayName",),
    "givenName": ("givenName",),
    "sn": ("familyName",),
    "mail": ("email",),
    "title": ("title",),
    "departmentNumber": ("department",),
    "o": ("organization",),
    "employeeNumber": ("employeeNumber",),
    "employeeType": ("userType",),
    "manager": ("manager",),
}
_APPLICATION_PARTITIONS: Final = ("cn=configuration,", "dc=domaindnszones,", "dc=forestdnszones,")
"""What a domain controller refers to below the root of its domain, and where no people are."""
_GENERALIZED_TIME: Final = re.compile(r"([0-9]{14})(?:[.,][0-9]+)?Z")
FLOOR: Final = 5
"""So few may lose the last value of an attribute and be believed."""
NOTHING_SEEN: Final[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True)
class GroupSearch:
    """Groups that name their members."""

    base: str
    filter: str = "(|(objectClass=groupOfNames)(objectClass=group))"
    member: str = "member"
    """Their attribute with the members: names of entries, or userNames."""
    name: str = "cn"


@dataclass(frozen=True, slots=True)
class LdapSource:
    """One LDAP server that says who works here, as the configuration describes it."""

    name: str
    url: str
    base: str
    active_directory: bool = False
    filter: str = "(objectClass=inetOrgPerson)"
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: OPENLDAP)
    """Their attribute → ours."""
    groups: GroupSearch | str | None = None
    """Where groups are; or their attribute that names somebody's groups; None to leave groups alone."""
    bind_dn: str = ""
    password: str = field(default="", repr=False)
    start_tls: bool = False
    ca: str = ""
    page: int = 500
    timeout: timedelta = timedelta(minutes=5)
    """What one reading may take."""
    every: timedelta = timedelta(minutes=10)
    full: timedelta = timedelta(hours=24)
    """How often everybody is read, since only that tells who is there no longer."""
    shrink: float = SHRINK
    grace: timedelta = GRACE
    expect: str = ""
    """Name of an entry that is always there."""

    @property
    def origin(self) -> str:
        """What history and messages call it."""
        return f"ldap:{self.name}"


@dataclass(frozen=True, slots=True)
class Picture:
    """What a reading says about people."""

    file: CsvFile
    proven: bool
    """Everybody is in it: whoever is not, is absent."""
    counts: Mapping[str, int]
    """Our attribute → how many entries have a value of it."""
    notes: tuple[str, ...]


def request_of(source: LdapSource, since: tuple[str, str] | None) -> Request:
    """Return what to ask: no more than the attributes that are mapped, and what has changed `since`, if given."""
    ours = {name: theirs for theirs, names in source.attributes.items() for name in names}
    named = [*source.attributes, *([source.groups] if isinstance(source.groups, str) else [])]
    groups = source.groups
    search = (
        Search(groups.base, groups.filter, (groups.name, groups.member)) if isinstance(groups, GroupSearch) else None
    )
    return Request(
        url=source.url,
        start_tls=source.start_tls,
        ca=source.ca,
        bind_dn=source.bind_dn,
        password=source.password,
        page=source.page,
        active_directory=source.active_directory,
        people=Search(source.base, source.filter, tuple(dict.fromkeys(named))),
        groups=search,
        manager=ours.get("manager", ""),
        since=since,
    )


def fingerprint(request: Request) -> str:
    """Return a digest of all that decides what an answer says: after a change of it, changes alone do not suffice."""
    asked = {name: part for name, part in asdict(request).items() if name not in ("password", "page", "ca", "since")}
    return sha256(repr(sorted(asked.items())).encode()).hexdigest()[:16]


def picture_of(source: LdapSource, answer: Answer, timezone: str, seen: Mapping[str, int] = NOTHING_SEEN) -> Picture:
    """Return the people of an answer; `timezone` is where days without a time zone are meant.

    An attribute that no entry has is left out, so that it settles nothing: the right to read it may have been lost. By
    `seen`, the counts of the last full reading, a handful may lose theirs. Raises `ImportFileError` with every
    problem, and `RefusedError` when everybody was asked for and nobody came.
    """
    if not answer.people and not answer.changes_only:
        raise RefusedError(
            f"{source.origin}: the server said success and gave 0 entries. Nothing was changed. Has "
            f"{source.bind_dn or 'it'} lost the right to read below {source.base}, or does `filter` fit nobody?"
        )
    values = _rows_of(source, answer, timezone)
    counts = _counts(source, answer, values)
    columns = tuple(name for name in (values[0] if values else ()) if counts[name] or 0 < seen.get(name, 0) <= FLOOR)
    rows = tuple(Row(number, {name: row[name] for name in columns}) for number, row in enumerate(values, start=1))
    if values and "userName" not in columns:
        raise RefusedError(f"{source.origin}: no entry shows what is mapped to userName. Nothing was changed.")
    _insist_on_sound(source.origin, answer.people, rows)
    proven, doubts = _proof(source, answer)
    notes = [*doubts, *_silent(counts, columns, answer), *_lost(source, answer, rows)]
    file = CsvFile(source.origin, columns, rows)
    return Picture(file, proven, counts, tuple(f"{source.origin}: {note}" for note in notes))


def _counts(source: LdapSource, answer: Answer, rows: Sequence[Mapping[str, str]]) -> dict[str, int]:
    """Return how many entries have a value for each of our attributes, whatever it means: never is a value too."""
    counts = {
        ours: sum(1 for entry in answer.people if entry.all(theirs))
        for theirs, names in source.attributes.items()
        for ours in names
    }
    if source.groups is not None:
        counts["groups"] = sum(1 for row in rows if row["groups"])
    return counts


def _rows_of(source: LdapSource, answer: Answer, timezone: str) -> list[dict[str, str]]:
    managers = {dn_key(each.dn): _user_name(source, each) for each in (*answer.managers, *answer.people)}
    groups = _groups(source, answer)
    rows = []
    for entry in answer.people:
        row = {}
        for theirs, names in source.attributes.items():
            text = _first(entry, theirs)
            for ours in names:
                row[ours] = (
                    managers.get(dn_key(text), "") if _is_dn(ours, text) else _converted(ours, theirs, text, timezone)
                )
        if groups is not None:
            row["groups"] = ";".join(groups(entry))
        rows.append(row)
    return rows


def _first(entry: Entry, attribute: str) -> str:
    """Return the value that stands in the entry's own name, else the first that the server gives."""
    values = entry.all(attribute)
    if len(values) > 1:
        own = [value for name, value in dn_parts(entry.dn)[:1] if name == attribute.lower()]
        values = tuple(value for value in values if own and comparison_key(value) == comparison_key(own[0])) or values
    return normalize("NFC", values[0].strip()) if values else ""


def _is_dn(ours: str, text: str) -> bool:
    return ours == "manager" and "=" in text


def _user_name(source: LdapSource, entry: Entry) -> str:
    return next(_first(entry, theirs) for theirs, names in source.attributes.items() if "userName" in names)


def _converted(ours: str, theirs: str, text: str, timezone: str) -> str:
    """Return a value as files have it; one that does not read stays as it is, and is refused with the row."""
    try:
        if text and ours == "active" and theirs.lower() == "useraccountcontrol":
            return "true" if is_enabled(text) else "false"
        if text and theirs.lower() == "accountexpires":
            day = last_day(text, timezone)
            return day.isoformat() if day else ""
        if ours in DATES and (found := _GENERALIZED_TIME.fullmatch(text)):
            moment = datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            return moment.astimezone(ZoneInfo(timezone)).date().isoformat()
    except ValueError:
        return text
    return text


def _groups(source: LdapSource, answer: Answer) -> Callable[[Entry], list[str]] | None:
    """Return what tells the groups of an entry, by name; None where groups are not read."""
    kind = source.groups
    if kind is None:
        return None
    if isinstance(kind, str):
        attribute = kind
        return lambda entry: _names(parts[0][1] for name in entry.all(attribute) if (parts := dn_parts(name)))
    by_member: dict[str, list[str]] = {}
    for group in answer.groups:
        for member in group.all(kind.member):
            by_member.setdefault(_member_key(member), []).extend(group.all(kind.name)[:1])

    def of(entry: Entry) -> list[str]:
        keys = (dn_key(entry.dn), _member_key(_user_name(source, entry)))
        return _names(name for key in keys for name in by_member.get(key, ()))

    return of


def _member_key(member: str) -> str:
    """Return what a group's member and a person have in common: the entry's name, or the userName (RFC 2307)."""
    return dn_key(member) if "=" in member else comparison_key(member)


def _names(names: Iterable[str]) -> list[str]:
    """Return names as the column of groups can bear them, which a semicolon separates."""
    return sorted({normalize("NFC", name.replace(";", ",").strip()) for name in names} - {""})


def _proof(source: LdapSource, answer: Answer) -> tuple[bool, list[str]]:
    """Tell whether everybody is in the answer, and what speaks against it."""
    if answer.changes_only:
        return False, []
    doubts = []
    elsewhere = [url for url in answer.references if not any(part in url.lower() for part in _APPLICATION_PARTITIONS)]
    if elsewhere:
        doubts.append(
            f"a part of {source.base} is on another server, which is not asked ({', '.join(elsewhere)}); nobody leaves "
            "by not being in this read. Narrow `base`, or read that server as a source of its own"
        )
    if source.expect and dn_key(source.expect) not in {dn_key(entry.dn) for entry in answer.people}:
        doubts.append(
            "the entry that `expect` names is not in this read, so others may be missing; nobody leaves by that. "
            f"Has {source.bind_dn or 'it'} lost the right to read some?"
        )
    return not doubts, doubts


def _silent(counts: Mapping[str, int], columns: Sequence[str], answer: Answer) -> Iterator[str]:
    """Yield a note on what nobody has, when everybody was read."""
    silent = [name for name in counts if name not in columns]
    if silent and not answer.changes_only:
        yield f"no entry has, or shows, a value for {', '.join(silent)}; what is known of that stays as it is"


def _lost(source: LdapSource, answer: Answer, rows: Sequence[Row]) -> Iterator[str]:
    """Yield a note on managers who cannot be found."""
    theirs = next((theirs for theirs, names in source.attributes.items() if "manager" in names), "")
    named = [bool(entry.all(theirs)) for entry in answer.people]
    missing = sum(has and not row.values.get("manager") for has, row in zip(named, rows, strict=True))
    if missing:
        yield f"managers whose entry cannot be read, or has no userName: {missing}; left empty"


def _insist_on_sound(origin: str, entries: Sequence[Entry], rows: Sequence[Row]) -> None:
    """Refuse all when one entry is wrong, naming each by its distinguished name."""
    problems = [problem for row in rows for problem in row_problems(row)]
    problems += [
        Problem(row.line, column, "expected text, came a NUL character")
        for row in rows
        for column, text in row.values.items()
        if "\x00" in text
    ]
    problems += _duplicates(entries, rows)
    if not problems:
        return
    lines = [
        f"{origin}: {entries[each.line - 1].dn}: {each.column}: error: {each.message}" for each in problems[:SHOWN]
    ]
    if len(problems) > SHOWN:
        lines.append(f"… and {len(problems) - SHOWN} more")
    lines.append("Nothing was changed. Mend these entries, or leave them out with `filter`.")
    raise ImportFileError("\n".join(lines), (each.column for each in problems))


def _duplicates(entries: Sequence[Entry], rows: Sequence[Row]) -> Iterator[Problem]:
    for column in ("userName", "externalId"):
        first: dict[str, int] = {}
        for row in rows:
            if value := row.values.get(column):
                line = first.setdefault(comparison_key(value, case_exact=column == "externalId"), row.line)
                if line != row.line:
                    yield Problem(row.line, column, f"{value!r} is also that of {entries[line - 1].dn}")
