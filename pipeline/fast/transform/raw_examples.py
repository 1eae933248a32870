"""Raw examples of one split, in either file format, as TFT takes them: record batches and tensors by a schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import pyarrow as pa
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils
from tfx_bsl.public import tfxio

from pipeline.examples import files
from pipeline.fast.compat import examples_utils, tfxio_utils

FORMATS = (example_gen_pb2.FORMAT_TF_EXAMPLE, example_gen_pb2.FORMAT_PARQUET)
BATCH_ROWS = files.ROWS_PER_GROUP


@dataclasses.dataclass(frozen=True)
class RawSplit:
    """One split of raw examples.

    Attributes:
        pattern: the pattern of its files.
        parquet: whether they are Parquet files; otherwise they are TFRecords of tf.Examples.
        source: reads them as TFX does.
    """

    pattern: str
    parquet: bool
    source: tfxio.TFXIO

    @classmethod
    def of(cls, examples: types.Artifact, split: str, schema: schema_pb2.Schema) -> RawSplit:
        """A split of an Examples artifact whose payload format is one of FORMATS."""
        pattern = io_utils.all_files_pattern(artifact_utils.get_split_uri([examples], split))
        payload = examples_utils.get_payload_format(examples)
        source = tfxio_utils.make_tfxio(
            file_pattern=files.literal_pattern(pattern),
            telemetry_descriptors=["Transform"],
            payload_format=payload,
            schema=schema,
        )
        return cls(pattern, payload == example_gen_pb2.FORMAT_PARQUET, source)

    @property
    def type_specs(self) -> dict[str, tf.TypeSpec]:
        """The split, with all features of the schema."""
        return self.source.TensorAdapter().OriginalTypeSpecs()

    def only(self, columns: Sequence[str]) -> RawSplit:
        """The same rows with some of the features."""
        return dataclasses.replace(self, source=self.source.Project(list(columns)))

    def adapter(self) -> tfxio.TensorAdapter:
        """Turns the record batches into tensors."""
        return self.source.TensorAdapter()

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        """Batches of at most BATCH_ROWS rows, always in the same order: one list column per feature.

        Raises:
            LostExamplesError: the split has no files, or one of them is damaged.
            KeyError: a Parquet file lacks a feature.
        """
        found = files.matching(self.pattern)
        if self.parquet:
            names = self.source.ArrowSchema().names
            return files.record_batches(found, names, BATCH_ROWS)
        options = tfxio.RecordBatchesOptions(BATCH_ROWS, num_epochs=1, shuffle=False)
        return self.source.RecordBatches(options)
