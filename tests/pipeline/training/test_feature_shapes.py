"""Whatever its features are, a data set trains, exports and serves in every family."""

import numpy as np
import pytest
import tensorflow as tf

from models.families import FAMILIES
from pipeline.training.run_fn import run_fn
from tests.transformed_examples import arguments_of, write_transformed

ROWS = 300
SHAPES = {
    "no numbers": {"country": "categorical", "page": "categorical"},
    "one category": {"country": "categorical"},
    "no categories": {"a": "numeric", "holes": "numeric"},
    "nothing to learn from": {"empty": "numeric", "constant": "numeric", "same": "categorical"},
    "names of arguments": {
        name: "numeric"
        for name in (
            "name",
            "training",
            "inputs",
            "examples",
            "args",
            "kwargs",
            "cls",
            "transformed",
            "label",
            "named",
            "match",
        )
    },
}
VALUES = {
    "country": lambda row: [[b"de", b"fr", b"at"][row % 3]],
    "page": lambda row: [b"page %d" % (row % 50)] if row % 7 else [],
    "holes": lambda row: [row % 11 / 3] if row % 4 else [],
    "empty": lambda row: [],
    "constant": lambda row: [7.0],
    "same": lambda row: [b"x"],
}


@pytest.fixture(scope="module", params=SHAPES)
def shape(request, tmp_path_factory):
    """A folder of transformed examples, its config, and the kind of each feature."""
    kinds = SHAPES[request.param]
    rows = [
        {name: VALUES.get(name, lambda row: [float(row % 13)])(row) for name in kinds} | {"bought": int(row % 3 == 0)}
        for row in range(ROWS)
    ]
    folder = tmp_path_factory.mktemp("shape")
    return folder, write_transformed(folder, kinds, rows), kinds


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_features_trains_and_serves(shape, family, tmp_path):
    folder, config, kinds = shape
    given = arguments_of(folder, {**config, "family": family}, tmp_path)
    run_fn(given)
    example = tf.train.Example()
    for name, kind in kinds.items():
        if kind == "numeric":
            example.features.feature[name].float_list.value.append(1.0)
        else:
            example.features.feature[name].bytes_list.value.append(b"de")
    with tf.compat.v1.Session(graph=tf.Graph()) as session:  # as a server loads it: inputs by name, not by argument
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], given.serving_model_dir)

        def run(signature, inputs):
            definition = loaded.signature_def[signature]
            feeds = {definition.inputs[name].name: values for name, values in inputs.items()}
            return session.run(definition.outputs["probability"].name, feeds)

        def named(*numbers):
            return {
                name: np.float32(numbers) if kind == "numeric" else ["de"] * len(numbers)
                for name, kind in kinds.items()
            }

        by_name = run("predict", named(1.0))
        by_example = run("serving_default", {"examples": [example.SerializeToString()]})
        empty = run("serving_default", {"examples": [b""]})
        most = np.finfo(np.float32).max
        extreme, infinite = run("predict", named(most, -most)), run("predict", named(np.inf, -np.inf))
    np.testing.assert_allclose(by_name, by_example, atol=1e-6)
    np.testing.assert_array_equal(infinite, extreme)  # the quantile map clips both
    for probability in (by_name, empty, extreme):
        assert ((probability > 0) & (probability < 1)).all()
