"""Which attributes somebody sends that nobody keeps: by name, never by value. Pure.

A name may itself be a value (`{"1990-05-04": …}`), so only what can be the name of an attribute is told as such;
anything else is counted as `…`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from bridge.directory.scim_shape import Shape

LONGEST: Final = 100
"""Characters of a name."""
MOST_NAMES: Final = 200
"""Different names of one source; further ones are counted as `OTHER`."""
OTHER: Final = "…"

Tree = dict[str, "Tree"]
"""Names that are looked at, each with those below it."""

_MOST_DIGITS: Final = 4
_PRIVATE_EMAIL: Final = re.compile(r'emails\[\s*type\s+eq\s+"?(home|other)\b', re.IGNORECASE)
_SENSITIVE: Final = re.compile(
    r"birth|geburt|\bdob\b|ssn|national|passport|tax|social.?sec|isikukood|"
    r"gender|\bsex\b|ethnic|race\b|religio|disab|marital|spouse|"
    r"salar|\bpay\b|pay.?(rate|type|group|per|roll)|wage|compensation|bonus|iban|bank|gehalt|"
    r"address|home|private|personal|phone|mobile|emergency|"
    r"reason|password",
    re.IGNORECASE,
)


def counted_name(name: object) -> str:
    """Return what to count a name as: itself if it can be that of an attribute, else `OTHER`."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST or not name.isprintable() or "@" in name:
        return OTHER
    return OTHER if sum(letter.isdecimal() for letter in name) > _MOST_DIGITS else name


def bounded(names: Mapping[str, int], counted: Mapping[str, int]) -> Counter[str]:
    """Return what is counted with these names added; beyond `MOST_NAMES` different ones they are `OTHER`."""
    total = Counter(counted)
    for name, times in names.items():
        total[name if name in total or len(total) < MOST_NAMES else OTHER] += times
    return total


def is_sensitive(name: str) -> bool:
    """Tell whether an attribute of this name is probably one that no chat has to know."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|[_\-]", " ", name)
    return bool(_SENSITIVE.search(spaced) or _SENSITIVE.search(name))


def refused_of_delivery(named: Iterable[str], people: Collection[Any], body: Mapping[str, Any]) -> Counter[str]:
    """Return the names in a webhook's people and body at which none of the paths in `named` looks.

    A path that begins with `/` is the body's. Only the names beside those that are looked at are read, never those
    inside of a value that is not.
    """
    of_person: Tree = {}
    of_body: Tree = {}
    for path in named:
        branch = of_body if path.startswith("/") else of_person
        for name in path.removeprefix("/").split("."):
            branch = branch.setdefault(name, {})
    found = Counter(name for person in people if person is not body for name in _beside(person, of_person))
    is_bare = any(person is body for person in people)
    found.update(_beside(body, {**of_body, **of_person} if is_bare else of_body))
    return found


def refused_of_user(body: Any, shape: Shape) -> Counter[str]:
    """Return the attributes of a User's POST or PUT, as the RFC writes it, that are not kept."""
    found: Counter[str] = Counter()
    for name, value in body.items() if isinstance(body, dict) else ():
        attribute = shape.attributes.get(name.lower())
        if attribute is None:
            found.update(_of_extension(name, value) if name.lower().startswith("urn:") else [counted_name(name)])
        elif attribute.name.startswith("urn:") and isinstance(value, dict):
            found.update(counted_name(inner) for inner in value if inner.lower() not in attribute.parts)
        elif attribute.name == "emails":
            found.update(_private_emails(value))
    return found


def refused_of_patch(body: Any, shape: Shape) -> Counter[str]:
    """Return the attributes of a User's PATCH, as the RFC writes it, that are not kept."""
    found: Counter[str] = Counter()
    for operation in _operations(body):
        parts = {name.lower(): value for name, value in operation.items()}
        path, value = parts.get("path"), parts.get("value")
        if not isinstance(path, str) or not path.strip():
            found.update(refused_of_user(value, shape))
        elif _PRIVATE_EMAIL.match(path):
            found["emails (private)"] += 1
        elif path.lower() == "emails":
            found.update(_private_emails(value))
        elif isinstance(value, dict) and _is_schema(path.lower(), shape):
            found.update(refused_of_user({path: value}, shape))
        else:
            found.update(_of_path(path, shape))
    return found


def refused_of_bulk(body: Any, shape: Shape) -> Counter[str]:
    """Return the attributes of the Users in a bulk request that are not kept."""
    found: Counter[str] = Counter()
    for operation in _operations(body):
        parts = {name.lower(): value for name, value in operation.items()}
        if str(parts.get("path")).lower().startswith("/users"):
            read = refused_of_patch if str(parts.get("method")).lower() == "patch" else refused_of_user
            found.update(read(parts.get("data"), shape))
    return found


def is_work_email(entry: Any) -> bool:
    """Tell an address at work, which is kept, from private ones: of another type."""
    return not isinstance(entry, dict) or str(entry.get("type") or "work").lower() == "work"


def _operations(body: Any) -> Iterator[Mapping[str, Any]]:
    for name, value in body.items() if isinstance(body, dict) else ():
        if name.lower() == "operations" and isinstance(value, list):
            yield from (operation for operation in value if isinstance(operation, dict))


def _private_emails(value: Any) -> Sequence[str]:
    entries = value if isinstance(value, list) else [value]
    return ["emails (private)" for entry in entries if not is_work_email(entry)]


def _of_extension(urn: str, value: Any) -> Iterator[str]:
    """Yield the attributes of a schema that is not ours, or the schema when it has none."""
    inner = [counted_name(name) for name in value] if isinstance(value, dict) else []
    yield from inner or [counted_name(urn)]


def _is_schema(path: str, shape: Shape) -> bool:
    """Tell whether a path, in lower case, is that of a whole extension: ours, or anybody's else."""
    ours = [name for name in (shape.schema.lower(), *shape.attributes) if name.startswith("urn:")]
    return path in ours or (path.startswith("urn:") and not any(path.startswith(f"{name}:") for name in ours))


def _of_path(path: str, shape: Shape) -> Iterator[str]:
    urn, _, rest = path.rpartition(":") if path.lower().startswith("urn:") else ("", "", path)
    head = re.split(r"[.\[]", rest, maxsplit=1)[0]
    if path.lower() in shape.attributes or urn.lower() == shape.schema.lower():
        urn, head = "", head if urn.lower() == shape.schema.lower() else path
    attributes = shape.attributes if not urn else getattr(shape.attributes.get(urn.lower()), "parts", {})
    if head.lower() not in attributes:
        yield counted_name(head)


def _beside(found: Any, tree: Tree) -> Iterator[str]:
    """Yield the names beside those of the tree, as paths."""
    if isinstance(found, dict) and "value" in found and "value" not in tree:
        found = found["value"]  # as some sources wrap every value
    for name, value in found.items() if isinstance(found, dict) else ():
        if name not in tree:
            yield counted_name(name)
        elif tree[name]:
            yield from (counted_name(f"{name}.{inner}") for inner in _beside(value, tree[name]))
