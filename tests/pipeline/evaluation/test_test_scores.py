"""The scores of the test rows, summed up."""

import json

import numpy as np
import pytest
from tfx.types import standard_artifacts

from pipeline.evaluation.test_scores import summary, write_test_scores


def test_deciles_hold_the_highest_scores_first_and_count_conversions():
    probability = np.array([0.05, 0.95, *[0.3] * 17, 0.91], np.float32)
    label = np.array([1, 1, *[0] * 17, 1])
    found = summary(label, probability)
    assert (found["rows"], found["positives"]) == (20, 3)
    assert found["mean"] == pytest.approx((0.05 + 0.95 + 17 * 0.3 + 0.91) / 20)
    first, *_, last = found["deciles"]
    assert (first["decile"], first["rows"], first["positives"]) == (1, 2, 2)
    assert first["mean"] == pytest.approx(0.93)
    assert (last["decile"], last["rows"], last["positives"]) == (10, 2, 1)
    assert sum(decile["rows"] for decile in found["deciles"]) == 20
    counts, edges = found["histogram"]["counts"], found["histogram"]["edges"]
    assert len(edges) == len(counts) + 1 and sum(counts) == 20
    assert counts[np.searchsorted(edges, 0.3, "right") - 1] == 17


def test_few_rows_have_fewer_deciles():
    found = summary(np.array([1, 0, 0]), np.array([0.2, 1.0, 0.0]))
    assert [(decile["decile"], decile["rows"]) for decile in found["deciles"]] == [(4, 1), (7, 1), (10, 1)]
    assert sum(found["histogram"]["counts"]) == 3


def test_the_file_lies_beside_the_blessing(tmp_path):
    blessing = standard_artifacts.ModelBlessing()
    blessing.uri = str(tmp_path / "blessing")
    write_test_scores(blessing, np.array([1, 0]), np.array([0.2, 0.1], np.float32))
    assert json.loads((tmp_path / "blessing" / "test_scores.json").read_text())["rows"] == 2
