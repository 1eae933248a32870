"""The forms of text columns: how many rows have each, which one all have, and what stands for a missing value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pipeline.profiling.forms import SAME_VALUE, Form, looks_like, reads_as
from pipeline.profiling.source import COLUMNS_AT_ONCE, ROWS_OF_VALUE, Cells, Source, parts

#: Texts that usually stand for a missing value, in lower case and without surrounding blanks.
MISSING_TEXTS = (
    *("", "-", "--", "---", "\u2013", "\u2014", "?", "??", ".", "..", "*", "/", "\\n", "#", "_"),
    *("na", "n/a", "n.a.", "n/d", "n.d.", "#n/a", "<na>", "nan", "#value!", "#ref!", "#div/0!", "#null!", "null"),
    *("(null)", "nil", "none", "(none)", "missing", "(missing)", "unknown", "(unknown)", "not available", "not set"),
    *("(not set)", "undefined", "unspecified", "not specified", "not applicable", "no data", "no value", "empty"),
    *(
        "(empty)",
        "blank",
        "(blank)",
        "tbd",
        "k.a.",
        "keine angabe",
        "inconnu",
        "desconocido",
        "알 수 없음",
        "미상",
        "없음",
    ),
)
#: A form that so many of the filled rows read as is one with odd rows, and the first odd row is looked for.
MOST_ROWS = 0.9
_LONGEST_MISSING = max(map(len, MISSING_TEXTS))


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a column's text reads; see ColumnProfile."""

    forms: Mapping[Form, int]
    form: Form | None
    missing_like: Mapping[str, int]
    odd_row: int | None = None


@dataclasses.dataclass(frozen=True)
class TextColumn:
    """A column of text with what is known of it.

    Attributes:
        cells: the column.
        filled: rows with a value.
        witnesses: some of its values, such as the most frequent, the least and the greatest. A form that reads none of
            them is not counted; no form can read all values and none of these.
        is_complete: whether the witnesses are all values.
        forms: the forms that are looked for.
        grouped: Source.grouped of the column.
    """

    cells: Cells
    filled: int
    witnesses: Mapping[str, int]
    is_complete: bool
    forms: Sequence[Form] = tuple(Form)
    grouped: str | None = None


def readings(source: Source, columns: Sequence[TextColumn]) -> list[Reading]:
    """Reads each column of text. Raises WarehouseError."""
    candidates = [[f for f in c.forms if any(looks_like(f, text) for text in c.witnesses)] for c in columns]
    possible = [
        [form for form in found if all(looks_like(form, text) or _is_missing_like(text) for text in column.witnesses)]
        for column, found in zip(columns, candidates, strict=True)
    ]
    leading = [next(iter(found), None) for found in possible]
    # The other candidates are counted only where the leading form does not read every row.
    first = [
        [form for form in found if form not in SAME_VALUE.get(found[0], ())] if found else [] for found in possible
    ]
    forms = _counted(source, columns, first)
    whole = [lead is not None and c.filled == f[lead] for c, lead, f in zip(columns, leading, forms, strict=True)]
    rest = [
        [] if is_whole else [form for form in found if form not in counted]
        for found, counted, is_whole in zip(candidates, forms, whole, strict=True)
    ]
    for counted, more in zip(forms, _counted(source, columns, rest), strict=True):
        counted.update(more)
    missing = _missing_like(source, columns, whole)
    found = []
    for column, counted, texts in zip(columns, forms, missing, strict=True):
        filled = column.filled - sum(texts.values())
        in_order = {form: counted[form] for form in Form if counted.get(form)}
        form = next((form for form, rows in in_order.items() if rows == filled), None)
        found.append(Reading(in_order, form if filled else None, texts))
    return found


def odd_row(source: Source, column: Cells, reading: Reading, filled: int) -> int | None:
    """The number of the first row of a text file that does not read as the form that most rows have.

    The header is row 1; empty lines do not count.
    """
    filled -= sum(reading.missing_like.values())
    most = max(reading.forms, key=reading.forms.__getitem__, default=None)
    if reading.form is not None or most is None or reading.forms[most] < MOST_ROWS * filled:
        return None
    numbered = f"SELECT ROW_NUMBER() OVER () AS place, {column.sql} AS v {source.from_}"
    (row,) = source.select(
        f"SELECT MIN(s.place) AS place FROM ({numbered}) AS s "
        f"WHERE s.v IS NOT NULL AND NOT ({reads_as(most, 's.v')}) AND NOT ({is_missing_like('s.v')})"
    )
    return None if row["place"] is None else int(row["place"]) + 1


def is_missing_like(text_sql: str) -> str:
    """SQL that is TRUE if a text usually stands for a missing value."""
    listed = ", ".join("r'" + text.replace("'", "") + "'" for text in MISSING_TEXTS)
    may_be = (  # most text is longer, which costs less to see
        f"(CHAR_LENGTH({text_sql}) <= {_LONGEST_MISSING} OR STARTS_WITH({text_sql}, ' ') OR ENDS_WITH({text_sql}, ' '))"
    )
    return f"({may_be} AND LOWER(TRIM({text_sql})) IN ({listed}))"


def _is_missing_like(text: str) -> bool:
    return text.strip(" ").lower() in MISSING_TEXTS


def _counted(source: Source, columns: Sequence[TextColumn], forms: Sequence[Sequence[Form]]) -> list[dict[Form, int]]:
    """The rows that read as each of the given forms of each column."""
    counted = [
        _counted_by_value(source, column, column.grouped, found) if column.grouped and found else {}
        for column, found in zip(columns, forms, strict=True)
    ]
    wanted = [(place, form) for place, found in enumerate(forms) for form in found if columns[place].grouped is None]
    for part in parts(wanted, 2 * COLUMNS_AT_ONCE):
        cells = {place: columns[place].cells.text_sql for place, _ in part}
        selected = ", ".join(
            f"COUNTIF({reads_as(form, f's.c{place}')}) AS n{number}" for number, (place, form) in enumerate(part)
        )
        inner = ", ".join(f"{sql} AS c{place}" for place, sql in cells.items())
        (row,) = source.select(f"SELECT {selected} FROM (SELECT {inner} {source.from_}) AS s")
        for number, (place, form) in enumerate(part):
            counted[place][form] = int(row[f"n{number}"])
    return counted


def _counted_by_value(source: Source, column: TextColumn, grouped: str, forms: Sequence[Form]) -> dict[Form, int]:
    """The same for one column, from its distinct values."""
    selected = ", ".join(f"SUM(IF({reads_as(form, 's.c')}, s.n, 0)) AS n{place}" for place, form in enumerate(forms))
    inner = f"SELECT {column.cells.text_sql} AS c, t.{ROWS_OF_VALUE} AS n {grouped}"
    (row,) = source.select(f"SELECT {selected} FROM ({inner}) AS s")
    return {form: int(row[f"n{place}"] or 0) for place, form in enumerate(forms)}


def _missing_like(source: Source, columns: Sequence[TextColumn], whole: Sequence[bool]) -> list[dict[str, int]]:
    """The texts of each column that usually stand for a missing value, with their rows."""
    found: list[dict[str, int]] = [{} for _ in columns]
    searched = []
    for place, (column, is_whole) in enumerate(zip(columns, whole, strict=True)):
        if column.is_complete:
            found[place] = {t: n for t, n in column.witnesses.items() if _is_missing_like(t)}
        elif not is_whole:
            searched.append(place)
    for part in parts(searched, COLUMNS_AT_ONCE):
        branches = [
            f"SELECT {k} AS k, s.v AS v, COUNT(*) AS n "
            f"FROM (SELECT {columns[place].cells.sql} AS v {source.from_}) AS s "
            f"WHERE {is_missing_like('s.v')} GROUP BY s.v"
            for k, place in enumerate(part)
        ]
        rows = source.select(" UNION ALL ".join(branches))
        for row in sorted(rows, key=lambda row: (-row["n"], row["v"])):
            found[part[row["k"]]][row["v"]] = int(row["n"])
    return found
