"""Examples in both formats: the same rows and values, which TFX's own readers take."""

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.util import assert_that
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.util import examples_utils, tfxio_utils
from tfx.proto import example_gen_pb2
from tfx_bsl.public.tfxio import TensorAdapter

from pipeline.examples import encoding, files, writers
from pipeline.examples.splits import split_files
from pipeline.raw_schema import raw_schema
from tests.pipeline.components.examples import FOLDER, IN_MEMORY, ROWS, table_batch, write_examples


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    return {name: write_examples(folder / name, name) for name in writers.FORMATS}


def read(examples, split, columns=None):
    return pa.Table.from_batches(files.record_batches(split_files(examples, split), columns))


@pytest.mark.parametrize("split", ROWS)
def test_both_formats_hold_the_same_rows(both, split):
    parquet, records = (read(both[name], split, table_batch(split).schema.names) for name in ("parquet", "tfrecord"))
    assert parquet.num_rows == ROWS[split]
    assert parquet.schema.equals(records.schema)
    assert parquet.to_pydict() == records.to_pydict()
    assert None in parquet["ratio"].to_pylist() and [0.0] in parquet["count"].to_pylist()


def test_the_artifact_tells_its_format(both):
    assert examples_utils.get_payload_format(both["parquet"]) == example_gen_pb2.FORMAT_PARQUET
    assert examples_utils.get_file_format(both["parquet"]) == "FILE_FORMAT_PARQUET"
    assert examples_utils.get_payload_format(both["tfrecord"]) == example_gen_pb2.FORMAT_TF_EXAMPLE
    assert examples_utils.get_file_format(both["tfrecord"]) == "tfrecords_gzip"
    names = {name: split_files(made, "train")[0].rpartition("/")[2] for name, made in both.items()}
    assert names == {
        "parquet": "data_parquet-00000-of-00001.parquet",
        "tfrecord": "data_tfrecord-00000-of-00001.gz",
    }


def test_row_groups_are_full_but_for_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ROWS_PER_GROUP", 1000)
    examples = write_examples(tmp_path, "parquet", rows_at_once=300)
    [file] = split_files(examples, "train")
    metadata = pq.ParquetFile(file).metadata
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [1000, 500]
    assert read(examples, "train")["unit"].to_pylist() == [[f"{row:032x}".encode()] for row in range(1500)]


@pytest.mark.parametrize("example_format", writers.FORMATS)
def test_after_an_error_no_file_is_left(tmp_path, example_format):
    examples = write_examples(tmp_path, example_format)
    schema = encoding.example_schema(table_batch("eval").schema.names, FOLDER)
    payload_format, _ = writers.FORMATS[example_format]
    lists = encoding.to_feature_lists(table_batch("eval"), FOLDER)
    with (
        pytest.raises(RuntimeError, match="lost"),
        writers.open_splits(examples, tuple(ROWS), schema, payload_format) as write,
    ):
        write["train"](lists)
        raise RuntimeError("the warehouse is lost")
    assert not list(tmp_path.rglob("Split-*"))


def test_tfx_reads_parquet_with_the_raw_schema_as_tensors(both):
    """As Transform and Evaluator do: the TFXIO of the artifact, its Arrow schema, its tensors."""
    schema = raw_schema(FOLDER.features, "y")
    schema.feature.add(name="unit", type=schema_pb2.BYTES)
    tfxio = tfxio_utils.get_split_tfxio([both["parquet"]], "train", ["test"], schema)

    def check(batches):
        rows = 0
        for batch in batches:
            columns = [batch.column(batch.schema.get_field_index(name)) for name in tfxio.ArrowSchema().names]
            tensors = TensorAdapter(tfxio.TensorAdapterConfig()).ToBatchTensors(
                pa.RecordBatch.from_arrays(columns, schema=tfxio.ArrowSchema())
            )
            assert tensors["y"].shape[0] == batch.num_rows
            rows += batch.num_rows
        assert rows == ROWS["train"]

    with beam.Pipeline(argv=list(IN_MEMORY)) as pipeline:
        assert_that(pipeline | tfxio.BeamSource(), check)
