import types

import numpy as np
import pytest

ROWS = 600


@pytest.fixture(scope="session")
def transformed_folder(tmp_path_factory):
    """A folder with transformed examples of 600 rows and the transform graph, and the config they were made by."""
    random = np.random.default_rng(0)
    rows = [
        {"a": [] if row % 5 == 0 else [random.normal()], "country": [[b"de", b"fr", b"at"][row % 3]], "bought": row % 2}
        for row in range(ROWS)
    ]
    folder = tmp_path_factory.mktemp("trainer")
    return folder, write_transformed(folder, {"a": "numeric", "country": "categorical"}, rows)


def write_transformed(folder, kinds, rows):
    """Transforms raw rows and writes the examples and the graph as TFX leaves them; returns the config.

    Args:
        folder: where to write.
        kinds: by feature, `numeric` or `categorical`.
        rows: lists of at most one value by feature, and the label `bought`, 0 or 1.
    """
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

    import preprocessing
    from models.features import FeatureSet

    features = FeatureSet.from_config([{"name": name, "kind": kind} for name, kind in kinds.items()])
    dtypes = {"numeric": tf.float32, "categorical": tf.string}
    spec = {name: tf.io.VarLenFeature(dtypes[kind]) for name, kind in kinds.items()}
    spec["bought"] = tf.io.FixedLenFeature([], tf.int64)
    config = {"features": features.to_config(), "label": "bought"}
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    with tft_beam.Context(temp_dir=str(folder / "beam")):
        (transformed, transformed_metadata), transform_fn = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing.preprocessing_fn(inputs, config)
        )
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "transform"))
    metadata_io.write_metadata(metadata, str(folder / "transform" / "metadata"))
    coder = tft.coders.ExampleProtoCoder(transformed_metadata.schema)
    with tf.io.TFRecordWriter(str(folder / "examples-00000-of-00001.gz"), "GZIP") as writer:
        for row in transformed:
            writer.write(coder.encode(row))
    return config


@pytest.fixture(scope="session")
def parquet_folder(transformed_folder, tmp_path_factory):
    """A folder with the same transformed examples in two Parquet files, 250 and 350 rows."""
    import pyarrow as pa
    from tfx_bsl.tfxio import dataset_options, tf_example_record

    from pipeline.examples.files import parquet_writer

    source = tf_example_record.TFExampleRecord(f"{transformed_folder[0]}/examples-*", telemetry_descriptors=["test"])
    options = dataset_options.RecordBatchesOptions(batch_size=ROWS, num_epochs=1, shuffle=False)
    [batch] = source.RecordBatches(options)
    columns = [column.cast(pa.large_list(column.type.value_type)) for column in batch.columns]
    table = pa.Table.from_arrays(columns, batch.schema.names)
    folder = tmp_path_factory.mktemp("parquet")
    for number, rows in enumerate((table.slice(0, 250), table.slice(250))):
        path = f"{folder}/examples-0000{number}-of-00002.parquet"
        with parquet_writer(path, table.schema) as writer:
            writer.write_table(rows, row_group_size=100)
    return folder


@pytest.fixture
def parquet_arguments(trainer_arguments, parquet_folder, tmp_path):
    """Those of trainer_arguments, but for the examples' format; nothing can be read by the data accessor."""
    others = {
        "train_files": [f"{parquet_folder}/*"],
        "eval_files": [f"{parquet_folder}/*"],
        "data_accessor": None,
        "serving_model_dir": str(tmp_path / "model_of_parquet"),
        "model_run_dir": str(tmp_path / "run_of_parquet"),
    }
    return types.SimpleNamespace(**{**vars(trainer_arguments), **others})


@pytest.fixture
def trainer_arguments(transformed_folder, tmp_path):
    """What TFX's Trainer passes to run_fn; it writes below the test's own folder."""
    return arguments_of(*transformed_folder, tmp_path)


def arguments_of(folder, config, output):
    """What TFX's Trainer passes to run_fn for a folder of write_transformed; run_fn writes below `output`."""
    from tfx_bsl.tfxio import tf_example_record

    def record_batches(patterns, options, schema):
        source = tf_example_record.TFExampleRecord(patterns, schema=schema, telemetry_descriptors=["test"])
        return source.RecordBatches(options)

    return types.SimpleNamespace(
        train_files=[str(folder / "examples-*")],
        eval_files=[str(folder / "examples-*")],
        train_steps=40,
        transform_output=str(folder / "transform"),
        data_accessor=types.SimpleNamespace(record_batch_factory=record_batches),
        serving_model_dir=str(output / "model"),
        model_run_dir=str(output / "run"),
        custom_config=config,
        hyperparameters=None,
    )
