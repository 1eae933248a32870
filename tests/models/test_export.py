import ctypes
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

import preprocessing
from models.export import ExportMismatchError, export_saved_model, verify_export
from models.families.keras import hyperparameters as keras_hyperparameters
from models.families.keras.batch_ensemble import build_network, learn_columns, mean_probability
from models.families.xgboost.booster_format import parse_booster
from models.families.xgboost.hyperparameters import Hyperparameters
from models.families.xgboost.model import booster_inputs
from models.families.xgboost.training import predict, train
from models.families.xgboost.tree_graph import TreeGraph
from models.features import FeatureSet
from models.tensors import matrices
from models.training_data import TrainingData

ROWS = 200
FEATURES = FeatureSet.from_config(
    [
        {"name": "visits", "kind": "numeric"},
        {"name": "country", "kind": "categorical", "vocabulary": 3},
        {"name": "seconds", "kind": "numeric"},
        {"name": "page", "kind": "categorical"},
        {"name": "score", "kind": "numeric"},
    ]
)
SPEC = {
    "visits": tf.io.VarLenFeature(tf.int64),
    "seconds": tf.io.VarLenFeature(tf.float32),
    "score": tf.io.FixedLenFeature([], tf.float32),
    "country": tf.io.VarLenFeature(tf.string),
    "page": tf.io.FixedLenFeature([], tf.string),
    "bought": tf.io.FixedLenFeature([], tf.int64),
}


def raw_columns():
    random = np.random.default_rng(0)
    columns = {
        "visits": random.integers(0, 50, ROWS).astype(np.float32),
        "seconds": np.where(random.random(ROWS) < 0.3, np.nan, random.lognormal(3, 1, ROWS)).astype(np.float32),
        "score": random.normal(size=ROWS).astype(np.float32),
        "country": random.choice(["", "de", "fr", "at", "ch"], ROWS).astype(object),
        "page": np.array([f"p{number}" for number in random.integers(0, 40, ROWS)], object),
    }
    columns["visits"][::9] = np.nan
    return columns


def raw_rows(columns):
    """Rows as lists of present values, the label among them."""
    present = {
        name: [
            [] if value == "" or (isinstance(value, np.floating) and math.isnan(value)) else [value] for value in values
        ]
        for name, values in columns.items()
    }
    present["visits"] = [[int(value) for value in values] for values in present["visits"]]
    present["bought"] = [[row % 2] for row in range(ROWS)]
    fixed = [name for name, spec in SPEC.items() if isinstance(spec, tf.io.FixedLenFeature)]
    return [
        {name: present[name][row][0] if name in fixed else present[name][row] for name in SPEC} for row in range(ROWS)
    ]


def serialised(rows):
    """The rows as tf.Examples, without the label."""
    coder = tft.coders.ExampleProtoCoder(
        schema_utils.schema_from_feature_spec({name: spec for name, spec in SPEC.items() if name != "bought"})
    )
    return [coder.encode({name: value for name, value in row.items() if name != "bought"}) for row in rows]


@pytest.fixture(scope="module")
def transformed(tmp_path_factory):
    """The transform graph's folder, the raw columns and examples, and the transformed columns."""
    folder = tmp_path_factory.mktemp("export")
    columns = raw_columns()
    rows = raw_rows(columns)
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(SPEC))
    config = {"features": FEATURES.to_config(), "label": "bought", "quantiles": 20}
    with tft_beam.Context(temp_dir=str(folder / "beam")):
        (outputs, _), transform_fn = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing.preprocessing_fn(inputs, config)
        )
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder / "transform"))
    metadata_io.write_metadata(metadata, str(folder / "transform" / "metadata"))
    by_feature = {name: np.array([row[name] for row in outputs]) for name in FEATURES.names}
    return folder, columns, serialised(rows), by_feature


def keras_score(transform_output, by_feature):
    """An untrained network with other weights, what it keeps, and its probabilities."""
    numbers = matrices(by_feature, FEATURES)[0].numpy()
    vocabularies = tuple(transform_output.vocabulary_size_by_name(feature.name) for feature in FEATURES.categorical)
    columns = learn_columns(numbers, vocabularies, (True,) * 3, 16)
    network = build_network(columns, keras_hyperparameters.Hyperparameters(seed=3), 0.2)
    random = np.random.default_rng(1)
    network.set_weights([weights + random.normal(0, 0.2, weights.shape) for weights in network.get_weights()])

    def score(inputs):
        return mean_probability(network(matrices(inputs, FEATURES), training=False))

    return score, [weight.value for weight in network.weights], score(by_feature).numpy()


def xgboost_score(transform_output, by_feature):
    """A booster as a graph, what it keeps, and the booster's own probabilities."""
    numbers, categories = (values.numpy() for values in matrices(by_feature, FEATURES))
    label = np.nan_to_num(numbers).sum(axis=1) + categories[:, 1] % 3 > 1
    data = TrainingData(numbers, categories, label.astype(np.float32))
    booster = train([data], [data], FEATURES, Hyperparameters(max_rounds=30, max_cat_to_onehot=1, threads=1))
    trees = TreeGraph(parse_booster(booster))
    return lambda inputs: trees(booster_inputs(inputs, FEATURES)), [trees], predict(booster, data, FEATURES)


@pytest.fixture(scope="module", params=[keras_score, xgboost_score], ids=["keras", "xgboost"])
def exported(request, transformed):
    """An exported model's folder, its raw columns and examples, what it says in memory, its transformed columns."""
    folder, columns, examples, by_feature = transformed
    transform_output = tft.TFTransformOutput(str(folder / "transform"))
    score, variables, in_memory = request.param(transform_output, by_feature)
    model = str(folder / f"model_{request.param.__name__}")
    export_saved_model(model, score, variables, transform_output, FEATURES)
    return model, columns, examples, in_memory, by_feature


def signature_def(model, signature):
    meta_graph = saved_model_pb2.SavedModel.FromString(Path(model, "saved_model.pb").read_bytes()).meta_graphs[0]
    return meta_graph.signature_def[signature]


def test_signatures_have_documented_names_types_and_shapes(exported):
    signatures = tf.saved_model.load(exported[0]).signatures
    assert set(signatures) == {"serving_default", "predict", "transform_features"}
    for name in ("serving_default", "predict"):
        (output,) = signatures[name].structured_outputs.items()
        assert (output[0], output[1].dtype, output[1].shape.as_list()) == ("probability", tf.float32, [None, 1])
    inputs = signatures["predict"].structured_input_signature[1]
    assert set(inputs) == set(FEATURES.names)
    assert inputs["visits"].dtype == tf.float32 and inputs["country"].dtype == tf.string
    assert set(signatures["transform_features"].structured_outputs) == set(FEATURES.names)


def test_examples_and_named_tensors_give_the_probabilities_in_memory(exported):
    model, columns, examples, in_memory, _ = exported
    signatures = tf.saved_model.load(model).signatures
    by_examples = signatures["serving_default"](examples=tf.constant(examples))["probability"]
    by_name = signatures["predict"](**{name: tf.constant(columns[name]) for name in columns})["probability"]
    assert np.ptp(in_memory) > 0.05
    np.testing.assert_allclose(by_examples[:, 0], in_memory, atol=1e-6)
    np.testing.assert_allclose(by_name[:, 0], in_memory, atol=1e-6)


def test_transform_features_gives_what_training_saw(exported):
    model, _, examples, _, transformed = exported
    outputs = tf.saved_model.load(model).signatures["transform_features"](examples=tf.constant(examples))
    for name in FEATURES.names:
        np.testing.assert_allclose(outputs[name], transformed[name], atol=1e-5)


def test_session_loader_gives_the_probabilities_in_memory(exported):
    model, columns, examples, in_memory, _ = exported
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], model)
        for name, feeds in {"serving_default": {"examples": examples}, "predict": columns}.items():
            signature = loaded.signature_def[name]
            feed = {signature.inputs[key].name: values for key, values in feeds.items()}
            probability = session.run(signature.outputs["probability"].name, feed)
            np.testing.assert_allclose(probability[:, 0], in_memory, atol=1e-6)


def test_c_api_gives_the_probabilities_in_memory(exported):
    libraries = sorted(Path(tf.__file__).parent.glob("libtensorflow_cc.so*"))
    if not libraries:
        pytest.skip("this TensorFlow has no libtensorflow_cc, the library a C++ server links")
    model, columns, _, in_memory, _ = exported
    probability = CSession(libraries[0], model).run(signature_def(model, "predict"), columns)
    np.testing.assert_allclose(probability, in_memory, atol=1e-6)


def test_a_saved_model_that_predicts_as_the_trained_one_is_kept(exported):
    model, _, _, in_memory, by_feature = exported
    verify_export(model, by_feature, in_memory)
    assert Path(model, "saved_model.pb").exists()


@pytest.mark.parametrize("error, told", [(2e-5, "by up to 2e-05 on 200 eval rows"), (np.nan, "by up to nan")])
def test_a_saved_model_that_predicts_otherwise_is_deleted(exported, tmp_path, error, told):
    model, _, _, in_memory, by_feature = exported
    copy = shutil.copytree(model, tmp_path / "copy")
    other = in_memory.copy()
    other[-1] += error
    with pytest.raises(ExportMismatchError, match=told):
        verify_export(str(copy), by_feature, other)
    assert not copy.exists()


def test_refuses_a_feature_that_the_transform_graph_lacks(transformed):
    transform_output = tft.TFTransformOutput(str(transformed[0] / "transform"))
    other = FeatureSet.from_config([{"name": "visits", "kind": "numeric"}, {"name": "depth", "kind": "numeric"}])
    with pytest.raises(ValueError, match="depth"):
        export_saved_model("unused", lambda inputs: inputs["depth"], [], transform_output, other)


class COutput(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


class CSession:
    """A SavedModel loaded as a C++ server loads it: by TensorFlow's C API, with no Python in between."""

    STRING_BYTES = 24  # a TF_TString; up to 22 characters stand in it, behind a byte that holds four times their number

    def __init__(self, library, model):
        self.tf = ctypes.CDLL(str(library))
        pointers = ("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_LoadSessionFromSavedModel")
        for name in (*pointers, "TF_GraphOperationByName", "TF_AllocateTensor", "TF_TensorData"):
            getattr(self.tf, name).restype = ctypes.c_void_p
        self.tf.TF_Message.restype = ctypes.c_char_p
        self.status, self.graph = (
            ctypes.c_void_p(getattr(self.tf, name)()) for name in ("TF_NewStatus", "TF_NewGraph")
        )
        options, tags = ctypes.c_void_p(self.tf.TF_NewSessionOptions()), (ctypes.c_char_p * 1)(b"serve")
        self.session = ctypes.c_void_p(
            self.tf.TF_LoadSessionFromSavedModel(options, None, model.encode(), tags, 1, self.graph, None, self.status)
        )
        self.check()

    def check(self):
        assert self.tf.TF_GetCode(self.status) == 0, self.tf.TF_Message(self.status).decode()

    def output(self, tensor_name):
        operation, index = tensor_name.split(":")
        return COutput(self.tf.TF_GraphOperationByName(self.graph, operation.encode()), int(index))

    def tensor(self, values, dtype):
        strings = dtype == tf.string.as_datatype_enum
        cells = [bytes([4 * len(value)]) + value.encode() for value in values] if strings else None
        data = b"".join(cell.ljust(self.STRING_BYTES, b"\0") for cell in cells) if strings else values.tobytes()
        shape = (ctypes.c_int64 * 1)(len(values))
        tensor = ctypes.c_void_p(self.tf.TF_AllocateTensor(dtype, shape, 1, ctypes.c_size_t(len(data))))
        ctypes.memmove(self.tf.TF_TensorData(tensor), data, len(data))
        return tensor

    def run(self, signature, feeds):
        names = list(feeds)
        inputs = (COutput * len(names))(*[self.output(signature.inputs[name].name) for name in names])
        tensors = [self.tensor(feeds[name], signature.inputs[name].dtype) for name in names]
        output, result = COutput * 1, (ctypes.c_void_p * 1)()
        self.tf.TF_SessionRun(
            self.session,
            None,
            inputs,
            (ctypes.c_void_p * len(names))(*tensors),
            len(names),
            output(self.output(signature.outputs["probability"].name)),
            result,
            1,
            None,
            0,
            None,
            self.status,
        )
        self.check()
        rows = len(feeds[names[0]])
        data = ctypes.cast(self.tf.TF_TensorData(ctypes.c_void_p(result[0])), ctypes.POINTER(ctypes.c_float * rows))
        return np.array(data.contents)
