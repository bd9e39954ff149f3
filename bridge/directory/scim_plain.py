"""Users and PATCHes of the plain form that most requests have, told apart from all others. Pure.

Plain is what holds only texts that are not empty, `active`, addresses at work and the manager's id, under the names
that the schema declares. The library makes exactly the same of it with far more work, so it is asked only
about the rest, of which it judges everything. Bodies are those that `scim_dialect` has brought into the RFC's form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bridge.directory.scim_shape import ENTERPRISE, MUSTER, USER, Attribute, Shape

_PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_EXTENSIONS: Final = (ENTERPRISE, MUSTER)
_SCHEMAS: Final = frozenset((USER, *_EXTENSIONS))
_BODY: Final = frozenset(("schemas", "Operations"))
_OPERATION: Final = (frozenset(("op", "path", "value")), frozenset(("op", "value")))
_NO_TEXT: Final = ("schemas", "id", "active")
_EMAIL: Final = frozenset(("value", "type", "primary"))

Place = tuple[str, ...]
"""The names under which a value stands in a document, such as `("name", "givenName")`."""


@dataclass(frozen=True, slots=True)
class Write:
    """A value, and where in the document it belongs."""

    place: Place
    value: str | bool


@dataclass(frozen=True, slots=True)
class Plain:
    """What a plain User may have; `plain_of` makes it."""

    texts: frozenset[str]
    """Attributes that are one text."""
    branches: Mapping[str, frozenset[str]]
    """Attributes that hold texts, by name: the name and the extensions."""
    places: Mapping[str, Place]
    """Where each of all these stands, and `active`, by the path that a PATCH has for it."""
    own: frozenset[str]
    """All that our extension may hold, plain or not."""


def plain_of(shape: Shape) -> Plain:
    """Return what is plain in Users of this shape."""
    texts = _texts(shape.attributes) - {*_NO_TEXT}
    branches = {name: _texts(shape.attributes[name.lower()].parts) for name in ("name", *_EXTENSIONS)}
    places: dict[str, Place] = {name: (name,) for name in (*texts, "active")}
    for branch, parts in branches.items():
        separator = ":" if branch in _EXTENSIONS else "."
        places |= {f"{branch}{separator}{name}": (branch, name) for name in parts}
    own = frozenset(part.name for part in shape.attributes[MUSTER.lower()].parts.values())
    return Plain(texts, branches, places, own)


def is_plain_user(body: Any, plain: Plain) -> bool:
    """Tell whether the body of a POST is a document as it stands, but for its `schemas`."""
    return (
        isinstance(body, dict)
        and _are_schemas(body.get("schemas"))
        and isinstance(body.get("userName"), str)
        and all(_is_plain(name, value, plain) for name, value in body.items())
    )


def plain_writes(body: Any, plain: Plain) -> list[Write] | None:
    """Return what a PATCH writes, in its order; None if it is not plain."""
    if not isinstance(body, dict) or body.keys() != _BODY or body["schemas"] != [_PATCH]:
        return None
    operations, writes = body["Operations"], list[Write]()
    if not isinstance(operations, list) or not operations:
        return None
    for operation in operations:
        found = _written_by(operation, plain)
        if found is None:
            return None
        writes += found
    return writes


def write(document: Mapping[str, Any], writes: list[Write], plain: Plain) -> dict[str, Any] | None:
    """Return the document with these values; None if it holds what the company has stopped to ask for.

    That the library drops with the next change.
    """
    if not document.get(MUSTER, {}).keys() <= plain.own:
        return None
    after = dict(document)
    for each in writes:
        *branch, name = each.place
        if branch:
            after[branch[0]] = {**after.get(branch[0], {}), name: each.value}
        else:
            after[name] = each.value
    return after


def _texts(attributes: Mapping[str, Attribute]) -> frozenset[str]:
    return frozenset(attribute.name for attribute in attributes.values() if not attribute.parts)


def _are_schemas(schemas: Any) -> bool:
    return (
        isinstance(schemas, list)
        and USER in schemas
        and all(isinstance(each, str) and each in _SCHEMAS for each in schemas)
    )


def _is_plain(name: str, value: Any, plain: Plain) -> bool:
    if name in plain.texts:
        return _is_text(value)
    if name in plain.branches:
        return isinstance(value, dict) and bool(value) and _is_plain_branch(name, value, plain)
    check = _OTHERS.get(name)
    return check is not None and check(value)


def _is_plain_branch(name: str, value: Mapping[str, Any], plain: Plain) -> bool:
    texts = plain.branches[name]
    return all(
        _is_text(entry) if part in texts else (name == ENTERPRISE and part == "manager" and _is_manager(entry))
        for part, entry in value.items()
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_manager(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"value"} and _is_text(value["value"])


def _are_emails(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(entry, dict) and _is_email(entry) for entry in value)
        and sum(entry.get("primary", False) for entry in value) <= 1
    )


def _is_email(entry: Mapping[str, Any]) -> bool:
    return (
        entry.keys() <= _EMAIL
        and _is_text(entry.get("value"))
        and entry.get("type") == "work"
        and isinstance(entry.get("primary", False), bool)
    )


_OTHERS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "schemas": lambda _: True,  # judged with the whole
    "active": lambda value: isinstance(value, bool),
    "emails": _are_emails,
}


def _written_by(operation: Any, plain: Plain) -> list[Write] | None:
    if not isinstance(operation, dict) or operation.keys() not in _OPERATION:
        return None
    if not isinstance(operation["op"], str) or operation["op"].lower() not in ("add", "replace"):
        return None
    value = operation["value"]
    if "path" in operation:
        value = {operation["path"]: value} if isinstance(operation["path"], str) else None
    return _writes_of(value, plain)


def _writes_of(values: Any, plain: Plain) -> list[Write] | None:
    """Return what stands in an object of paths, or of branches with what is in them."""
    if not isinstance(values, dict) or not values:
        return None
    writes = []
    for path, value in values.items():
        if path in plain.branches and isinstance(value, dict) and value.keys() <= plain.branches[path]:
            found = [Write((path, name), entry) for name, entry in value.items()]
        elif path in plain.places:
            found = [Write(plain.places[path], value)]
        else:
            return None
        writes += found
    is_plain = all(
        isinstance(each.value, bool) if each.place == ("active",) else _is_text(each.value) for each in writes
    )
    return writes if is_plain else None
