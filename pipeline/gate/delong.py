"""Analytic standard errors of a paired difference between two models, clustered by unit."""

from __future__ import annotations

import math

import numpy as np


def auc_difference(
    label: np.ndarray, challenger: np.ndarray, champion: np.ndarray, unit: np.ndarray
) -> tuple[float, float]:
    """ROC AUC of challenger minus champion, in O(rows log rows).

    The variance is that of DeLong, DeLong and Clarke-Pearson (1988, Biometrics 44:837) for clustered rows: Obuchowski
    (1997, Biometrics 53:567). Both are sums over placements, so the variance of the difference is the variance of the
    placements' differences.

    Args:
        label: `[rows]`, 0 or 1; both occur.
        challenger: `[rows]`, predictions.
        champion: `[rows]`, predictions.
        unit: `[rows]`, codes from 0 on.

    Returns:
        The difference and its standard error.
    """
    positive = label == 1
    difference = placements(label, challenger) - placements(label, champion)
    value = float(difference[positive].mean())
    deviation = difference - value
    of_positives = np.bincount(unit, deviation * positive)
    of_negatives = np.bincount(unit, deviation * ~positive)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    variance = (
        _correction(unit[positive]) * np.sum(of_positives**2) / positives**2
        + _correction(unit[~positive]) * np.sum(of_negatives**2) / negatives**2
        + 2 * _correction(unit) * np.sum(of_positives * of_negatives) / (positives * negatives)
    )
    return value, math.sqrt(max(variance, 0.0))


def mean_difference(challenger: np.ndarray, champion: np.ndarray, unit: np.ndarray) -> tuple[float, float]:
    """Mean of challenger minus champion and its standard error, as a ratio estimator over units.

    Args:
        challenger: `[rows]`, the loss of each row.
        champion: `[rows]`, the same.
        unit: `[rows]`, codes from 0 on.
    """
    difference = challenger - champion
    value = float(difference.mean())
    residual = np.bincount(unit, difference - value)
    return value, math.sqrt(_correction(unit) * np.sum(residual**2)) / len(difference)


def placements(label: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Each row's placement among the other class; ties count one half. Its mean over either class is the ROC AUC.

    Args:
        label: `[rows]`, 0 or 1; both occur.
        predicted: `[rows]`.

    Returns:
        `[rows]` float64: for a positive the share of negatives below it, for a negative that of positives above it.
    """
    positive = label == 1
    placed = np.empty(len(label))
    placed[positive] = _share_below(np.sort(predicted[~positive]), predicted[positive])
    placed[~positive] = 1 - _share_below(np.sort(predicted[positive]), predicted[~positive])
    return placed


def _share_below(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return below / (2 * len(ordered))


def _correction(unit: np.ndarray) -> float:
    """N / (N - 1) for N units: the correction of a variance whose mean comes from the same units."""
    units = len(np.unique(unit))
    return units / max(units - 1, 1)
