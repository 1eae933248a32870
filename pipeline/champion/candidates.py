"""The trained models side by side: how good each one is on eval, and which one challenges the champion."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping, Sequence

import numpy as np
from tfx import types

from pipeline.fast.compat import path_utils
from pipeline.fast.scoring.model import ScoringError
from pipeline.fast.scoring.score import score_split
from pipeline.gate.metrics import COMPARED, METRICS, point_metrics

SPLIT = "eval"
MIN_POSITIVES = 100  #: With fewer eval positives, SelectModel warns that its choice between families is chance.
_log = logging.getLogger("propensity")


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A trained model, as `selection.json` describes it.

    Attributes:
        family: keras or xgboost.
        model_id: of its Model artifact.
        uri: of its Model artifact.
        problem: why it has no metrics; None if it has.
        metrics: those of `select_by`, by name; None where the metric is not defined.
    """

    family: str
    model_id: int
    uri: str
    problem: str | None
    metrics: dict[str, float | None]


@dataclasses.dataclass(frozen=True)
class MeasuredCandidates:
    """All candidates, measured on the same rows.

    Attributes:
        rows: of eval.
        positives: among them.
        candidates: in the order of the families.
    """

    rows: int
    positives: int
    candidates: tuple[Candidate, ...]


def measure(models: Mapping[str, types.Artifact], examples: types.Artifact, label: str) -> MeasuredCandidates:
    """Scores the models on eval. One that cannot be scored, or gives no probabilities, gets a `problem`.

    Warns where there are too few positives to tell the models apart.

    Args:
        models: Model artifacts by family.
        examples: raw Examples.
        label: their label.
    """
    folders = {family: path_utils.serving_model_path(model.uri) for family, model in models.items()}
    problems: dict[str, str] = {}
    scored = None
    while scored is None:
        try:
            scorable = {family: folder for family, folder in folders.items() if family not in problems}
            scored = score_split(examples, SPLIT, scorable, label=label)
        except ScoringError as error:
            problems[error.model] = str(error)
    if len(models) > 1:
        _warn_of_few_positives(scored.label)
    for family, predictions in scored.predictions.items():
        bad = np.count_nonzero(~((predictions >= 0) & (predictions <= 1)))
        if bad:
            problems[family] = (
                f"model '{family}' returns no probability for {bad:,} of {len(predictions):,} rows of eval"
            )
    return MeasuredCandidates(
        rows=len(scored.label),
        positives=int(scored.label.sum()),
        candidates=tuple(
            Candidate(
                family=family,
                model_id=model.id,
                uri=model.uri,
                problem=problems.get(family),
                metrics=_measure(scored.label, None if family in problems else scored.predictions[family]),
            )
            for family, model in models.items()
        ),
    )


def best(candidates: Sequence[Candidate], metric: str) -> Candidate:
    """The candidate with the best value, the first of equals; where none has one, the first without a problem."""

    def rank(candidate: Candidate) -> tuple[bool, float]:
        value = candidate.metrics[metric]
        if value is None:
            return candidate.problem is not None, math.inf
        return False, -value if METRICS[metric].higher_is_better else value

    return min(candidates, key=rank)


def _warn_of_few_positives(label: np.ndarray) -> None:
    rarer = min(int(label.sum()), len(label) - int(label.sum()))
    if rarer < MIN_POSITIVES:
        kind = "positives" if 2 * label.sum() <= len(label) else "negatives"
        _log.warning(
            "eval holds %s %s. With fewer than %s, chance decides which model family is chosen: use more rows, raise "
            "split.eval_percent, or train one family (training.families).",
            f"{rarer:,}",
            kind,
            MIN_POSITIVES,
        )


def _measure(label: np.ndarray, predictions: np.ndarray | None) -> dict[str, float | None]:
    if predictions is None or not len(label):
        return dict.fromkeys(COMPARED)
    found = point_metrics(label, predictions, operating_share=0.5)  # of no consequence for these metrics
    return {name: found[name] for name in COMPARED}
