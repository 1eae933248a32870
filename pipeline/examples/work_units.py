"""Units of work: what one process or one worker of Beam reads of a split at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import pyarrow as pa
import tensorflow as tf
from tfx import types

from pipeline.examples import files
from pipeline.examples.batches import Batch, ColumnBatch, SerialisedBatch
from pipeline.examples.splits import split_files

_BATCH = 16_384  # rows; larger batches are no faster and take more memory


@dataclasses.dataclass(frozen=True)
class WorkUnit:
    """A file, or a part of one.

    Attributes:
        file: its path.
        row_group: the number of a Parquet file's row group; None for the whole file.
    """

    file: str
    row_group: int | None = None


def work_units(examples: types.Artifact, split: str, *, by_row_group: bool = False) -> list[WorkUnit]:
    """The units of a split, in order.

    Args:
        examples: raw Examples, of this project's ExampleGen or the stock one.
        split: one of its splits.
        by_row_group: whether to divide Parquet files into row groups, for several workers.

    Raises:
        LostExamplesError: the split has no files, or one of them is damaged.
    """
    found = split_files(examples, split)
    if not (by_row_group and files.is_parquet(found)):
        return [WorkUnit(file) for file in found]
    return [WorkUnit(file, group) for file in found for group in range(_row_groups(file))]


def read_batches(
    unit: WorkUnit, columns: Sequence[str] | None = None, rows: int | None = None, *, size: int | None = None
) -> Iterator[Batch]:
    """Reads the rows of a unit, always in the same order.

    Args:
        unit: a file or a part of one.
        columns: the columns to read of a Parquet file, where it has them; None for all.
        rows: the number of rows to read, from the start; None for all.
        size: the most rows of a batch; None for a size that suits calls of a model.

    Raises:
        LostExamplesError: the file is damaged.
    """
    size = size or _BATCH
    if files.is_parquet([unit.file]):
        for batch in _record_batches(unit, columns, size):
            yield ColumnBatch(batch if rows is None else batch.slice(0, rows))
            if rows is not None:
                rows -= batch.num_rows
                if rows <= 0:
                    return
    else:
        for records in files.records(unit.file, size, most=rows):
            yield SerialisedBatch(tf.constant(records))


def _record_batches(unit: WorkUnit, columns: Sequence[str] | None, size: int) -> Iterator[pa.RecordBatch]:
    with files.opened_parquet(unit.file) as parquet:
        wanted = None if columns is None else set(columns)
        names = [name for name in parquet.schema_arrow.names if wanted is None or name in wanted]
        groups = range(parquet.num_row_groups) if unit.row_group is None else [unit.row_group]
        yield from parquet.iter_batches(batch_size=size, row_groups=list(groups), columns=names)


def _row_groups(file: str) -> int:
    with files.opened_parquet(file) as parquet:
        return parquet.num_row_groups
