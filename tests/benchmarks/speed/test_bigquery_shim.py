import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor

from benchmarks.speed import data
from benchmarks.speed.bigquery_shim import BUCKETS, BigQueryShimExecutor, bigquery_types, shim_examples
from benchmarks.speed.runs import SETTINGS, count_records
from models.config import load_settings
from pipeline.settings.run import RunSettings

ROWS = 500


def values(example):
    """A tf.Example's values by feature; a feature without values is None."""
    found = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = None if kind is None else getattr(feature, kind).value[0]
    return found


def expected(row):
    """The same of a row of the table: numbers as float32, text as bytes, without the key."""
    kinds = {str: str.encode, float: lambda number: float(np.float32(number))}
    return {name: kinds.get(type(value), lambda v: v)(value) for name, value in row.items() if name != data.KEY}


def by_value(row):
    return sorted((name, str(value)) for name, value in row.items())


def test_shims_examples_are_the_tables_rows(tmp_path):
    path, settings = tmp_path / "table" / "customers.parquet", load_settings(SETTINGS, RunSettings)
    data.write_rows(path, ROWS)
    context = BaseBeamExecutor.Context(
        beam_pipeline_args=list(settings.beam_args), tmp_dir=str(tmp_path / "tmp"), unique_id="1"
    )
    shim_examples(BigQueryShimExecutor(context), str(path.parent), path.name, str(tmp_path / "examples"))

    found, splits = [], {}
    for split in BUCKETS:
        [file] = (tmp_path / "examples" / f"Split-{split}").glob("*.gz")
        records = list(tf.data.TFRecordDataset(str(file), "GZIP").as_numpy_iterator())
        assert count_records(file) == len(records)
        splits[split] = len(records)
        found += [values(tf.train.Example.FromString(record)) for record in records]
    rows = [expected(row) for row in pq.read_table(path).to_pylist()]
    assert len(found) == ROWS
    for example, row in zip(sorted(found, key=by_value), sorted(rows, key=by_value), strict=True):
        assert example == row
    assert splits["train"] > splits["test"] > splits["eval"] > 0


def test_types_that_bigquery_example_gen_refuses_are_named():
    with pytest.raises(TypeError, match=r"column 'when' is timestamp.*BigQueryExampleGen reads"):
        bigquery_types(pa.schema([("when", pa.timestamp("us"))]))
