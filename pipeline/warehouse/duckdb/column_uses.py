"""How a query uses the columns of a table: as text, as a number, as a date, or in a way that does not tell.

A text file does not say what its columns are. The query does: a column that it returns as a categorical feature is
text, and one that it multiplies is a number. The uses are read from the parsed query alone.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope


class Use(enum.Enum):
    """A use that says something about a column's type."""

    TEXT = "text"  # returned as a category, or an argument of a text function
    COMPARED = "compared"  # with a text literal: text, unless the column holds dates
    WRITTEN = "written"  # CAST(... AS STRING), or the key: text, unless a type would give back the same text
    NUMBER = "number"  # returned as a numeric feature
    DATE = "date"  # returned as the date
    LABEL = "label"  # returned as the label


Uses = dict[str, set[Use]]

ROLE_USES = {
    "categorical": Use.TEXT,
    "numeric": Use.NUMBER,
    "key": Use.WRITTEN,
    "date": Use.DATE,
    "label": Use.LABEL,
}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.NullSafeEQ)
_TEXT_FUNCTIONS = (
    exp.Concat,
    exp.ConcatWs,
    exp.DPipe,
    exp.EndsWith,
    exp.Initcap,
    exp.Left,
    exp.Length,
    exp.Like,
    exp.Lower,
    exp.MD5,
    exp.Pad,
    exp.RegexpExtract,
    exp.RegexpLike,
    exp.RegexpReplace,
    exp.Replace,
    exp.Reverse,
    exp.Right,
    exp.SHA,
    exp.SHA2,
    exp.Split,
    exp.StartsWith,
    exp.StrPosition,
    exp.StrToDate,
    exp.StrToTime,
    exp.Substring,
    exp.Trim,
    exp.Upper,
)
_SAME_VALUE = (
    exp.AnyValue,
    exp.Coalesce,
    exp.Distinct,
    exp.FirstValue,
    exp.IgnoreNulls,
    exp.Lag,
    exp.LastValue,
    exp.Lead,
    exp.Max,
    exp.Min,
    exp.Mode,
    exp.Nullif,
    exp.Paren,
)


def column_uses(tree: exp.Query, table: str, columns: Sequence[str], roles: Mapping[str, str]) -> Uses:
    """The uses of a table's columns.

    Args:
        tree: one SELECT of BigQuery's dialect.
        table: the name of the table.
        columns: the names of its columns.
        roles: for an output of the query: `categorical`, `numeric`, `key`, `date` or `label`.

    Returns:
        For each column, in lower case, what its uses say; empty where they say nothing.
    """
    scopes = traverse_scope(tree)
    demanded: dict[int, Uses] = {id(scope): {} for scope in scopes}
    found: Uses = {column.lower(): set() for column in columns}
    lower_roles = {name.lower(): ROLE_USES[role] for name, role in roles.items()}
    outputs = _Outputs(table, columns)
    for scope in reversed(scopes):  # a scope comes after those that it reads
        demands = demanded[id(scope)]
        if scope.is_root:
            for name in outputs.of(scope):
                if name in lower_roles:
                    demands.setdefault(name, set()).add(lower_roles[name])
        elif scope.is_subquery and isinstance(scope.expression.parent, exp.Subquery) and scope.parent is not None:
            for name in outputs.of(scope)[:1]:
                above = demanded.get(id(scope.parent), {})
                demands.setdefault(name, set()).update(_uses_of(scope.expression.parent, scope.parent, above))
        if scope.set_operation_scopes:
            _pass_to_union(scope, outputs, demanded)
            continue
        for source, name, uses in _references(scope, outputs, demands):
            target = demanded.get(id(source)) if isinstance(source, Scope) else found
            if target is not None and (isinstance(source, Scope) or name in found):
                target.setdefault(name, set()).update(uses)
    return found


class _Outputs:
    """The names of what a scope returns, and of what a source holds."""

    def __init__(self, table: str, columns: Sequence[str]):
        self._table = table
        self._columns = [column.lower() for column in columns]
        self._known: dict[int, list[str]] = {}

    def of(self, scope: Scope) -> list[str]:
        """The names of a scope's outputs, in lower case and in order."""
        if id(scope) not in self._known:
            self._known[id(scope)] = []  # ends the search in a recursive WITH
            self._known[id(scope)] = self._find(scope)
        return self._known[id(scope)]

    def held_by(self, source: exp.Expression | Scope) -> list[str]:
        """The names of the columns of a source, a table or a scope."""
        if isinstance(source, Scope):
            return self.of(source)
        return self._columns if isinstance(source, exp.Table) and source.name == self._table else []

    def starred(self, scope: Scope, projection: exp.Expression) -> list[tuple[exp.Expression | Scope, str]]:
        """What `*` or `t.*` stands for: pairs of source and column, less those of EXCEPT and REPLACE."""
        star = projection.this if isinstance(projection, exp.Column) else projection
        named = [item for key in ("except_", "except", "replace") for item in star.args.get(key) or ()]
        left_out = {item.alias_or_name.lower() for item in named}
        wanted = projection.table if isinstance(projection, exp.Column) else ""
        sources = [source for name, source in _read(scope).items() if not wanted or name == wanted]
        return [(source, name) for source in sources for name in self.held_by(source) if name not in left_out]

    def _find(self, scope: Scope) -> list[str]:
        if scope.set_operation_scopes:
            return self.of(scope.set_operation_scopes[0])
        names = []
        for projection in getattr(scope.expression, "selects", ()):
            if projection.is_star:
                names += [name for _, name in self.starred(scope, projection)]
                star = projection.this if isinstance(projection, exp.Column) else projection
                names += [item.alias_or_name.lower() for item in star.args.get("replace") or ()]
            else:
                names.append(projection.alias_or_name.lower())
        return names


def _references(
    scope: Scope, outputs: _Outputs, demands: Uses
) -> Iterator[tuple[exp.Expression | Scope, str, set[Use]]]:
    """Each reference to a column in a scope: the source, the column's name in lower case, and the uses there."""
    for projection in getattr(scope.expression, "selects", ()):
        if projection.is_star:
            for source, name in outputs.starred(scope, projection):
                yield source, name, demands.get(name, set())
    for column in scope.columns:
        if isinstance(column.this, exp.Star):
            continue
        parts = [part.name for part in column.parts]
        read = _read(scope)
        named = read.get(parts[0]) if len(parts) > 1 else None
        sources = list(read.values()) if named is None else [named]
        name = ".".join(parts if named is None else parts[1:]).lower()
        for source in sources:
            if name in outputs.held_by(source):
                yield source, name, _uses_of(column, scope, demands)
                break


def _pass_to_union(scope: Scope, outputs: _Outputs, demanded: dict[int, Uses]) -> None:
    """What is demanded of a UNION is demanded of each of its parts, by position."""
    names = outputs.of(scope)
    for part in scope.set_operation_scopes:
        for name, own in zip(names, outputs.of(part), strict=False):
            uses = demanded[id(scope)].get(name)
            if uses:
                demanded.setdefault(id(part), {}).setdefault(own, set()).update(uses)


def _read(scope: Scope) -> dict[str, exp.Expression | Scope]:
    """What a scope reads, by alias: its FROM and JOINs, not every WITH in force."""
    return {name: source for name, (_, source) in scope.selected_sources.items()}


def _uses_of(node: exp.Expression, scope: Scope, demands: Uses) -> set[Use]:
    """What one reference says: follows the value upwards to a function, a literal or an output of the scope."""
    uses: set[Use] = set()
    while node.parent is not None:
        parent = node.parent
        if isinstance(parent, exp.Select):
            is_output = parent is scope.expression and node.arg_key == "expressions"
            return uses | (demands.get(node.alias_or_name.lower(), set()) if is_output else set())
        if isinstance(parent, exp.Cast):  # TryCast, which is SAFE_CAST, is one
            return uses | ({Use.WRITTEN} if parent.to.is_type(*exp.DataType.TEXT_TYPES) else set())
        if isinstance(parent, _TEXT_FUNCTIONS):
            return uses | {Use.TEXT}
        is_value = _is_value_of(node, parent)
        if (is_value or isinstance(parent, _COMPARISONS)) and _has_text(parent):
            uses.add(Use.COMPARED)
        if isinstance(parent, exp.Case) and not is_value and any(_is_text(item.this) for item in parent.args["ifs"]):
            uses.add(Use.COMPARED)
        if not is_value:
            return uses
        node = parent
    return uses


def _is_value_of(node: exp.Expression, parent: exp.Expression) -> bool:
    """Whether the parent's value is that of the node, or may be."""
    if isinstance(parent, exp.Case):
        return node.arg_key in ("ifs", "default")
    if isinstance(parent, exp.If):
        return node.arg_key in ("true", "false")
    if isinstance(parent, exp.ArgMax | exp.ArgMin | exp.Window | exp.Alias):
        return node.arg_key == "this"
    return isinstance(parent, _SAME_VALUE)


def _has_text(node: exp.Expression) -> bool:
    """Whether a text literal stands beside the value: in a comparison, COALESCE, NULLIF, IF or CASE."""
    if isinstance(node, exp.Case):
        values = [*(item.args.get("true") for item in node.args["ifs"]), node.args.get("default")]
    elif isinstance(node, exp.If):
        values = [node.args.get("true"), node.args.get("false")]
    else:
        values = list(node.iter_expressions())
    return any(_is_text(value) for value in values)


def _is_text(value: exp.Expression | None) -> bool:
    return isinstance(value, exp.Literal) and value.is_string
