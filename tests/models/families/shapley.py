"""Shapley values by their definition: every subset of the features."""

import itertools
import math

import numpy as np


def shapley(value, features):
    """The share of each feature in what a game pays.

    Args:
        value: from a set of features to what they are worth together, `[rows]`.
        features: how many there are.

    Returns:
        `[rows, features]`.
    """
    worth = {
        frozenset(subset): np.float64(value(frozenset(subset)))
        for size in range(features + 1)
        for subset in itertools.combinations(range(features), size)
    }
    found = np.zeros((len(worth[frozenset()]), features))
    for feature in range(features):
        for subset in worth:
            if feature not in subset:
                size = len(subset)
                weight = math.factorial(size) * math.factorial(features - size - 1) / math.factorial(features)
                found[:, feature] += weight * (worth[subset | {feature}] - worth[subset])
    return found
