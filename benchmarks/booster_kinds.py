"""How exactly a SavedModel reproduces its booster, and how fast it is, by kind of booster.

    python -m benchmarks.booster_kinds

Each kind is trained on random rows, written as a SavedModel of its columns, and loaded again. The difference is the
largest difference of a probability on 100,000 rows. The ratio is the SavedModel's time divided by the time of the
booster's fastest call (`inplace_predict`, or `predict` including its DMatrix). Both are the best of several calls,
which take turns.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import xgboost as xgb

from models.families.xgboost.booster_format import parse_booster
from models.families.xgboost.tree_graph import TreeGraph

NUMBERS, CODES = 20, (5, 60, 400)  # number of numeric columns; codes of each category in the training rows
TRAIN_ROWS, TEST_ROWS = 30_000, 100_000
BATCHES = (1, 32, 1_000, 100_000)
_SECONDS = 2.0  # of calls for each batch size and each way to predict


@dataclasses.dataclass(frozen=True)
class BoosterKind:
    """A kind of booster and its rows.

    Attributes:
        name: what is particular about it.
        parameters: XGBoost's parameters.
        rounds: rounds of boosting.
        missing: share of missing cells.
        categories: whether there are categories.
        unseen: number of codes of each category that only the test rows have.
        patience: rounds without gain after which training stops; None for no early stopping.
    """

    name: str
    parameters: dict[str, Any]
    rounds: int = 100
    missing: float = 0.0
    categories: bool = False
    unseen: int = 0
    patience: int | None = None


KINDS = (
    BoosterKind("depth 6, 100 trees", {"max_depth": 6}),
    BoosterKind("depth 8, 500 trees", {"max_depth": 8, "eta": 0.05}, rounds=500),
    BoosterKind("depth 12, 100 trees", {"max_depth": 12}),
    BoosterKind("8 % missing", {"max_depth": 6}, missing=0.08),
    BoosterKind("one-hot categories", {"max_depth": 6, "max_cat_to_onehot": 1000}, missing=0.08, categories=True),
    BoosterKind("partitioned categories", {"max_depth": 6, "max_cat_to_onehot": 2}, missing=0.08, categories=True),
    BoosterKind("the same, unseen codes", {"max_depth": 6, "max_cat_to_onehot": 2}, categories=True, unseen=50),
    BoosterKind("4 trees a round", {"max_depth": 6, "num_parallel_tree": 4, "subsample": 0.6}, rounds=25),
    BoosterKind("stopped early", {"max_depth": 6, "eta": 0.5}, rounds=500, missing=0.08, patience=10),
    BoosterKind("pruned, 64 leaves", {"max_depth": 0, "max_leaves": 64, "grow_policy": "lossguide", "gamma": 1}),
)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--no-speed", action="store_true", help="differences only")
    speed = not parser.parse_args().no_speed
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    print(f"XGBoost {xgb.__version__}, TensorFlow {tf.__version__}, {os.cpu_count()} cores")
    print(f"{'booster':<24}{'trees':>6}{'difference':>12}{'MB':>7}{'(ubj)':>7}", end="")
    print("".join(f"{f'batch {batch:,}':>22}" for batch in BATCHES) if speed else "")
    for kind in KINDS:
        print_row(kind, speed)


def print_row(kind: BoosterKind, speed: bool) -> None:
    """Trains one kind and prints its line: microseconds per row of SavedModel / booster, and their ratio."""
    booster, rows = fit(kind)
    with tempfile.TemporaryDirectory() as folder:
        graph = TreeGraph(parse_booster(booster))
        signature = [tf.TensorSpec([None, rows.shape[1]], tf.float32)]
        graph.score = tf.function(graph.__call__, input_signature=signature, autograph=False)
        tf.saved_model.save(graph, folder)
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6
        model = tf.saved_model.load(folder)
    kept = (0, booster.best_iteration + 1) if kind.patience else (0, 0)
    types = column_types(kind)

    def by_matrix(cells: np.ndarray) -> np.ndarray:
        matrix = xgb.DMatrix(cells, feature_types=types, enable_categorical=True)
        return booster.predict(matrix, iteration_range=kept)

    def in_place(cells: np.ndarray) -> np.ndarray:
        return booster.inplace_predict(cells, iteration_range=kept)

    def saved(cells: np.ndarray) -> np.ndarray:
        return model.score(tf.constant(cells)).numpy()

    difference = np.abs(saved(rows) - by_matrix(rows)).max()
    own_size = len(booster.save_raw("ubj")) / 1e6
    trees = len(parse_booster(booster).trees)
    print(f"{kind.name:<24}{trees:>6}{difference:>12.1e}{size:>7.1f}{own_size:>7.1f}", end="", flush=True)
    for batch in BATCHES if speed else ():
        ours, *theirs = best_seconds((saved, in_place, by_matrix), rows[:batch])
        ours, best = (seconds / batch * 1e6 for seconds in (ours, min(theirs)))
        print(f"{f'{ours:.1f}/{best:.1f} us {ours / best:.1f} x':>22}", end="", flush=True)
    print()


def best_seconds(calls: tuple[Callable[[np.ndarray], np.ndarray], ...], rows: np.ndarray) -> list[float]:
    """Least seconds of each call. They take turns, so that other load on the machine affects all of them."""
    taken: list[list[float]] = [[] for _ in calls]
    end = time.perf_counter() + _SECONDS * len(calls)
    while time.perf_counter() < end or len(taken[0]) < 3:
        for call, own in zip(calls, taken, strict=True):
            start = time.perf_counter()
            call(rows)
            own.append(time.perf_counter() - start)
    return [min(own) for own in taken]


def fit(kind: BoosterKind) -> tuple[xgb.Booster, np.ndarray]:
    """A booster of the kind, and test rows, float32 `[100000, columns]`."""
    (cells, label), (held_out, held_out_label), (test, _) = (
        sample(kind, rows, seed) for seed, rows in enumerate((TRAIN_ROWS, TRAIN_ROWS // 4, TEST_ROWS))
    )
    training, evaluation = (
        xgb.DMatrix(values, target, feature_types=column_types(kind), enable_categorical=True)
        for values, target in ((cells, label), (held_out, held_out_label))
    )
    booster = xgb.train(
        {"objective": "binary:logistic", "eta": 0.1, "seed": 1} | kind.parameters,
        training,
        kind.rounds,
        evals=[(evaluation, "eval")] if kind.patience else None,
        early_stopping_rounds=kind.patience,
        verbose_eval=False,
    )
    return booster, test


def sample(kind: BoosterKind, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells, float32 `[rows, columns]`, numbers first, and a label that depends on some columns."""
    random, fixed = np.random.default_rng(seed), np.random.default_rng(99)
    numbers = random.normal(size=(rows, NUMBERS))
    score = numbers[:, 0] * numbers[:, 1] + np.sin(2 * numbers[:, 2]) + numbers[:, 3]
    parts = [numbers]
    if kind.categories:
        unseen = kind.unseen if rows == TEST_ROWS else 0
        codes = np.stack([random.integers(0, size + unseen, rows) for size in CODES], axis=1)
        for column, size in enumerate(CODES):
            score = score + fixed.normal(size=size + kind.unseen)[codes[:, column]]
        parts.append(codes)
    cells = np.hstack(parts).astype(np.float32)
    cells[random.random(cells.shape) < kind.missing] = np.nan
    return cells, score + random.normal(size=rows) > 1


def column_types(kind: BoosterKind) -> list[str]:
    """XGBoost's types of the columns."""
    return ["q"] * NUMBERS + ["c"] * len(CODES) * kind.categories


if __name__ == "__main__":
    main()
