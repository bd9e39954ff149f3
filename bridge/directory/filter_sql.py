"""SCIM filters and sort orders as SQL over the rows of `scim_resource` (RFC 7644 sections 3.4.2.2 and 3.4.2.3). Pure.

The SQL speaks of the row as `r` and compares on `r.keys`, where every text already is in the form comparisons use;
so `LIKE` and collations play no part, and the answer is that of `ScimFilter.match`. Values only travel as
arguments. What clients look people up by (id, userName, externalId, a group's name or member) uses indexed columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from inspect import isclass
from typing import Any, Final, cast

from scim2_models import AttributeBinding, BaseModel, Extension, InvalidFilterException, ScimFilter, SearchRequest
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
    coerce_value,
)
from scim2_server.utils import parametrize

from bridge.directory.scim_shape import GROUP

Path = tuple[str, ...]
"""Names of a document from the outside in: `("name", "familyName")`."""

_TRUE: Final = "true"
_FALSE: Final = "false"


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where attributes are read: in a jsonb `base`, but for those that stand in columns of their own."""

    base: str
    columns: Mapping[Path, str]


_ROOT: Final = _Scope(
    "r.keys",
    {
        ("id",): "r.id",
        ("userName",): "r.name_key",
        ("externalId",): "r.external_id",
        ("meta", "resourceType"): "r.kind",
        ("meta", "version"): "('W/\"' || r.version || '\"')",
        ("meta", "location"): "NULL::text",
        ("meta", "created"): "r.created",
        ("meta", "lastModified"): "r.modified",
    },
)
_RELATED: Final = {
    "members": (
        "group_member m LEFT JOIN scim_resource o ON o.id = m.member_id WHERE m.group_id = r.id AND",
        _Scope(
            "NULL::jsonb",
            {
                ("value",): "m.member_id",
                ("type",): "lower(o.kind)",
                ("$ref",): "(o.kind || 's/' || o.id)",
                ("display",): "NULL::text",
            },
        ),
    ),
    "groups": (
        "group_member m JOIN scim_resource o ON o.id = m.group_id WHERE m.member_id = r.id AND",
        _Scope(
            "NULL::jsonb",
            {
                ("value",): "m.group_id",
                ("type",): "'direct'",
                ("$ref",): "('Groups/' || m.group_id)",
                ("display",): "o.name_key",
            },
        ),
    ),
}
"""Multi-valued attributes that are rows of their own: what to select from, and where their attributes are."""

_ORDERING: Final = {
    CompareOperator.gt: ">",
    CompareOperator.ge: ">=",
    CompareOperator.lt: "<",
    CompareOperator.le: "<=",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A WHERE condition and its arguments, `$1` being the first."""

    sql: str
    arguments: tuple[object, ...] = ()


ANY = Condition(_TRUE)


def compile_filter(scim_filter: ScimFilter[Any], *, first: int = 1) -> Condition:
    """Translate a filter bound to one resource model; its arguments are numbered from `first`.

    An attribute the model does not declare matches nothing (RFC 7644 section 3.4.2.1). Raises
    `InvalidFilterException` for comparisons that have no meaning, such as of a whole complex attribute.
    """
    arguments: list[object] = []
    sql = _Compiler(scim_filter, _ROOT, arguments, first).visit(scim_filter.ast)
    return Condition(sql, tuple(arguments))


def compile_order(request: SearchRequest[Any], model: type[BaseModel]) -> str:
    """Return the SQL expression by which the rows of a model are sorted: text, or sortable as such; NULL without value.

    Of a multi-valued attribute the primary entry counts, or else the first.
    """
    binding = request.sort_binding(model)
    if binding is None:
        return "NULL::text"
    path = _path_of(binding)
    if path in _MOMENTS:
        return f"to_char({_ROOT.columns[path]} AT TIME ZONE 'UTC', '{_SORTABLE_MOMENT}')"
    if not binding.is_multivalued:
        return _text(_ROOT, path)
    head, rest = _split(binding, path)
    if head[-1] in _RELATED:
        source, scope = _RELATED[head[-1]]
        return f"(SELECT min({_text(scope, rest)}) FROM {source} true)"  # noqa: S608
    items = f"jsonb_array_elements(r.keys #> {_literal(head)})"
    return f"""(SELECT item #>> {_literal(rest)} FROM {items} WITH ORDINALITY AS e(item, place)
        ORDER BY item->'primary' IS NOT DISTINCT FROM 'true' DESC, place LIMIT 1)"""  # noqa: S608


_MOMENTS: Final = {("meta", "created"), ("meta", "lastModified")}
_SORTABLE_MOMENT: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US'


class _Compiler(FilterVisitor[str]):
    """Compiles the nodes of one filter; a value selection gets a compiler of its own, in the scope of an entry."""

    def __init__(self, bound: ScimFilter[Any], scope: _Scope, arguments: list[object], first: int) -> None:
        self._bound = bound
        self._scope = scope
        self._arguments = arguments
        self._first = first

    def visit_not(self, node: Not) -> str:
        return f"NOT ({self.visit(node.expr)})"

    def visit_logical_expr(self, node: LogicalExpr) -> str:
        joiner = " AND " if node.op == LogicalOperator.and_ else " OR "
        return "(" + joiner.join(self.visit(term) for term in node.terms) + ")"

    def visit_present(self, node: Present) -> str:
        binding = self._bound.resolve(node.attr_path, strict=False)
        if binding is None:
            return _FALSE
        path = _path_of(binding)
        if path == ("meta",) or path in _MOMENTS:
            return _TRUE
        if not binding.is_multivalued:
            return _present(self._scope, path, is_complex=_is_complex(binding))
        head, rest = _split(binding, path)
        source, entry = self._entries(head)
        return _exists(source, _present(entry, rest, is_complex=not rest))

    def visit_comparison(self, node: Comparison) -> str:
        binding = self._comparable(node)
        if binding is None:
            return _FALSE
        value = coerce_value(binding, node.value, node.op)
        path = _path_of(binding)
        if path in _MOMENTS:
            return self._compare_moment(self._scope.columns[path], node.op, value)
        if binding.is_multivalued:
            return self._compare_any(binding, path, node.op, value)
        if binding.urn == f"{GROUP}:displayName":
            return self._compare_text("r.name_key", node.op, binding.comparable(value))
        return self._compare(self._scope, path, node.op, binding.comparable(value))

    def visit_value_path(self, node: ValuePath) -> str:
        binding = self._bound.resolve(node.attr_path, strict=False)
        if binding is None:
            return _FALSE
        if not _is_complex(binding):
            raise InvalidFilterException(detail=f"{node.attr_path} has no sub-attributes to select by")
        selection = parametrize(ScimFilter, binding.field_type)(cast(Any, node.val_filter))
        source, entry = self._entries(_path_of(binding))
        return _exists(source, _Compiler(selection, entry, self._arguments, self._first).visit(selection.ast))

    def _entries(self, path: Path) -> tuple[str, _Scope]:
        """Return what to select the entries of a multi-valued attribute from, up to its condition, and their scope."""
        if path[-1] in _RELATED:
            return _RELATED[path[-1]]
        return f"jsonb_array_elements({self._scope.base} #> {_literal(path)}) AS e(item) WHERE", _Scope("e.item", {})

    def _comparable(self, node: Comparison) -> AttributeBinding | None:
        """Resolve the attribute compared; a complex one stands for its `value`, as identity providers write it."""
        binding = self._bound.resolve_comparison(node.attr_path, strict=False)
        if binding is None or not _is_complex(binding) or binding.sub_field_name is not None:
            return binding
        path = node.attr_path
        inner = self._bound.resolve(AttrPath(path.attr, "value", path.uri), strict=False)
        if inner is None:
            raise InvalidFilterException(detail=f"{path} is complex: compare one of its sub-attributes")
        return inner

    def _compare_any(self, binding: AttributeBinding, path: Path, op: CompareOperator, value: Any) -> str:
        """Compare the entries of a multi-valued attribute: any may match, but for `ne` none may be equal."""
        head, rest = _split(binding, path)
        source, entry = self._entries(head)
        if value is None:
            present = _exists(source, f"{_text(entry, rest)} IS NOT NULL")
            return {CompareOperator.eq: f"NOT {present}", CompareOperator.ne: present}.get(op, _FALSE)
        if op == CompareOperator.ne:
            return f"NOT {self._compare_any(binding, path, CompareOperator.eq, value)}"
        return _exists(source, self._compare(entry, rest, op, binding.comparable(value)))

    def _compare(self, scope: _Scope, path: Path, op: CompareOperator, value: Any) -> str:
        text = _text(scope, path)
        if value is None or path in scope.columns:
            return self._compare_text(text, op, value)
        if op == CompareOperator.eq:
            return f"{scope.base} @> {self._argument(_wrapped(path, value), 'jsonb')}"
        if op == CompareOperator.ne:
            return f"NOT {scope.base} @> {self._argument(_wrapped(path, value), 'jsonb')}"
        return self._compare_text(text, op, value)

    def _compare_text(self, text: str, op: CompareOperator, value: Any) -> str:
        """Compare texts by code point, whatever the database's collation; never yields NULL.

        A missing text equals nothing but null and is neither before nor after anything.
        """
        if value is None:
            return {CompareOperator.eq: f"{text} IS NULL", CompareOperator.ne: f"{text} IS NOT NULL"}.get(op, _FALSE)
        if not isinstance(value, str):
            raise InvalidFilterException(detail=f"{op.value} cannot compare this attribute with {json.dumps(value)}")
        argument = self._argument(value, "text")
        if op in _ORDERING:
            return f'coalesce({text} COLLATE "C" {_ORDERING[op]} {argument}, false)'
        return {
            # Written so that an index on the column answers it.
            CompareOperator.eq: f"({text} = {argument} AND {text} IS NOT NULL)",
            CompareOperator.ne: f"({text} IS DISTINCT FROM {argument})",
            CompareOperator.co: f"coalesce(strpos({text}, {argument}) > 0, false)",
            CompareOperator.sw: f"coalesce(starts_with({text}, {argument}), false)",
            CompareOperator.ew: f"coalesce(right({text}, length({argument})) = {argument}, false)",
        }[op]

    def _compare_moment(self, column: str, op: CompareOperator, value: Any) -> str:
        if not isinstance(value, datetime):
            return _TRUE if value is None and op == CompareOperator.ne else _FALSE
        sign = {CompareOperator.eq: "=", CompareOperator.ne: "<>", **_ORDERING}[op]
        return f"{column} {sign} {self._argument(value, 'timestamptz')}"

    def _argument(self, value: object, type_: str) -> str:
        self._arguments.append(value)
        return f"${self._first + len(self._arguments) - 1}::{type_}"


def _exists(source: str, condition: str) -> str:
    return f"EXISTS (SELECT FROM {source} {condition})"


def _text(scope: _Scope, path: Path) -> str:
    return scope.columns.get(path) or f"({scope.base} #>> {_literal(path)})"


def _path_of(binding: AttributeBinding) -> Path:
    """Return where the attribute stands in a document."""
    model = binding.model
    schema = getattr(model, "__schema__", None)
    names = tuple((binding.urn.removeprefix(f"{schema}:") if schema else binding.urn).split("."))
    return (str(schema), *names) if issubclass(model, Extension) else names


def _split(binding: AttributeBinding, path: Path) -> tuple[Path, Path]:
    """Divide the path of a multi-valued attribute into that of its list and that inside an entry."""
    return (path[:-1], path[-1:]) if binding.sub_field_name else (path, ())


def _present(scope: _Scope, path: Path, *, is_complex: bool) -> str:
    """Tell whether there is content: not null, not an empty text, not an object of such."""
    if path in scope.columns:
        return f"coalesce({scope.columns[path]} <> '', false)"
    if is_complex and scope.columns and not path:
        return _TRUE
    value = f"{scope.base} #> {_literal(path)}"
    if is_complex:
        return f'jsonb_path_exists({value}, \'strict $.** ? (@.type() != "object" && @ != null && @ != "")\')'
    return f"coalesce({value} NOT IN ('null', '\"\"'), false)"


def _is_complex(binding: AttributeBinding) -> bool:
    target = binding.target_type
    return isclass(target) and issubclass(target, BaseModel)


def _wrapped(path: Path, value: Any) -> Any:
    return reduce(lambda inner, name: {name: inner}, reversed(path), value)


def _literal(path: Path) -> str:
    """Return the path as an SQL text array; its names come from our own schemas, never from a client."""
    return "'{" + ",".join(f'"{name}"' for name in path) + "}'"
