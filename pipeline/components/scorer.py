"""Scorer: the champion scores all customers, and each gets a percentile, a decile and an arm."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import tempfile
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts

from models.features import FeatureSet
from pipeline.artifacts import Scores
from pipeline.champion import challenger
from pipeline.champion.identity import model_digest, model_version
from pipeline.components import specification
from pipeline.components.champion_schema import single_champion
from pipeline.components.specification import read_settings
from pipeline.examples.splits import count_rows
from pipeline.fast import placement
from pipeline.fast.compat import path_utils
from pipeline.fast.scoring.customers import ScoredCustomers, score_customers
from pipeline.fast.scoring.work import OnBeam
from pipeline.scores import layout
from pipeline.scores.ranking import rank
from pipeline.settings.dataset import SCORE_SPLIT, Columns
from pipeline.settings.scoring import ScoringSettings

_UNRANKED = "unranked"  # a folder in the artifact for what Beam's workers write; it is deleted


class Executor(base_beam_executor.BaseBeamExecutor):
    """Scores and ranks. Only then does it write files for others to read."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the scores; see pipeline/scores/layout.py.

        Args:
            input_dict: `examples` (raw, with the split `score` and the key) and `model` (the champion, or nothing).
            output_dict: `scores`.
            exec_properties: Scorer's parameters.

        Raises:
            ChampionError: there is no champion, or its files are gone.
            UnscorableError: there are no rows, or they lack a feature of the champion, a key or a date.
            ReasonsUnavailableError: an earlier version of this project exported the champion, so it gives no reasons.
            ScoringError: the champion cannot be called, or does not return a probability for each row.
            ScoresError: the scores cannot be ranked.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        champion = single_champion(input_dict.get("model") or [])
        folder = path_utils.serving_model_path(champion.uri)
        settings = read_settings(exec_properties, "settings", ScoringSettings)
        columns = read_settings(exec_properties, "columns", Columns)
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        out = artifact_utils.get_single_uri(output_dict["scores"])
        model = {
            "version": model_version(champion),
            "digest": model_digest(folder),
            **{key: challenger.describe(champion)[key] for key in ("family", "trained_at", "trained_through")},
        }
        run_id = exec_properties["run_id"]
        with tempfile.TemporaryDirectory(prefix="propensity-scores-") as work:
            scored = score_customers(
                examples,
                SCORE_SPLIT,
                folder,
                work,
                settings=settings,
                columns=columns,
                features=read_settings(exec_properties, "features", FeatureSet),
                snapshot_date=exec_properties["snapshot_date"] or _today(),
                on_beam=self._on_beam(examples, out),
            )
            scored_at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
            constants = {
                layout.MODEL_VERSION: model["version"],
                layout.MODEL_DIGEST: model["digest"],
                layout.RUN_ID: run_id,
                layout.SCORED_AT: scored_at,
            }
            dates = _rank_into(out, scored, work, settings, constants)
        summary = {
            "model": model,
            "run_id": run_id,
            "scored_at": scored_at,
            "dates": dates,
            "reasons": dataclasses.asdict(scored.explained) if scored.explained else None,
        }
        with fileio.open(os.path.join(out, layout.SUMMARY), "w") as file:
            file.write(json.dumps(summary, indent=1))

    def _on_beam(self, examples: types.Artifact, out: str) -> OnBeam | None:
        """How Beam scores the rows; None if this process does."""
        place = placement.choose("Scorer", self._beam_pipeline_args, count_rows(examples, [SCORE_SPLIT]))
        return OnBeam(self._make_beam_pipeline, f"{out}/{_UNRANKED}") if place is placement.Place.BEAM else None


def _today() -> str:
    """The day of the run (UTC): a schedule gives all its runs the same parameters, so it cannot name the day."""
    return datetime.datetime.now(datetime.timezone.utc).date().isoformat()


def _rank_into(
    out: str, scored: ScoredCustomers, work: str, settings: ScoringSettings, constants: dict[str, str]
) -> list[dict[str, object]]:
    """Ranks the scores and copies the files to the artifact; returns the figures of each date for scores.json."""
    ranked = os.path.join(work, "ranked")
    os.makedirs(ranked)
    found = rank(
        scored.files,
        ranked,
        key=scored.identity.name,
        key_type=scored.identity.key_type,
        settings=settings,
        constants=constants,
    )
    fileio.makedirs(out)
    for name in sorted(os.listdir(ranked)):
        fileio.copy(os.path.join(ranked, name), os.path.join(out, name), overwrite=True)
    return [figures.to_json() for figures in found.values()]


class Scorer(
    specification.BeamComponent,
    executor=Executor,
    inputs={"examples": standard_artifacts.Examples, "model": specification.optional(standard_artifacts.Model)},
    outputs={"scores": Scores},
    parameters={
        "settings": ScoringSettings,
        "columns": Columns,
        "features": FeatureSet,
        "snapshot_date": str,
        "run_id": str,
    },
):
    """Scores all customers.

    Inputs:
        examples: raw Examples with the split `score`, which have the key.
        model: the champion, the latest blessed Model; it may resolve to nothing, which fails the step.

    Parameters:
        settings: the section `scoring`.
        columns: names of the key and the date.
        features: the features that the data set declares.
        snapshot_date: the date of all rows, such as 2026-01-05, if the examples have no date column; "" for the day of
            the run (UTC).
        run_id: what the score table calls this run.

    Outputs:
        scores: Scores: a file for each date, and `scores.json`.
    """
