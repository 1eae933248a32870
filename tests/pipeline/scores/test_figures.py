"""The figures of a date, against a plain computation."""

import json

import numpy as np
import pytest

from pipeline.scores.figures import HISTOGRAM_BINS, FigureSums
from tests.pipeline.scores.scored_rows import DAY


def test_figures_equal_a_plain_computation_whatever_the_blocks():
    draws = np.random.default_rng(1)
    probability = np.sort(draws.beta(1, 8, 1000))[::-1]
    decile = np.repeat(np.arange(1, 11), 100)
    held = draws.random(1000) < 0.3
    sums = FigureSums()
    for start in range(0, 1000, 130):
        block = slice(start, start + 130)
        sums.add(probability[block], decile[block], held[block])
    figures = sums.figures(DAY)
    assert figures.rows == 1000
    assert figures.mean == pytest.approx(probability.mean())
    assert list(figures.counts) == np.histogram(probability, bins=HISTOGRAM_BINS, range=(0, 1))[0].tolist()
    assert figures.arms == {"treated": int((~held).sum()), "holdout": int(held.sum())}
    assert [found.decile for found in figures.deciles] == list(range(1, 11))
    for found in figures.deciles:
        rows = probability[decile == found.decile]
        assert (found.rows, found.lowest, found.highest) == (100, rows.min(), rows.max())
        assert found.mean == pytest.approx(rows.mean())
        assert found.expected == pytest.approx(rows.sum())


def test_the_last_bin_holds_one():
    sums = FigureSums()
    sums.add(np.array([1.0, 0.98, 0.02, 0.0]), np.array([3, 5, 8, 10]), np.zeros(4, bool))
    counts = sums.figures(DAY).counts
    assert (counts[49], counts[1], counts[0], sum(counts)) == (2, 1, 1, 4)


def test_deciles_without_rows_are_left_out_and_all_is_ready_for_json():
    sums = FigureSums()
    sums.add(np.array([0.75, 0.25]), np.array([5, 10]), np.array([False, True]))
    document = json.loads(json.dumps(sums.figures(DAY).to_json()))
    assert document["deciles"] == [
        {"decile": 5, "rows": 1, "mean": 0.75, "lowest": 0.75, "highest": 0.75, "expected": 0.75},
        {"decile": 10, "rows": 1, "mean": 0.25, "lowest": 0.25, "highest": 0.25, "expected": 0.25},
    ]
    assert document["date"] == "2026-01-05"
    assert document["arms"] == {"treated": 1, "holdout": 1}
    assert len(document["histogram"]["edges"]) == HISTOGRAM_BINS + 1
    assert document["histogram"]["edges"][-1] == 1
