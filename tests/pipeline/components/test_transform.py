"""Transform in process against TFX's own executor, on both formats; the latter is also what runs on Beam."""

import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx import components as tfx_components
from tfx.components.transform import executor as stock
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2, transform_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types import standard_component_specs as keys
from tfx.utils import proto_utils
from tfx_bsl.coders import example_coder

from models.features import FeatureSet
from pipeline.components.transform import Executor, Transform
from pipeline.examples.files import parquet_writer
from pipeline.examples.list_columns import first_values, to_lists
from pipeline.fast import placement

ROWS = {"train": 300, "eval": 40, "test": 5}
FEATURES = FeatureSet.from_config(
    [
        {"name": "spent", "kind": "numeric"},
        {"name": "visits", "kind": "numeric", "missing": "zero"},
        {"name": "never", "kind": "numeric"},
        {"name": "country", "kind": "categorical", "vocabulary": 3},
        {"name": "device", "kind": "categorical"},
        {"name": "nothing", "kind": "categorical"},
    ]
)
FEW = ("spent", "visits", "never", "country")  # where workers are started, each analyzer takes long
SCHEMA = """
feature { name: "spent" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "visits" type: FLOAT }
feature { name: "never" type: FLOAT }
feature { name: "country" type: BYTES }
feature { name: "device" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "nothing" type: BYTES }
feature { name: "bought" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "unit" type: BYTES }
"""
IN_MEMORY = ("--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner", "--direct_running_mode=in_memory")
TWO_WORKERS = (IN_MEMORY[0], "--direct_running_mode=multi_processing", "--direct_num_workers=2")


def raw_batch(rows, seed):
    random = np.random.default_rng(seed)
    columns = {
        "spent": pa.array(np.round(random.lognormal(2, 1, rows), 1).astype(np.float32)),
        "visits": pa.array(random.integers(0, 9, rows).astype(np.float32), mask=random.random(rows) < 0.3),
        "never": pa.nulls(rows, pa.float32()),
        "country": pa.array(
            random.choice([b"de", b"fr", b"at", b"c\nh\r"], rows, p=[0.2, 0.2, 0.2, 0.4]).tolist(), pa.large_binary()
        ),
        "device": pa.array(random.choice([b"phone", b"desktop"], rows).tolist(), pa.large_binary()),
        "nothing": pa.nulls(rows, pa.large_binary()),
        "bought": pa.array(random.integers(0, 2, rows)),
        "unit": pa.array([b"u%d" % row for row in range(rows)], pa.large_binary()),
    }
    country = columns["country"].to_pylist()
    columns["country"] = pa.array([None if i % 7 == 0 else c for i, c in enumerate(country)], pa.large_binary())
    lists = [to_lists(column) for column in columns.values()]
    return pa.RecordBatch.from_arrays(lists, names=list(columns))


def write_raw(folder, rows, *, parquet):
    """An Examples artifact."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    artifact.split_names = artifact_utils.encode_split_names(list(rows))
    for seed, (split, count) in enumerate(rows.items()):
        batch = raw_batch(count, seed)
        path = folder / f"Split-{split}"
        path.mkdir(parents=True)
        if parquet:
            with parquet_writer(f"{path}/data_parquet-00000-of-00001.parquet", batch.schema) as writer:
                writer.write_batch(batch)
        else:
            with tf.io.TFRecordWriter(f"{path}/data_tfrecord-00000-of-00001.gz", "GZIP") as writer:
                for example in example_coder.RecordBatchToExamplesEncoder().encode(batch):
                    writer.write(example)
    if parquet:
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_PARQUET)
        examples_utils.set_file_format(artifact, "FILE_FORMAT_PARQUET")
    else:
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
        report = {"splits": [{"split": split, "rows": count} for split, count in rows.items()]}
        (folder / "data_report.json").write_text(json.dumps(report))
    return artifact


def run(
    examples, folder, *, beam=IN_MEMORY, function="preprocessing.preprocessing_fn", cached=True, features=FEATURES.names
):
    """Runs an executor; returns its output artifacts and the paths that it took."""
    schema = standard_artifacts.Schema()
    schema.uri = str(folder / "schema")
    (folder / "schema").mkdir(parents=True)
    (folder / "schema" / "schema.pbtxt").write_text(SCHEMA)
    outputs = {
        keys.TRANSFORM_GRAPH_KEY: standard_artifacts.TransformGraph(),
        keys.TRANSFORMED_EXAMPLES_KEY: standard_artifacts.Examples(),
        keys.UPDATED_ANALYZER_CACHE_KEY: standard_artifacts.TransformCache(),
    }
    if not cached:
        del outputs[keys.UPDATED_ANALYZER_CACHE_KEY]
    for name, artifact in outputs.items():
        artifact.uri = str(folder / name)
        (folder / name).mkdir()
    properties = {
        keys.PREPROCESSING_FN_KEY: function,
        keys.SPLITS_CONFIG_KEY: proto_utils.proto_to_json(
            transform_pb2.SplitsConfig(analyze=["train"], transform=["train", "eval"])
        ),
        keys.DISABLE_STATISTICS_KEY: 1,
        keys.FORCE_TF_COMPAT_V1_KEY: 0,
        keys.CUSTOM_CONFIG_KEY: json.dumps(
            {
                "features": [feature for feature in FEATURES.to_config() if feature["name"] in features],
                "label": "bought",
                "quantiles": 10,
            }
        ),
    }
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=list(beam), tmp_dir=str(folder / "tmp"), unique_id="1"
    )
    before = placement.taken.copy()
    inputs = {keys.EXAMPLES_KEY: [examples], keys.SCHEMA_KEY: [schema]}
    Executor(context).Do(inputs, {name: [artifact] for name, artifact in outputs.items()}, properties)
    paths = [path for (component, path), times in (placement.taken - before).items() for _ in range(times)]
    return outputs, paths


@pytest.fixture(scope="module", params=["tfrecord", "parquet"])
def runs(request, tmp_path_factory):
    """Outputs in process and on Beam: of TFRecords because of the rows, of Parquet because of two workers.

    Only the former has an analyzer cache, with which the graph of operations is another, and all features.
    """
    folder = tmp_path_factory.mktemp(request.param)
    parquet = request.param == "parquet"
    examples = write_raw(folder / "raw", ROWS, parquet=parquet)
    options = {"cached": not parquet, "features": FEW if parquet else FEATURES.names}
    ours, in_process = run(examples, folder / "ours", **options)
    beam = TWO_WORKERS if parquet else (*IN_MEMORY, "--in_process_rows=1")
    theirs, on_beam = run(examples, folder / "beam", beam=beam, **options)
    assert in_process == [placement.Place.IN_PROCESS]
    assert on_beam == [placement.Place.BEAM]
    return ours, theirs


def files(artifact):
    """Path by name below the artifact."""
    found = [path for path in Path(artifact.uri).rglob("*") if path.is_file()]
    return {str(path.relative_to(artifact.uri)): path for path in found}


def transformed(artifact, split):
    """Types and sorted rows of a split: several workers write several files, in any order."""
    paths = [path for name, path in sorted(files(artifact).items()) if name.startswith(f"Split-{split}/")]
    if paths[0].suffix == ".parquet":
        table = pa.concat_tables([pq.read_table(path) for path in paths])
    else:
        records = [record.numpy() for path in paths for record in tf.data.TFRecordDataset(str(path), "GZIP")]
        table = pa.Table.from_batches([example_coder.ExamplesToRecordBatchDecoder().DecodeBatch(records)])
    names = sorted(table.column_names)
    columns = [np.array(table.column(name).to_pylist(), dtype=float)[:, 0] for name in names]
    types = {name: table.schema.field(name).type for name in names}
    order = np.lexsort(np.nan_to_num(np.stack(columns), nan=99.0))
    return types, {name: column[order] for name, column in zip(names, columns, strict=True)}


def folder_digests(artifact, folder):
    found = files(artifact)
    return {name: path.read_bytes() for name, path in found.items() if name.startswith(folder)}


def test_graph_has_the_same_files_schemas_and_vocabularies(runs):
    ours, theirs = (outputs[keys.TRANSFORM_GRAPH_KEY] for outputs in runs)
    assert set(files(ours)) == set(files(theirs))
    for folder in ("metadata/", "transformed_metadata/", "transform_fn/assets/"):
        expected = folder_digests(theirs, folder)
        assert expected
        assert folder_digests(ours, folder) == expected


def test_both_keep_values_with_line_breaks(runs):
    for outputs in runs:
        output = tft.TFTransformOutput(outputs[keys.TRANSFORM_GRAPH_KEY].uri)
        assert output.vocabulary_by_name("country")[0] == "c\u240ah\u240d".encode()


@pytest.mark.parametrize("split", ["train", "eval"])
def test_transformed_rows_are_the_same(runs, split):
    (types, rows), (expected_types, expected) = (
        transformed(outputs[keys.TRANSFORMED_EXAMPLES_KEY], split) for outputs in runs
    )
    assert types == expected_types
    assert {*FEW, "bought"} <= set(rows)
    for name, column in rows.items():
        assert len(column) == ROWS[split]
        np.testing.assert_allclose(column, expected[name], rtol=1e-6, atol=0, err_msg=name)


def test_transformed_examples_are_named_and_described_alike(runs):
    ours, theirs = (outputs[keys.TRANSFORMED_EXAMPLES_KEY] for outputs in runs)
    suffix = "parquet" if examples_utils.get_payload_format(ours) == example_gen_pb2.FORMAT_PARQUET else "gz"
    names = [f"Split-{split}/transformed_examples-00000-of-00001.{suffix}" for split in ("eval", "train")]
    assert sorted(files(ours)) == names
    assert {name.partition("-of-")[0] for name in names} <= {name.partition("-of-")[0] for name in files(theirs)}
    assert ours.mlmd_artifact.properties == theirs.mlmd_artifact.properties
    assert ours.mlmd_artifact.custom_properties == theirs.mlmd_artifact.custom_properties


def cache_of(artifact):
    """By cache key: decoded records but for sketches, whose bytes depend on the batches."""
    [folder] = [path for path in Path(artifact.uri).iterdir() if path.is_dir()]
    found = {}
    for entry, index in pickle.loads((folder / "MANIFEST").read_bytes()).items():
        records = tf.data.TFRecordDataset(tf.io.gfile.glob(f"{folder}/{index}-*"), "GZIP")
        is_sketch = b"quantiles" in entry
        found[entry] = None if is_sketch else sorted(record.numpy() for record in records)
    return folder.name, found


@pytest.mark.parametrize("runs", ["tfrecord"], indirect=True)
def test_analyzer_cache_is_what_tfx_would_read(runs):
    ours, theirs = (cache_of(outputs[keys.UPDATED_ANALYZER_CACHE_KEY]) for outputs in runs)
    assert len(ours[1]) == 5  # extremes, quantiles, three vocabularies
    assert ours == theirs


def test_graph_and_rows_belong_together(runs):
    """With the same graph, bit-equal: the rows are what the written graph gives."""
    ours, _ = runs
    output = tft.TFTransformOutput(ours[keys.TRANSFORM_GRAPH_KEY].uri)
    raw = raw_batch(ROWS["eval"], list(ROWS).index("eval"))
    inputs = {}
    for name, spec in output.raw_feature_spec().items():  # those that the graph does not need too
        column = raw.column(raw.schema.get_field_index(name))
        values = first_values(column).to_pylist()
        if isinstance(spec, tf.io.VarLenFeature):
            present = [[row, 0] for row, value in enumerate(values) if value is not None]
            known = tf.constant([value for value in values if value is not None], spec.dtype)
            inputs[name] = tf.SparseTensor(np.reshape(present, [-1, 2]), known, [len(values), 1])
        else:
            inputs[name] = tf.constant(values, spec.dtype, [len(values), *spec.shape])
    expected = {name: column.numpy().astype(float) for name, column in output.transform_raw_features(inputs).items()}
    order = np.lexsort(np.nan_to_num(np.stack([expected[name] for name in sorted(expected)]), nan=99.0))
    _, rows = transformed(ours[keys.TRANSFORMED_EXAMPLES_KEY], "eval")
    for name, column in rows.items():
        assert np.array_equal(column, expected[name][order], equal_nan=True), name


def test_one_row(tmp_path):
    examples = write_raw(tmp_path / "raw", {"train": 1, "eval": 1}, parquet=True)
    outputs, paths = run(examples, tmp_path)
    assert paths == [placement.Place.IN_PROCESS]
    _, rows = transformed(outputs[keys.TRANSFORMED_EXAMPLES_KEY], "train")
    assert rows["spent"].tolist() == [0.0]
    assert np.isnan(rows["never"]).all()
    assert rows["nothing"].tolist() == [0.0]


def vocabulary_by_weight(inputs):
    """A preprocessing_fn that is not run in process."""
    device = tf.reshape(inputs["device"], [-1])
    weights = tf.reshape(inputs["spent"], [-1])
    return {"device": tft.compute_and_apply_vocabulary(device, weights=weights, vocab_filename="device")}


def test_what_cannot_run_in_process_gets_tfx_results(tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="propensity.progress")
    examples = write_raw(tmp_path / "raw", {"train": 20, "eval": 1}, parquet=True)
    function = f"{__name__}.{vocabulary_by_weight.__name__}"
    outputs, paths = run(examples, tmp_path, function=function, cached=False)
    assert paths == [placement.Place.BEAM]
    assert "analyzer VocabularyAccumulate" in caplog.text
    output = tft.TFTransformOutput(outputs[keys.TRANSFORM_GRAPH_KEY].uri)
    raw = raw_batch(20, 0).to_pydict()
    weights = {
        token: sum(s[0] for s, d in zip(raw["spent"], raw["device"], strict=True) if d == [token])
        for token in (b"phone", b"desktop")
    }
    assert output.vocabulary_by_name("device") == sorted(weights, key=weights.get, reverse=True)


def test_the_component_differs_from_tfx_by_its_executor_only():
    assert issubclass(Transform, tfx_components.Transform)
    assert Transform.__name__ == tfx_components.Transform.__name__
    assert Transform.SPEC_CLASS is tfx_components.Transform.SPEC_CLASS
    assert Transform.EXECUTOR_SPEC.executor_class is Executor
    assert issubclass(Executor, stock.Executor)
