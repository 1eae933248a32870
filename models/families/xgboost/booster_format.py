"""Reads the trees of an XGBoost booster as arrays, and refuses boosters that tree_graph.py cannot reproduce.

The source is XGBoost's JSON format. https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html links the
schema.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import xgboost as xgb

SUPPORTED_VERSIONS = ((3, 2), (3, 4))  # first and last minor version whose JSON and predictions were compared
_OBJECTIVE = "binary:logistic"
_BOOSTER = "gbtree"


class UnsupportedBoosterError(ValueError):
    """A booster cannot be written as TensorFlow operations. The message says why."""


@dataclasses.dataclass(frozen=True)
class Tree:
    """One tree. Its nodes are in order of their level, from the root; a right child follows its left sibling.

    Attributes:
        left: int32 `[nodes]`, the left child; -1 at a leaf.
        column: int32 `[nodes]`, the input column that the node tests.
        value: float32 `[nodes]`: what a leaf adds to the log odds; elsewhere the least number that goes right.
        missing_left: bool `[nodes]`, whether a missing value goes left.
        cover: float32 `[nodes]`, the weight of the training rows that reach the node.
        categories: for each node that splits a category, the codes that go right. All others, known or not, go left.
        depth: most splits between the root and a leaf.
    """

    left: np.ndarray
    column: np.ndarray
    value: np.ndarray
    missing_left: np.ndarray
    cover: np.ndarray
    categories: dict[int, tuple[int, ...]]
    depth: int


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """A booster's trees, up to its best round.

    Attributes:
        trees: the trees; the log odds are the sum of their leaves and `base_margin`.
        columns: number of input columns.
        base_margin: log odds before the first tree.
    """

    trees: tuple[Tree, ...]
    columns: int
    base_margin: float


def parse_booster(booster: xgb.Booster) -> Ensemble:
    """Reads a booster's trees, up to the best round if it was stopped early.

    Raises:
        UnsupportedBoosterError: XGBoost is too old or too new, or the booster is not supported. Supported are tree
            boosters with the objective binary:logistic, one target, and categories as integer codes.
    """
    version = tuple(int(part) for part in xgb.__version__.split(".")[:2])
    if not SUPPORTED_VERSIONS[0] <= version <= SUPPORTED_VERSIONS[1]:
        first, last = (".".join(map(str, supported)) for supported in SUPPORTED_VERSIONS)
        raise UnsupportedBoosterError(f"XGBoost {xgb.__version__}: only {first} to {last} can be exported")
    best = booster.attr("best_iteration")
    if best is not None:
        booster = booster[: int(best) + 1]
    learner = json.loads(booster.save_raw("json"))["learner"]
    _refuse_unsupported(learner)
    model = learner["gradient_booster"]["model"]
    # Since XGBoost 3.1 this is a list. For this objective it holds a probability.
    [prior] = np.atleast_1d(np.float32(json.loads(learner["learner_model_param"]["base_score"])))
    return Ensemble(
        trees=tuple(_parse_tree(tree) for tree in model["trees"]),
        columns=int(learner["learner_model_param"]["num_feature"]),
        base_margin=float(-np.log(np.float32(1) / prior - np.float32(1))),
    )


def _refuse_unsupported(learner: dict[str, Any]) -> None:
    """Raises UnsupportedBoosterError if something about the booster is not supported."""
    objective, kind = learner["objective"]["name"], learner["gradient_booster"]["name"]
    model = learner["gradient_booster"].get("model", {})
    if "weight_drop" in model:
        kind = "dart"  # XGBoost 3.4 calls this gbtree as well
    if kind != _BOOSTER:
        raise UnsupportedBoosterError(f"booster '{kind}': only '{_BOOSTER}' can be exported")
    if objective != _OBJECTIVE:
        raise UnsupportedBoosterError(f"objective '{objective}': only '{_OBJECTIVE}' can be exported")
    targets = int(learner["learner_model_param"]["num_target"])
    if targets != 1:
        raise UnsupportedBoosterError(f"{targets} targets: only one can be exported")
    if any(feature.get("values") for feature in model.get("cats", {}).get("enc", ())):
        raise UnsupportedBoosterError("categories of a data frame: only integer codes can be exported")
    if not model["trees"]:
        raise UnsupportedBoosterError("a booster without trees")


def _parse_tree(tree: dict[str, Any]) -> Tree:
    left, right = np.array(tree["left_children"], np.int32), np.array(tree["right_children"], np.int32)
    levels = [np.array([0])]
    while True:
        inner = levels[-1][left[levels[-1]] >= 0]
        if not inner.size:
            break
        levels.append(np.stack([left[inner], right[inner]], axis=1).ravel())
    order = np.concatenate(levels)  # without the pruned nodes
    place = np.full(len(left), -1, np.int32)
    place[order] = np.arange(len(order))
    segments = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    return Tree(
        left=np.where(left[order] >= 0, place[left[order]], -1),
        column=np.array(tree["split_indices"], np.int32)[order],
        value=np.array(tree["split_conditions"], np.float32)[order],
        missing_left=np.array(tree["default_left"], bool)[order],
        cover=np.array(tree["sum_hessian"], np.float32)[order],
        categories={
            int(place[node]): tuple(sorted(tree["categories"][start : start + size]))
            for node, start, size in segments
            if place[node] >= 0
        },
        depth=len(levels) - 1,
    )
