"""Writes the benchmark's data set folder. All three programs read features, query and hyperparameters from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from benchmarks.speed.data import CATEGORIES, KEY, LABEL, NUMBERS
from models.families.keras.hyperparameters import Hyperparameters

NAME, TABLE = "benchmark", "customers"
EVAL_PERCENT, TEST_PERCENT = 10, 20
TRAIN_SHARE = (100 - EVAL_PERCENT - TEST_PERCENT) / 100
ROUNDS, DEPTH, LEARNING_RATE = 100, 6, 0.1  # of XGBoost


def write_dataset(root: Path, rows: int) -> Path:
    """Writes dataset.yaml, features.yaml and query.sql to `root`/benchmark, for a table with this number of rows.

    Returns:
        The folder, for pipeline.settings.dataset_folder.DatasetFolder.load.
    """
    folder = root / NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.yaml").write_text(yaml.safe_dump(dataset_settings(rows), sort_keys=False))
    (folder / "features.yaml").write_text(yaml.safe_dump({"features": features()}, sort_keys=False))
    (folder / "query.sql").write_text(f"SELECT\n  {_columns()}\nFROM `{TABLE}` AS t\n")
    return folder


def features() -> list[dict[str, Any]]:
    """features.yaml."""
    return [
        *({"name": number.name, "kind": "numeric"} for number in NUMBERS),
        *(
            {
                "name": category.name,
                "kind": "categorical",
                "vocabulary": category.values,
                **({"slice": True} if category.slice else {}),
            }
            for category in CATEGORIES
        ),
    ]


def dataset_settings(rows: int) -> dict[str, Any]:
    """dataset.yaml.

    Keras passes once over the training rows, in the project's batch size for this number of rows, and evaluates once.
    Nothing ends training earlier. Neither the data nor the gate stops a run, because only time is measured.
    """
    training_rows = int(rows * TRAIN_SHARE)
    keras = Hyperparameters().for_rows(training_rows)
    steps = max(1, training_rows // keras.batch_size)
    return {
        "source": {"kind": "table", "table": TABLE},
        "columns": {"label": LABEL, "key": KEY},
        "split": {"eval_percent": EVAL_PERCENT, "test_percent": TEST_PERCENT},
        "training": {
            "keras": {
                "batch_size": keras.batch_size,
                "learning_rate": keras.learning_rate,
                "max_steps": steps,
                "evaluate_every": steps,
            },
            "xgboost": {
                "max_rounds": ROUNDS,
                "patience": ROUNDS,
                "max_depth": DEPTH,
                "learning_rate": LEARNING_RATE,
            },
        },
        "evaluation": {"bounds": {"roc_auc": {"lower": 0.5}}},
        "data_gate": {"severity": "none"},
        "infra_check": {"p99_ms": 60_000},
        "gate": {"min_positives": 1, "calibration": [0.001, 1000.0]},
    }


def _columns() -> str:
    return ",\n  ".join(f"t.{name}" for name in (KEY, LABEL, *(column.name for column in (*NUMBERS, *CATEGORIES))))
