"""Calibration: do predicted probabilities match frequencies?

The calibration line is the logistic regression of the label on the predictions' logit (Cox 1958, Biometrika 45:562);
slope 1 and intercept 0 are perfect. Intervals are analytic and clustered by unit: sandwich variance for the slope
(Liang and Zeger 1986, Biometrika 73:13), delta method on the log scale for observed over expected.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from pipeline.gate.confidence import Z

#: Predictions are clipped this far from 0 and 1 before a calibration slope is fitted: float32's precision next to 1.
_CLIP = 1e-7
_MAX_STEPS = 50
#: A larger calibration slope means that the classes are separated, so that the likelihood has no maximum.
_MAX_SLOPE = 1000.0


@dataclasses.dataclass(frozen=True)
class Line:
    """The calibration line: logit P(label = 1) = intercept + slope * logit(prediction)."""

    slope: float
    intercept: float


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A value with its one-sided 95 % bounds: together a 90 % interval."""

    value: float
    lower: float
    upper: float


def fit(label: np.ndarray, predicted: np.ndarray) -> Line | None:
    """The calibration line.

    Args:
        label: `[rows]`, 0 or 1; both occur.
        predicted: `[rows]`, probabilities.

    Returns:
        The line of maximum likelihood; None if the predictions do not vary or separate the classes.
    """
    if predicted[label == 0].max() <= predicted[label == 1].min() or predicted[label == 1].max() <= (
        predicted[label == 0].min()
    ):
        return None
    x = logit(predicted)
    centre, scale = x.mean(), x.std()
    if scale < 1e-9:
        return None
    z = (x - centre) / scale
    base_rate = label.mean()
    beta = np.array([math.log(base_rate / (1 - base_rate)), 0.0])
    loss = _loss(label, z, beta)
    for _ in range(_MAX_STEPS):
        gradient, hessian = _derivatives(label, z, beta)
        if abs(np.linalg.det(hessian)) < 1e-300:
            return None
        step = np.linalg.solve(hessian, gradient)
        while (new_loss := _loss(label, z, beta - step)) > loss + 1e-12 and np.abs(step).max() > 1e-12:
            step = step / 2  # Newton steps overshoot where the likelihood is flat
        beta, loss = beta - step, new_loss
        if abs(beta[1]) > _MAX_SLOPE * scale or loss < 1e-9:
            return None
        if np.abs(step).max() < 1e-10:
            break
    slope = beta[1] / scale
    return Line(float(slope), float(beta[0] - slope * centre))


def slope_interval(label: np.ndarray, predicted: np.ndarray, unit: np.ndarray) -> Estimate | None:
    """The calibration slope with its bounds; `unit` `[rows]` are codes from 0 on. None where fit() is."""
    line = fit(label, predicted)
    if line is None:
        return None
    x = logit(predicted)
    _, hessian = _derivatives(label, x, np.array([line.intercept, line.slope]))
    residual = (label - _sigmoid(line.intercept + line.slope * x)) / len(label)
    scores = np.stack([np.bincount(unit, residual), np.bincount(unit, residual * x)], axis=1)
    inverse = np.linalg.inv(hessian)
    units = len(np.unique(unit))
    variance = (inverse @ (scores.T @ scores) @ inverse)[1, 1] * units / max(units - 1, 1)
    if not variance > 0:  # a matrix next to singular: the classes are all but separated
        return None
    margin = Z * math.sqrt(variance)
    return Estimate(line.slope, line.slope - margin, line.slope + margin)


def observed_over_expected_interval(label: np.ndarray, predicted: np.ndarray, unit: np.ndarray) -> Estimate | None:
    """Sum of labels over sum of predictions, with its bounds; None if one of the sums is 0."""
    observed, expected = float(label.sum()), float(predicted.sum())
    if observed == 0 or expected <= 0:
        return None
    ratio = observed / expected
    residual = np.bincount(unit, label - ratio * predicted)
    units = len(np.unique(unit))
    relative_error = math.sqrt(np.sum(residual**2) * units / max(units - 1, 1)) / observed
    factor = math.exp(Z * relative_error)
    return Estimate(ratio, ratio / factor, ratio * factor)


def logit(predicted: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)) `[rows]`, finite."""
    clipped = np.clip(predicted, _CLIP, 1 - _CLIP)
    return np.log(clipped / (1 - clipped))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))  # never overflows


def _loss(label: np.ndarray, x: np.ndarray, beta: np.ndarray) -> float:
    """Mean negative log likelihood of the line."""
    linear = beta[0] + beta[1] * x
    return float(np.mean(np.logaddexp(0, linear) - label * linear))


def _derivatives(label: np.ndarray, x: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient `[2]` and Hessian `[2, 2]` of _loss by the intercept and the slope."""
    p = _sigmoid(beta[0] + beta[1] * x)
    residual, weight = p - label, p * (1 - p)
    mixed = np.mean(weight * x)
    hessian = np.array([[np.mean(weight), mixed], [mixed, np.mean(weight * x * x)]])
    return np.array([np.mean(residual), np.mean(residual * x)]), hessian
