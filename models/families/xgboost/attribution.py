"""Reasons of the XGBoost family: exact TreeSHAP on the log odds, from the booster in the model's folder."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import xgboost as xgb

from models.families.xgboost.booster_format import parse_booster
from models.families.xgboost.shap_tables import ShapTables, TooLargeError
from models.families.xgboost.training import BOOSTER_FILE, column_names, column_types
from models.features import FeatureSet
from models.tensors import feature_order

METHOD = (
    "Exact path-dependent TreeSHAP (Lundberg et al. 2020) on the log odds; the baseline is the mean of the trees over "
    "the training rows, which XGBoost weighs by p (1 - p)."
)


def load_contributions(folder: str, model: Any, features: FeatureSet) -> Callable[[dict[str, Any]], np.ndarray]:
    """As contract.AttributionModule; all that it needs is the booster's file."""
    with tf.io.gfile.GFile(os.path.join(folder, BOOSTER_FILE), "rb") as stream:
        booster = xgb.Booster(model_file=bytearray(stream.read()))
    names, order = column_names(features), feature_order(features)
    try:
        of_columns: Callable[[np.ndarray], np.ndarray] = ShapTables(parse_booster(booster))
    except TooLargeError:
        of_columns = functools.partial(shap_values, booster, features)

    def contributions(transformed: dict[str, Any]) -> np.ndarray:
        cells = np.stack([np.asarray(transformed[name], np.float32) for name in names], axis=1)
        return of_columns(cells)[:, order]

    return contributions


def baseline(booster: xgb.Booster, features: FeatureSet) -> float:
    """The mean log odds of the trees over the training rows."""
    cells = np.full((1, len(features.names)), np.nan, np.float32)
    return float(shap_values(booster, features, cells)[0, -1])


def shap_values(booster: xgb.Booster, features: FeatureSet, cells: np.ndarray) -> np.ndarray:
    """XGBoost's own TreeSHAP.

    Args:
        booster: the booster; only its rounds up to the best one count.
        features: the features.
        cells: the booster's columns, float32 `[rows, columns]`.

    Returns:
        float32 `[rows, columns + 1]`; the last is the baseline.
    """
    best = booster.attr("best_iteration")
    matrix = xgb.DMatrix(
        cells, feature_names=column_names(features), feature_types=column_types(features), enable_categorical=True
    )
    return booster.predict(matrix, pred_contribs=True, iteration_range=(0, int(best) + 1) if best else (0, 0))
