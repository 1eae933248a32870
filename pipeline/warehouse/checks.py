"""Checks the rows of a features table with a few aggregate queries, before anything trains on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from models.features import FeatureSet
from pipeline.settings.dataset import SCORE_SPLIT, SPLITS, Columns
from pipeline.warehouse import value_checks
from pipeline.warehouse.dialect import quoted
from pipeline.warehouse.interface import Query, Warehouse, WarehouseError

#: The run warns of a snapshot whose base rate differs from that of all rows by more than this share of it...
MAX_RELATIVE_MOVE = 0.25
#: ...and further than this number of standard errors.
MAX_STANDARD_ERRORS = 3.0


@dataclasses.dataclass(frozen=True)
class Count:
    """Rows and positives of one split, or of one snapshot date of it.

    Attributes:
        split: train, eval or test.
        date: the date as YYYY-MM-DD; None without a date column.
        rows: number of rows.
        positives: number of rows with label 1.
    """

    split: str
    date: str | None
    rows: int
    positives: int


@dataclasses.dataclass(frozen=True)
class DataSummary:
    """The findings of the checks, as plain data.

    Attributes:
        rows: rows of the features table.
        positives: rows with label 1.
        splits: one Count per split; its date is None.
        dates: one Count per split and date; empty without a date column.
        missing: for each feature, rows in which it is NULL, NaN or an empty text.
        missing_train: the same among the rows of the train split.
        distinct: for each category, distinct values in the train split.
        warnings: findings that do not stop the run.
    """

    rows: int
    positives: int
    splits: tuple[Count, ...]
    dates: tuple[Count, ...]
    missing: dict[str, int]
    missing_train: dict[str, int]
    distinct: dict[str, int]
    warnings: tuple[str, ...]

    @property
    def missing_share(self) -> dict[str, float]:
        """For each feature, the share of all rows in which it is missing."""
        return {name: missing / self.rows for name, missing in self.missing.items()}

    @property
    def empty_features(self) -> tuple[str, ...]:
        """Features without a value in any row of the train split: nothing can be learned from them."""
        train = [count.rows for count in self.splits if count.split == "train"]
        return tuple(name for name, missing in self.missing_train.items() if [missing] == train)

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON-ready data."""
        derived = {"missing_share": self.missing_share, "empty_features": list(self.empty_features)}
        return {**dataclasses.asdict(self), **derived}


def check_table(
    warehouse: Warehouse, name: str, columns: Columns, features: FeatureSet, *, window: str = ""
) -> DataSummary:
    """Checks a features table.

    Args:
        warehouse: holds the table.
        name: the table.
        columns: its key, date and label.
        features: its features.
        window: the days of the events it was made from, for the message that it is empty.

    Returns:
        Counts and warnings.

    Raises:
        WarehouseError: the table cannot be trained on; the message has one line for each reason.
    """
    groups = warehouse.select(_groups_query(name, columns))
    _check_not_empty(groups, window)
    values = value_checks.count_values(warehouse, name, features)
    counts = tuple(
        Count(str(row["split"]), _text(row["date"]), int(row["n_rows"]), int(row["positives"])) for row in groups
    )
    splits = _per_split(counts)
    problems = [*_label_problems(groups, columns), *_split_problems(splits), *value_checks.problems(values)]
    problems += _key_problems(warehouse, name, columns)
    if problems:
        raise WarehouseError("\n".join(problems))
    return DataSummary(
        rows=sum(count.rows for count in splits),
        positives=sum(count.positives for count in splits),
        splits=splits,
        dates=counts if columns.date else (),
        missing={counted.feature.name: counted.missing for counted in values},
        missing_train={counted.feature.name: counted.missing_train for counted in values},
        distinct={counted.feature.name: counted.distinct for counted in values if counted.distinct is not None},
        warnings=(*value_checks.warnings(values), *(_moves(counts) if columns.date else ())),
    )


def check_scoring_table(
    warehouse: Warehouse, name: str, columns: Columns, features: FeatureSet, *, window: str = ""
) -> DataSummary:
    """Checks the features table of a scoring run, which has no label; otherwise like check_table.

    Raises:
        WarehouseError: the rows cannot be scored; the message has one line for each reason.
    """
    date = f"t.{quoted(columns.date)}" if columns.date else "CAST(NULL AS DATE)"
    groups = warehouse.select(
        Query(
            f"SELECT t.split AS split, {date} AS date, COUNT(*) AS n_rows FROM {quoted(name)} AS t "
            "GROUP BY 1, 2 ORDER BY 2, 1"
        )
    )
    _check_not_empty(groups, window)
    values = value_checks.count_values(warehouse, name, features)
    problems = [*_date_problems(groups, columns), *value_checks.problems(values)]
    problems += _key_problems(warehouse, name, columns)
    if problems:
        raise WarehouseError("\n".join(problems))
    counts = tuple(Count(str(row["split"]), _text(row["date"]), int(row["n_rows"]), 0) for row in groups)
    rows = sum(count.rows for count in counts)
    return DataSummary(
        rows=rows,
        positives=0,
        splits=(Count(SCORE_SPLIT, None, rows, 0),),
        dates=counts if columns.date else (),
        missing={counted.feature.name: counted.missing for counted in values},
        missing_train={},
        distinct={},
        warnings=tuple(value_checks.nan_warnings(values)),
    )


def _check_not_empty(groups: Sequence[dict[str, Any]], window: str) -> None:
    if not groups:
        seen = f"no user had an event between {window}" if window else "the query returns no rows"
        raise WarehouseError(f"the features table is empty: {seen}")


def _groups_query(name: str, columns: Columns) -> Query:
    """One row per split and date: rows, positives, labels that are NULL or out of range."""
    label = f"t.{quoted(columns.label)}"
    date = f"t.{quoted(columns.date)}" if columns.date else "CAST(NULL AS DATE)"
    return Query(
        f"SELECT t.split AS split, {date} AS date, COUNT(*) AS n_rows, COUNTIF({label} = 1) AS positives, "
        f"COUNTIF({label} IS NULL) AS null_labels, COUNTIF({label} NOT IN (0, 1)) AS bad_labels "
        f"FROM {quoted(name)} AS t GROUP BY 1, 2 ORDER BY 2, 1"
    )


def _per_split(counts: Sequence[Count]) -> tuple[Count, ...]:
    return tuple(
        Count(
            split,
            None,
            sum(count.rows for count in counts if count.split == split),
            sum(count.positives for count in counts if count.split == split),
        )
        for split in SPLITS
    )


def _label_problems(groups: Sequence[dict[str, Any]], columns: Columns) -> list[str]:
    nulls = sum(int(row["null_labels"]) for row in groups)
    bad = sum(int(row["bad_labels"]) for row in groups)
    problems = []
    if nulls:
        problems.append(f"label '{columns.label}' is NULL in {nulls} rows")
    if bad:
        problems.append(f"label '{columns.label}' is neither 0 nor 1 in {bad} rows")
    return problems + _date_problems(groups, columns)


def _date_problems(groups: Sequence[dict[str, Any]], columns: Columns) -> list[str]:
    rows = sum(int(row["n_rows"]) for row in groups if row["date"] is None)
    if columns.date and rows:
        return [f"date '{columns.date}' is NULL in {rows} rows; leave them out in query.sql"]
    return []


def _split_problems(splits: Sequence[Count]) -> list[str]:
    problems = []
    for count in splits:
        if not count.rows:
            problems.append(f"split '{count.split}' is empty; change 'split' or 'snapshots' in dataset.yaml")
        elif count.positives in (0, count.rows):
            label = 1 if count.positives else 0
            problems.append(f"split '{count.split}': all {count.rows} labels are {label}; both labels are needed")
    return problems


def _key_problems(warehouse: Warehouse, name: str, columns: Columns) -> list[str]:
    if not columns.key:
        return []
    key = f"t.{quoted(columns.key)}"
    (row,) = warehouse.select(Query(f"SELECT COUNTIF({key} IS NULL) AS n FROM {quoted(name)} AS t"))
    if row["n"]:
        return [f"key '{columns.key}' is NULL in {row['n']} rows; leave them out in query.sql"]
    per = [key, f"t.{quoted(columns.date)}"] if columns.date else [key]
    (row,) = warehouse.select(
        Query(
            "SELECT COUNT(*) AS n FROM (SELECT COUNT(*) AS n_rows "
            f"FROM {quoted(name)} AS t GROUP BY {', '.join(per)} HAVING COUNT(*) > 1) AS d"
        )
    )
    if not row["n"]:
        return []
    what = f"('{columns.key}', '{columns.date}')" if columns.date else f"'{columns.key}'"
    return [f"{row['n']} values of the key {what} occur in more than one row; query.sql must return one row for each"]


def _moves(counts: Sequence[Count]) -> list[str]:
    """Dates whose base rate differs from that of all rows by much more than chance."""
    rows = sum(count.rows for count in counts)
    rate = sum(count.positives for count in counts) / rows
    warnings = []
    for date in sorted({count.date for count in counts if count.date}):
        of_date = [count for count in counts if count.date == date]
        date_rows = sum(count.rows for count in of_date)
        date_rate = sum(count.positives for count in of_date) / date_rows
        standard_error = math.sqrt(rate * (1 - rate) / date_rows)
        move = abs(date_rate - rate)
        if move > MAX_RELATIVE_MOVE * rate and move > MAX_STANDARD_ERRORS * standard_error:
            warnings.append(
                f"the base rate of {date} is {date_rate:.2%} against {rate:.2%} of all rows, "
                f"{move / standard_error:.1f} standard errors away"
            )
    return warnings


def _text(value: object) -> str | None:
    return None if value is None else str(value)
