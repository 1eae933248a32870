"""TFDV's statistics of some files, computed by its combiners in this process."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

from pipeline.examples.files import record_batches
from pipeline.fast.compat import sketch_generators, stats_impl
from pipeline.fast.statistics.value_counts import ValueCountsGenerator


def split_statistics(files: Sequence[str], options: tfdv.StatsOptions) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Computes TFDV's statistics of the examples in some files.

    Args:
        files: all Parquet, or all TFRecords of tf.Examples.
        options: only those that step.in_memory_options accepts.

    Returns:
        One data set; its features are in no particular order.
    """
    generators = [
        ValueCountsGenerator(options)
        if isinstance(generator, sketch_generators.TopKUniquesSketchStatsGenerator)
        and not options.use_sketch_based_topk_uniques
        else generator
        for generator in stats_impl.get_generators(options, in_memory=True)
    ]
    for generator in generators:
        generator.setup()
    accumulators = [generator.create_accumulator() for generator in generators]
    for batch in record_batches(files, options.feature_allowlist, absent="skip"):
        accumulators = [
            generator.add_input(accumulator, batch)
            for generator, accumulator in zip(generators, accumulators, strict=True)
        ]
    return stats_impl.extract_statistics_output(accumulators, generators)
