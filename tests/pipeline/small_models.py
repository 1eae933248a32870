"""Small models of two features in the shape of the real ones, and raw examples for them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts

from models.description import DESCRIPTION_FILE, Description
from models.export import export_saved_model
from models.features import FeatureSet
from models.signatures import EXAMPLES_SIGNATURE, TENSORS_SIGNATURE, TRANSFORM_SIGNATURE
from pipeline.examples.files import parquet_writer
from pipeline.examples.list_columns import to_lists

FEATURES = FeatureSet.from_config(
    [{"name": "visits", "kind": "numeric"}, {"name": "country", "kind": "categorical", "slice": True}]
)
COUNTRIES = ("de", "fr", "at")


class SmallTransform(tf.Module):
    """Stands for tft.TFTransformOutput and its layer: fills the number, looks the category up in a vocabulary file."""

    def __init__(self, folder, required=()):
        super().__init__()
        vocabulary = Path(folder, "country_vocabulary")
        vocabulary.write_text("\n".join(COUNTRIES))
        keys, values = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
        initializer = tf.lookup.TextFileInitializer(str(vocabulary), tf.string, keys, tf.int64, values)
        self.table = tf.lookup.StaticHashTable(initializer, default_value=len(COUNTRIES))
        self._folder, self._required = folder, required

    def raw_feature_spec(self):
        dtypes = {"visits": tf.float32, "country": tf.string}
        return {
            name: tf.io.FixedLenFeature([], dtype) if name in self._required else tf.io.VarLenFeature(dtype)
            for name, dtype in dtypes.items()
        }

    def transform_features_layer(self):
        return self

    @property
    def transform_savedmodel_dir(self):
        """The folder of a SavedModel as TFT writes it, made now: `transform_fn`, and its tables in `resources`."""
        module, specs = tf.Module(), {}
        for name, spec in self.raw_feature_spec().items():
            sparse = isinstance(spec, tf.io.VarLenFeature)
            specs[name] = tf.SparseTensorSpec([None, None], spec.dtype) if sparse else tf.TensorSpec([None], spec.dtype)
        module.transform_fn = tf.function(self, autograph=False).get_concrete_function(specs)
        module.resources = [self.table]
        tf.saved_model.save(module, f"{self._folder}/transform_fn")
        return f"{self._folder}/transform_fn"

    def __call__(self, raw):
        visits, country = (_dense(raw[name]) for name in ("visits", "country"))
        return {"visits": visits, "country": self.table.lookup(country)}


def _dense(values):
    """One value a row; 0 or "" where a sparse tensor has none."""
    if isinstance(values, tf.SparseTensor):
        shape = [values.dense_shape[0], 1]  # it is 0 wide where all values are missing
        values = tf.sparse.to_dense(tf.SparseTensor(values.indices, values.values, shape))
    return tf.reshape(values, [-1])


def linear_score(transformed, weight=0.1):
    """Probabilities of the small model, float32 `[batch]`."""
    return tf.sigmoid(weight * transformed["visits"] + 0.5 * tf.cast(transformed["country"], tf.float32) - 2.0)


def save_small_model(folder, score=linear_score, required=()):
    """Exports a small model as the Trainers do; returns the folder as text."""
    Path(folder).mkdir(parents=True)
    export_saved_model(str(folder), score, [], SmallTransform(folder, required), FEATURES)
    return str(folder)


def save_explained_model(folder):
    """A small model that gives reasons: what it adds to the log odds for each feature, and -2 as their baseline."""
    Path(folder).mkdir(parents=True)

    def contributions(transformed):
        return tf.stack([0.1 * transformed["visits"], 0.5 * tf.cast(transformed["country"], tf.float32)], axis=1)

    export_saved_model(str(folder), linear_score, [], SmallTransform(folder), FEATURES, contributions)
    description = Path(folder, DESCRIPTION_FILE)
    description.parent.mkdir()
    # The family whose contributions are part of the graph.
    description.write_bytes(Description("logistic", FEATURES, "Exact.", -2.0).to_json())
    return str(folder)


def save_altered_model(source, folder, **changes):
    """A copy of a model whose signatures `serving_default` and `predict` return something else.

    Args:
        source: the folder of a small model.
        folder: where to write.
        changes: by signature, what maps the probabilities to those of the copy; None leaves the signature out.
    """
    module = tf.Module()
    module.loaded = tf.saved_model.load(source)
    signatures = {}
    for name in (EXAMPLES_SIGNATURE, TENSORS_SIGNATURE, TRANSFORM_SIGNATURE):
        change = changes.get(name, lambda values: values)
        if change is not None:
            original = module.loaded.signatures[name]

            def altered(change=change, original=original, **inputs):
                return {key: change(values) for key, values in original(**inputs).items()}

            specs = original.structured_input_signature[1]
            signatures[name] = tf.function(altered, autograph=False).get_concrete_function(**specs)
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return str(folder)


def raw_rows(rows=40, seed=0):
    """Rows as dicts; a missing value is None."""
    rng = np.random.default_rng(seed)
    visits = [
        None if missing else float(n) for n, missing in zip(rng.poisson(9, rows), rng.random(rows) < 0.2, strict=True)
    ]
    countries = [None if name == "" else str(name) for name in rng.choice([*COUNTRIES, "ch", ""], rows)]
    return [
        {"visits": v, "country": c, "bought": int(y), "unit": f"{i // 2:032x}", "day": "2025-11-03"}
        for i, (v, c, y) in enumerate(zip(visits, countries, rng.random(rows) < 0.4, strict=True))
    ]


def serialised(row):
    """A row as a tf.Example, where a missing value is a feature without values, as both executors write it."""
    example = tf.train.Example()
    for name, value in row.items():
        feature = example.features.feature[name]
        if isinstance(value, str):
            feature.bytes_list.value.append(value.encode())
        elif isinstance(value, float):
            feature.float_list.value.append(value)
        elif value is not None:
            feature.int64_list.value.append(value)
    return example.SerializeToString()


def write_examples(folder, rows, split="eval", files=1):
    """An Examples artifact with one split, its rows dealt out to some files in order."""
    examples = standard_artifacts.Examples()
    examples.uri = str(folder)
    examples.split_names = artifact_utils.encode_split_names([split])
    target = Path(folder, f"Split-{split}")
    target.mkdir(parents=True)
    for number, part in enumerate(np.array_split(np.arange(len(rows)), files)):
        path = target / f"data_tfrecord-{number:05d}-of-{files:05d}.gz"
        with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
            for index in part:
                writer.write(serialised(rows[index]))
    return examples


def write_parquet_examples(folder, rows, split="eval", files=1, row_group=64):
    """The same as write_examples, in Parquet as ExampleGen writes it."""
    types = {float: pa.float32(), int: pa.int64(), str: pa.large_binary()}
    examples = standard_artifacts.Examples()
    examples.uri = str(folder)
    examples.split_names = artifact_utils.encode_split_names([split])
    columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        kind = next(type(value) for value in values if value is not None)
        columns[name] = to_lists(pa.array(values).cast(types[kind]))
    table = pa.table(columns)
    for number, part in enumerate(np.array_split(np.arange(len(rows)), files)):
        path = Path(folder, f"Split-{split}", f"data_parquet-{number:05d}-of-{files:05d}.parquet")
        with parquet_writer(str(path), table.schema) as writer:
            writer.write_table(table.take(part), row_group_size=row_group)
    return examples
