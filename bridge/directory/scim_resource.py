"""A SCIM User or Group as it is written, as it is read, and as a client sees it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from bridge.directory.scim_shape import Attribute, Shape, comparison_key, comparison_keys
from bridge.directory.scim_user import display_name_of, manager_of

ELSEWHERE: Final = ("id", "meta", "groups", "members")
"""Attributes that stand in columns and rows of their own."""
RELATED: Final = {"User": "groups", "Group": "members"}
"""The attribute of each kind that says who is in which group."""

Tree = dict[str, "Tree"]
"""Lower-case attribute names; an attribute with nothing below it is meant as a whole."""


@dataclass(frozen=True, slots=True)
class Resource:
    """What is written: a document, and what is looked up in it."""

    id: str
    kind: str
    name_key: str
    external_id: str | None
    display_name: str
    active: bool
    manager_id: str | None
    document: dict[str, Any]
    keys: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """What is read: a document with its meta, and its groups (of a User) or members (of a Group) as SCIM lists them."""

    id: str
    kind: str
    document: dict[str, Any]
    version: int
    changed: int
    """Directory version of the last change of anything a selector may ask."""
    created: datetime
    modified: datetime
    related: list[dict[str, Any]]

    @property
    def entity_tag(self) -> str:
        return f'W/"{self.version}"'


@dataclass(frozen=True, slots=True)
class Projection:
    """Which attributes a client wants (RFC 7644 section 3.9): only these, or all but these."""

    only: Tree | None = None
    without: Tree = field(default_factory=dict)

    def shows(self, name: str) -> bool:
        """Tell whether anything of the attribute is wanted."""
        return self.without.get(name) != {} if self.only is None else name in self.only


WHOLE: Final = Projection()


def resource_of(document: Mapping[str, Any], id_: str, shape: Shape) -> Resource:
    """Return what to store of a SCIM document that is valid for `shape`."""
    kept = {name: value for name, value in document.items() if name not in ELSEWHERE}
    kept["schemas"] = [shape.schema, *sorted(name for name in kept if name.startswith("urn:"))]
    is_user = shape.kind == "User"
    external_id = kept.get("externalId")
    return Resource(
        id=id_,
        kind=shape.kind,
        name_key=comparison_key(kept["userName" if is_user else "displayName"]),
        external_id=external_id and comparison_key(external_id, case_exact=True),
        display_name=display_name_of(kept),
        active=kept.get("active", True),
        manager_id=manager_of(kept) if is_user else None,
        document=kept,
        keys=comparison_keys(kept, shape),
    )


def projection_of(attributes: Sequence[str] | None, excluded: Sequence[str] | None, shape: Shape) -> Projection:
    """Return the projection that the query parameters `attributes` and `excludedAttributes` ask for."""
    if attributes:
        return Projection(only=_tree(attributes, shape))
    return Projection(without=_tree(excluded or (), shape))


def body_of(stored: Stored, base_url: str, shape: Shape, projection: Projection = WHOLE) -> dict[str, Any]:
    """Return the resource as the client sees it; `base_url` has no slash at its end."""
    body = {**stored.document, "id": stored.id, "meta": _meta(stored, base_url, shape)}
    if stored.related:
        body[RELATED[stored.kind]] = [_with_address(entry, base_url) for entry in stored.related]
    if projection.only is not None:
        return _only(body, projection.only, shape.attributes)
    return _without(body, projection.without, shape.attributes) if projection.without else body


def _with_address(entry: dict[str, Any], base_url: str) -> dict[str, Any]:
    return {**entry, "$ref": f"{base_url}/{entry['$ref']}"} if "$ref" in entry else entry


def _meta(stored: Stored, base_url: str, shape: Shape) -> dict[str, Any]:
    return {
        "resourceType": stored.kind,
        "created": _moment(stored.created),
        "lastModified": _moment(stored.modified),
        "location": f"{base_url}/{shape.endpoint}/{stored.id}",
        "version": stored.entity_tag,
    }


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _tree(paths: Sequence[str], shape: Shape) -> Tree:
    tree: Tree = {}
    for names in sorted({_names(path.lower(), shape) for path in paths}, key=len, reverse=True):
        branch = tree
        for name in names[:-1]:
            branch = branch.setdefault(name, {})
        branch[names[-1]] = {}
    return tree


def _names(path: str, shape: Shape) -> tuple[str, ...]:
    for schema in [name for name in shape.attributes if name.startswith("urn:")]:
        if path == schema:
            return (schema,)
        if path.startswith(f"{schema}:"):
            return (schema, *path.removeprefix(f"{schema}:").split("."))
    return tuple(path.removeprefix(f"{shape.schema.lower()}:").split("."))


_UNKNOWN: Final = Attribute("")


def _only(body: Mapping[str, Any], tree: Tree, attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    kept = {}
    for name, value in body.items():
        attribute = attributes.get(name.lower(), _UNKNOWN)
        branch = tree.get(name.lower())
        if branch == {} or attribute.always:
            kept[name] = value
        elif branch is not None:
            kept[name] = _inside(value, lambda part, b=branch, a=attribute: _only(part, b, a.parts))
    return {name: value for name, value in kept.items() if value not in ({}, [])}


def _without(body: Mapping[str, Any], tree: Tree, attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    kept = {}
    for name, value in body.items():
        attribute = attributes.get(name.lower(), _UNKNOWN)
        branch = tree.get(name.lower())
        if branch is None or attribute.always:
            kept[name] = value
        elif branch:
            kept[name] = _inside(value, lambda part, b=branch, a=attribute: _without(part, b, a.parts))
    return kept


def _inside(value: Any, change: Any) -> Any:
    if isinstance(value, list):
        return [changed for entry in value if (changed := change(entry))]
    return change(value) if isinstance(value, dict) else value
