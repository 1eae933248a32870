import tensorflow_model_analysis as tfma

import schema
from models.config import load_settings
from pipeline.dataset_folder import DatasetFolder
from pipeline.evaluation import eval_config
from pipeline.settings import Dataset


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


def test_bounds_become_value_and_change_thresholds():
    found = thresholds(config(roc_auc={"lower": 0.7, "min_change": -0.01}, log_loss={"max_change": 0.02})[0])
    assert set(found) == {"AUC", "BinaryCrossEntropy"}
    assert found["AUC"].value_threshold.lower_bound.value == 0.7
    assert found["AUC"].change_threshold.absolute.value == -0.01
    assert found["AUC"].change_threshold.direction == tfma.MetricDirection.HIGHER_IS_BETTER
    assert found["BinaryCrossEntropy"].change_threshold.direction == tfma.MetricDirection.LOWER_IS_BETTER


def test_without_bounds_a_model_can_still_be_blessed():
    assert set(thresholds(config()[0])) == {"ExampleCount"}


def test_tfma_accepts_it():
    with_defaults = tfma.utils.update_eval_config_with_defaults(
        config(roc_auc={"min_change": 0.0})[0], has_baseline=True
    )
    tfma.utils.verify_eval_config(with_defaults)
