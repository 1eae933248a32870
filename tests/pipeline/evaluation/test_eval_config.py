import json

import tensorflow_model_analysis as tfma

import schema
from pipeline.evaluation.eval_config import eval_config, with_bounded_slices
from pipeline.gate.metrics import METRICS
from pipeline.settings.dataset_folder import DatasetFolder


def config():
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    return eval_config(folder.dataset, folder.features, signature="serving_default"), folder.features


def test_slices_are_those_declared_with_the_features():
    given, features = config()
    assert [list(spec.feature_keys) for spec in given.slicing_specs] == [[], *([f.name] for f in features.slices)]


def test_metrics_are_those_of_the_registry_and_hold_no_thresholds():
    metrics = config()[0].metrics_specs[0].metrics
    names = {json.loads(metric.config)["name"] for metric in metrics}
    assert {name for name, metric in METRICS.items() if metric.tfma} == names & set(METRICS)
    assert {"roc_auc", "pr_auc", "log_loss", "brier", "calibration"} <= names
    for metric in metrics:
        assert not metric.HasField("threshold") and not metric.per_slice_thresholds, "the gate holds the bounds"


def test_a_slice_with_too_many_values_is_bounded():
    given, features = config()
    [first, *others] = [feature.name for feature in features.slices]
    slices = [(first, "a"), (first, "b"), (first, "(other)"), *((name, "x") for name in others), ("user", "new")]
    bounded = with_bounded_slices(given, slices).slicing_specs
    assert [dict(spec.feature_values) for spec in bounded if spec.feature_values] == [{first: "a"}, {first: "b"}]
    assert [list(spec.feature_keys) for spec in bounded if not spec.feature_values] == [[], *([n] for n in others)]


def test_tfma_accepts_it():
    with_defaults = tfma.utils.update_eval_config_with_defaults(config()[0], has_baseline=True)
    tfma.utils.verify_eval_config(with_defaults)
