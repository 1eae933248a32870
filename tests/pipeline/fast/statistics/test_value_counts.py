import collections

import numpy as np
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv

from pipeline.fast.statistics import value_counts
from pipeline.fast.statistics.value_counts import Counts, ValueCountsGenerator


def values(count=20_000):
    """Long-tailed: thousands of distinct values, most of them once."""
    return [f"v{n}".encode() for n in np.random.default_rng(0).zipf(1.3, count)]


@pytest.mark.parametrize("most_waiting", [1_000_000, 100])
def test_counts_are_exact_however_often_they_are_merged(monkeypatch, most_waiting):
    monkeypatch.setattr(value_counts, "_MOST_WAITING", most_waiting)
    given = values()
    counts, others = Counts(), Counts()
    for start in range(0, 10_000, 1000):
        counts.add(pa.array(given[start : start + 1000], pa.large_binary()))
    others.add(pa.array([*given[10_000:], None], pa.large_binary()))
    counts.merge(others)
    expected = collections.Counter(given)
    totals = counts.totals()
    assert dict(zip(totals["value"].to_pylist(), totals["count"].to_pylist(), strict=True)) == expected
    largest = sorted(((count, value) for value, count in expected.items()), reverse=True)
    assert len(largest) > 2000
    assert counts.most_frequent(1500) == largest[:1500], "equal counts: the larger value first"
    assert counts.most_frequent(10**6) == largest


def test_accumulators_merge_and_features_without_values_are_left_out():
    generator = ValueCountsGenerator(tfdv.StatsOptions(num_top_values=2, num_rank_histogram_buckets=3))
    batches = [
        pa.RecordBatch.from_pydict(
            {
                "city": pa.array([[b"Ulm"], [b"Bonn"], None, [b"\xff"]], pa.large_list(pa.large_binary())),
                "none": pa.array([None] * 4, pa.large_list(pa.large_binary())),
                "unknown": pa.array([None] * 4, pa.null()),
                "number": pa.array([[1.0]] * 4, pa.large_list(pa.float32())),
                "integer": pa.array([[1]] * 4, pa.large_list(pa.int64())),
            }
        )
    ] * 2
    accumulators = [generator.add_input(generator.create_accumulator(), batch) for batch in batches]
    result = generator.extract_output(generator.merge_accumulators(accumulators))
    [feature] = result.features
    assert feature.path.step == ["city"]
    found = [(value.value, value.frequency) for value in feature.string_stats.top_values]
    assert found == [("__BYTES_VALUE__", 2), ("Ulm", 2)]
    assert feature.string_stats.unique == 3
    assert [bucket.sample_count for bucket in feature.string_stats.rank_histogram.buckets] == [2, 2, 2]
