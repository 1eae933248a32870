"""A run's data as rows of text: counts, warnings, anomalies, features; and the infrastructure check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from models.features import Feature, Missing
from pipeline.report import formats, plots
from pipeline.report.run_data import Anomaly, RunData

Row = dict[str, Any]
_PURPOSES = {"train": "training", "eval": "early stopping, tuning, selection", "test": "verdict only"}
_MISSING = {
    Missing.INDICATOR: "the model is told",
    Missing.ZERO: "counts as 0",
    Missing.REFUSE: "stops the run",
}


def data_view(run: RunData) -> Row:
    """Rows and base rates by split and snapshot, warnings, anomalies, drift, and the features."""
    dates = run.data.get("dates") or []
    days = sorted({str(count["date"]) for count in dates})
    return {
        "rows": formats.count(run.data.get("rows")),
        "positives": formats.count(run.data.get("positives")),
        "base_rate": formats.percent(_rate(run.data), 2),
        "splits": [
            {"name": count["split"], "used": _PURPOSES.get(count["split"], ""), **_count(count)}
            for count in run.data.get("splits") or []
        ],
        "snapshots": [
            {"name": day, "used": " and ".join(_splits(dates, day)), **_count(_sum(dates, day))} for day in days
        ],
        "snapshot_plot": _snapshot_plot(dates, days),
        "window": f"{days[0]} to {days[-1]}" if days else "",
        "trained_through": run.data.get("trained_through") or "",
        "warnings": [str(warning) for warning in run.data.get("warnings") or []],
        "anomalies": [_anomaly(anomaly, {}) for anomaly in run.anomalies],
        "drift": None
        if run.drift is None
        else [_anomaly(anomaly, {"train": "drift of train", "test": "skew of test"}) for anomaly in run.drift],
        "features": [_feature(feature, run) for feature in run.features.features],
    }


def infra_view(check: Mapping[str, Any] | None) -> Row | None:
    """The infrastructure check; None if it did not run."""
    if check is None:
        return None
    latency = check.get("latency_ms") or {}
    return {
        "problems": [str(problem) for problem in check.get("problems") or []],
        "warnings": [str(warning) for warning in check.get("warnings") or []],
        "latency": {key: formats.number(latency.get(key), 1) for key in ("p50", "p99", "bound")} if latency else None,
        "load_s": formats.number(check.get("load_s"), 1),
    }


def _count(count: Mapping[str, Any]) -> Row:
    return {
        "rows": formats.count(count["rows"]),
        "positives": formats.count(count["positives"]),
        "base_rate": formats.percent(_rate(count), 2),
    }


def _rate(count: Mapping[str, Any]) -> float | None:
    return count["positives"] / count["rows"] if count.get("rows") else None


def _splits(dates: Sequence[Mapping[str, Any]], day: str) -> list[str]:
    found = {count["split"] for count in dates if str(count["date"]) == day}
    return [split for split in _PURPOSES if split in found]


def _sum(dates: Sequence[Mapping[str, Any]], day: str, splits: Sequence[str] = tuple(_PURPOSES)) -> Row:
    chosen = [count for count in dates if str(count["date"]) == day and count["split"] in splits]
    return {key: sum(count[key] for count in chosen) for key in ("rows", "positives")}


def _snapshot_plot(dates: Sequence[Mapping[str, Any]], days: Sequence[str]) -> Markup | None:
    """The base rate of each snapshot; None for fewer than two snapshots."""
    if len(days) < 2:
        return None

    def points(splits: Sequence[str]) -> list[tuple[float, float] | None]:
        counts = [_sum(dates, day, splits) for day in days]
        return [
            plots.rate_with_half_width(count["positives"], count["rows"]) if count["rows"] else None for count in counts
        ]

    return plots.base_rates(days, {"train and eval": points(("train", "eval")), "test": points(("test",))})


def _anomaly(anomaly: Anomaly, names: Mapping[str, str]) -> Row:
    return {
        "split": names.get(anomaly.split, anomaly.split),
        "feature": anomaly.feature,
        "severity": anomaly.severity,
        "text": anomaly.text,
    }


def _feature(feature: Feature, run: RunData) -> Row:
    rows, missing = run.data.get("rows"), (run.data.get("missing") or {}).get(feature.name)
    auc = (run.data.get("single_feature_auc") or {}).get(feature.name)
    window = f"days {feature.window[0]} to {feature.window[1]} before" if feature.window else ""
    return {
        "name": feature.name,
        "kind": feature.kind.value,
        "description": ", ".join(text for text in (feature.description, window) if text),
        "missing": formats.percent(missing / rows) if formats.is_number(missing) and rows else formats.NOTHING,
        "policy": _MISSING[feature.missing],
        "auc": formats.number(auc, 3),
    }
