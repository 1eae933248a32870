"""What TFDV's statistics say about one feature's values that are neither missing nor zero."""

from __future__ import annotations

import dataclasses
import math

from tensorflow_metadata.proto.v0 import statistics_pb2

_DECILES = 10  # TFDV's quantile histogram has that many buckets


@dataclasses.dataclass(frozen=True)
class FeatureValues:
    """One feature in one set of rows.

    Attributes:
        rows: number of rows.
        present: rows with a value; NaN is not a value.
        non_zero: rows with a value other than 0; for a category, all rows with a value.
        mean: of the non-zero values; NaN if there are none, and for a category.
        deviation: standard deviation of the non-zero values; NaN in the same cases.
        deciles: `(10 %, ..., 90 %)` of the values that are present; empty for a category.
    """

    rows: int
    present: int
    non_zero: int
    mean: float = math.nan
    deviation: float = math.nan
    deciles: tuple[float, ...] = ()

    @classmethod
    def of(cls, feature: statistics_pb2.FeatureNameStatistics, rows: int) -> FeatureValues:
        """Reads a feature's statistics over `rows` rows."""
        numbers = feature.num_stats
        histograms = numbers.histograms
        if feature.WhichOneof("stats") != "num_stats":
            present = _common(feature).num_non_missing
            return cls(rows, present, present)
        present = numbers.common_stats.num_non_missing - max((one.num_nan for one in histograms), default=0)
        non_zero = present - numbers.num_zeros
        mean, deviation = _without_zeros(numbers, present, non_zero)
        quantiles = [one for one in histograms if one.type == statistics_pb2.Histogram.QUANTILES]
        buckets = quantiles[0].buckets if quantiles else []
        deciles = tuple(bucket.high_value for bucket in buckets[:-1]) if len(buckets) == _DECILES else ()
        return cls(rows, present, non_zero, mean, deviation, deciles)


def by_name(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> dict[str, FeatureValues]:
    """All features of the first data set."""
    dataset = statistics.datasets[0]
    return {feature_name(feature): FeatureValues.of(feature, dataset.num_examples) for feature in dataset.features}


def feature_name(feature: statistics_pb2.FeatureNameStatistics) -> str:
    """The feature's name."""
    return feature.path.step[0] if feature.path.step else feature.name


def _common(feature: statistics_pb2.FeatureNameStatistics) -> statistics_pb2.CommonStatistics:
    kind = feature.WhichOneof("stats")
    return getattr(feature, kind).common_stats if kind else statistics_pb2.CommonStatistics()


def _without_zeros(numbers: statistics_pb2.NumericStatistics, present: int, non_zero: int) -> tuple[float, float]:
    """Mean and standard deviation of the values that are not 0; zeros add nothing to either sum."""
    if non_zero <= 0:
        return math.nan, math.nan
    mean = numbers.mean * present / non_zero
    squares = (numbers.std_dev**2 + numbers.mean**2) * present / non_zero
    return mean, math.sqrt(max(squares - mean**2, 0.0))
