import json
import logging
import re
import shutil
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.components.util import model_utils
from tfx.types import standard_artifacts

from pipeline.components import infra_check
from pipeline.components.specification import settings_property
from pipeline.infra.check import check
from pipeline.infra.probe import Probe
from pipeline.infra.served_model import ServedModel
from pipeline.settings.gate import InfraCheckSettings
from tests.pipeline.small_models import (
    FEATURES,
    SmallTransform,
    linear_score,
    raw_rows,
    save_altered_model,
    save_small_model,
    serialised,
    write_examples,
)

REQUEST = {
    "features": {feature.name: feature.kind.value for feature in FEATURES.features},
    "required": [],
    "requests": 100,
    "p99_ms": 10_000.0,
}
PROPERTIES = {
    "settings": settings_property(InfraCheckSettings(rows=64, requests=100, p99_ms=10_000)),
    "features": settings_property(FEATURES),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return save_small_model(tmp_path_factory.mktemp("model") / "good")


@pytest.fixture
def run(tmp_path):
    """Runs the executor on a SavedModel; returns the blessing and check.json."""

    def run(folder):
        model, blessing = standard_artifacts.Model(), standard_artifacts.InfraBlessing()
        model.uri, blessing.uri = str(tmp_path / "model"), str(tmp_path / "blessing")
        shutil.copytree(folder, Path(model.uri, "Format-Serving"))
        examples = write_examples(tmp_path / "examples", raw_rows())
        inputs, outputs = {"model": [model], "examples": [examples]}, {"blessing": [blessing]}
        infra_check.Executor().Do(inputs, outputs, PROPERTIES)
        return blessing, json.loads(Path(blessing.uri, "check.json").read_text())

    return run


@pytest.fixture
def problems(tmp_path):
    """What the probe, in this process, finds wrong with a model."""

    def find(folder, rows=None, **request):
        with tf.io.TFRecordWriter(str(tmp_path / "sample")) as writer:
            for row in rows or raw_rows():
                writer.write(serialised(row))
        probe = Probe({**REQUEST, "model": str(folder), "examples": str(tmp_path / "sample"), **request})
        probe.run()
        find.probe = probe
        return probe.problems

    return find


def rows_with_visits():
    return [row for row in raw_rows() if row["visits"]]


def test_a_good_model_is_blessed_as_infra_validator_does_it(run, good):
    blessing, found = run(good)
    assert found["blessed"] is True and found["problems"] == [] and found["warnings"] == []
    assert model_utils.is_infra_validated(blessing)
    assert {path.name for path in Path(blessing.uri).iterdir()} == {"INFRA_BLESSED", "check.json"}
    assert {name: signature["rows"] for name, signature in found["signatures"].items()} == {
        "serving_default": 40,
        "predict": 40,
        "transform_features": 40,
    }
    assert found["signatures"]["predict"]["inputs"] == ["visits", "country"]
    latency = found["latency_ms"]
    assert 0 < latency["p50"] <= latency["p99"] < latency["bound"] == 10_000
    assert found["load_s"] > 0


def test_a_keras_export_that_a_server_cannot_load_is_not_blessed(run, tmp_path, caplog):
    """As in TFX's own examples: it is loaded by tf.saved_model.load, and not by a C++ server."""
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    network.compile("adam", "binary_crossentropy")
    network.fit(np.zeros((8, 2)), np.zeros(8), verbose=0)
    network.transform = SmallTransform(tmp_path)
    spec = network.transform.raw_feature_spec()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serving_default(examples):
        transformed = network.transform(tf.io.parse_example(examples, spec))
        inputs = tf.stack([transformed["visits"], tf.cast(transformed["country"], tf.float32)], axis=1)
        return {"probability": network(inputs)}

    folder = str(tmp_path / "bad")
    tf.saved_model.save(network, folder, signatures={"serving_default": serving_default})
    examples = tf.constant([serialised(row) for row in raw_rows(3)])
    assert tf.saved_model.load(folder).signatures["serving_default"](examples=examples)["probability"].shape == (3, 1)

    with caplog.at_level(logging.WARNING, "propensity"):
        blessing, found = run(folder)
    assert found["blessed"] is False
    assert not model_utils.is_infra_validated(blessing)
    assert {path.name for path in Path(blessing.uri).iterdir()} == {"INFRA_NOT_BLESSED", "check.json"}
    assert "serving_default: no answer to 40 rows: Could not find variable" in found["problems"][-1]
    assert "Could not find variable" in caplog.text
    assert "predict: the model has no such signature" in found["problems"]


def test_a_missing_asset_is_named(problems, good, tmp_path):
    shutil.copytree(good, tmp_path / "model")
    (tmp_path / "model" / "assets" / "country_vocabulary").unlink()
    [problem] = problems(tmp_path / "model")
    assert "cannot load the model" in problem and "country_vocabulary" in problem and "\n" not in problem


def test_a_folder_without_a_model_is_named(problems, tmp_path):
    [problem] = problems(tmp_path / "nowhere")
    assert "SavedModel file does not exist" in problem


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            {"serving_default": lambda p: tf.where(p > 0.3, np.nan, p)},
            "serving_default: NaN or infinite in the answer to 40 rows",
        ),
        ({"predict": lambda p: p * np.nan}, r"predict: NaN or infinite in the answer to 40 rows \(40 of 40\)"),
        ({"predict": lambda p: p + 0.9}, r"predict: the answer to 40 rows ranges from .* outside \[0, 1\]"),
        (
            {"serving_default": lambda p: p[:, 0]},
            r"serving_default: the answer to 40 rows is float32 \[40\]; must be",
        ),
        (
            {"serving_default": lambda p: p[:1]},
            r"serving_default: the answer to 40 rows is float32 \[1, 1\]; must be",
        ),
        (
            {"predict": lambda p: tf.cast(p, tf.float64)},
            "predict: the output 'probability' is float64; it must be float32",
        ),
        ({"predict": lambda p: p * 0.999}, "serving_default and predict differ by up to"),
        ({"predict": None}, "predict: the model has no such signature"),
        ({"transform_features": lambda v: v[:1]}, "transform_features: output 'country' has the shape"),
    ],
)
def test_a_wrong_answer_is_told_by_signature(problems, good, tmp_path, changes, found):
    [problem] = problems(save_altered_model(good, tmp_path / "model", **changes))
    assert re.search(found, problem), problem


def test_answers_may_not_depend_on_the_rest_of_the_batch(problems, tmp_path):
    def ranked(transformed):
        return linear_score(transformed) / tf.reduce_max(linear_score(transformed))

    found = problems(save_small_model(tmp_path / "model", ranked))
    assert any("serving_default: rows alone and in a batch differ by up to" in problem for problem in found)
    assert any("predict: rows alone and in a batch differ by up to" in problem for problem in found)


def test_a_row_without_values_must_be_answered(problems, tmp_path):
    def undefined_without_visits(transformed):
        return linear_score(transformed) + tf.where(transformed["visits"] == 0.0, np.nan, 0.0)

    found = problems(save_small_model(tmp_path / "model", undefined_without_visits), rows_with_visits())
    assert found == [
        f"{name}: NaN or infinite in the answer to a row without values (1 of 1)"
        for name in ("serving_default", "predict")
    ]


def test_a_feature_that_is_never_missing_may_be_required(problems, tmp_path):
    model = save_small_model(tmp_path / "model", required=("visits",))
    assert problems(model, rows_with_visits(), required=["visits"]) == []
    assert problems.probe.warnings == []
    assert problems(model, rows_with_visits()) == []
    [warning] = problems.probe.warnings
    assert warning.startswith("serving_default refuses rows without visits,")


def test_latency_is_held_against_its_bound(problems, good):
    [problem] = problems(good, p99_ms=1e-6)
    assert "serving_default: the 99th percentile of the latency of single rows is" in problem and "p99_ms" in problem
    assert problems.probe.latency_ms["bound"] == 1e-6


@pytest.mark.parametrize(("slow_rounds", "refused"), [(2, False), (3, True)])
def test_a_pause_of_the_machine_is_not_the_models(problems, good, monkeypatch, slow_rounds, refused):
    measured = []

    def single_requests(self, rows):
        answers = np.concatenate([self.probabilities("serving_default", {"examples": row}) for row in rows])
        measured.append(0.5 if len(measured) < slow_rounds else 0.001)
        return answers, np.full(len(rows), measured[-1])

    monkeypatch.setattr(ServedModel, "single_requests", single_requests)
    assert bool(problems(good, p99_ms=10.0)) is refused
    assert len(measured) == 3
    assert problems.probe.latency_ms["p99"] == (500 if refused else 1)


def test_a_hanging_child_is_a_problem(good):
    found = check({**REQUEST, "model": good}, [serialised(raw_rows(1)[0])], time_limit_s=0.2)
    assert found["problems"] == ["starting the check: no end after 0.2 s"]


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo loading the model; kill -SEGV $$", "loading the model: the process was ended by SIGSEGV"),
        ("echo loading the model; echo Boom >&2; exit 3", "loading the model: the process ended with 3 (Boom)"),
        ("exit 0", "starting the check: the process ended with 0 ()"),
    ],
)
def test_a_crash_of_the_child_is_a_problem_that_says_where(good, tmp_path, monkeypatch, script, problem):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert check({**REQUEST, "model": good}, [b""])["problems"] == [problem]


def test_no_rows_to_check_with_is_a_problem(good):
    assert check({**REQUEST, "model": good}, [])["problems"] == ["the split eval has no rows to check the model with"]
