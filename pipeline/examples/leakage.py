"""Finds single features that predict the label suspiciously well: usually a column that knows the future."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.features import FeatureSet, Kind

#: A feature whose own ROC AUC is above this value is reported as possible leakage. The best honest single feature of
#: the public data sets that were tried stays below 0.91.
SUSPICIOUS_AUC = 0.97
#: Training rows on which each feature's own ROC AUC is measured.
_MAX_ROWS = 100_000
#: With fewer positives, or fewer negatives, leakage is not measured.
_MIN_POSITIVES = 50


class LeakageProbe:
    """Keeps the first 100,000 training rows that pass through, and measures each feature's own ROC AUC on them."""

    def __init__(self, features: FeatureSet, label: str):
        """Takes the features to measure and the label's name."""
        self._features = features
        self._label = label
        self._kept: list[pa.RecordBatch] = []
        self._rows = 0

    def watch(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Passes the batches through, remembering some of the training rows."""
        for batch in batches:
            if self._rows < _MAX_ROWS:
                train = pc.filter(batch, pc.equal(batch.column(batch.schema.get_field_index("split")), "train"))
                self._kept.append(train.slice(0, _MAX_ROWS - self._rows))
                self._rows += self._kept[-1].num_rows
            yield batch

    def single_feature_auc(self) -> dict[str, float]:
        """For each feature the ROC AUC of ranking the rows by it alone, in whichever direction is better (0.5 to 1).

        A category is ranked by its mean label. Empty where fewer than 50 rows have one of the labels.
        """
        if not self._kept:
            return {}
        table = pa.Table.from_batches(self._kept)
        label = table.column(self._label).cast(pa.int64()).to_numpy()
        if min(label.sum(), len(label) - label.sum()) < _MIN_POSITIVES:
            return {}
        found = {}
        for feature in self._features.features:
            column = table.column(feature.name)
            if feature.kind is Kind.CATEGORICAL:
                scores = _label_means(column, label)
            else:
                scores = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=float)
            auc = ranking_auc(np.nan_to_num(scores, nan=np.nanmin(scores, initial=0) - 1), label)
            found[feature.name] = max(auc, 1 - auc)
        return found


def leakage_warnings(single_feature_auc: Mapping[str, float]) -> list[str]:
    """A sentence for each feature whose own ROC AUC is above SUSPICIOUS_AUC."""
    return [
        f"feature '{name}' alone predicts the label with ROC AUC {auc:.3f} on the training rows: make sure that it is "
        "known before the snapshot"
        for name, auc in single_feature_auc.items()
        if auc > SUSPICIOUS_AUC
    ]


def ranking_auc(scores: np.ndarray, label: np.ndarray) -> float:
    """ROC AUC of scores [n] float for labels [n] 0/1, ties counted half (the Mann-Whitney statistic)."""
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean_rank = ends - (counts - 1) / 2
    positives = label.sum()
    negatives = len(label) - positives
    return float((mean_rank[group][label == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _label_means(column: pa.ChunkedArray, label: np.ndarray) -> np.ndarray:
    """Each row's category as the mean label of that category, smoothed with 10 rows of the base rate.

    Even rows take the mean of the odd ones and the reverse: within its own mean, a row's label would show through.
    """
    codes = pc.fill_null(column.combine_chunks().dictionary_encode().indices, -1).to_numpy() + 1
    even = np.arange(len(label)) % 2 == 0
    means = np.empty(len(label))
    for here, other in ((even, ~even), (~even, even)):
        count = np.bincount(codes[other], minlength=codes.max() + 1)
        total = np.bincount(codes[other], weights=label[other], minlength=codes.max() + 1)
        means[here] = ((total + 10 * label[other].mean()) / (count + 10))[codes[here]]
    return means
