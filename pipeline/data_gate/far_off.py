"""Values of rows to score that are far off what the champion was trained on, by feature and share of the rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import statistics_pb2

from pipeline.data_gate.feature_values import feature_name
from pipeline.examples.list_columns import first_values

#: Scoring warns of a number that lies outside the training range by more than this many times the range's width.
FAR_WIDTHS = 1.0
#: Scoring warns of a category if at least this share of the rows has values that no training row had.
NEW_VALUES_SHARE = 0.01


@dataclasses.dataclass
class _Watched:
    """What was learned of a feature, and the rows seen with values beyond it."""

    lowest: float = -math.inf
    highest: float = math.inf
    known: pa.Array | None = None
    beyond: int = 0


class FarOff:
    """Counts, batch by batch, the values that are far off."""

    def __init__(self, trained: statistics_pb2.DatasetFeatureStatisticsList):
        """Takes the statistics of the champion's training rows."""
        self._rows = 0
        self._watched: dict[str, _Watched] = {}
        for feature in trained.datasets[0].features:
            name, kind = feature_name(feature), feature.WhichOneof("stats")
            if kind == "num_stats":
                low, high = feature.num_stats.min, feature.num_stats.max
                width = FAR_WIDTHS * (high - low)
                self._watched[name] = _Watched(low - width, high + width)
            elif kind == "string_stats" and _lists_all_values(feature.string_stats):
                values = [bucket.label for bucket in feature.string_stats.rank_histogram.buckets]
                self._watched[name] = _Watched(known=pa.array(values, pa.string()).cast(pa.large_binary()))

    @property
    def names(self) -> list[str]:
        """The features that are watched."""
        return list(self._watched)

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Counts the rows of batches of examples: list columns of at most one value."""
        for batch in batches:
            self._rows += batch.num_rows
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                watched = self._watched.get(name)
                if watched is not None:
                    watched.beyond += _beyond(first_values(column), watched)

    def warnings(self) -> list[str]:
        """A sentence for each feature with values far off."""
        found = []
        for name, watched in self._watched.items():
            share = watched.beyond / self._rows if self._rows else 0.0
            if watched.known is None and watched.beyond:
                found.append(
                    f"feature '{name}': {_share(share)} of the rows ({watched.beyond:,}) hold a number far outside "
                    "what the champion was trained on; the model treats it like the nearest training value"
                )
            elif watched.known is not None and share >= NEW_VALUES_SHARE:
                found.append(
                    f"feature '{name}': {_share(share)} of the rows ({watched.beyond:,}) hold a category that no "
                    "training row had; the model treats all of them alike"
                )
        return found


def _beyond(values: pa.Array, watched: _Watched) -> int:
    if pa.types.is_null(values.type):
        return 0
    if watched.known is not None:
        new = pc.invert(pc.is_in(values.cast(pa.large_binary()), value_set=watched.known))
        return pc.sum(pc.and_(new, pc.is_valid(values))).as_py() or 0
    numbers = values.drop_null().to_numpy(zero_copy_only=False)
    return int(np.count_nonzero((numbers < watched.lowest) | (numbers > watched.highest)))


def _lists_all_values(text: statistics_pb2.StringStatistics) -> bool:
    """Whether the statistics list every value: those of a feature with very many values list the most frequent only."""
    return 0 < text.unique <= len(text.rank_histogram.buckets)


def _share(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "less than 0.1 %"
