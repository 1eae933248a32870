"""Compares the model families and a plain logistic regression on random splits of the UCI Online Shoppers data.

    python -m benchmarks.uci_splits path/to/online_shoppers_intention.csv --splits 10

Each split is stratified: 70 % for training, 10 % for early stopping, 20 % for measuring. All models see the same rows
and the same quantile-normal numbers. The network, the booster and their training come from the model families.

    python -m benchmarks.uci_splits path/to/online_shoppers_intention.csv --folders schema/mine schema/online_shoppers

compares two data set folders on the same splits: the rows are those of their queries, the features those they declare.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder

from models.families.keras import hyperparameters as keras_hyperparameters
from models.families.keras import training as keras_training
from models.families.xgboost import hyperparameters as xgboost_hyperparameters
from models.families.xgboost import training as xgboost_training
from models.features import DEFAULT_QUANTILES, FeatureSet, load_features
from models.log_loss import log_loss
from models.training_data import TrainingData
from pipeline.settings.dataset_folder import DatasetFolder
from pipeline.settings.run import DuckDBSettings, RunSettings
from pipeline.warehouse.features_table import inner_query
from pipeline.warehouse.opening import open_warehouse
from preprocessing import to_normal

FEATURES = Path(__file__).parents[1] / "schema" / "online_shoppers" / "features.yaml"
LABEL = "Revenue"
ENSEMBLE, TREES, LINEAR = "batch ensemble", "XGBoost", "logistic regression"
FIGURES = ("ROC AUC", "PR-AUC", "log loss", "seconds")


def main() -> None:
    """Trains on every split and prints the means, and the paired difference of ROC AUC."""
    arguments = _parse_arguments()
    if arguments.folders:
        compare_folders(arguments.path, arguments.folders, arguments.splits)
        return
    table, features = pd.read_csv(arguments.path), load_features(FEATURES)
    results = []
    for seed in range(arguments.splits):
        splits = transform(table, features, *split_rows(table[LABEL].to_numpy(), seed))
        results.append(compare(splits, features, seed))
        print(f"split {seed}: " + ", ".join(f"{name} {figures[0]:.4f}" for name, figures in results[-1].items()))
    print_table(results)


def compare_folders(path: Path, folders: list[Path], splits: int) -> None:
    """Prints the ROC AUC of each model on two data set folders, and the paired difference between them."""
    sources = [read_folder(folder, path) for folder in folders]
    aucs: dict[str, list[list[float]]] = {}
    for seed in range(splits):
        for table, features, label in sources:
            rows = split_rows(table[label].to_numpy(), seed)
            for name, figures in compare(transform(table, features, *rows, label=label), features, seed).items():
                aucs.setdefault(name, [[] for _ in range(splits)])[seed].append(figures[0])
        shown = [f"{name} {found[seed][0]:.4f} and {found[seed][1]:.4f}" for name, found in aucs.items()]
        print(f"split {seed}: " + ", ".join(shown))
    first, second = folders
    for name, found in aucs.items():
        one, other = np.array(found).T
        error = (one - other).std(ddof=1) / np.sqrt(splits) if splits > 1 else float("nan")
        print(
            f"{name}: ROC AUC {one.mean():.4f} with {first}, {other.mean():.4f} with {second}; "
            f"difference {(one - other).mean():+.5f} (standard error {error:.5f})"
        )


def read_folder(folder: Path, path: Path) -> tuple[pd.DataFrame, FeatureSet, str]:
    """The rows of a data set's query over the file, in the order of the file; its features and its label."""
    data_set = DatasetFolder.load(folder)
    label = data_set.dataset.columns.label
    run = RunSettings(warehouse=DuckDBSettings(engine="duckdb"), data=path)
    with open_warehouse(run, data_set.dataset) as warehouse:
        warehouse.create_table("rows_of_query", inner_query(data_set, None), partition_by=None, order_by=())
        batches = list(warehouse.read("rows_of_query", [label, *data_set.features.names]))
    return pa.Table.from_batches(batches).to_pandas(), data_set.features, label


def split_rows(label: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers of a random stratified 70/10/20 split."""
    rest, test = train_test_split(np.arange(len(label)), test_size=0.2, stratify=label, random_state=seed)
    training, evaluation = train_test_split(rest, test_size=0.125, stratify=label[rest], random_state=seed)
    return training, evaluation, test


def transform(table: pd.DataFrame, features: FeatureSet, *splits: np.ndarray, label: str = LABEL) -> list[TrainingData]:
    """The table as preprocessing.py transforms it, with quantiles and vocabularies from the rows of the first split."""
    numbers = table[[feature.name for feature in features.numeric]].to_numpy(np.float32)
    shares = np.linspace(0, 1, DEFAULT_QUANTILES + 1)
    boundaries = np.quantile(numbers[splits[0]], shares, axis=0, method="inverted_cdf").T
    normal = to_normal(numbers, boundaries.astype(np.float32)).numpy()
    categories = np.empty((len(table), len(features.categorical)), np.int32)
    for column, feature in enumerate(features.categorical):
        known = table[feature.name].iloc[splits[0]].value_counts().index[: feature.vocabulary]
        rank = known.get_indexer(table[feature.name])
        categories[:, column] = np.where(rank < 0, len(known), rank)
    labels = table[label].to_numpy(np.float32)
    return [TrainingData(normal[rows], categories[rows], labels[rows]) for rows in splits]


def compare(splits: list[TrainingData], features: FeatureSet, seed: int) -> dict[str, tuple[float, ...]]:
    """FIGURES of each model on the last split."""
    test = splits[-1]
    results = {}
    for name, fit in {ENSEMBLE: fit_ensemble, TREES: fit_trees, LINEAR: fit_linear}.items():
        start = time.perf_counter()
        predicted = fit(splits, features, seed)
        seconds = time.perf_counter() - start
        auc, average_precision = (score(test.label, predicted) for score in (roc_auc_score, average_precision_score))
        results[name] = (auc, average_precision, log_loss(test.label, predicted), seconds)
    return results


def fit_ensemble(splits: list[TrainingData], features: FeatureSet, seed: int) -> np.ndarray:
    """The Keras family with its defaults."""
    training, evaluation, test = splits
    vocabularies = tuple(int(size) for size in training.categories.max(axis=0) + 1)
    settings = keras_hyperparameters.Hyperparameters(seed=seed)
    network = keras_training.train(training, evaluation, features, vocabularies, settings)
    return keras_training.compile_predict(network)(test)


def fit_trees(splits: list[TrainingData], features: FeatureSet, seed: int) -> np.ndarray:
    """The XGBoost family with its defaults."""
    training, evaluation, test = splits
    settings = xgboost_hyperparameters.Hyperparameters(seed=seed)
    booster = xgboost_training.train([training], [evaluation], features, settings)
    return xgboost_training.predict(booster, test, features)


def fit_linear(splits: list[TrainingData], features: FeatureSet, seed: int) -> np.ndarray:
    """Logistic regression on the numbers and one-hot categories."""
    training, _, test = splits
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(training.categories)
    inputs = [np.hstack([data.numbers, encoder.transform(data.categories)]) for data in (training, test)]
    return LogisticRegression(max_iter=2000).fit(inputs[0], training.label).predict_proba(inputs[1])[:, 1]


def print_table(results: list[dict[str, tuple[float, ...]]]) -> None:
    """Prints each model's means over the splits, and the ensemble's lead over XGBoost."""
    print(f"\nmeans over {len(results)} splits\n{'':22s}" + "".join(f"{name:>10s}" for name in FIGURES))
    for name in results[0]:
        means = np.mean([result[name] for result in results], axis=0)
        print(f"{name:22s}" + "".join(f"{mean:10.4f}" for mean in means))
    lead = np.array([result[ENSEMBLE][0] - result[TREES][0] for result in results])
    error = lead.std(ddof=1) / np.sqrt(len(lead)) if len(lead) > 1 else float("nan")
    print(f"ROC AUC, {ENSEMBLE} - {TREES}, paired: {lead.mean():+.4f} (standard error {error:.4f})")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("path", type=Path, help="online_shoppers_intention.csv")
    parser.add_argument("--splits", type=int, default=10, help="how many random splits")
    parser.add_argument("--folders", type=Path, nargs=2, help="two data set folders to compare")
    return parser.parse_args()


if __name__ == "__main__":
    main()
