import json

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import xgboost as xgb

from models.families.xgboost import tree_graph
from models.families.xgboost.booster_format import UnsupportedBoosterError, parse_booster
from models.families.xgboost.tree_graph import TreeGraph

NUMBERS, CODES = 4, (6, 30)  # columns; how many codes each category has in training
ROWS = 3000
BINARY = {"objective": "binary:logistic", "nthread": 1, "eta": 0.3, "base_score": 0.2}


def columns(rows, seed, extra=0):
    """Numbers, then categories; 15 % of the cells are missing. `extra` more codes than in training."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, NUMBERS)).round(1)
    codes = np.stack([random.integers(0, size + extra, rows) for size in CODES], axis=1)
    cells = np.hstack([numbers, codes]).astype(np.float32)
    cells[random.random(cells.shape) < 0.15] = np.nan
    return cells


def matrix(cells, label=None):
    types = ["q"] * NUMBERS + ["c"] * len(CODES)
    return xgb.DMatrix(cells, label, feature_types=types, enable_categorical=True)


def fit(rounds=20, cells=None, **parameters):
    cells = columns(ROWS, seed=0) if cells is None else cells
    score = np.nansum(cells[:, :NUMBERS], axis=1) * np.where(np.nan_to_num(cells[:, -1], nan=3) % 3 == 1, 1, -1)
    label = score + np.random.default_rng(1).normal(size=len(cells)) > 1
    return xgb.train(BINARY | parameters, matrix(cells, label), rounds)


def outputs(booster):
    graph = TreeGraph(parse_booster(booster))
    return tf.function(graph.__call__, input_signature=[tf.TensorSpec([None, NUMBERS + len(CODES)], tf.float32)])


def largest_difference(booster, cells):
    return np.abs(outputs(booster)(cells).numpy() - booster.predict(matrix(cells))).max()


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_depth": 3, "max_cat_to_onehot": 100},
        {"max_depth": 6, "max_cat_to_onehot": 1},
        {"max_depth": 12, "max_cat_to_onehot": 4},
        {"max_depth": 5, "num_parallel_tree": 3, "subsample": 0.6, "colsample_bynode": 0.5},
        {"max_depth": 6, "gamma": 5},  # leaves pruned nodes in the booster
        {"max_depth": 0, "max_leaves": 40, "grow_policy": "lossguide"},
        {"max_depth": 1},
        {"gamma": 1e9},  # no split at all
    ],
    ids=lambda parameters: ",".join(f"{key}={value}" for key, value in parameters.items()),
)
def test_gives_the_boosters_probabilities(parameters):
    booster = fit(**parameters)
    assert largest_difference(booster, columns(ROWS, seed=2)) < 1e-6


@pytest.mark.parametrize("onehot", [1, 100])
def test_codes_that_training_lacks_and_no_codes_go_where_the_booster_sends_them(onehot):
    booster, cells = fit(max_depth=6, max_cat_to_onehot=onehot), columns(ROWS, seed=2, extra=5)
    cells[:50, -1] = 1e6
    cells[50:100, -1] = -1
    assert any(tree.categories for tree in parse_booster(booster).trees)
    assert largest_difference(booster, cells) < 1e-6


def test_missing_values_go_the_learnt_way_when_training_had_none():
    booster = fit(cells=np.nan_to_num(columns(ROWS, seed=0)))
    assert largest_difference(booster, columns(ROWS, seed=2)) < 1e-6


@pytest.mark.parametrize("rows", [0, 1, 2, 63, 64, 65, 500])
def test_any_number_of_rows_is_one_block_or_several(rows, monkeypatch):
    monkeypatch.setattr(tree_graph, "_CELLS", 1)  # blocks of 64 rows
    booster, cells = fit(), columns(rows, seed=2)
    assert np.array_equal(outputs(booster)(cells), outputs_in_one_block(booster, cells, monkeypatch))


def outputs_in_one_block(booster, cells, monkeypatch):
    monkeypatch.setattr(tree_graph, "_CELLS", 2**30)
    return outputs(booster)(cells)


def test_stops_at_the_best_round_of_a_booster_that_has_more():
    cells = columns(400, seed=0)
    label = np.random.default_rng(1).random(400) < 0.3
    held_out = matrix(columns(400, seed=3), np.random.default_rng(4).random(400) < 0.3)
    booster = xgb.train(
        BINARY, matrix(cells, label), 50, evals=[(held_out, "eval")], early_stopping_rounds=3, verbose_eval=False
    )
    best, rows = booster[: booster.best_iteration + 1], columns(ROWS, seed=2)
    assert np.abs(outputs(booster)(rows).numpy() - best.predict(matrix(rows))).max() < 1e-6
    assert np.abs(booster.predict(matrix(rows)) - best.predict(matrix(rows))).max() > 0.01


def test_base_score_of_the_training_rows_is_used():
    booster = fit(rounds=3, base_score=None)
    assert parse_booster(booster).base_margin != 0
    assert largest_difference(booster, columns(ROWS, seed=2)) < 1e-6


@pytest.mark.parametrize(
    "parameters, label, named",
    [
        ({"objective": "binary:hinge"}, 2, "objective 'binary:hinge'"),
        ({"objective": "binary:logitraw"}, 2, "objective 'binary:logitraw'"),
        ({"objective": "reg:squarederror"}, 2, "objective 'reg:squarederror'"),
        ({"objective": "multi:softprob", "num_class": 3}, 3, "objective 'multi:softprob'"),
        ({"booster": "dart", "rate_drop": 0.5}, 2, "booster 'dart'"),
        ({"booster": "gblinear"}, 2, "booster 'gblinear'"),
    ],
    ids=lambda value: str(value),
)
def test_refuses_other_objectives_and_boosters_by_name(parameters, label, named):
    cells = columns(300, seed=0)[:, :NUMBERS]
    target = np.arange(300) % label
    booster = xgb.train({"nthread": 1} | parameters, xgb.DMatrix(cells, target), 5)
    with pytest.raises(UnsupportedBoosterError, match=named):
        parse_booster(booster)


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_refuses_several_targets_by_name(strategy):
    cells = columns(300, seed=0)[:, :NUMBERS]
    target = np.stack([np.arange(300) % 2, np.arange(300) % 3 == 0], axis=1)
    booster = xgb.train(BINARY | {"multi_strategy": strategy, "tree_method": "hist"}, xgb.DMatrix(cells, target), 2)
    with pytest.raises(UnsupportedBoosterError, match="2 targets"):
        parse_booster(booster)


def test_refuses_categories_of_a_data_frame_by_name():
    frame = pd.DataFrame({"a": np.arange(300.0), "c": pd.Categorical(["x", "y", "z"] * 100)})
    booster = xgb.train(BINARY, xgb.DMatrix(frame, np.arange(300) % 2, enable_categorical=True), 2)
    with pytest.raises(UnsupportedBoosterError, match="data frame"):
        parse_booster(booster)


@pytest.mark.parametrize("version", ["2.1.4", "3.1.0", "3.5.0", "4.0.0"])
def test_refuses_other_versions_of_xgboost_by_name(version, monkeypatch):
    booster = fit(rounds=1)
    monkeypatch.setattr(xgb, "__version__", version)
    with pytest.raises(UnsupportedBoosterError, match=f"XGBoost {version}: only 3.2 to 3.4"):
        parse_booster(booster)


def test_refuses_sets_of_categories_too_large_for_a_saved_model(monkeypatch):
    monkeypatch.setattr(tree_graph, "_MEMBERSHIP_BYTES", 100)
    with pytest.raises(UnsupportedBoosterError, match="sets of categories"):
        TreeGraph(parse_booster(fit(max_cat_to_onehot=1)))


def test_a_booster_file_keeps_what_is_exported():
    booster = fit()
    again = xgb.Booster()
    again.load_model(booster.save_raw("ubj"))
    rows = columns(100, seed=2)
    assert np.array_equal(outputs(again)(rows), outputs(booster)(rows))
    assert json.loads(again.save_raw("json")) == json.loads(booster.save_raw("json"))
