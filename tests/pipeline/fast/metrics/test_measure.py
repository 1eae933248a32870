"""A config that uses what TFMA offers, held against TFX's own Evaluator on the same rows."""

import json
import logging

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from google.protobuf import text_format
from tensorflow_model_analysis.metrics import metric_types
from tfx.components.evaluator import executor as evaluator_executor
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from pipeline.evaluation.eval_config import TFMA_METRICS as METRICS
from pipeline.fast.metrics import accumulators, computations
from pipeline.fast.metrics.measure import measure, unsupported
from pipeline.fast.metrics.results import write_results
from pipeline.fast.metrics.rows import LabelledRows
from pipeline.fast.metrics.slices import columns_of
from pipeline.fast.scoring.score import score_split
from tests.pipeline.fast.metrics.tfma_results import assert_same_results, validation
from tests.pipeline.small_models import raw_rows, save_small_model, write_examples, write_parquet_examples

SLICES = """
    model_specs { signature_name: "serving_default" label_key: "bought" }
    slicing_specs {}
    slicing_specs { feature_keys: "country" }
    slicing_specs { feature_keys: "country" feature_keys: "shelf" }
    slicing_specs { feature_keys: "country" feature_values { key: "shelf" value: "low" } }
    slicing_specs { feature_values { key: "country" value: "fr" } }
"""


def config(*metrics):
    found = text_format.Parse(SLICES, tfma.EvalConfig())
    spec = found.metrics_specs.add()
    for name, settings in metrics:
        spec.metrics.add(class_name=name, config=json.dumps(settings))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("metrics")


@pytest.fixture(scope="module")
def rows():
    """A third of the rows lack `shelf`."""
    shelves = np.random.default_rng(1).choice(["low", "7", None], 600)
    return [{**row, "shelf": shelf} for row, shelf in zip(raw_rows(600), shelves, strict=True)]


@pytest.fixture(scope="module")
def model(folder):
    return save_small_model(folder / "model" / "Format-Serving")


@pytest.fixture(scope="module")
def scored(folder, rows, model):
    """The rows as metrics take them, from Parquet."""
    examples = write_parquet_examples(folder / "parquet", rows)
    found = score_split(examples, "eval", {"": model}, label="bought", columns=["country", "shelf"])
    return LabelledRows(found.label.astype(np.int64), {"": found.predictions[""].astype(np.float32)}, found.columns)


def with_defaults(given):
    return tfma.utils.update_eval_config_with_defaults(given, has_baseline=False, rubber_stamp=True)


ALL = config(
    *METRICS.values(),
    ("ExampleCount", {}),
    ("MeanLabel", {}),
    ("MeanPrediction", {}),
    ("ConfusionMatrixPlot", {}),
    ("CalibrationPlot", {"num_buckets": 20}),
    ("ConfusionMatrixAtThresholds", {"thresholds": [0.2, 0.5]}),  # has no batched implementation
)
ROC_AUC, BRIER = ALL.metrics_specs[0].metrics[0], ALL.metrics_specs[0].metrics[3]
ROC_AUC.threshold.value_threshold.lower_bound.value = 0.01
BRIER.per_slice_thresholds.add(slicing_specs=[tfma.SlicingSpec(feature_keys=["country"])])
BRIER.per_slice_thresholds[0].threshold.value_threshold.upper_bound.value = 0.99


def test_everything_equals_what_tfx_writes(folder, rows, model, scored):
    stock = standard_artifacts.ModelEvaluation()
    stock.uri = str(folder / "stock")
    blessing, trained = standard_artifacts.ModelBlessing(), standard_artifacts.Model()
    blessing.uri, trained.uri = str(folder / "blessing"), str(folder / "model")
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"]
    )
    evaluator_executor.Executor(context).Do(
        {"examples": [write_examples(folder / "tf", rows)], "model": [trained]},
        {"evaluation": [stock], "blessing": [blessing]},
        {"eval_config": proto_utils.proto_to_json(ALL), "example_splits": '["eval"]'},
    )
    given = with_defaults(ALL)
    write_results(measure(given, scored), given, {"": model}, str(folder / "ours"))
    assert_same_results(folder / "ours", folder / "stock")
    assert validation(folder / "ours")["validationOk"] is True
    keys = [key for key, _ in tfma.load_eval_result(str(folder / "ours")).slicing_metrics]
    assert (("country", "de"), ("shelf", "7")) in keys
    assert len(keys) == len(set(keys)) == 1 + 4 + 4 * 2


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, "propensity")
    return lambda: [record.getMessage() for record in caplog.records]


def values(given, rows, **kwargs):
    """Metrics of the whole split by name."""
    return {key.name: value for key, value in measure(with_defaults(given), rows, **kwargs)[()].items()}


def test_a_metric_without_a_faster_way_is_computed_row_by_row(scored, warnings):
    found = values(config(("MeanAbsoluteError", {"name": "mae"}), ("ExampleCount", {})), scored)
    assert found["mae"] == pytest.approx(np.abs(scored.label - scored.predictions[""]).mean(), rel=1e-6)
    assert warnings() == [
        "TFMA computes mae row by row, which is slow: this project has no batched implementation of it."
    ]


def test_a_metric_of_keras_is_computed_row_by_row(scored):
    found = values(config(("Precision", {"name": "precision", "thresholds": 0.4})), scored)
    taken = scored.predictions[""] > 0.4
    assert found["precision"] == pytest.approx(scored.label[taken].mean(), rel=1e-6)


def test_a_faster_way_that_differs_is_not_taken(scored, warnings):
    """As with settings that it does not know."""
    smoothed = {"name": "smoothed", "label_smoothing": 0.2}
    found = values(config(("BinaryCrossEntropy", smoothed), ("ExampleCount", {})), scored)
    label, prediction = scored.label * 0.8 + 0.1, scored.predictions[""]
    entropy = -label * np.log(prediction) - (1 - label) * np.log(1 - prediction)
    assert found["smoothed"] == pytest.approx(entropy.mean(), rel=1e-6)
    assert warnings() == [
        "TFMA computes smoothed row by row, which is slow: the batched implementation gives another result."
    ]


def test_a_faster_derivation_that_differs_is_not_taken(scored, warnings, monkeypatch):
    given = config(("AUC", {"num_thresholds": 100}))
    expected = values(given, scored)
    assert warnings() == []
    right = computations.confusion_matrices.from_histogram
    monkeypatch.setattr(
        computations.confusion_matrices, "from_histogram", lambda *given: right(*given)._replace(tp=[1.0] * 100)
    )
    assert values(given, scored) == pytest.approx(expected)
    [warning] = warnings()
    assert "the batched implementation gives another result" in warning


def test_our_metrics_all_have_a_faster_way(scored, warnings):
    values(config(*METRICS.values(), ("ConfusionMatrixPlot", {}), ("CalibrationPlot", {})), scored)
    assert warnings() == []
    assert set(accumulators.FILLS) == {
        type(each.combiner).__name__
        for each in computations.metric_specs.to_computations(with_defaults(ALL).metrics_specs, eval_config=ALL)
        if isinstance(each, metric_types.MetricComputation)
    } - {"_BinaryConfusionMatrixCombiner"}


def test_predictions_of_zero_and_one(scored):
    """TFMA's logarithm of them is infinite, and its product with 0 is no number."""
    extreme = LabelledRows(np.array([0, 1, 1]), {"": np.array([0.0, 1.0, 0.5], np.float32)}, scored.columns)
    given = config(("BinaryCrossEntropy", {"name": "log_loss"}), ("MeanSquaredError", {"name": "brier"}))
    del given.slicing_specs[1:]
    found = values(given, extreme)
    assert np.isnan(found["log_loss"])
    assert found["brier"] == pytest.approx(0.25 / 3)


def test_a_prediction_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="model 'candidate' returns no number for 1 of 2 rows"):
        LabelledRows(np.array([0, 1]), {"candidate": np.array([0.5, np.nan], np.float32)})


def test_what_needs_tfmas_own_evaluator_is_named(scored):
    given = config(("ExampleCount", {}))
    assert columns_of(given) == ["country", "shelf"]
    assert unsupported(given) == []
    given.options.compute_confidence_intervals.value = True
    given.model_specs[0].example_weight_key = "weight"
    with pytest.raises(ValueError, match="compute_confidence_intervals, example_weight_key"):
        measure(given, scored)
