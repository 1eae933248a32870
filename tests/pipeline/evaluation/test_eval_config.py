import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2, validation_result_pb2

import schema
from models.config import load_settings
from pipeline.evaluation.eval_config import _in_words, broken_bounds, eval_config, with_bounded_slices
from pipeline.settings.dataset import Dataset
from pipeline.settings.dataset_folder import DatasetFolder


def config(**bounds):
    folder = DatasetFolder.load(schema.ROOT / "ga4")
    dataset = load_settings(schema.ROOT / "ga4" / "dataset.yaml", Dataset, {"evaluation.bounds": bounds})
    return eval_config(dataset, folder.features, signature="serving_default"), folder.features


def thresholds(given):
    """The bounds of the whole split, by metric class; there must be none of a slice."""
    found = {}
    for metric in given.metrics_specs[0].metrics:
        assert not metric.HasField("threshold"), "TFMA holds it against every slice"
        for threshold in metric.per_slice_thresholds:
            assert list(threshold.slicing_specs) == [tfma.SlicingSpec()]
            found[metric.class_name] = threshold.threshold
    return found


def test_slices_are_those_declared_with_the_features():
    given, features = config()
    assert [list(spec.feature_keys) for spec in given.slicing_specs] == [[], *([f.name] for f in features.slices)]


def test_bounds_become_thresholds():
    found = thresholds(config(roc_auc={"lower": 0.7}, log_loss={"upper": 0.2})[0])
    assert set(found) == {"AUC", "BinaryCrossEntropy"}
    assert found["AUC"].value_threshold.lower_bound.value == 0.7
    assert found["BinaryCrossEntropy"].value_threshold.upper_bound.value == 0.2
    assert not found["AUC"].HasField("change_threshold"), "the gate compares with the champion, by intervals"


def test_by_default_there_is_no_bound():
    assert thresholds(config()[0]) == {}
    assert broken_bounds("no results are read", config()[0]) == []


def test_a_slice_with_too_many_values_is_bounded():
    given, features = config()
    [first, *others] = [feature.name for feature in features.slices]
    slices = [(first, "a"), (first, "b"), (first, "(other)"), *((name, "x") for name in others), ("user", "new")]
    bounded = with_bounded_slices(given, slices).slicing_specs
    assert [dict(spec.feature_values) for spec in bounded if spec.feature_values] == [{first: "a"}, {first: "b"}]
    assert [list(spec.feature_keys) for spec in bounded if not spec.feature_values] == [[], *([n] for n in others)]


def test_tfma_accepts_it():
    with_defaults = tfma.utils.update_eval_config_with_defaults(config(roc_auc={"lower": 0.5})[0], has_baseline=True)
    tfma.utils.verify_eval_config(with_defaults)


@pytest.mark.parametrize(
    ("name", "value", "bound", "words"),
    [
        ("roc_auc", 0.51184, {"lower_bound": {"value": 0.9}}, "roc_auc is 0.5118, the least allowed is 0.9"),
        ("log_loss", 0.7, {"upper_bound": {"value": 0.25}}, "log_loss is 0.7000, the most allowed is 0.25"),
    ],
)
def test_a_broken_bound_is_told_in_words(name, value, bound, words):
    failure = validation_result_pb2.ValidationFailure()
    failure.metric_key.name = name
    failure.metric_value.double_value.value = value
    failure.metric_threshold.value_threshold.CopyFrom(config_pb2.GenericValueThreshold(**bound))
    assert _in_words(failure) == words
