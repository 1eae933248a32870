"""Columns whose names hold dots: fields of a STRUCT where that is possible, and otherwise columns of that name.

A query names both as BigQuery's SQL names a field: `device.category` in back-ticks, or each part in its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sqlglot import exp

from pipeline.warehouse.duckdb.quoting import quote_name


def flat_names(names: Collection[str]) -> list[str]:
    """The names with dots that cannot be fields: `x.1` beside a column `x`, or `Nr.`, which has an empty part."""
    lower = {name.lower() for name in names}
    found = []
    for name in names:
        parts = name.lower().split(".")
        above = {".".join(parts[:length]) for length in range(1, len(parts))}
        if len(parts) > 1 and ("" in parts or above & lower):
            found.append(name)
    return found


def select_with_structs(selected: Mapping[str, str], source: str) -> str:
    """A SELECT in which columns `device.category` and `device.language` are the fields of a STRUCT `device`.

    Args:
        selected: the SQL of each column by its name. Those of flat_names keep their name.
        source: what stands after FROM.
    """
    flat = set(flat_names(selected))
    tree: dict[str, object] = {}
    spelled: dict[str, str] = {}  # by path in lower case: case does not count
    for name, sql in selected.items():
        if name in flat:
            tree[name] = sql
            continue
        level, path = tree, ""
        *above, last = name.split(".")
        for part in above:
            path += f"{part.lower()}."
            level = level.setdefault(spelled.setdefault(path, part), {})  # type: ignore[assignment]
        level[last] = sql
    return f"SELECT {', '.join(f'{_struct(item)} AS {quote_name(name)}' for name, item in tree.items())} FROM {source}"


def resolve(tree: exp.Query, flat: Collection[str]) -> None:
    """Makes columns of the names in `flat` out of the paths that the parser has made of them, in place."""
    if not flat:
        return
    names = {name.lower(): name for name in flat}
    aliases = {source.alias_or_name.lower() for source in tree.find_all(exp.Table, exp.Subquery, exp.CTE)}
    for node in list(tree.find_all(exp.Column, exp.Dot)):
        if isinstance(node.parent, exp.Column | exp.Dot):
            continue  # a part of a longer path
        path = list(_path(node))
        is_qualified = len(path) > 1 and path[0].name.lower() in aliases
        qualifier, rest = (path[0], path[1:]) if is_qualified else (None, path)
        name = names.get(".".join(part.name for part in rest).lower()) if len(rest) > 1 else None
        if name is None:
            continue
        column = exp.Column(this=exp.to_identifier(name, quoted=True), table=qualifier and qualifier.copy())
        if isinstance(node.parent, exp.Select) and node.arg_key == "expressions":
            column = exp.alias_(column, next(part.name for part in reversed(rest) if part.name), quoted=True)
        node.replace(column)


def _path(node: exp.Expression | None) -> Iterable[exp.Identifier]:
    """The identifiers of a path, from left to right."""
    if isinstance(node, exp.Column):
        for key in ("catalog", "db", "table", "this"):
            yield from _path(node.args.get(key))
    elif isinstance(node, exp.Dot):
        yield from _path(node.this)
        yield from _path(node.expression)
    elif isinstance(node, exp.Identifier):
        yield node


def _struct(item: object) -> str:
    if isinstance(item, dict):
        return (
            "STRUCT_PACK(" + ", ".join(f"{quote_name(name)} := {_struct(value)}" for name, value in item.items()) + ")"
        )
    return str(item)
