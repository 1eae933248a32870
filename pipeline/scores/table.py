"""The interface of a score table, and what a run must fulfil before it replaces days of one.

Beside `<table>` there are `<table>_runs`, with a row for each day that a run wrote, and the view `<table>_latest` of
each customer's newest score. `<table>_features` has the features of days, summed up, for the reports of later days.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import pyarrow as pa

from pipeline.scores.layout import DATE, ScoresError

LATEST, RUNS, FEATURES = "_latest", "_runs", "_features"  # after the table's name
# Columns of the table of runs: the day, its rows, which model scored it, by which run and when. `started_at` and
# `written_at` say when the run began to write the day and when it had; `job_id` is BigQuery's load job.
RUNS_COLUMNS = {
    DATE: "DATE",
    "day_rows": "INT64",
    "model_version": "STRING",
    "model_digest": "STRING",
    "run_id": "STRING",
    "scored_at": "TIMESTAMP",
    "started_at": "TIMESTAMP",
    "written_at": "TIMESTAMP",
    "job_id": "STRING",
}
#: Columns of the table of features: the day, which run summed up its features and when, and the sums as JSON.
FEATURES_COLUMNS = {DATE: "DATE", "run_id": "STRING", "written_at": "TIMESTAMP", "features": "STRING"}


@dataclasses.dataclass(frozen=True)
class ScoringRun:
    """Which model scored the rows, by which run, and when (with a time zone)."""

    model_version: str
    model_digest: str
    run_id: str
    scored_at: datetime.datetime


@dataclasses.dataclass(frozen=True)
class ScoredDay:
    """A day of the table: its rows, and the run that wrote them."""

    date: datetime.date
    rows: int
    model_version: str
    model_digest: str
    run_id: str
    scored_at: datetime.datetime

    def to_json(self) -> dict[str, object]:
        """All but the date."""
        values = {**dataclasses.asdict(self), "scored_at": self.scored_at.isoformat()}
        values.pop("date")
        return values


class ScoreTable(Protocol):
    """A table of scores. Use it as a context manager.

    All methods raise ScoresError, in one line that names the table and says what to do. No line shows a key's value.

    Attributes:
        name: the table's name, as messages show it.
    """

    name: str

    def check(self, schema: pa.Schema) -> None:
        """Checks that the table is absent, or has exactly the columns of layout.score_schema. It changes nothing.

        Raises:
            ScoresError: a column is absent, is one too many or has another type.
        """

    def check_free(self, dates: Sequence[datetime.date], run_id: str) -> None:
        """Checks that no other run is writing these days.

        Raises:
            ScoresError: one is.
        """

    def scored_days(self) -> list[ScoredDay]:
        """The days of the table that have not expired, oldest first. None if there is no table."""

    def latest_before(self, date: datetime.date) -> ScoredDay | None:
        """The newest day before a date."""

    def replace_days(self, files: Mapping[datetime.date, str], run: ScoringRun) -> None:
        """Writes days one after the other, oldest first. A reader sees each as it was or as it is, whole.

        Makes the table, the table of runs and the view if they are absent.

        Args:
            files: by date, a Parquet file with the columns of layout.score_schema and at least one row.
            run: who scored them.
        """

    def rows_of(self, date: datetime.date) -> Iterator[pa.RecordBatch]:
        """The rows of a day as Arrow batches, with the columns of layout.score_schema; none if it was not scored."""

    def keep_features(self, date: datetime.date, run_id: str, features: str) -> None:
        """Adds the features of a day to the table of features, which it makes if it is absent.

        Args:
            date: the day.
            run_id: who scored it.
            features: sums over its rows, as text; no value of a key.
        """

    def features_before(self, date: datetime.date) -> tuple[datetime.date, str] | None:
        """The newest day before a date whose features were kept, and what was kept last; None without one."""

    def close(self) -> None:
        """Frees connections."""

    def __enter__(self) -> ScoreTable:
        """Returns itself."""

    def __exit__(self, *exc_info: object) -> None:
        """Closes."""


def newest_before(days: Sequence[ScoredDay], date: datetime.date) -> ScoredDay | None:
    """The newest of the days before a date."""
    return max((day for day in days if day.date < date), key=lambda day: day.date, default=None)


def column_problem(expected: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    """How columns differ from the expected ones, in words; None if they do not. Their order does not count.

    Args:
        expected: types by column.
        found: the table's.
    """
    for column, kind in expected.items():
        if column not in found:
            return f"has no column '{column}'"
        if found[column] != kind:
            return f"has '{column}' as {found[column]}; it must be {kind}"
    extra = [column for column in found if column not in expected]
    return f"has the column '{extra[0]}', which scores do not have" if extra else None


def replaced_days(
    table: ScoreTable, rows: Mapping[datetime.date, int], run: ScoringRun, *, expiry_days: int | None, replace: bool
) -> dict[datetime.date, ScoredDay]:
    """Checks whether a run may write its days.

    Args:
        table: where to.
        rows: rows by date.
        run: who scored them.
        expiry_days: `scoring.expiry_days`.
        replace: whether the run may replace scores of another model.

    Returns:
        The days of the table that it will replace.

    Raises:
        ScoresError: there is no row; a day would expire at once; another model scored a day, and `replace` is false; or
            another run is writing one of the days.
    """
    if not sum(rows.values()):
        raise ScoresError(f"there are no scores to write; the score table {table.name} is as it was")
    empty = [date for date, count in rows.items() if not count]
    if empty:
        raise ScoresError(f"{_days(empty)}: no scores; the score table {table.name} is as it was")
    expired = [date for date in rows if is_expired(date, expiry_days)]
    if expired:
        raise ScoresError(
            f"{_days(expired)}: older than scoring.expiry_days ({expiry_days}), so their scores would be deleted; "
            "score later days, or raise scoring.expiry_days"
        )
    table.check_free(sorted(rows), run.run_id)
    replaced = {day.date: day for day in table.scored_days() if day.date in rows}
    foreign = [date for date, day in replaced.items() if day.model_digest != run.model_digest]
    if foreign and not replace:
        before = replaced[foreign[0]]
        raise ScoresError(
            f"{_days(foreign)}: scored by {_model(before)} before, and this run scores with {_model(run)}; to replace "
            "those scores, run again with REPLACE=1, or set scoring.replace_other_models. The score table "
            f"{table.name} is as it was"
        )
    return replaced


def is_expired(date: datetime.date, expiry_days: int | None) -> bool:
    """Whether a day's scores have expired by now (UTC)."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return expiry_days is not None and date + datetime.timedelta(days=expiry_days) < today


def _model(by: ScoredDay | ScoringRun) -> str:
    return f"model {by.model_version} (digest {by.model_digest[:12]})"


def _days(dates: Sequence[datetime.date]) -> str:
    first, *others = sorted(dates)
    return f"{first}{f' and {len(others)} more days' if len(others) > 1 else f' and {others[0]}' if others else ''}"
