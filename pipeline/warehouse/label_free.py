"""Makes a query without its label from query.sql, to score rows whose label is not known yet."""

from __future__ import annotations

from sqlglot import exp

from pipeline.warehouse.dialect import parse_select


def without_label(sql: str, label: str) -> str:
    """The text of a query without its label.

    Leaves out the label's column and every condition of WHERE that looks at nothing but columns which the label alone
    uses, such as `t.churned IS NOT NULL`: new customers have no label, and their file need not even have the column.

    Args:
        sql: one SELECT of BigQuery's dialect.
        label: the label's name.

    Returns:
        The query, or the same text if its outermost SELECT does not make the label itself, as with `SELECT *`.
    """
    tree = parse_select(sql)
    if not isinstance(tree, exp.Select):
        return sql
    [*made] = [column for column in tree.expressions if column.alias_or_name.lower() == label.lower()]
    if not made:
        return sql
    kept = [column for column in tree.expressions if column not in made]
    its_own = _columns(made) - _columns(kept)
    tree.set("expressions", kept)
    where = tree.args.get("where")
    if where is not None:
        conditions = [
            condition
            for condition in _conjuncts(where.this)
            if not _columns([condition]) or _columns([condition]) - its_own
        ]
        tree.set("where", exp.Where(this=exp.and_(*conditions)) if conditions else None)
    return tree.sql(dialect="bigquery", comments=False)


def _conjuncts(condition: exp.Expression) -> list[exp.Expression]:
    return list(condition.flatten()) if isinstance(condition, exp.And) else [condition]


def _columns(expressions: list[exp.Expression]) -> set[str]:
    return {column.sql(dialect="bigquery").lower() for each in expressions for column in each.find_all(exp.Column)}
