"""What the gate reads from artifacts: the models to score, the test rows, and descriptions of the models."""

from __future__ import annotations

import datetime
import json
import logging
import os
from typing import Any

import numpy as np
from tfx import types
from tfx.dsl.io import fileio

from pipeline.artifacts import INFRA_CHECK
from pipeline.champion import challenger, training_record
from pipeline.fast.compat import path_utils
from pipeline.fast.scoring.model import ScoringError
from pipeline.fast.scoring.score import ScoredRows, score_split
from pipeline.gate import checks
from pipeline.gate.rows import TestRows

SPLIT = "test"
SEEN_IN = {"train": "training", "eval": "eval"}  # splits that training, early stopping and selection have seen
USER, NEW = "user", "new"  # the slice by whether a user was seen, and its value for users who were not
#: Test rows on which two models are compared to find out whether they are the same model.
_COMPARED_ROWS = 100_000
_log = logging.getLogger("propensity")


def saved_models(model: types.Artifact, champion: types.Artifact | None) -> dict[str, str]:
    """SavedModel folders by role."""
    found = {"challenger": path_utils.serving_model_path(model.uri)}
    if champion is not None:
        found["champion"] = path_utils.serving_model_path(champion.uri)
        if challenger.has_anchor(model.uri):
            found["anchor"] = path_utils.serving_model_path(challenger.anchor_uri(model.uri))
    return found


def is_withdrawn(
    model: types.Artifact, champion: types.Artifact, examples: types.Artifact, scored: ScoredRows, label: str
) -> bool:
    """Whether a rollback withdrew the challenger, or a model that predicts the same: retrained on the same rows."""
    for source in challenger.withdrawn_sources(champion):
        if source == challenger.source_of(model):
            return True
        try:
            withdrawn = score_split(
                examples, SPLIT, {"withdrawn": path_utils.serving_model_path(source)}, label=label, rows=_COMPARED_ROWS
            )
        except ScoringError as error:  # its artifact may be gone, or need a column that is
            _log.warning(
                "cannot compare the challenger's predictions with a withdrawn model; only its id is compared: %s", error
            )
            continue
        there = withdrawn.predictions["withdrawn"]
        if checks.largest_difference(scored.predictions["challenger"][: len(there)], there) <= checks.MAX_UNCHANGED:
            return True
    return False


def test_rows(scored: ScoredRows, sliced: list[str], date: str | None) -> TestRows:
    """The rows that the gate judges on, with their slices."""
    slices = {name: scored.columns[name].texts() for name in sliced}
    if scored.seen:
        slices[USER] = np.select(
            [scored.seen[split] for split in SEEN_IN], [f"seen in {name}" for name in SEEN_IN.values()], NEW
        ).astype(object)
    return TestRows(
        label=scored.label,
        unit=scored.unit,
        date=scored.columns[date].texts() if date else None,
        slices=slices,
    )


def training_base_rate(model: types.Artifact) -> float:
    """The share of positives of the rows that a model was trained on."""
    [count] = [count for count in training_record.read_summary(model.uri)["splits"] if count["split"] == "train"]
    return count["positives"] / count["rows"]


def infra_problems(infra_blessing: types.Artifact) -> list[str]:
    """What InfraCheck found."""
    with fileio.open(os.path.join(infra_blessing.uri, INFRA_CHECK)) as file:
        return json.loads(file.read())["problems"]


def describe_models(model: types.Artifact, champion: types.Artifact | None) -> dict[str, Any]:
    """The verdict's description of each model."""
    described = {"challenger": challenger.describe(model), "champion": None, "anchor": None}
    if champion is not None:
        described["champion"] = challenger.describe(champion)
        trained_at = datetime.datetime.fromisoformat(described["champion"]["trained_at"])
        described["champion"]["age_days"] = (datetime.datetime.now(datetime.timezone.utc) - trained_at).days
        if challenger.has_anchor(model.uri):
            described["anchor"] = challenger.read_anchor(model.uri)
    return described
