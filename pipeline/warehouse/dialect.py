"""Parses a query in BigQuery's dialect and prepares it for an engine: full table names and typed parameters.

BigQuery gets the query's text with new table names at the places where the parser found the old ones. (sqlglot could
write the parsed tree, but not always in the same words.) DuckDB gets sqlglot's translation of the tree after the
rewrites and refusals of pipeline/warehouse/duckdb.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Callable, Collection, Mapping, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.tokens import TokenType

from pipeline.warehouse.duckdb import dotted_names
from pipeline.warehouse.duckdb.rewrites import rewrite_for_duckdb
from pipeline.warehouse.interface import Query, Value, WarehouseError

Locate = Callable[[str], Sequence[str]]  # from a table's name in the query to the parts of its name in the engine

_TABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclasses.dataclass(frozen=True)
class Statement:
    """A query in one engine's dialect, with the parameters that it uses."""

    sql: str
    parameters: Mapping[str, Value]


def check_identifier(name: str) -> str:
    """Returns a column's or table's name. Raises WarehouseError if it is not a plain identifier."""
    if not _IDENTIFIER.fullmatch(name):
        raise WarehouseError(
            f"'{name}' is not an identifier: use letters, digits and underscores, and do not begin with a digit"
        )
    return name


def quoted(name: str) -> str:
    """A column's or table's name in backticks, so that it may be a reserved word. Raises WarehouseError."""
    return f"`{check_identifier(name)}`"


def back_ticked(name: str) -> str:
    """A name in backticks, whatever it holds."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def text_literal(text: str) -> str:
    """A STRING literal, on one line as BigQuery wants it."""
    literal = exp.Literal.string(text).sql(dialect="bigquery")
    return literal.replace("\n", "\\n").replace("\r", "\\r")


def parse_select(sql: str) -> exp.Query:
    """Parses one SELECT statement of BigQuery's dialect.

    Raises:
        WarehouseError: the query is not valid, is not one SELECT, or uses positional or system parameters.
    """
    try:
        parsed = sqlglot.parse(sql, read="bigquery")
    except sqlglot.errors.SqlglotError as error:
        raise WarehouseError(f"the query is not valid SQL of BigQuery's dialect: {_place(error)}") from error
    statements = [tree for tree in parsed if tree and not isinstance(tree, exp.Semicolon)]
    if len(statements) != 1:
        raise WarehouseError(f"the query must be one SELECT statement, found {len(statements)} statements")
    tree = statements[0]
    if not isinstance(tree, exp.Select | exp.SetOperation):
        kind = tree.this if isinstance(tree, exp.Command) else tree.key
        raise WarehouseError(f"the query must be one SELECT statement, found {str(kind).upper()}")
    system = any(isinstance(parameter.this, exp.Parameter) for parameter in tree.find_all(exp.Parameter))
    if system or tree.find(exp.Placeholder):
        raise WarehouseError("the query may use named parameters only (@name), neither '?' nor '@@name'")
    return tree


def one_statement(sql: str) -> str:
    """The text of a query without a closing semicolon; it may end with a comment."""
    tokens = sqlglot.tokenize(sql, read="bigquery")
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        last = tokens.pop()
        sql = sql[: last.start] + sql[last.end + 1 :]
    return sql.rstrip()


def source_tables_of(tree: exp.Query) -> list[exp.Table]:
    """The nodes of the tree that are tables of the source, without its common table expressions.

    Raises:
        WarehouseError: a table that is qualified, a table function, or a name that is not an identifier.
    """
    return [table for table in tree.find_all(exp.Table) if not _is_common_table(_checked(table))]


def parameter_type(name: str, value: Value) -> str:
    """BigQuery's type of a parameter's value, such as `INT64` or `ARRAY<DATE>`. Raises WarehouseError."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        kinds = {parameter_type(name, item) for item in value} or {"STRING"}
        if len(kinds) == 1 and kinds <= {"DATE", "STRING"}:
            return f"ARRAY<{kinds.pop()}>"
        raise WarehouseError(f"parameter @{name}: a list must hold dates only or strings only")
    scalars = {bool: "BOOL", int: "INT64", float: "FLOAT64", str: "STRING", datetime.date: "DATE"}
    if type(value) not in scalars:
        raise WarehouseError(f"parameter @{name}: {type(value).__name__} is not a type that a parameter can have")
    return scalars[type(value)]


def to_bigquery(query: Query, locate: Locate) -> Statement:
    """The query as BigQuery runs it: unchanged but for the names of tables.

    Args:
        query: one SELECT with unqualified table names.
        locate: from a table's name in the query (`events_*`, `sessions`) to (project, data set, table).

    Raises:
        WarehouseError: see parse_select and source_tables_of; or a parameter without a value.
    """
    tree = parse_select(query.sql)
    parameters = _used_parameters(tree, query.parameters)
    text = one_statement(query.sql)
    for table in sorted(source_tables_of(tree), key=lambda table: table.this.meta["start"], reverse=True):
        identifier = table.this  # its position includes the backticks
        full_name = "`" + ".".join(locate(table.name)) + "`"
        text = text[: identifier.meta["start"]] + full_name + text[identifier.meta["end"] + 1 :]
    return Statement(text, parameters)


def to_duckdb(query: Query, locate: Locate, flat_names: Callable[[], Collection[str]] = tuple) -> Statement:
    """The query as DuckDB runs it, with `$name` for `@name`; parameters are cast to their BigQuery type.

    Args:
        query: one SELECT with unqualified table names.
        locate: from a table's name in the query to the parts of its name in DuckDB.
        flat_names: the columns with dots in their names that are no fields; asked for once the tables are located.

    Raises:
        WarehouseError: as in to_bigquery; or a construct that DuckDB lacks or would understand differently.
    """
    tree = parse_select(query.sql)
    parameters = _used_parameters(tree, query.parameters)
    _name_tables(tree, locate)
    dotted_names.resolve(tree, flat_names())
    types = {name: parameter_type(name, value) for name, value in parameters.items()}
    tree = rewrite_for_duckdb(tree, types)
    try:
        sql = tree.sql(dialect="duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.errors.UnsupportedError as error:
        raise WarehouseError(f"DuckDB does not have what the query uses: {_place(error)}") from error
    return Statement(sql, parameters)


def _used_parameters(tree: exp.Query, given: Mapping[str, Value]) -> dict[str, Value]:
    used = sorted({parameter.name for parameter in tree.find_all(exp.Parameter)})
    absent = [f"@{name}" for name in used if name not in given]
    if absent:
        known = ", ".join(f"@{name}" for name in sorted(given)) or "none"
        raise WarehouseError(f"the query uses {', '.join(absent)}, which has no value; parameters here: {known}")
    return {name: given[name] for name in used}


def _name_tables(tree: exp.Query, locate: Locate) -> None:
    located: dict[str, Sequence[str]] = {}  # a query may read a table many times
    for table in source_tables_of(tree):
        if table.name not in located:
            located[table.name] = locate(table.name)
        *qualifiers, name = located[table.name]
        if not table.alias and name != table.name:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        catalog, db = [None, None, *qualifiers][-2:]
        table.set("this", exp.to_identifier(name, quoted=True))
        table.set("db", db and exp.to_identifier(db, quoted=True))
        table.set("catalog", catalog and exp.to_identifier(catalog, quoted=True))


def _checked(table: exp.Table) -> exp.Table:
    if not isinstance(table.this, exp.Identifier):
        raise WarehouseError("the query reads a table function; it may read tables only")
    if table.args.get("db") or "." in table.name:
        raise WarehouseError(
            f"the query names the table '{exp.table_name(table)}'; write its last part only (the settings say where it "
            "is), and an array as UNNEST(...)"
        )
    if not _TABLE_NAME.fullmatch(table.name):
        raise WarehouseError(f"the query names the table '{table.name}', which is not an identifier")
    return table


def _is_common_table(table: exp.Table) -> bool:
    """Whether a WITH that is in force where the table stands defines its name."""
    below: exp.Expression = table
    above = table.parent
    within: exp.CTE | None = None
    while above is not None:
        if isinstance(below, exp.CTE):
            within = below
        with_ = above if isinstance(above, exp.With) else above.args.get("with_")
        if with_ is not None:
            defined = with_.expressions
            if below in defined and isinstance(above, exp.With) and not with_.args.get("recursive"):
                defined = defined[: [item is within for item in defined].index(True)]  # only those before it
            elif below is with_:
                defined = []  # it was looked at one step below
            if any(item.alias.lower() == table.name.lower() for item in defined):
                return True
        below, above = above, above.parent
    return False


def _place(error: sqlglot.errors.SqlglotError) -> str:
    """The first problem with its line, without the text of the query."""
    details = getattr(error, "errors", None)
    if details and details[0].get("description"):
        problem = details[0]["description"].split(" but got <")[0]
        return f"{problem} (line {details[0]['line']}, column {details[0]['col']})"
    return str(error).splitlines()[0]
