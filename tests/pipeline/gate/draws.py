"""Rows and predictions whose truth is known."""

import numpy as np

from pipeline.gate.rows import TestRows


def rows_and_predictions(
    rows=4000, users=1500, *, base_rate=0.15, noise=(("challenger", 0.2), ("champion", 0.2)), seed=0, feature=None
):
    """Calibrated predictions, less so the noisier; several rows a user, who have an effect in common."""
    random = np.random.default_rng(seed)
    user = random.integers(0, users, rows)
    logit = random.normal(size=rows) * 1.5 + random.normal(size=users)[user]
    logit += np.log(base_rate / (1 - base_rate)) - 1.0
    label = (random.random(rows) < sigmoid(logit)).astype(np.int8)
    predictions = {model: sigmoid(logit + random.normal(size=rows) * scale) for model, scale in noise}
    unit = np.char.encode(np.char.mod("%032d", user))
    date = np.array(["2025-01-13", "2025-01-06"], dtype=object)[np.arange(rows) % 2]
    slices = {"device": np.array(["mobile", "desktop"], dtype=object)[(np.arange(rows) // 2) % 2]}
    return TestRows(label, unit, date, {**slices, **(feature or {})}), predictions


def sigmoid(x):
    return 1 / (1 + np.exp(-x))
