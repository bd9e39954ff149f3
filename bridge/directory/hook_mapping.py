"""What a webhook of HR's says about people, by the source's mapping. Pure.

An adapter is data: where in the body the people are, and which attribute stands where. Only what it names is read;
everything else in a body (HR sends birth dates and salaries along) is dropped here, before anything is stored. What
comes out has the attributes and the notation of a CSV file, so that there is one way into the directory. A vendor
switches a webhook off that is refused, so of those what cannot be used is told as such, person by person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from unicodedata import category, normalize

from bridge.directory.csv_file import Row, row_problems
from bridge.directory.hook_outcome import Outcome
from bridge.directory.refusal import refused_of_delivery
from bridge.errors import DeliveryError

LONGEST: Final = 1000
"""Characters of one attribute."""
_NO_DAY: Final = frozenset({"0000-00-00"})


@dataclass(frozen=True, slots=True)
class Adapter:
    """Where a source's bodies say what. A path is names joined by dots; one that begins with `/` is the body's."""

    people: tuple[str, ...]
    """Paths of the list of people, or of the one; the first that is there counts, else the body is the person."""
    subject: tuple[str, ...]
    """Paths of the id of the person in the source: our externalId."""
    occurred: tuple[str, ...]
    event: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]]
    """Our attribute → paths, of which the first that is there counts."""
    statuses: Mapping[str, bool] = field(default_factory=dict)
    """What a word of the status, in lower case, means for `active`; other words are refused."""
    events: Mapping[str, bool] = field(default_factory=dict)
    """What the kind of an event, in lower case, says about `active` without any attribute."""
    is_lenient: bool = False
    """Its sender would switch off a webhook that is refused."""


@dataclass(frozen=True, slots=True)
class HookEvent:
    """What a source says about one person."""

    subject: str
    occurred_at: datetime
    attributes: Mapping[str, str]
    """As `csv_file.Row.values`, for those attributes alone that were said; `externalId` is not among them."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """What a source says about somebody and nobody can act on."""

    subject: str
    """Empty when it names nobody."""
    occurred_at: datetime
    outcome: Outcome
    reason: str
    """Never a value."""


def adapted(
    adapter: Adapter, attributes: Mapping[str, str] | None = None, statuses: Mapping[str, bool] | None = None
) -> Adapter:
    """Return the adapter with a company's own paths and words."""
    return replace(
        adapter,
        attributes={**adapter.attributes, **{name: (path,) for name, path in (attributes or {}).items()}},
        statuses={**adapter.statuses, **{word.lower(): active for word, active in (statuses or {}).items()}},
    )


def map_delivery(adapter: Adapter, body: object, sent: datetime) -> tuple[HookEvent | Unusable, ...]:
    """Return what the body says about people; `sent` stands in for a moment that it does not name.

    Raises `DeliveryError`, whose message names attributes and never what they hold; for a lenient adapter only when
    the body is no JSON object.
    """
    if not isinstance(body, dict):
        raise DeliveryError("expected a JSON object")
    people = _people(adapter, body)
    if not people and adapter.is_lenient:
        return (Unusable("", sent, Outcome.IGNORED, "it names nobody"),)
    if not people:
        raise DeliveryError("expected at least one person")
    return tuple(_told(adapter, person, body, sent) for person in people)


def refused_names(adapter: Adapter, body: object) -> Counter[str]:
    """Return the names of what the body says and the adapter does not look at, with how often each is there."""
    if not isinstance(body, dict):
        return Counter()
    named = (*adapter.subject, *adapter.occurred, *adapter.event, *adapter.people)
    paths = (path for paths in adapter.attributes.values() for path in paths)
    return refused_of_delivery((*named, *paths), _people(adapter, body), body)


def fresh(event: HookEvent, told_at: Mapping[str, datetime]) -> dict[str, str]:
    """Return the attributes of which nothing newer has been told; `told_at` is the newest word about each."""
    return {
        name: value
        for name, value in event.attributes.items()
        if name not in told_at or told_at[name] <= event.occurred_at
    }


def _people(adapter: Adapter, body: dict[str, Any]) -> list[Any]:
    """Return whom the body speaks of; the body itself when it has no place for people."""
    people = next((found for path in adapter.people if (found := _at(path, {}, body)) is not None), body)
    return people if isinstance(people, list) else [people]


def _told(adapter: Adapter, person: object, body: Mapping[str, Any], sent: datetime) -> HookEvent | Unusable:
    try:
        return _event(adapter, person, body, sent)
    except DeliveryError as error:
        if not adapter.is_lenient:
            raise
        return Unusable(_subject_or_nobody(adapter, person, body), sent, Outcome.REFUSED, error.message)


def _subject_or_nobody(adapter: Adapter, person: object, body: Mapping[str, Any]) -> str:
    try:
        return (_first(adapter.subject, person, body, "externalId") or "") if isinstance(person, dict) else ""
    except DeliveryError:
        return ""


def _event(adapter: Adapter, person: object, body: Mapping[str, Any], sent: datetime) -> HookEvent | Unusable:
    if not isinstance(person, dict):
        raise DeliveryError("expected each person to be a JSON object")
    subject = _first(adapter.subject, person, body, "externalId")
    if not subject:
        raise DeliveryError(f"expected the person's id at {' or '.join(adapter.subject)}")
    said = dict(_attributes(adapter, person, body))
    kind = (_first(adapter.event, person, body, "event") or "").lower()
    if kind in adapter.events and (said.get("active") != "false" or not adapter.events[kind]):
        said["active"] = str(adapter.events[kind]).lower()
    if not said:
        return _without_values(
            adapter, subject, _moment(_first(adapter.occurred, person, body, "time"), sent), person is body
        )
    problems = sorted({problem.column for problem in row_problems(Row(1, {"externalId": subject, **said}))})
    if problems:
        raise DeliveryError(f"what it says does not read: {', '.join(problems)}")
    return HookEvent(subject, _moment(_first(adapter.occurred, person, body, "time"), sent), said)


def _without_values(adapter: Adapter, subject: str, occurred_at: datetime, is_bare: bool) -> Unusable:
    """Return an event that says nothing of what is kept: about nothing at all, or about what only others keep."""
    if not adapter.is_lenient:
        raise DeliveryError("it names no attribute of the person; let the source send the values along")
    if is_bare:
        return Unusable(subject, occurred_at, Outcome.WITHOUT_VALUES, "it has no values")
    return Unusable(subject, occurred_at, Outcome.IGNORED, "it says nothing of what is kept")


def _attributes(adapter: Adapter, person: Mapping[str, Any], body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, paths in adapter.attributes.items():
        text = _first(paths, person, body, name)
        if text is None or (name == "userName" and not text):
            continue  # nobody loses the name because a source has none yet
        if name == "active" and text.lower() in adapter.statuses:
            text = str(adapter.statuses[text.lower()]).lower()
        yield name, "" if text in _NO_DAY else text


def _first(paths: Sequence[str], person: Mapping[str, Any], body: Mapping[str, Any], name: str) -> str | None:
    """Return the text at the first path that is there; an attribute that is null is there, and empty."""
    for path in paths:
        found = _at(path, person, body, _MISSING)
        if found is not _MISSING:
            return _text(found, name)
    return None


_MISSING: Final = object()


def _at(path: str, person: Mapping[str, Any], body: Mapping[str, Any], missing: object = None) -> object:
    """Return what is at the path; on the way, `{"value": X}` is X, as some sources wrap every value."""
    found: object = body if path.startswith("/") else person
    for name in path.removeprefix("/").split("."):
        if not isinstance(found, dict) or name not in found:
            return missing
        found = found[name]
        if isinstance(found, dict) and "value" in found:
            found = found["value"]
    return found


def _text(value: object, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        value = ";".join(value)
    if not isinstance(value, str):
        raise DeliveryError(f"expected text in {name}")
    if len(value) > LONGEST or any(category(letter) in ("Cc", "Cs") for letter in value):
        raise DeliveryError(f"expected at most {LONGEST} characters, none of control, in {name}")
    return normalize("NFC", value.strip())


def _moment(text: str | None, sent: datetime) -> datetime:
    """Return the moment of the event, which was not after it was sent: a date far off would outlive all later news."""
    if not text:
        return sent
    try:
        found = datetime.fromisoformat(text)
        return min(sent, found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise DeliveryError("expected the moment of the event in ISO 8601") from error
