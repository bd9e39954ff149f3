"""SCIM filters and sort orders as SQL over the rows of `scim_resource` (RFC 7644 sections 3.4.2.2 and 3.4.2.3). Pure.

The SQL speaks of the row as `r` and compares on `r.keys`, where every text already is in the form comparisons use;
so `LIKE` and collations play no part, and the answer is that of `ScimFilter.match`. Values only travel as
arguments. Equality is containment, which the GIN index on `keys` answers.
"""

from __future__ import annotations

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

Path = tuple[str, ...]
"""Names of a document from the outside in: `("name", "familyName")`."""

_TRUE: Final = "true"
_FALSE: Final = "false"

_COLUMNS: Final = {
    ("id",): "r.id",
    ("meta", "resourceType"): "r.kind",
    ("meta", "version"): "'W/\"' || r.version || '\"'",
    ("meta", "location"): "NULL::text",
    ("meta", "created"): "r.created",
    ("meta", "lastModified"): "r.modified",
}
"""What stands in columns of its own."""

_RELATED: Final = {
    "members": """
        (SELECT jsonb_build_object('value', m.member_id, 'type', lower(o.kind), '$ref', o.kind || 's/' || o.id) AS item
         FROM group_member m LEFT JOIN scim_resource o ON o.id = m.member_id WHERE m.group_id = r.id)""",
    "groups": """
        (SELECT jsonb_build_object('value', o.id, 'type', 'direct', '$ref', 'Groups/' || o.id,
                                   'display', o.keys->>'displayName') AS item
         FROM group_member m JOIN scim_resource o ON o.id = m.group_id WHERE m.member_id = r.id)""",
}
"""Multi-valued attributes that are rows of their own."""

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
    sql = _Compiler(scim_filter, "r.keys", arguments, first).visit(scim_filter.ast)
    return Condition(sql, tuple(arguments))


def compile_order(request: SearchRequest[Any], model: type[BaseModel]) -> str:
    """Return the SQL expression by which the rows of a model are sorted: text, or sortable as such; NULL without value.

    Of a multi-valued attribute the primary entry counts, or else the first.
    """
    binding = request.sort_binding(model)
    if binding is None:
        return "NULL::text"
    path = _path_of(binding)
    column = _COLUMNS.get(path)
    if column is not None:
        return f"({column})" if path not in _MOMENTS else f"to_char({column} AT TIME ZONE 'UTC', '{_SORTABLE_MOMENT}')"
    if not binding.is_multivalued:
        return f"(r.keys #>> {_literal(path)})"
    head, rest = _split(binding, path)
    return f"""(SELECT item #>> {_literal(rest)} FROM {_items(head)} WITH ORDINALITY AS e(item, place)
        ORDER BY item->'primary' IS NOT DISTINCT FROM 'true' DESC, place LIMIT 1)"""  # noqa: S608


_MOMENTS: Final = {("meta", "created"), ("meta", "lastModified")}
_SORTABLE_MOMENT: Final = 'YYYY-MM-DD"T"HH24:MI:SS.US'


class _Compiler(FilterVisitor[str]):
    """Compiles the nodes of one filter; a value selection gets a compiler of its own over the entry `base`."""

    def __init__(self, bound: ScimFilter[Any], base: str, arguments: list[object], first: int, depth: int = 0) -> None:
        self._bound = bound
        self._base = base
        self._arguments = arguments
        self._first = first
        self._depth = depth

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
        if self._is_root and path[0] == "meta":
            return f"({_COLUMNS[path]}) IS NOT NULL" if path in _COLUMNS else _TRUE
        if self._is_root and path in _COLUMNS:
            return _TRUE
        if not binding.is_multivalued:
            return _present(f"{self._base} #> {_literal(path)}", _is_complex(binding))
        head, rest = _split(binding, path)
        present = _present(f"{self._item} #> {_literal(rest)}", not rest)
        return f"EXISTS (SELECT FROM {self._source(head)} WHERE {present})"

    def visit_comparison(self, node: Comparison) -> str:
        binding = self._comparable(node)
        if binding is None:
            return _FALSE
        value = coerce_value(binding, node.value, node.op)
        path = _path_of(binding)
        column = _COLUMNS.get(path) if self._is_root else None
        if column is not None:
            return self._compare_column(f"({column})", path in _MOMENTS, node.op, value)
        if binding.is_multivalued:
            return self._compare_any(binding, path, node.op, value)
        return self._compare(self._base, path, node.op, binding.comparable(value))

    def visit_value_path(self, node: ValuePath) -> str:
        binding = self._bound.resolve(node.attr_path, strict=False)
        if binding is None:
            return _FALSE
        if not _is_complex(binding):
            raise InvalidFilterException(detail=f"{node.attr_path} has no sub-attributes to select by")
        selection = parametrize(ScimFilter, binding.field_type)(cast(Any, node.val_filter))
        source = self._source(_path_of(binding))
        inner = _Compiler(selection, self._item, self._arguments, self._first, self._depth + 1)
        return f"EXISTS (SELECT FROM {source} WHERE {inner.visit(selection.ast)})"

    @property
    def _is_root(self) -> bool:
        return self._depth == 0

    @property
    def _item(self) -> str:
        return f"e{self._depth}.item"

    def _source(self, path: Path) -> str:
        return f"{_items(path, self._base, root=self._is_root)} AS e{self._depth}(item)"

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
        source = self._source(head)
        if value is None:
            absent = f"NOT EXISTS (SELECT FROM {source} WHERE {self._item} #>> {_literal(rest)} IS NOT NULL)"
            return {CompareOperator.eq: absent, CompareOperator.ne: f"NOT ({absent})"}.get(op, _FALSE)
        if op == CompareOperator.ne:
            return f"NOT ({self._compare_any(binding, path, CompareOperator.eq, value)})"
        return f"EXISTS (SELECT FROM {source} WHERE {self._compare(self._item, rest, op, binding.comparable(value))})"

    def _compare(self, base: str, path: Path, op: CompareOperator, value: Any) -> str:
        text = f"({base} #>> {_literal(path)})"
        if value is None:
            return _compare_null(text, op)
        if op == CompareOperator.eq:
            return f"{base} @> {self._argument(_wrapped(path, value), 'jsonb')}"
        if op == CompareOperator.ne:
            return f"NOT {base} @> {self._argument(_wrapped(path, value), 'jsonb')}"
        if not isinstance(value, str):
            raise InvalidFilterException(detail=f"{op.value} cannot compare {'.'.join(path)} with {value!r}")
        return self._compare_text(text, op, value)

    def _compare_text(self, text: str, op: CompareOperator, value: str) -> str:
        """Compare texts by code point, whatever the database's collation; a missing text never matches."""
        argument = self._argument(value, "text")
        if op in _ORDERING:
            return f'coalesce({text} COLLATE "C" {_ORDERING[op]} {argument}, false)'
        return {
            CompareOperator.eq: f"coalesce({text} = {argument}, false)",
            CompareOperator.ne: f"({text} IS DISTINCT FROM {argument})",
            CompareOperator.co: f"coalesce(strpos({text}, {argument}) > 0, false)",
            CompareOperator.sw: f"coalesce(starts_with({text}, {argument}), false)",
            CompareOperator.ew: f"coalesce(right({text}, length({argument})) = {argument}, false)",
        }[op]

    def _compare_column(self, column: str, is_moment: bool, op: CompareOperator, value: Any) -> str:
        if value is None:
            return _compare_null(column, op)
        if not is_moment:
            return self._compare_text(column, op, str(value))
        if not isinstance(value, datetime):
            return _FALSE
        sign = {CompareOperator.eq: "=", CompareOperator.ne: "<>", **_ORDERING}[op]
        return f"{column} {sign} {self._argument(value, 'timestamptz')}"

    def _argument(self, value: object, type_: str) -> str:
        self._arguments.append(value)
        return f"${self._first + len(self._arguments) - 1}::{type_}"


def _compare_null(value: str, op: CompareOperator) -> str:
    return {CompareOperator.eq: f"{value} IS NULL", CompareOperator.ne: f"{value} IS NOT NULL"}.get(op, _FALSE)


def _path_of(binding: AttributeBinding) -> Path:
    """Return where the attribute stands in a document."""
    model = binding.model
    schema = getattr(model, "__schema__", None)
    names = tuple((binding.urn.removeprefix(f"{schema}:") if schema else binding.urn).split("."))
    return (str(schema), *names) if issubclass(model, Extension) else names


def _split(binding: AttributeBinding, path: Path) -> tuple[Path, Path]:
    """Divide the path of a multi-valued attribute into that of its list and that inside an entry."""
    return (path[:-1], path[-1:]) if binding.sub_field_name else (path, ())


def _items(path: Path, base: str = "r.keys", *, root: bool = True) -> str:
    if root and path[-1] in _RELATED:
        return _RELATED[path[-1]]
    return f"jsonb_array_elements({base} #> {_literal(path)})"


def _present(value: str, is_complex: bool) -> str:
    """Tell whether the jsonb has content: not null, not an empty text, not an object of such."""
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
