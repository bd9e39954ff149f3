"""SCIM as identity providers speak it, turned into SCIM as the RFC writes it. Pure.

Only unwraps and puts into place: the manager as text or list, enterprise attributes by their short names, the
company's own attributes under whatever schema the provider invents, unquoted values in filters. What it does not know
it leaves to the library, which judges. Capitalised operations, `"True"` and dotted keys the library reads by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from scim2_models import InvalidFilterException, InvalidValueException, ScimFilter
from scim2_models.path import AttrPath, Comparison, FilterNode, LogicalExpr, Not, Present, ValuePath

from bridge.directory.scim_shape import DATES, ENTERPRISE, MUSTER, Shape
from bridge.directory.scim_user import day_of

MANAGER: Final = f"{ENTERPRISE}:manager"
MAX_FILTER: Final = 4000
"""Longest filter, in characters; longer ones are refused before they are parsed."""
_MAX_DEPTH: Final = 40
_READ_ONLY: Final = ("id", "meta", "groups", "schemas")
"""What providers repeat in a PATCH without a path, and what says nothing there."""
_JUNK: Final = ("locale", "preferredlanguage", "timezone")
"""Attributes for which providers are known to send anything; what is no text is dropped."""
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_UNQUOTED: Final = re.compile(
    r'("(?:[^"\\]|\\.)*")|(\b(?:eq|ne|co|sw|ew|gt|ge|lt|le)\s+)([^\s"()\[\]]+)', re.IGNORECASE
)
_LITERAL: Final = re.compile(r"true|false|null|-?\d+(\.\d+)?([eE][+-]?\d+)?")


def require_text(value: Any) -> None:
    """Raise `InvalidValueException` if a text inside holds what PostgreSQL cannot keep: NUL, or half a character."""
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise InvalidValueException(detail="The text holds a NUL character or half of a surrogate pair")
    elif isinstance(value, dict):
        for name, entry in value.items():
            require_text(name)
            require_text(entry)
    elif isinstance(value, list):
        for entry in value:
            require_text(entry)


def standard_user(body: Any, shape: Shape) -> Any:
    """Return the body of a POST or PUT of a User as the RFC writes it; what is no object is returned as it is."""
    return _placed(body, shape) if isinstance(body, dict) else body


def standard_patch(body: Any, shape: Shape) -> Any:
    """Return the body of a PATCH of a User as the RFC writes it; what is no PATCH is returned as it is."""
    return _with_operations(body, lambda operation: [_operation(each, shape) for each in _divided(operation)])


def standard_bulk(body: Any, shape: Shape) -> Any:
    """Return the body of a bulk request with the Users' operations as the RFC writes them."""
    return _with_operations(body, lambda operation: [_bulk_operation(operation, shape)])


def standard_filter(text: str, shape: Shape) -> str:
    """Return the filter with unquoted values quoted and short names in full.

    Raises `InvalidFilterException` for what is no filter, or too long or too deep a one.
    """
    if len(text) > MAX_FILTER or _depth(text) > _MAX_DEPTH:
        raise InvalidFilterException(detail=f"Expected at most {MAX_FILTER} characters and {_MAX_DEPTH} levels")
    return str(_qualified(_parse(text), shape))


def _with_operations(body: Any, change: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> Any:
    """Return the request with every object in its list of operations replaced by those that `change` makes of it."""
    if not isinstance(body, dict):
        return body
    return {
        name: [new for entry in value for new in (change(entry) if isinstance(entry, dict) else [entry])]
        if name.lower() == "operations" and isinstance(value, list)
        else value
        for name, value in body.items()
    }


def _bulk_operation(operation: dict[str, Any], shape: Shape) -> dict[str, Any]:
    parts = {name.lower(): value for name, value in operation.items()}
    if not str(parts.get("path")).lower().startswith("/users"):
        return operation
    standard = standard_patch if str(parts.get("method")).lower() == "patch" else standard_user
    return {name: standard(value, shape) if name.lower() == "data" else value for name, value in operation.items()}


def _divided(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the operation without the keys of a path-less value that select an entry, and one operation for each."""
    parts = {name.lower(): value for name, value in operation.items()}
    value = parts.get("value")
    if parts.get("path") or not isinstance(value, dict) or not any("[" in name for name in value):
        return [operation]
    rest = {name: entry for name, entry in value.items() if "[" not in name}
    selecting = [{"op": parts.get("op"), "path": name, "value": value[name]} for name in value if "[" in name]
    return [*([{**parts, "value": rest}] if rest else []), *selecting]


def _operation(operation: dict[str, Any], shape: Shape) -> dict[str, Any]:
    parts = {name.lower(): value for name, value in operation.items()}
    path, value = parts.get("path"), parts.get("value")
    if not isinstance(path, str) or not path.strip():
        return {**parts, "value": _placed(value, shape, _READ_ONLY)} if isinstance(value, dict) else operation
    full = _full_name(path.strip(), shape)
    if "value" not in parts:
        return {**parts, "path": full}
    if full in (MANAGER, f"{MANAGER}.value"):
        return {**parts, "path": MANAGER, "value": _manager(value)}
    return {**parts, "path": full, "value": _own(full, value) if full.startswith(f"{MUSTER}:") else value}


def _placed(body: Mapping[str, Any], shape: Shape, ignored: Collection[str] = ()) -> dict[str, Any]:
    """Return the object with every extension's attributes under the URN of the extension that declares them."""
    placed: dict[str, Any] = {}
    for name, value in body.items():
        full = _full_name(name, shape)
        lower = full.lower()
        if lower in ignored or (lower in _JUNK and not isinstance(value, str)):
            continue
        urn, _, attribute = full.rpartition(":")
        if isinstance(value, dict) and lower.startswith("urn:") and urn not in (ENTERPRISE, MUSTER):
            for inner, entry in value.items():
                _put(placed, _full_name(f"{full}:{inner}", shape), entry)
        elif urn in (ENTERPRISE, MUSTER) and "." not in attribute:
            _put(placed, full, value)
        else:
            placed[full] = value
    return placed


def _put(placed: dict[str, Any], full: str, value: Any) -> None:
    urn, _, attribute = full.rpartition(":")
    inside = placed.setdefault(urn, {})
    if not isinstance(inside, dict):
        return
    if full == MANAGER:
        inside[attribute] = _manager(value)
    else:
        inside[attribute] = _own(full, value) if urn == MUSTER else value


def _full_name(name: str, shape: Shape) -> str:
    """Return the attribute's name or path with the URN of the extension that declares it, spelled as declared."""
    for urn in (ENTERPRISE, MUSTER):
        if name.lower() == urn.lower():
            return urn
        if name.lower().startswith((f"{urn.lower()}:", f"{urn.lower()}.")):
            return f"{urn}:{_spelled(name[len(urn) + 1 :], urn, shape)}"
    prefix, _, rest = name.rpartition(":")
    head = rest.partition(".")[0].lower()
    if head in shape.attributes[MUSTER.lower()].parts and (prefix or head not in shape.attributes):
        return f"{MUSTER}:{_spelled(rest, MUSTER, shape)}"
    if not prefix and head in shape.attributes[ENTERPRISE.lower()].parts and head not in shape.attributes:
        return f"{ENTERPRISE}:{_spelled(rest, ENTERPRISE, shape)}"
    return name


def _spelled(path: str, urn: str, shape: Shape) -> str:
    head, dot, rest = path.partition(".")
    attribute = shape.attributes[urn.lower()].parts.get(head.lower())
    return f"{attribute.name if attribute else head}{dot}{rest}"


def _manager(value: Any) -> Any:
    """Return the manager as an object, or None for none; junk is returned as it is."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if value in ("", None, [], {}) or (isinstance(value, dict) and value.get("value", "") in ("", None)):
        return None
    return {"value": value} if isinstance(value, str) else value


def _own(full: str, value: Any) -> Any:
    """Return the value of an attribute of our extension: a number or truth value as text, a day only if it is one."""
    if full.rpartition(":")[2] in DATES and value not in ("", None):
        if not isinstance(value, str) or not _is_day(value):
            raise InvalidValueException(detail=f"{full}: expected a day such as 2027-03-01")
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _is_day(text: str) -> bool:
    try:
        day_of(text)
    except ValueError:
        return False
    return True


def _depth(text: str) -> int:
    return text.count("(") + text.count("[")


def _parse(text: str) -> FilterNode:
    try:
        return ScimFilter(text).ast
    except InvalidFilterException:
        quoted = _UNQUOTED.sub(_quoted, text)
        if quoted == text:
            raise
        return ScimFilter(quoted).ast


def _quoted(found: re.Match[str]) -> str:
    if found[1] or _LITERAL.fullmatch(found[3]):
        return found[0]
    return found[2] + ScimFilter.quote(found[3])


def _qualified(node: FilterNode, shape: Shape | None) -> FilterNode:
    """Return the filter with the extension's URN before every short name; inside a value selection there is none."""
    match node:
        case Comparison(path, operator, value):
            require_text(value)
            return Comparison(_qualified_path(path, shape), operator, value)
        case Present(path):
            return Present(_qualified_path(path, shape))
        case Not(inner):
            return Not(_qualified(inner, shape))
        case LogicalExpr(operator, terms):
            return LogicalExpr(operator, tuple(_qualified(term, shape) for term in terms))
        case ValuePath(path, inner):
            return ValuePath(_qualified_path(path, shape), _qualified(inner, None))
    return node


def _qualified_path(path: AttrPath, shape: Shape | None) -> AttrPath:
    if path.uri is not None or shape is None or MUSTER.lower() not in shape.attributes:
        return path
    urn, _, name = _full_name(path.attr, shape).rpartition(":")
    return AttrPath(name, path.sub_attr, urn) if urn else path
