"""Adds lines to files that a person may have changed. What is there stays as it is, byte for byte."""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlglot
import yaml
from sqlglot import exp
from sqlglot.tokens import TokenType

from pipeline.warehouse.dialect import parse_select
from pipeline.warehouse.interface import WarehouseError


class NoPlace(ValueError):
    """A file is not laid out so that lines can be added; the message says why."""


def source_alias(query: str, table: str) -> str:
    """The name that the outermost SELECT of a query gives to the source's table.

    Raises:
        NoPlace: it does not read that table itself, or joins others.
    """
    try:
        tree = parse_select(query)
    except WarehouseError as error:
        raise NoPlace(str(error)) from error
    if not isinstance(tree, exp.Select):
        raise NoPlace("query.sql is a UNION")
    found = tree.args.get("from_") or tree.args.get("from")
    read = found.this if found is not None else None
    if not isinstance(read, exp.Table) or read.name != table or tree.args.get("joins"):
        raise NoPlace(f"the outermost SELECT of query.sql does not read the table '{table}' alone")
    if tree.args.get("group") is not None or tree.args.get("distinct") is not None:
        raise NoPlace("query.sql groups its rows")
    return read.alias_or_name


def with_outputs(query: str, lines: Sequence[tuple[str, str]]) -> str:
    """The query with more outputs at the end of its outermost SELECT list.

    Args:
        query: one SELECT.
        lines: expressions with their names, each with a comment.

    Raises:
        NoPlace: the end of the list is not found, or the query would return other columns than before.
    """
    before = parse_select(query).named_selects
    tokens = sqlglot.tokenize(query, read="bigquery")
    place = _outermost_from(tokens)
    last = tokens[place - 1]
    comma = "" if last.token_type is TokenType.COMMA else ","
    start = query.rfind("\n", 0, tokens[place].start) + 1
    if start <= last.end:  # the list ends on the line of FROM
        start = tokens[place].start
        opening = "\n"
    else:
        opening = ""
    indent = _indent(query)
    added = "".join(
        f"{indent}{sql}{',' if number < len(lines) else ''}  -- {comment}\n"
        for number, (sql, comment) in enumerate(lines, start=1)
    )
    text = query[: last.end + 1] + comma + query[last.end + 1 : start] + opening + added + query[start:]
    after = parse_select(text).named_selects
    if after[: len(before)] != before or len(after) != len(before) + len(lines):
        raise NoPlace("the end of the SELECT list of query.sql is not found")
    return text


def with_features(document: str, lines: Sequence[str]) -> str:
    """The text of a features.yaml with more features at the end of the list; `lines` have no indent.

    Raises:
        NoPlace: the list is written on one line, or has nothing in it.
    """
    root = yaml.compose(document, Loader=yaml.SafeLoader)
    listed = next((value for key, value in root.value if key.value == "features"), None)
    if not isinstance(listed, yaml.SequenceNode) or listed.flow_style or not listed.value:
        raise NoPlace("the features of features.yaml are not a list with a line for each")
    rows = document.splitlines(keepends=True)
    last = listed.value[-1]
    match = re.match(r"(\s*)-", rows[last.start_mark.line])
    if match is None:
        raise NoPlace("the last feature of features.yaml does not begin its line")
    place = _last_line(last) + 1
    if place and not rows[place - 1].endswith("\n"):
        rows[place - 1] += "\n"
    added = [f"{match[1]}{line}\n" for line in lines]
    text = "".join([*rows[:place], *added, *rows[place:]])
    before, after = yaml.safe_load(document)["features"], yaml.safe_load(text)["features"]
    if after[: len(before)] != before or len(after) != len(before) + len(lines):
        raise NoPlace("the end of the list in features.yaml is not found")
    return text


def _outermost_from(tokens: Sequence[sqlglot.tokens.Token]) -> int:
    """The place of FROM of the outermost SELECT: the first FROM outside parentheses after the last such SELECT."""
    depth, select, found = 0, False, None
    for place, token in enumerate(tokens):
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        elif depth == 0 and token.token_type is TokenType.SELECT:
            select, found = True, None
        elif depth == 0 and token.token_type is TokenType.FROM and select and found is None:
            found = place
    if found is None:
        raise NoPlace("query.sql has no FROM")
    return found


def _indent(query: str) -> str:
    """The indent of the lines after SELECT."""
    match = re.search(r"\n([ \t]+)\S[^\n]*\n\s*FROM\b", query, re.IGNORECASE)
    return match[1] if match else "  "


def _last_line(node: yaml.Node) -> int:
    """The number of the last line that a node stands on."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _last_line(node.value[-1])
    return int(node.end_mark.line)
