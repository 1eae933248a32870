import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv

from pipeline.data_gate.feature_values import by_name


def test_what_is_read_is_what_the_columns_hold():
    random = np.random.default_rng(0)
    amount = np.where(random.random(5000) < 0.2, random.lognormal(3, 1, 5000), 0.0)
    frame = pd.DataFrame({"amount": amount, "kind": random.choice(["a", "b"], 5000)})
    frame.loc[:999, "kind"] = None
    found = by_name(tfdv.generate_statistics_from_dataframe(frame))
    assert (found["kind"].rows, found["kind"].present, found["kind"].non_zero) == (5000, 4000, 4000)
    read, spent = found["amount"], amount[amount != 0]
    assert (read.rows, read.present, read.non_zero) == (5000, 5000, len(spent))
    assert (read.mean, read.deviation) == pytest.approx((spent.mean(), spent.std()))
    assert len(read.deciles) == 9


def test_nan_counts_as_missing():
    column = np.tile([1.0, np.nan, 0.0, 3.0], 100).astype(np.float32)
    read = by_name(tfdv.generate_statistics_from_dataframe(pd.DataFrame({"x": column})))["x"]
    assert (read.rows, read.present, read.non_zero) == (400, 300, 200)
    assert (read.mean, read.deviation) == pytest.approx((2, 1))
