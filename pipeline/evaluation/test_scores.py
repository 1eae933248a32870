"""The champion's scores of the test rows, summed up beside its blessing, for the report of a scoring run."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from tfx import types
from tfx.dsl.io import fileio

from pipeline.scores.figures import DECILES, HISTOGRAM_BINS

TEST_SCORES = "test_scores.json"  # in a ModelBlessing


def summary(label: np.ndarray, probability: np.ndarray) -> dict[str, Any]:
    """The distribution of the scores, and the deciles with the conversions that there were.

    Args:
        label: 0 or 1, `[rows]`, at least one row.
        probability: float `[rows]`, 0 to 1.

    Returns:
        `rows`, `positives` and `mean`; `histogram` as scores.json has it; and of each decile its number (1 is the
        highest), rows, mean probability and positives.
    """
    rows = len(label)
    probability = probability.astype(np.float64)
    counts, edges = np.histogram(probability, HISTOGRAM_BINS, (0, 1))
    order = np.argsort(-probability, kind="stable")
    deciles = (DECILES * np.arange(1, rows + 1) + rows - 1) // rows  # as scores/ranking.py has them
    return {
        "rows": rows,
        "positives": int(label.sum()),
        "mean": float(np.mean(probability)),
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        "deciles": [
            {
                "decile": int(decile),
                "rows": int(np.count_nonzero(deciles == decile)),
                "mean": float(np.mean(probability[order[deciles == decile]])),
                "positives": int(label[order[deciles == decile]].sum()),
            }
            for decile in np.unique(deciles)
        ],
    }


def write_test_scores(blessing: types.Artifact, label: np.ndarray, probability: np.ndarray) -> None:
    """Writes `test_scores.json` beside a blessing; arguments as for `summary`."""
    fileio.makedirs(blessing.uri)
    with fileio.open(os.path.join(blessing.uri, TEST_SCORES), "w") as file:
        file.write(json.dumps(summary(label, probability), indent=1))
