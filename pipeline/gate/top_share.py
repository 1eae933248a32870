"""The rows with the highest predictions: the rows that you act on.

The cut often falls between rows with equal predictions. Each of these tied rows then counts by the fraction of them
that fits in. So each figure is the mean over all orders of the tied rows, and does not depend on the order of rows in
a file.
"""

from __future__ import annotations

import numpy as np


def selected(predicted: np.ndarray, share: float) -> np.ndarray:
    """By how much each row belongs to the top share.

    Args:
        predicted: `[rows]`.
        share: of rows, in (0, 1).

    Returns:
        `[rows]` float64 with the sum `share * rows`: 1 above the cut, 0 below it, and for rows tied at the cut the
        fraction of them that fits in.
    """
    wanted = share * len(predicted)
    cut = np.sort(predicted)[::-1][int(np.ceil(wanted)) - 1]
    above, tied = predicted > cut, predicted == cut
    return above + tied * ((wanted - above.sum()) / tied.sum())


def gain(label: np.ndarray, predicted: np.ndarray, share: float) -> float:
    """The share of all positives that lies in the top share of rows; `label` `[rows]` holds at least one positive."""
    return float(np.sum(selected(predicted, share) * label) / np.sum(label))
