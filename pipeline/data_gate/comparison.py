"""Drift and skew: compares this run's statistics with the statistics of the champion's training rows.

TFDV compares whole distributions. changes.py finds broken sparse features, which TFDV cannot see.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from pipeline.data_gate.changes import Bounds, changes
from pipeline.data_gate.feature_values import by_name
from pipeline.settings.gate import DataGateSettings

Statistics = statistics_pb2.DatasetFeatureStatisticsList

_NEVER = 1.0  # no distance is greater, so a bound of 1 switches a comparison off
_CHANGED = "Values changed"


def compare(
    champion: Statistics,
    champion_schema: schema_pb2.Schema,
    *,
    train: Statistics,
    test: Statistics,
    schema: schema_pb2.Schema,
    settings: DataGateSettings,
) -> dict[str, anomalies_pb2.Anomalies]:
    """Compares both splits with the champion's training rows.

    Args:
        champion: statistics of the rows that the champion was trained on.
        champion_schema: the raw schema of these rows.
        train: statistics of this run's training split.
        test: statistics of this run's test split.
        schema: this run's raw schema.
        settings: the bounds.

    Returns:
        By split: `train` holds the drift, `test` the skew. A feature that the champion does not know is left out.
    """
    shared = _shared_columns(schema, champion_schema)
    skew = tfdv.validate_statistics(
        champion, _with_comparators(shared, skew=settings.max_skew), serving_statistics=test
    )
    return {
        "train": drift(champion, train, shared, settings),
        "test": _comparison(skew, champion, test, shared, settings.max_skew, settings),
    }


def drift(
    champion: Statistics, now: Statistics, schema: schema_pb2.Schema, settings: DataGateSettings
) -> anomalies_pb2.Anomalies:
    """Compares one set of rows with the champion's training rows.

    Args:
        champion: statistics of the rows that the champion was trained on.
        now: statistics of the other rows.
        schema: raw schema of the columns to compare; the champion knows all of them.
        settings: the bounds; `max_drift` is that of the distance.
    """
    found = tfdv.validate_statistics(
        now, _with_comparators(schema, drift=settings.max_drift), previous_statistics=champion
    )
    return _comparison(found, champion, now, schema, settings.max_drift, settings)


def _comparison(
    found: anomalies_pb2.Anomalies,
    before: Statistics,
    now: Statistics,
    schema: schema_pb2.Schema,
    distance: float,
    settings: DataGateSettings,
) -> anomalies_pb2.Anomalies:
    kept = _comparisons_only(found)
    if distance < _NEVER:
        bounds = Bounds(distance, settings.max_share_change, settings.max_value_change)
        _add_changes(kept, before, now, [feature.name for feature in schema.feature], bounds)
    return kept


def _add_changes(
    anomalies: anomalies_pb2.Anomalies, before: Statistics, now: Statistics, names: Sequence[str], bounds: Bounds
) -> None:
    """Adds the findings of changes.py to the anomalies of the same features."""
    values_before, values_now = by_name(before), by_name(now)
    for name in names:
        if name not in values_before or name not in values_now:
            continue
        for text in changes(values_before[name], values_now[name], bounds):
            info = anomalies.anomaly_info[name]
            info.path.step[:] = [name]
            info.severity = anomalies_pb2.AnomalyInfo.ERROR
            info.short_description = info.short_description or _CHANGED
            info.description = f"{info.description} {text}".strip()
            info.reason.add(
                type=anomalies_pb2.AnomalyInfo.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
                short_description=_CHANGED,
                description=text,
            )


def _shared_columns(schema: schema_pb2.Schema, champion: schema_pb2.Schema) -> schema_pb2.Schema:
    """The schema without the columns that the champion does not know: a new feature has nothing to be compared with."""
    known = {feature.name for feature in champion.feature}
    shared = schema_pb2.Schema()
    shared.CopyFrom(schema)  # with the domains that features refer to
    del shared.feature[:]
    shared.feature.extend(feature for feature in schema.feature if feature.name in known)
    return shared


def _with_comparators(
    schema: schema_pb2.Schema, *, drift: float | None = None, skew: float | None = None
) -> schema_pb2.Schema:
    """A copy of the schema that bounds each feature's drift or skew.

    Numbers are compared by their Jensen-Shannon divergence (base 2, between 0 and 1), categories by the largest
    difference of a value's share (L-infinity).
    """
    bounded = schema_pb2.Schema()
    bounded.CopyFrom(schema)
    for feature in bounded.feature:
        for comparator, threshold in ((feature.drift_comparator, drift), (feature.skew_comparator, skew)):
            if threshold is None:
                continue
            if feature.type == schema_pb2.BYTES:
                comparator.infinity_norm.threshold = threshold
            else:
                comparator.jensen_shannon_divergence.threshold = threshold
                # TFDV's bins of equal width would call one outlier, which widens them all, a drift.
                comparator.jensen_shannon_divergence.source.type = schema_pb2.HistogramSelection.QUANTILES
    return bounded


def _comparisons_only(anomalies: anomalies_pb2.Anomalies) -> anomalies_pb2.Anomalies:
    """Keeps the anomalies that compare two data sets; ExampleValidator has found the others already."""
    kept = anomalies_pb2.Anomalies()
    kept.CopyFrom(anomalies)
    kept.ClearField("anomaly_info")
    for name, info in anomalies.anomaly_info.items():
        reasons = [reason for reason in info.reason if "COMPARATOR" in anomalies_pb2.AnomalyInfo.Type.Name(reason.type)]
        if reasons:
            kept.anomaly_info[name].CopyFrom(info)
            del kept.anomaly_info[name].reason[:]
            kept.anomaly_info[name].reason.extend(reasons)
    return kept
