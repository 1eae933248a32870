"""Reads the artifacts of a scoring run as plain data for its page."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from models.features import FeatureSet
from pipeline.data_gate.feature_values import feature_name
from pipeline.report.scoring_data import Distance, FeatureSummary, Summaries

_KINDS = {
    anomalies_pb2.DriftSkewInfo.Measurement.JENSEN_SHANNON_DIVERGENCE: "Jensen-Shannon divergence",
    anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY: "largest difference of a value's share",
}


def summaries(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, features: FeatureSet
) -> dict[str, FeatureSummary]:
    """The features of the rows that TFDV's statistics describe; one that they lack is left out."""
    dataset = statistics.datasets[0]
    found = {feature_name(feature): feature for feature in dataset.features}
    numeric = {feature.name for feature in features.numeric}
    return {
        name: _summary(found[name], dataset.num_examples, numeric=name in numeric)
        for name in features.names
        if name in found
    }


def distances(drift: anomalies_pb2.Anomalies) -> dict[str, Distance]:
    """How far each feature is from the training rows, as TFDV measured it."""
    return {
        ".".join(info.path.step): Distance(_KINDS.get(measured.type, "distance"), measured.value, measured.threshold)
        for info in drift.drift_skew_info
        for measured in info.drift_measurements
    }


def findings(drift: anomalies_pb2.Anomalies) -> dict[str, str]:
    """What the data gate reported, by feature."""
    return {
        name: "; ".join(reason.description.rstrip(".") for reason in info.reason) or info.description
        for name, info in sorted(drift.anomaly_info.items())
    }


def to_text(found: Summaries) -> str:
    """Summaries as JSON, for the score table to keep."""
    return json.dumps({name: _to_json(summary) for name, summary in found.items()})


def from_text(text: str) -> dict[str, FeatureSummary]:
    """The summaries that `to_text` wrote."""
    return {name: _from_json(values) for name, values in json.loads(text).items()}


def _summary(feature: statistics_pb2.FeatureNameStatistics, rows: int, *, numeric: bool) -> FeatureSummary:
    if numeric:
        numbers = feature.num_stats
        nan = max((one.num_nan for one in numbers.histograms), default=0)
        present = numbers.common_stats.num_non_missing - nan
        # A feature without any value has no numbers; TFDV leaves NaN out of mean and deviation.
        return FeatureSummary(rows, present, numbers.mean, numbers.std_dev) if present > 0 else FeatureSummary(rows, 0)
    text = feature.string_stats
    buckets = {bucket.label: round(bucket.sample_count) for bucket in text.rank_histogram.buckets}
    return FeatureSummary(rows, text.common_stats.num_non_missing, values=buckets)


def _to_json(summary: FeatureSummary) -> dict[str, Any]:
    """JSON has no NaN."""
    values = dataclasses.asdict(summary)
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


def _from_json(values: Mapping[str, Any]) -> FeatureSummary:
    missing = {name: math.nan for name in ("mean", "deviation") if values[name] is None}
    return FeatureSummary(**{**values, **missing})
