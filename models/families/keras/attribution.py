"""Reasons of the Keras family: the SavedModel computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models.features import FeatureSet


def load_contributions(folder: str, model: Any, features: FeatureSet) -> Callable[[dict[str, Any]], np.ndarray]:
    """As contract.AttributionModule; the SavedModel computes them."""
    return lambda transformed: model.contributions(transformed).numpy()
