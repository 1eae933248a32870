"""Text files as a table: their cells are text; types come from all values and from the query that uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.settings.source import TableSource
from pipeline.warehouse.duckdb import text_types
from pipeline.warehouse.duckdb.column_uses import Use, Uses
from pipeline.warehouse.duckdb.dotted_names import select_with_structs
from pipeline.warehouse.duckdb.quoting import quote, quote_name
from pipeline.warehouse.duckdb.text_loading import Run, load
from pipeline.warehouse.duckdb.text_types import READINGS, TEXT, DateOrder, Profile, on
from pipeline.warehouse.interface import WarehouseError

SAMPLE_ROWS = 256  # enough to see that most text is no number, before all rows are looked at
COLUMNS_AT_ONCE = 100  # columns of one aggregate query; thousands would take longer to plan than to run


class TextTable:
    """A CSV file, or several with the same columns, in DuckDB: each cell as the text of the file.

    Attributes:
        columns: the names of the columns.
    """

    def __init__(self, run: Run, path: Path, files: Sequence[Path], source: TableSource, scratch: Path):
        """Loads the files, once.

        Args:
            run: executes SQL and returns its rows.
            path: the file or the folder, for messages.
            files: the text files.
            source: the name of the table, and how the files write what is missing.
            scratch: a folder for copies of files that must be written again to be read.

        Raises:
            WarehouseError: a file cannot be read; the message names the row.
        """
        self._run = run
        self._path = path
        self._source = source
        self._table = quote_name(f"text of {source.table}")
        self._shown: Uses | None = None
        self._orders: dict[str, list[DateOrder]] = {}
        self._known: dict[str, Profile] = {}
        self._loaded = load(run, files, source, self._table, scratch)
        self.columns = self._loaded.columns

    def make_view(self, uses: Uses) -> None:
        """Makes the view that the query reads: each column with the type that its values and its uses give it.

        Raises:
            WarehouseError: values that do not fit what the data set declares; the message names column and row.
        """
        if uses == self._shown:
            return
        problems: list[str] = []
        selected = {}
        wanted = {column: uses.get(column.lower(), set()) for column in self.columns}
        self._profile([c for c, used in wanted.items() if c not in self._known and not text_types.is_text(used)])
        for column, used in wanted.items():
            name = quote_name(column)
            if text_types.is_text(used):
                selected[column] = name
                continue
            kind = text_types.type_for(self._known[column], used)
            selected[column] = name if kind == "VARCHAR" else f"CAST({name} AS {kind})"
            if kind in ("VARCHAR", "BIGINT") and not used & {Use.TEXT, Use.COMPARED, Use.WRITTEN}:
                order = self._date_order(column, Use.DATE in used, problems)
                if order:
                    selected[column] = f"CAST(STRPTIME({name}, {quote(order.format)}) AS DATE)"
            if kind == "VARCHAR" and Use.NUMBER in used and not self._known[column].is_empty:
                problems.append(self._number_problem(column))
        if problems:
            raise WarehouseError("\n".join(f"{self._path}: {problem}" for problem in problems))
        view = quote_name(self._source.table)
        self._run(f"CREATE OR REPLACE VIEW {view} AS {select_with_structs(selected, self._table)}")
        self._shown = uses

    def _profile(self, columns: Sequence[str]) -> None:
        """Finds what columns read as. A sample rules most readings out; the others are held against all rows."""
        if not columns:
            return
        sampled = self._sample(columns, [*(reading.reads for reading in READINGS), text_types.LIKE_A_DATE])
        left = {c: [r for place, r in enumerate(READINGS) if c not in sampled or sampled[c][place]] for c in columns}
        same = self._all_fit({(c, r.type): r.same for c, found in left.items() for r in found})
        same_of = {c: next((r for r in found if same[c, r.type]), None) for c, found in left.items()}
        unsure = {(c, r.type): r.reads for c, found in left.items() if same_of[c] is None for r in found}
        fits = self._all_fit(unsure)
        empty = self._all_fit({(c, ""): "FALSE" for c in columns if c not in sampled})
        for column, found in left.items():
            reading = same_of[column] or next((r for r in found if fits[column, r.type]), TEXT)
            is_same = reading is TEXT or same_of[column] is not None
            is_like_dates = column not in sampled or sampled[column][-1]
            self._known[column] = Profile(reading, is_same, is_like_dates, is_empty=empty.get((column, ""), False))

    def _sample(self, columns: Sequence[str], tests: Sequence[str]) -> dict[str, Sequence[bool]]:
        """For each column with a value in the first rows, whether each test holds for all of them.

        One query of long rows: a query with an aggregate for each column and test would take long to plan.
        """
        listed = ", ".join(map(quote_name, columns))
        rows = f"(SELECT {listed} FROM {self._table} LIMIT {SAMPLE_ROWS})"
        selected = ", ".join(f"BOOL_AND(COALESCE({on(test, 'cell')}, FALSE))" for test in tests)
        found = self._run(
            f"SELECT place, {selected} FROM (UNPIVOT {rows} ON COLUMNS(*) INTO NAME place VALUE cell) GROUP BY place"
        )
        return {name: fits for name, *fits in found}

    def _all_fit(self, tests: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], bool]:
        """For each column and name of a test, whether it holds for all values; true if there is none."""
        results = {}
        for part in _parts(list(tests), COLUMNS_AT_ONCE):
            names = {key: quote_name(key[0]) for key in part}
            selected = [
                f"BOOL_AND(COALESCE({on(tests[key], names[key])}, FALSE)) FILTER ({names[key]} IS NOT NULL)"
                for key in part
            ]
            (row,) = self._run(f"SELECT {', '.join(selected)} FROM {self._table}")
            results.update({key: fits is None or fits for key, fits in zip(part, row, strict=True)})
        return results

    def _date_order(self, column: str, needed: bool, problems: list[str]) -> DateOrder | None:
        """The one order in which all values of a column are dates, or None. Adds a problem if one is needed."""
        profile = self._known[column]
        if profile.is_empty or (profile.reading.type == "BIGINT" and not needed):
            return None
        orders = text_types.date_orders(self._source.date_order)
        if column not in self._orders:
            self._orders[column] = self._fitting_orders(column, orders)
        fitting = self._orders[column]
        if len(fitting) == 1 and (needed or self._source.date_order or "yyyy" in fitting[0].shown):
            return fitting[0]
        if needed and fitting:
            names = " and ".join(f"{order.shown} (source.date_order: {order.name})" for order in fitting)
            problems.append(
                f"the dates of column '{column}' can be read as {names}; set source.date_order in dataset.yaml"
            )
        elif needed:
            problems.append(self._date_problem(column, orders))
        return None

    def _fitting_orders(self, column: str, orders: Sequence[DateOrder]) -> list[DateOrder]:
        if not self._known[column].is_like_dates:
            return []
        sampled = self._sample([column], [order.reads for order in orders]).get(column)
        likely = [place for place in range(len(orders)) if sampled is None or sampled[place]]
        fits = self._all_fit({(column, str(place)): orders[place].reads for place in likely})
        return [orders[int(place)] for (_, place), fitting in fits.items() if fitting]

    def _date_problem(self, column: str, orders: Sequence[DateOrder]) -> str:
        """Which row is no date, in the order that most others have."""
        name = quote_name(column)
        tests = [("yyyy-mm-dd", READINGS[3].reads), *((order.shown, order.reads) for order in orders)]
        counts = ", ".join(f"COUNT_IF({on(test, name)})" for _, test in tests)
        (row,) = self._run(f"SELECT {counts} FROM {self._table}")
        most = max(range(len(tests)), key=row.__getitem__)
        shown, test = tests[most] if row[most] else ("", "FALSE")
        odd = self._first_row(f"{name} IS NOT NULL AND NOT ({on(test, name)})")
        what = f"is no date {shown}, unlike {row[most]:,} others; mend the row, or" if row[most] else "is no date;"
        return f"column '{column}', the date: {odd} {what} write PARSE_DATE('<format>', {column}) in query.sql"

    def _number_problem(self, column: str) -> str:
        """Why text that a numeric feature returns is no number, and what keeps its values."""
        name = quote_name(column)
        patterns = [f"regexp_full_match({name}, {quote(pattern)})" for pattern, _, _ in text_types.NUMBER_STYLES]
        fits = self._run(f"SELECT {', '.join(f'BOOL_AND({test})' for test in patterns)} FROM {self._table}")[0]
        styles = [style for style, fitting in zip(text_types.NUMBER_STYLES, fits, strict=True) if fitting]
        start = f"column '{column}', a numeric feature, is text: "
        advice = " or ".join(f"{on(cast, column)} AS {column}" for _, _, cast in styles[:2])
        if len(styles) > 1 and styles[0][1].endswith("decimal comma") and styles[1][1].startswith("with commas"):
            return f"{start}its commas may be decimal commas or stand between thousands; write {advice}"
        if styles:
            return f"{start}its values are numbers {styles[0][1]}; write {on(styles[0][2], column)} AS {column}"
        if self._known[column].reading.type in ("BIGINT", "DOUBLE"):
            return f"{start}the query also uses it as text; write CAST({column} AS FLOAT64) AS {column}"
        odd = self._first_row(f"{name} IS NOT NULL AND NOT ({patterns[0]})")
        return (
            f"{start}{odd} holds no plain number; if its text stands for a missing value, list it in "
            f"source.missing_values, else write SAFE_CAST({column} AS FLOAT64) AS {column}, which is NULL there"
        )

    def _first_row(self, condition: str) -> str:
        """Which row is the first for which a condition holds, for a message."""
        ((rowid,),) = self._run(f"SELECT MIN(rowid) FROM {self._table} WHERE {condition}")
        return self._loaded.place(int(rowid))


def _parts(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
