"""The raw floor: the same two models from arrays in memory, evaluated by slices, without a pipeline.

DuckDB reads the table. NumPy maps numbers to a normal distribution by quantiles, and categories to ranks. Keras `fit`
and XGBoost `train` learn. NumPy measures. Nothing is validated, saved, recorded or compared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.measure import measured

if TYPE_CHECKING:
    import numpy as np

_SAMPLE_ROWS = 100_000  # by which quantiles and bins are learnt
_TRAIN_BELOW, _EVAL_BELOW = 7, 8  # of ten buckets; the rest is the test split


def main(arguments: list[str]) -> int:
    """Runs it, and prints the test metrics of both models as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="the data set's folder")
    parser.add_argument("--data", type=Path, required=True, help="the Parquet file")
    args = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as runners.local_runner has it
    with measured("imports"):
        import duckdb  # noqa: F401
        import keras  # noqa: F401
        import tensorflow as tf  # noqa: F401
        import xgboost as xgb  # noqa: F401

        from benchmarks.speed import floor_models, sliced_metrics
        from pipeline.settings.dataset_folder import DatasetFolder
    folder = DatasetFolder.load(args.folder)
    training = folder.dataset.training
    with measured("read"):
        table, bucket = _read(args.data, folder.dataset.columns.key)
    with measured("transform"):
        is_training = bucket < _TRAIN_BELOW
        arrays = floor_models.to_arrays(table, folder, is_training, _SAMPLE_ROWS)
        training_rows, test = arrays.where(is_training), arrays.where(bucket >= _EVAL_BELOW)
        evaluation = arrays.where((bucket >= _TRAIN_BELOW) & (bucket < _EVAL_BELOW))
    with measured("keras"):
        predict = floor_models.fit_keras(training_rows, folder.features, training.keras, _SAMPLE_ROWS)
        predicted = {"keras": predict(test)}
    with measured("xgboost"):
        predict = floor_models.fit_xgboost(training_rows, evaluation, folder.features, training.xgboost)
        predicted["xgboost"] = predict(test)
    with measured("metrics"):
        sliced = [column for column, feature in enumerate(folder.features.categorical) if feature.slice]
        codes = [test.categories[:, column] for column in sliced]
        found = {name: sliced_metrics.by_slice(test.label, values, codes) for name, values in predicted.items()}
    print(json.dumps({name: metrics[0] for name, metrics in found.items()}))
    return 0


def _read(data: Path, key: str) -> tuple[object, np.ndarray]:
    """The table without its key as Arrow, and each row's bucket of ten, int `[rows]`."""
    import duckdb

    with duckdb.connect() as connection:
        reader = connection.sql(
            f"SELECT * EXCLUDE ({key}), hash({key}) % 10 AS bucket FROM read_parquet('{data}')"
        ).to_arrow_reader(100_000)
        table = reader.read_all()
    return table.drop(["bucket"]), table["bucket"].to_numpy()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
