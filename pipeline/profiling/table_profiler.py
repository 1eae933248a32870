"""Computes what is known of a table, with SQL inside the warehouse. No rows are downloaded: aggregates alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pipeline.profiling import association, conversions, copies, frequencies, measures
from pipeline.profiling.forms import Form, looks_like
from pipeline.profiling.measures import Counts
from pipeline.profiling.privacy import IDENTIFIER_SHARE, is_private, is_private_form
from pipeline.profiling.profile import (
    EPOCH_UNITS,
    Association,
    ColumnProfile,
    Dates,
    Day,
    Frequency,
    Numbers,
    TableProfile,
)
from pipeline.profiling.source import COUNTED, Cells, Source
from pipeline.profiling.texts import MOST_ROWS, Reading, TextColumn, odd_row, readings
from pipeline.warehouse.interface import Warehouse

#: In longer tables, a column with an approximate share of distinct values this far above IDENTIFIER_SHARE is taken for
#: an identifier, and its values are not counted.
SURE_SHARE = IDENTIFIER_SHARE + 0.2
#: Rows up to which the values of every column are counted.
SHORT_TABLE_ROWS = 200_000
#: The same for numbers with a fraction.
VERY_SHORT_TABLE_ROWS = 5_000
#: Characters beyond which a value is not listed.
LONGEST_VALUE = 200
#: The columns whose hash chooses sampled rows: those with the most distinct values.
HASHED_COLUMNS = 6
_YEAR_2000, _YEAR_2100 = 946_684_800, 4_102_444_800
COMPACT = (Form.DATE_COMPACT, Form.MONTH_COMPACT)


class TableProfiler:
    """Facts about a table. Every number is of all rows, unless its description says otherwise.

    Where a method takes SQL, the table's alias is t, and a column of a text file is a STRING.

    Attributes:
        source: runs further statements over the table.
    """

    def __init__(self, warehouse: Warehouse, source_name: str, table: str, *, is_text: bool):
        """Takes an open warehouse.

        Args:
            warehouse: the engine over the source.
            source_name: how messages name the source.
            table: the name by which a query reads it.
            is_text: whether it is a text file (CSV), whose cells have no type.

        Raises:
            WarehouseError: the source cannot be read.
        """
        self.source = Source(warehouse, table, is_text=is_text)
        self._name, self._table, self._is_text = source_name, table, is_text
        self._known: TableProfile | None = None
        self._copies: tuple[TableProfile, Mapping[str, str]] | None = None

    @property
    def bytes_read(self) -> int | None:
        """Bytes that BigQuery has read until now; None on an engine that cannot tell."""
        return self.source.bytes_read

    def profile(self) -> TableProfile:
        """Profiles every column. Raises WarehouseError; on BigQuery also where a statement would read too much."""
        source = self.source
        columns = source.columns()
        counted = measures.counts(source, columns)
        rows = counted[0].rows
        listed = frequencies.frequencies(
            source, [c for c, k in zip(columns, counted, strict=True) if _lists(c, k)], rows
        )
        drafts = [_draft(c, k, listed.get(c.name)) for c, k in zip(columns, counted, strict=True)]
        drafts = self._read(drafts, counted)
        self._known = TableProfile(self._name, self._table, self._is_text, rows, tuple(drafts), source.bytes_read)
        return self._known

    def distinct(self, columns: Sequence[str]) -> int:
        """The exact number of distinct combinations of these columns' texts; a missing value is one of them."""
        inner = ", ".join(f"{self._cells(name).text_sql} AS c{place}" for place, name in enumerate(columns))
        (row,) = self.source.select(f"SELECT COUNT(*) AS n FROM (SELECT DISTINCT {inner} {self.source.from_}) AS s")
        return int(row["n"])

    def frequent(self, columns: Sequence[str], at_least: int) -> Mapping[str, int]:
        """For each column the number of its values that at least so many rows have."""
        return frequencies.frequent(self.source, [self._cells(name) for name in columns], at_least)

    def associations(self, positive: str, columns: Sequence[str]) -> Mapping[str, Association]:
        """Each column beside the label, on at most association.SAMPLED_ROWS rows of each class, chosen by their hash.

        A number or a date is ranked by its value, rows without one below all others; anything else as a category. A
        number with few distinct values is ranked in both ways, and the better one counts.

        Args:
            positive: SQL that is TRUE for a positive, FALSE for a negative, NULL for neither.
            columns: names of columns.
        """
        known = self._profile()
        ranked = [association.Ranked(name, *conversions.rank_of(known.column(name))) for name in columns]
        spread = sorted((c for c in known.columns if self._cells(c.name).type in COUNTED), key=lambda c: -c.distinct)
        hashed = [self._cells(column.name).text_sql for column in spread[:HASHED_COLUMNS]]
        if spread and spread[0].distinct > 0.9 * known.rows:
            hashed = hashed[:1]
        return association.associations(self.source, positive, ranked, hashed)

    def days(self, date: str, positive: str | None) -> list[Day]:
        """The rows and positives of each date, in order; rows without a date are left out.

        Args:
            date: SQL that gives a DATE.
            positive: as in associations; without it, no positives are counted.
        """
        rows = self.source.select(
            f"SELECT s.day AS day, COUNT(*) AS n, COUNTIF(s.p) AS positives "
            f"FROM (SELECT {date} AS day, ({positive or 'FALSE'}) AS p {self.source.from_}) AS s "
            "WHERE s.day IS NOT NULL GROUP BY s.day ORDER BY s.day"
        )
        return [Day(row["day"], int(row["n"]), int(row["positives"])) for row in rows]

    def counts(self, conditions: Sequence[str]) -> list[int]:
        """The number of rows for which each condition, SQL of a BOOL, is TRUE."""
        selected = ", ".join(f"COUNTIF({sql}) AS n{place}" for place, sql in enumerate(conditions))
        (row,) = self.source.select(f"SELECT {selected} {self.source.from_}")
        return [int(row[f"n{place}"]) for place in range(len(conditions))]

    def copies(self, profile: TableProfile) -> Mapping[str, str]:
        """A column -> the earlier column that it equals on every row, as number, date or text.

        The answer for the last profile is kept: comparing columns scans the table.
        """
        if self._copies is None or self._copies[0] is not profile:
            self._copies = profile, self._equal_columns(profile)
        return self._copies[1]

    def renamings(self, profile: TableProfile) -> Mapping[str, str]:
        """A column -> the earlier column whose values correspond to its own one to one, such as a code and its name."""
        equal = self.copies(profile)
        columns = [c for c in profile.columns if self._cells(c.name).type in COUNTED and c.name not in equal]
        return copies.renamed_columns(self.source, columns, {c.name: self._cells(c.name).text_sql for c in columns})

    def _equal_columns(self, profile: TableProfile) -> Mapping[str, str]:
        columns = [c for c in profile.columns if self._cells(c.name).type in COUNTED]
        return copies.equal_columns(self.source, columns, {c.name: conversions.ways_of(c) for c in columns})

    def _profile(self) -> TableProfile:
        return self._known or self.profile()

    def _cells(self, name: str) -> Cells:
        return Cells(name, self._profile().column(name).type)

    def _read(self, drafts: Sequence[ColumnProfile], counted: Sequence[Counts]) -> list[ColumnProfile]:
        """The columns with the forms of their text, and with the numbers and dates that the text holds."""
        searched = [
            text_column
            for draft, known in zip(drafts, counted, strict=True)
            if (text_column := self._text_column(draft, known)) is not None
        ]
        found = dict(zip([c.cells.name for c in searched], readings(self.source, searched), strict=True))
        columns = [_with_reading(draft, found.get(draft.name)) for draft in drafts]
        numbers, dates = self._numbers_and_dates(columns)
        finished = []
        for column in columns:
            column = dataclasses.replace(
                column,
                numbers=column.numbers or numbers.get(column.name),
                dates=column.dates or dates.get(column.name),
                odd_row=self._odd_row(column, found.get(column.name)),
            )
            column = dataclasses.replace(column, epoch=_epoch(column.numbers))
            shown = () if column.is_private else tuple(v for v in column.values if len(v.value) <= LONGEST_VALUE)
            finished.append(dataclasses.replace(column, values=shown))
        return finished

    def _numbers_and_dates(
        self, columns: Sequence[ColumnProfile]
    ) -> tuple[dict[str, Numbers | None], dict[str, Dates | None]]:
        """Numbers and dates of the columns that hold some as text. Values that occur often are converted once."""
        source = self.source
        grouped = {c.name: source.grouped(c.name, c.filled, c.distinct) for c in columns}
        number = {c.name: sql for c in columns if c.numbers is None and (sql := conversions.number_of(c))}
        day = {c.name: sql for c in columns if c.dates is None and (sql := conversions.date_of(c))}
        each = {name: sql for name, sql in number.items() if grouped[name] is None}
        numbers = dict(zip(each, measures.numbers(source, list(each.values())), strict=True))
        each = {name: sql for name, sql in day.items() if grouped[name] is None}
        dates = dict(zip(each, measures.dates(source, list(each.values())), strict=True))
        for name, from_ in grouped.items():
            if from_ is not None and name in number:
                numbers[name] = measures.grouped_numbers(source, number[name], from_)
            if from_ is not None and name in day:
                (dates[name],) = measures.dates(source, [day[name]], from_)
        return numbers, dates

    def _text_column(self, column: ColumnProfile, known: Counts) -> TextColumn | None:
        """What is needed to find the forms of a column; None if it has none."""
        witnesses = {f.value: f.rows for f in column.values}
        is_complete = column.distinct == len(witnesses)
        cells = Cells(column.name, column.type)
        grouped = self.source.grouped(column.name, column.filled, column.distinct)
        if column.type == "STRING" and column.filled:
            witnesses = {**dict.fromkeys(known.ends, 0), **witnesses}
            return TextColumn(cells, column.filled, witnesses, is_complete, grouped=grouped)
        if column.type == "INT64" and column.numbers:
            ends = {f"{end:.0f}" for end in (column.numbers.quantiles[0], column.numbers.quantiles[-1])}
            if any(all(looks_like(form, end) for end in ends) for form in COMPACT):
                witnesses = {**dict.fromkeys(ends, 0), **witnesses}
                return TextColumn(cells, column.filled, witnesses, is_complete, COMPACT, grouped)
        return None

    def _odd_row(self, column: ColumnProfile, reading: Reading | None) -> int | None:
        if not self._is_text or reading is None:
            return None
        return odd_row(self.source, Cells(column.name, column.type), reading, column.filled)


def _lists(cells: Cells, known: Counts) -> bool:
    """Whether the values of a column are counted, which takes long where most rows have their own.

    Those of an identifier are counted in a short table, since a key is told by their exact number; those of a number
    with a fraction only in a very short one.
    """
    if cells.type not in COUNTED or not known.filled:
        return False
    if known.distinct <= SURE_SHARE * known.filled:
        return True
    has_fraction = cells.type == "FLOAT64" or any(
        looks_like(Form.NUMBER, end) and not looks_like(Form.INTEGER, end) for end in known.ends
    )
    return known.rows <= (VERY_SHORT_TABLE_ROWS if has_fraction else SHORT_TABLE_ROWS)


def _draft(cells: Cells, known: Counts, listed: tuple[int, tuple[Frequency, ...]] | None) -> ColumnProfile:
    distinct, values = listed if listed else (known.distinct, ())
    return ColumnProfile(
        name=cells.name,
        type=cells.type,
        filled=known.filled,
        distinct=distinct,
        is_private=is_private(cells.name, known.filled, distinct),
        values=values,
        lengths=known.lengths,
        numbers=known.numbers,
        dates=known.dates,
    )


def _with_reading(column: ColumnProfile, reading: Reading | None) -> ColumnProfile:
    if reading is None:
        return column
    is_private = column.is_private or any(
        is_private_form(form) and rows > MOST_ROWS * column.filled for form, rows in reading.forms.items()
    )
    return dataclasses.replace(
        column,
        forms=reading.forms,
        form=reading.form,
        missing_like=reading.missing_like,
        is_private=is_private and column.distinct > 2,
    )


def _epoch(numbers: Numbers | None) -> str | None:
    """The unit in which whole numbers are times of this century."""
    if numbers is None or numbers.quantiles[0] != int(numbers.quantiles[0]):
        return None
    for unit, size in EPOCH_UNITS.items():
        if _YEAR_2000 * size <= numbers.quantiles[0] and numbers.quantiles[-1] <= _YEAR_2100 * size:
            return unit
    return None
