"""Where the key comes from: the expression over an event that query.sql returns as the key."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope


def key_expression(tree: exp.Query, key: str) -> tuple[exp.Expression, str] | None:
    """Follows the key from the query's output to the table that it is read from.

    Args:
        tree: query.sql.
        key: the name of the output.

    Returns:
        The expression, such as `COALESCE(e.user_id, e.user_pseudo_id)`, and the table's alias (`e`). None if it is an
        aggregate or comes from several tables.
    """
    scope: exp.Expression | Scope | None = traverse_scope(tree)[-1]
    name = key
    while isinstance(scope, Scope) and isinstance(scope.expression, exp.Select):
        found = [item for item in scope.expression.selects if item.alias_or_name.lower() == name.lower()]
        read = {alias: source for alias, (_, source) in scope.selected_sources.items() if not _is_unnest(source)}
        if not found:
            starred = {item.table for item in scope.expression.selects if item.is_star and isinstance(item, exp.Column)}
            starred |= set(read) if any(isinstance(item, exp.Star) for item in scope.expression.selects) else set()
            found = [exp.column(name, table=alias) for alias in starred]
        if len(found) != 1:
            return None
        value = found[0].unalias().unnest()
        alias, source = _source_of(value, read)
        if isinstance(source, exp.Table):
            return None if value.find(exp.AggFunc, exp.Window) else (value, alias)
        if not isinstance(value, exp.Column):
            return None
        scope, name = source, value.name
    return None


def _is_unnest(source: exp.Expression | Scope) -> bool:
    return isinstance(source, Scope) and not isinstance(source.expression, exp.Query)


def _source_of(
    value: exp.Expression, read: dict[str, exp.Expression | Scope]
) -> tuple[str, exp.Expression | Scope | None]:
    """The one source that an expression reads, with its alias."""
    named = {column.table for column in value.find_all(exp.Column) if column.table in read}
    if not named and len(read) == 1:
        named = set(read)
    if len(named) != 1:
        return "", None
    [alias] = named
    return alias, read[alias]
