"""Verdicts and runs as the pages get them."""

import numpy as np

from models.features import FeatureSet
from pipeline.report.run_data import Anomaly, Curve, Family, Importance, Reference, RunData

HOSTILE = "<script>alert('$x^2$ & \"y\"')</script>"
FEATURES = FeatureSet.from_config(
    [
        {"name": "visits_1_7", "kind": "numeric", "missing": "zero", "window": [1, 7], "description": "Sessions"},
        {"name": "recency_days", "kind": "numeric", "missing": "refuse"},
        {"name": "country", "kind": "categorical", "slice": True, "description": HOSTILE},
    ]
)
DATES = ["2025-10-27", "2025-11-03"]
_SHARES = (1, 5, 10, 20)


def metrics(shift=0.0):
    return {
        "roc_auc": 0.8812 + shift,
        "pr_auc": 0.5187 + 2 * shift,
        "log_loss": 0.1280 - shift,
        "brier": 0.0341 - shift / 10,
        "calibration_slope": 1.012,
        "observed_over_expected": 0.987,
        **{f"lift_{share}": 18.0 / share**0.5 + shift for share in _SHARES},
        **{f"gain_{share}": min(1.0, 0.18 * share**0.5 + shift) for share in _SHARES},
        "precision": 0.2918 + shift,
        "recall": 0.5624 + shift,
    }


def curves(power=0.2):
    x = np.linspace(0, 1, 200)
    predicted = np.linspace(0.002, 0.6, 10)
    return {
        "roc": {"x": x.tolist(), "y": (x**power).tolist()},
        "pr": {"x": x.tolist(), "y": (0.05 + 0.9 * (1 - x) ** (1 / power / 3)).tolist()},
        "gain": {"x": x.tolist(), "y": (x ** (power * 1.1)).tolist()},
        "calibration": {
            "predicted": predicted.tolist(),
            "observed": (predicted * (1 + power / 10)).tolist(),
            "rows": [2000] * 10,
        },
    }


def check(name, outcome="pass", *, value=None, lower=None, upper=None, bound="", metric="", slice_="overall", text=""):
    return {
        "name": name,
        "slice": slice_,
        "metric": metric,
        "value": value,
        "lower": lower,
        "upper": upper,
        "bound": bound,
        "outcome": outcome,
        "text": text or f"What {name} says.",
    }


def slice_row(feature, value, outcome, positives=400, difference=0.001):
    return {
        "feature": feature,
        "value": value,
        "rows": positives * 20,
        "positives": positives,
        "base_rate": 0.05,
        "challenger": metrics(difference),
        "champion": metrics(),
        "difference": {"value": difference, "lower": difference - 0.008, "upper": difference + 0.008},
        "outcome": outcome,
    }


def blessed(**changes):
    """A challenger that is as good as the champion."""
    model = {"family": "keras", "trained_through": "2025-10-22", "trained_at": "2025-11-21T03:28:40+00:00"}
    return {
        "verdict": "blessed",
        "decided_by": "champion",
        "reason": "Against the champion, the challenger's ROC AUC is better by 0.0012 (bounds -0.0021 and +0.0040); "
        "the lower bound lies above -0.0050, with 95 % confidence.",
        "rule": {
            "metric": "roc_auc",
            "rule": "non_inferior",
            "margin": 0.005,
            "confidence": 0.95,
            "replicates": 1000,
            "seed": 1,
            "method": "bootstrap",
        },
        "data": {
            "rows": 21047,
            "positives": 1092,
            "users": 15234,
            "base_rate": 0.0519,
            "training_base_rate": 0.0508,
            "snapshots": DATES,
            "operating_share": 0.1,
        },
        "models": {
            "challenger": {**model, "id": 21, "uri": "/runs/SelectModel/model/21", "source_model_id": 8},
            "champion": {
                **model,
                "id": 9,
                "uri": "/runs/SelectModel/model/9",
                "source_model_id": 5,
                "family": "xgboost",
                "age_days": 14,
            },
            "anchor": {"uri": "/runs/TrainKeras/model/3", "trained_through": "2025-08-27", "trained_at": None},
        },
        "comparability": {"accepted": False, "problems": []},
        "checks": [
            check("infra", text="Every request was answered."),
            check("positives", value=1092, bound="≥ 200"),
            check("log_loss", value=0.128, bound="< 0.2046", metric="log_loss"),
            check(
                "calibration_slope",
                value=1.012,
                lower=0.96,
                upper=1.07,
                bound="0.9 to 1.1",
                metric="calibration_slope",
            ),
            check("champion", value=0.0012, lower=-0.0021, upper=0.004, bound="> -0.005", metric="roc_auc"),
            check("anchor", value=0.0034, lower=0.0003, upper=0.006, bound="> -0.005", metric="roc_auc"),
            check("slice", metric="roc_auc", slice_="country=DE", value=0.001, lower=-0.01, upper=0.01),
        ],
        "metrics": {"challenger": metrics(0.0012), "champion": metrics(), "anchor": metrics(-0.002)},
        "snapshots": [
            {
                "date": date,
                "rows": 10500,
                "positives": 546,
                "difference": {"value": 0.001, "lower": -0.004, "upper": 0.006},
                "challenger": metrics(),
            }
            for date in DATES
        ],
        "slices": [
            slice_row("country", "DE", "pass"),
            slice_row("country", "FR", "pass"),
            slice_row("country", HOSTILE, "shown", positives=12),
            slice_row("user", "new", "pass"),
            slice_row("user", "seen in training", "pass"),
        ],
        "fairness": [
            {
                "feature": "country",
                "value": value,
                "rows": 8000,
                "false_positive_rate": 0.071,
                "false_negative_rate": 0.442,
                "selection_rate": 0.1,
                "selection_rate_ratio": 1.0,
                "equalised_odds_difference": 0.012,
            }
            for value in ("DE", "FR")
        ],
        "curves": {"challenger": curves(), "champion": curves(0.22)},
        "anchor_replaced": False,
        **changes,
    }


def first_run():
    """No champion, no anchor, no dates, no slices."""
    document = blessed(
        decided_by="bounds",
        reason="There is no champion; the model keeps every bound.",
        snapshots=[],
        slices=[],
        fairness=[],
        anchor_replaced=True,
    )
    document["models"] = {**document["models"], "champion": None, "anchor": None}
    document["metrics"] = {"challenger": metrics()}
    document["curves"] = {"challenger": curves()}
    document["data"] = {**document["data"], "snapshots": []}
    document["checks"] = [check("infra"), check("positives", value=1092, bound="≥ 200"), check("bounds", text="")]
    return document


def refused_by_infra_check():
    """Nothing was measured."""
    return {
        "verdict": "refused",
        "decided_by": "infra",
        "reason": "The model cannot be served: it could not be loaded: Could not find variable dense/kernel.",
        "models": {**first_run()["models"]},
        "comparability": {"accepted": False, "problems": []},
        "checks": [check("infra", "fail", text="It could not be loaded: Could not find variable dense/kernel.")],
    }


def refused_by_a_slice():
    """Better overall, broken where it matters."""
    document = blessed(verdict="refused", decided_by="slice", reason="The slice country=FR is worse by 0.0480.")
    document["slices"][1] = slice_row("country", "FR", "fail", difference=-0.048)
    document["checks"].append(
        check("slice", "fail", metric="roc_auc", slice_="country=FR", value=-0.048, lower=-0.066, upper=-0.03)
    )
    return document


def family(name="keras", **changes):
    steps = np.arange(100, 1800, 100)
    fall = 0.12 + 0.1 * np.exp(-steps / 300)
    rise = dict(zip(FEATURES.names, (0.028, 0.009, -0.0001), strict=True))
    return Family(
        **{
            "name": name,
            "curves": {"train": Curve(steps, fall), "eval": Curve(steps, fall + 0.005 + 1e-9 * (steps - 1200) ** 2)},
            "importance": Importance(1770, 0.123, rise, {key: 0.002 for key in rise}),
            **changes,
        }
    )


def run(document=None, **changes):
    """A run with both families and everything there."""
    document = blessed() if document is None else document
    return RunData(
        **{
            "title": "ga4",
            "label": "converted",
            "features": FEATURES,
            "data": data_report(),
            "anomalies": [Anomaly("test", "country", "warning", f"Examples contain values missing: {HOSTILE}")],
            "drift": [Anomaly("train", "visits_1_7", "warning", "The Jensen-Shannon divergence is 0.31, above 0.3")],
            "families": [family(), family("xgboost", hyperparameters={"depth": 5, "learning_rate": 0.05})],
            "selection": selection(),
            "verdict": document,
            "infra": {
                "problems": [],
                "warnings": [],
                "load_s": 1.3,
                "latency_ms": {"p50": 1.8, "p99": 4.2, "bound": 100},
            },
            "pushed": document["verdict"] == "blessed",
            "pushed_to": "/runs/serving/1795231751",
            "references": [Reference("examples", "3", "/runs/BigQueryExampleGen/examples/3")],
            "versions": {"python": "3.10.13", "tfx": "1.16.0"},
            "digest": "0123456789abcdef",
            "made_at": "2025-11-21 03:40 UTC",
            **changes,
        }
    )


def selection():
    names = ("roc_auc", "pr_auc", "log_loss", "brier")
    return {
        "split": "eval",
        "metric": "log_loss",
        "rows": 7077,
        "positives": 357,
        "chosen": "keras",
        "candidates": [
            {
                "family": name,
                "model_id": number,
                "uri": f"/runs/{name}/{number}",
                "problem": None,
                "metrics": {key: metrics(shift)[key] for key in names},
            }
            for name, number, shift in (("keras", 8, 0.0), ("xgboost", 9, -0.001))
        ],
    }


def data_report():
    counts = [
        {"split": split, "date": f"2025-09-{day:02}", "rows": rows, "positives": rows // 20}
        for day in (8, 15, 22, 29)
        for split, rows in (("train", 8700), ("eval", 1150))
    ] + [{"split": "test", "date": date, "rows": 10500, "positives": 546} for date in DATES]
    return {
        "rows": 81454,
        "positives": 4160,
        "splits": [
            {"split": "train", "date": None, "rows": 53330, "positives": 2711},
            {"split": "eval", "date": None, "rows": 7077, "positives": 357},
            {"split": "test", "date": None, "rows": 21047, "positives": 1092},
        ],
        "dates": counts,
        "missing": {"visits_1_7": 0, "recency_days": 0, "country": 1200},
        "distinct": {"country": 9},
        "warnings": [f"feature 'country' holds {HOSTILE}"],
        "trained_through": "2025-10-22",
        "single_feature_auc": {"visits_1_7": 0.82, "recency_days": 0.981, "country": 0.61},
    }
