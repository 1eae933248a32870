"""Counts every distinct value in process, as TFDV's Beam transform of the most frequent values does.

TFDV's own in-memory generator uses sketches instead; above 1,024 distinct values their counts are estimates.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from tensorflow_data_validation import CombinerStatsGenerator, FeaturePath, StatsOptions
from tensorflow_metadata.proto.v0 import statistics_pb2

from pipeline.fast.compat import array_util, arrow_util, schema_util, stats_util, top_k_uniques_stats_util

_MOST_WAITING = 1_000_000  # values whose counts may wait to be merged


class Counts:
    """Counts how often each value of a feature occurs."""

    def __init__(self) -> None:
        """Starts without values."""
        self._parts: list[pa.Table] = []
        self._merged = 0
        self._waiting = 0

    def add(self, values: pa.Array) -> None:
        """Counts an array of bytes or integers, without its nulls."""
        counts = values.drop_null().value_counts()
        self._append(pa.table({"value": counts.field("values"), "count": counts.field("counts")}))

    def merge(self, other: Counts) -> None:
        """Adds the counts of another object."""
        for part in other._parts:
            self._append(part)

    def totals(self) -> pa.Table:
        """A table with one row per value: `value`, and the number of its occurrences, `count` int64."""
        if len(self._parts) > 1:
            grouped = pa.concat_tables(self._parts).group_by("value").aggregate([("count", "sum")])
            self._parts = [pa.table({"value": grouped.column("value"), "count": grouped.column("count_sum")})]
        self._merged, self._waiting = sum(part.num_rows for part in self._parts), 0
        return self._parts[0]

    def most_frequent(self, most: int) -> list[tuple[int, bytes | int]]:
        """Up to `most` counts with their values: the largest counts, and among equal ones the largest values."""
        totals = self.totals()
        counts = totals.column("count").to_numpy()
        if len(counts) > most:
            totals = totals.filter(pa.array(counts >= np.partition(counts, -most)[-most]))
        pairs = zip(totals.column("count").to_pylist(), totals.column("value").to_pylist(), strict=True)
        return heapq.nlargest(most, pairs)

    def _append(self, part: pa.Table) -> None:
        self._parts.append(part)
        self._waiting += part.num_rows
        if self._waiting > max(_MOST_WAITING, self._merged):
            self.totals()


class ValueCountsGenerator(CombinerStatsGenerator):
    """Computes the most frequent values, the rank histogram and the number of distinct values of each category.

    The accumulator is a dict of Counts by feature.
    """

    def __init__(self, options: StatsOptions):
        """Takes the options of the statistics; weights are not supported."""
        super().__init__("ValueCountsGenerator", options.schema)
        self._options = options
        schema = options.schema
        self._bytes_features = frozenset(schema_util.get_bytes_features(schema) if schema else [])
        self._categorical = schema_util.get_categorical_numeric_feature_types(schema) if schema else {}

    def create_accumulator(self) -> dict[FeaturePath, Counts]:
        """See TFDV."""
        return {}

    def add_input(
        self, accumulator: dict[FeaturePath, Counts], input_record_batch: pa.RecordBatch
    ) -> dict[FeaturePath, Counts]:
        """See TFDV."""
        for path, column, _ in arrow_util.enumerate_arrays(input_record_batch, None, enumerate_leaves_only=True):
            if self._is_counted(path, column.type):
                values, _ = array_util.flatten_nested(column)
                accumulator.setdefault(path, Counts()).add(values)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[dict[FeaturePath, Counts]]) -> dict[FeaturePath, Counts]:
        """See TFDV."""
        result = self.create_accumulator()
        for accumulator in accumulators:
            for path, counts in accumulator.items():
                result.setdefault(path, Counts()).merge(counts)
        return result

    def extract_output(self, accumulator: dict[FeaturePath, Counts]) -> statistics_pb2.DatasetFeatureStatistics:
        """See TFDV."""
        result = statistics_pb2.DatasetFeatureStatistics()
        options, util = self._options, top_k_uniques_stats_util
        for path, counts in accumulator.items():
            distinct = counts.totals().num_rows
            if not distinct:
                continue
            found = counts.most_frequent(max(options.num_top_values, options.num_rank_histogram_buckets))
            feature = util.make_feature_stats_proto_topk_uniques(
                feature_path=path,
                num_top_values=options.num_top_values,
                num_rank_histogram_buckets=options.num_rank_histogram_buckets,
                num_unique=distinct,
                value_count_list=[util.FeatureValueCount(value, count) for count, value in found],
                frequency_threshold=options.frequency_threshold,
            )
            result.features.add().CopyFrom(feature)
        return result

    def _is_counted(self, path: FeaturePath, arrow_type: pa.DataType) -> bool:
        kind = stats_util.get_feature_type_from_arrow_type(path, arrow_type)
        if path in self._bytes_features:
            return False
        if kind == statistics_pb2.FeatureNameStatistics.INT:
            return top_k_uniques_stats_util.output_categorical_numeric(self._categorical, path, kind)
        return kind == statistics_pb2.FeatureNameStatistics.STRING
