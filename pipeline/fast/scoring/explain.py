"""The reasons of scores: a column of texts beside them, for all rows or for the best ones of each date."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.attributions import log_odds
from models.features import FeatureSet
from pipeline.examples.batches import Batch
from pipeline.fast.scoring.identity import UnscorableError
from pipeline.reasons.explainer import load_explainer
from pipeline.reasons.words import reasons
from pipeline.scores.layout import DATE, PROBABILITY, REASONS

ERROR = "reasons_error"  # a column of these files: by how much a row's contributions miss its log odds
_REASONS = pa.list_(pa.string())
_ROWS_AT_A_TIME = 65_536


@dataclasses.dataclass(frozen=True)
class Explanation:
    """How to explain. Beam sends it to the workers.

    Attributes:
        model: the SavedModel's folder.
        features: what the data set declares of the features.
        top: the most reasons of a row.
    """

    model: str
    features: FeatureSet
    top: int

    def load(self) -> Explaining:
        """Loads what explains.

        Raises:
            ReasonsUnavailableError: the model was exported by an earlier version of this project.
            UnscorableError: the data set no longer declares one of the model's features.
        """
        return Explaining(self)


class Explaining:
    """Explains rows.

    Attributes:
        method: how contributions are computed, one sentence.
        baseline: the log odds that they start from.
        columns: the columns of the examples that it needs.
    """

    def __init__(self, explanation: Explanation):
        """See Explanation.load."""
        self._explainer = load_explainer(explanation.model)
        self._features = _features_of(self._explainer.features, explanation.features)
        self._top = explanation.top
        self.method, self.baseline = self._explainer.method, self._explainer.baseline
        self.columns = list(self._features.names)

    def add(
        self, batch: Batch, scored: pa.RecordBatch, floors: Mapping[datetime.date, float] | None = None
    ) -> pa.RecordBatch:
        """Adds reasons and ERROR to the scores of a batch.

        Args:
            batch: raw examples.
            scored: their scores, with the columns of RowIdentity.schema.
            floors: by date, the lowest probability that is explained; None to explain all rows.

        Returns:
            The columns of `with_reasons(scored.schema)`. The last two are null where a row is not explained.
        """
        probability = _column(scored, PROBABILITY).to_numpy()
        chosen = np.ones(len(probability), bool) if floors is None else probability >= _of_each_row(scored, floors)
        raw = (batch if chosen.all() else batch.filter(chosen)).raw(self._features)
        contributions = self._explainer.contributions(raw)
        texts = reasons(contributions, raw, self._features, self._top)
        sums = self.baseline + contributions.sum(axis=1, dtype=np.float64)
        error = np.abs(log_odds(probability[chosen].astype(np.float32)) - sums)
        place = pa.array(np.cumsum(chosen) - 1, mask=~chosen)
        columns = [*scored.columns, texts.cast(_REASONS).take(place), pa.array(error).take(place)]
        return pa.RecordBatch.from_arrays(columns, schema=with_reasons(scored.schema))


def _column(scored: pa.RecordBatch, name: str) -> pa.Array:
    return scored.column(scored.schema.names.index(name))


def _of_each_row(scored: pa.RecordBatch, floors: Mapping[datetime.date, float]) -> np.ndarray:
    """The floor of each row's date, float64 `[rows]`."""
    days = _column(scored, DATE).dictionary_encode()
    return np.array([floors[day] for day in days.dictionary.to_pylist()])[days.indices.to_numpy()]


def _features_of(names: Sequence[str], declared: FeatureSet) -> FeatureSet:
    """The model's features, in its order, as the data set declares them."""
    by_name = {feature.name: feature for feature in declared.features}
    absent = [name for name in names if name not in by_name]
    if absent:
        raise UnscorableError(
            f"the champion needs {', '.join(absent)}, which features.yaml does not declare: put it back, or "
            "train a new champion: make run"
        )
    return FeatureSet(features=tuple(by_name[name] for name in names))


@dataclasses.dataclass(frozen=True)
class Explained:
    """What a report says about reasons.

    Attributes:
        method: how contributions were computed, one sentence.
        baseline: the log odds that they start from.
        largest_error: the most by which baseline and contributions miss the log odds of a row.
        rows: how many rows were explained.
    """

    method: str
    baseline: float
    largest_error: float
    rows: int


def with_reasons(schema: pa.Schema) -> pa.Schema:
    """The columns of files of scores with reasons."""
    return pa.schema([*schema, pa.field(REASONS, _REASONS), pa.field(ERROR, pa.float64())])


def explained(explaining: Explaining, scored: Sequence[str]) -> Explained:
    """Sums up files of scores with reasons; a part of a file is in memory at a time."""
    rows, largest = 0, 0.0
    for path in scored:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_A_TIME, columns=[ERROR]):
                errors = batch.column(0).drop_null().to_numpy()
                rows += len(errors)
                largest = max(largest, float(errors.max(initial=0.0)))
    return Explained(explaining.method, explaining.baseline, largest, rows)
