"""Transformed examples of a split as arrays: all rows, or batch after batch."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from tfx_bsl.public import tfxio

from models.features import FeatureSet
from models.training_data import TrainingData, concatenate
from pipeline.examples import files
from pipeline.examples.list_columns import first_values

if TYPE_CHECKING:
    import tensorflow_transform as tft
    from tfx.v1.components import DataAccessor

_ROWS_PER_BATCH = 16_384  # of TFRecords


@dataclasses.dataclass(frozen=True)
class TrainingBatches:
    """A split's transformed examples, batch after batch; each `iter()` reads the files anew.

    Iterating raises LostExamplesError if there are no files or one of them is damaged, KeyError if Parquet files lack a
    column, and ValueError if there are no rows, or a category or label has no value in some row.

    Attributes:
        patterns: file patterns, as in `fn_args.train_files`.
        data_accessor: `fn_args.data_accessor`, which decodes TFRecords; Parquet is read without it.
        transform_output: the transform graph, for the schema.
        features: the features, in the order wanted.
        label: the label's name.
    """

    patterns: Sequence[str]
    data_accessor: DataAccessor
    transform_output: tft.TFTransformOutput
    features: FeatureSet
    label: str

    def __iter__(self) -> Iterator[TrainingData]:
        """Yields batches of up to 65,536 rows from Parquet, 16,384 from TFRecords."""
        empty = True
        for batch in self._record_batches():
            empty = False
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            numbers = np.empty((batch.num_rows, len(self.features.numeric)), np.float32)
            for index, feature in enumerate(self.features.numeric):
                numbers[:, index] = _values(columns, feature.name, np.nan)
            categories = np.empty((batch.num_rows, len(self.features.categorical)), np.int32)
            for index, feature in enumerate(self.features.categorical):
                categories[:, index] = _values(columns, feature.name)
            yield TrainingData(numbers, categories, _values(columns, self.label).astype(np.float32))
        if empty:
            raise ValueError("no transformed examples to read")

    def kept_quick(self) -> contextlib.AbstractContextManager[Iterable[TrainingData]]:
        """These batches for frequent iteration: Parquet as it is, TFRecords from files that `store` writes."""
        if files.is_parquet(files.matching(*self.patterns)):
            return contextlib.nullcontext(self)
        return store(self)

    def _record_batches(self) -> Iterator[pa.RecordBatch]:
        found = files.matching(*self.patterns)
        if files.is_parquet(found):
            return files.record_batches(found, [*self.features.names, self.label])
        options = tfxio.RecordBatchesOptions(batch_size=_ROWS_PER_BATCH, num_epochs=1, shuffle=False)
        schema = self.transform_output.transformed_metadata.schema
        patterns = [files.literal_pattern(pattern) for pattern in self.patterns]
        return self.data_accessor.record_batch_factory(patterns, options, schema)


def read_training_data(
    patterns: Sequence[str],
    data_accessor: DataAccessor,
    transform_output: tft.TFTransformOutput,
    features: FeatureSet,
    label: str,
) -> TrainingData:
    """Reads all rows of a split into memory; for arguments and errors see TrainingBatches."""
    return concatenate(list(TrainingBatches(patterns, data_accessor, transform_output, features, label)))


@dataclasses.dataclass(frozen=True)
class StoredBatches:
    """Batches in files, for a reader that iterates often: decoding examples takes far longer than reading arrays.

    Attributes:
        folder: where the files are.
        count: the number of batches.
    """

    folder: str
    count: int

    def __iter__(self) -> Iterator[TrainingData]:
        """Reads one batch after the other."""
        for number in range(self.count):
            with np.load(os.path.join(self.folder, f"{number}.npz")) as arrays:
                yield TrainingData(**arrays)


@contextlib.contextmanager
def store(batches: Iterable[TrainingData]) -> Iterator[StoredBatches]:
    """Iterates the batches once and keeps them in a temporary folder for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        count = 0
        for count, batch in enumerate(batches, start=1):
            arrays = {"numbers": batch.numbers, "categories": batch.categories, "label": batch.label}
            np.savez(os.path.join(folder, f"{count - 1}.npz"), **arrays)
        yield StoredBatches(folder, count)


def _values(columns: Mapping[str, pa.Array], name: str, default: float | None = None) -> np.ndarray:
    """One value a row from a list column; `default` if the list is empty, which is an error without a default."""
    values = first_values(columns[name])
    if values.null_count:
        if default is None:
            rows = len(values)
            raise ValueError(f"transformed feature '{name}': {rows} rows have {rows - values.null_count} values")
        values = values.fill_null(default)
    return values.to_numpy(zero_copy_only=False)
