"""Whose score a row's is: its key and its snapshot date, from the examples."""

from __future__ import annotations

import dataclasses
import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.examples.batches import Batch
from pipeline.examples.raw import UNIT
from pipeline.scores.layout import DATE, PROBABILITY, ROW_KEY
from pipeline.settings.dataset import Columns


class UnscorableError(ValueError):
    """The rows cannot be scored. The message names the column and says what to do."""


@dataclasses.dataclass(frozen=True)
class RowIdentity:
    """Where the key and the date of a row are. Beam sends it to the workers.

    Attributes:
        key: the key's column; None where the data set has none: then it is the digest of the row.
        key_type: int64 or string.
        date: the date's column; None where the examples have none.
        snapshot_date: the date of all rows if `date` is None.
    """

    key: str | None
    key_type: pa.DataType
    date: str | None
    snapshot_date: datetime.date | None

    @property
    def name(self) -> str:
        """The key's name in files of scores."""
        return self.key or ROW_KEY

    @property
    def columns(self) -> list[str]:
        """The columns of the examples that it needs."""
        return [self.key or UNIT, *([self.date] if self.date else [])]

    @property
    def schema(self) -> pa.Schema:
        """The columns of files of scores without ranks: the key, the snapshot date and the probability."""
        return pa.schema(
            [
                pa.field(self.name, self.key_type, nullable=False),
                pa.field(DATE, pa.date32(), nullable=False),
                (PROBABILITY, pa.float64()),
            ]
        )

    def scored(self, batch: Batch, probabilities: np.ndarray) -> pa.RecordBatch:
        """The rows of a batch as `schema` has them.

        Args:
            batch: raw examples.
            probabilities: float64 `[rows]`.

        Raises:
            UnscorableError: a row has no key or no date, or one that cannot be read.
        """
        columns = [self._keys(batch), self._dates(batch), pa.array(probabilities)]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _keys(self, batch: Batch) -> pa.Array:
        column = self.key or UNIT
        values = batch.values(column, self.key_type if self.key_type == pa.int64() else pa.binary())
        _refuse_missing(values, column, "columns.key")
        try:
            return values.cast(self.key_type)
        except pa.ArrowInvalid as error:
            raise UnscorableError(f"column '{column}' (columns.key) holds bytes that are no UTF-8 text") from error

    def _dates(self, batch: Batch) -> pa.Array:
        if self.date is None:
            return pa.array([self.snapshot_date], pa.date32()).take(pa.array(np.zeros(batch.rows, np.int64)))
        values = batch.values(self.date, pa.binary())
        _refuse_missing(values, self.date, "columns.date")
        encoded = values.dictionary_encode()  # a batch has few dates
        try:
            days = pc.strptime(encoded.dictionary.cast(pa.string()), format="%Y-%m-%d", unit="s").cast(pa.date32())
        except pa.ArrowInvalid as error:
            raise UnscorableError(
                f"column '{self.date}' (columns.date) holds a text that is no date such as 2026-01-05"
            ) from error
        return days.take(encoded.indices)


def identify(batch: Batch, columns: Columns, snapshot_date: str) -> RowIdentity:
    """Finds the key and the date.

    Args:
        batch: some of the examples, at least one row.
        columns: the columns that are not features.
        snapshot_date: such as 2026-01-05, for examples without a date column; may be empty otherwise.

    Raises:
        UnscorableError: the examples lack one of them, or the key is a number with a fraction.
    """
    kinds = batch.kinds()
    key = columns.key or UNIT
    if key not in kinds:
        raise UnscorableError(f"the examples have no column '{key}': the query must return it as the key of the scores")
    if kinds[key] not in (pa.int64(), pa.binary()):
        raise UnscorableError(f"column '{key}' (columns.key) must hold whole numbers or text")
    date = columns.date if columns.date in kinds else None
    if date is None and not snapshot_date:
        wanted = f"no column '{columns.date}' (columns.date)" if columns.date else "no date"
        raise UnscorableError(f"the examples have {wanted}: say of which day the scores are (AS_OF=2026-01-05)")
    return RowIdentity(
        key=columns.key,
        key_type=pa.int64() if kinds[key] == pa.int64() else pa.string(),
        date=date,
        snapshot_date=None if date else _day(snapshot_date),
    )


def _day(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise UnscorableError(f"snapshot_date '{text}' is no date such as 2026-01-05") from None


def _refuse_missing(values: pa.Array, column: str, setting: str) -> None:
    if values.null_count:
        raise UnscorableError(
            f"column '{column}' ({setting}) has no value in {values.null_count:,} of {len(values):,} rows: "
            "leave such rows out in query.sql"
        )
