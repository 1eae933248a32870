import numpy as np
import pytest
from tensorflow_model_analysis.metrics import binary_confusion_matrices, calibration_histogram, metric_types

from pipeline.fast.metrics.accumulators import fill_histogram
from pipeline.fast.metrics.confusion_matrices import from_histogram


def histogram(size, seed=0, extreme=True):
    rng = np.random.default_rng(seed)
    prediction = rng.beta(0.5, 3, size).astype(np.float32)
    if extreme:
        prediction[:4] = 0, 1, 0.5, np.float32(1e-4)
    buckets = fill_histogram({}, (rng.random(size) < prediction).astype(np.int64), prediction)
    return [buckets[number] for number in sorted(buckets)]


@pytest.mark.parametrize("size", [5, 3000])
@pytest.mark.parametrize(
    "given",
    [
        {"num_thresholds": 10_000},
        {"num_thresholds": 2},
        {"thresholds": [-1e-6, 0.0, 0.001, 0.5, 1.0], "use_histogram": True},
        {"thresholds": [0.0, 0.25, 0.5], "use_histogram": True},
        {"thresholds": [0.3, 0.7], "use_histogram": True},
    ],
    ids=str,
)
def test_they_equal_tfmas(given, size):
    buckets = histogram(size)
    *_, derived = binary_confusion_matrices.binary_confusion_matrices(**given)
    source = calibration_histogram.calibration_histogram()[-1].keys[-1]
    [expected] = derived.result({source: buckets}).values()
    found = from_histogram(buckets, expected.thresholds)
    assert isinstance(source, metric_types.PlotKey)
    for name, values in expected._asdict().items():
        np.testing.assert_allclose(getattr(found, name), values, atol=1e-9, err_msg=name)
