"""SelectModel: chooses the trained model that challenges the champion, by its predictions on the eval split.

The test split stays untouched until the gate. The component copies the winner to a new artifact, which is newer than
the champion even if the Trainers come from the cache. So both resolvers agree on the champion: TFX's local one takes
the blessed model with the highest id, Vertex AI's the model of the newest blessing.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import typing
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from pipeline.artifacts import SELECTION
from pipeline.champion import anchor, candidates, challenger
from pipeline.components import specification
from pipeline.settings.training import Family

_log = logging.getLogger("propensity")
_progress = logging.getLogger("propensity.progress")

_FAMILIES = typing.get_args(Family)


class Executor(base_executor.BaseExecutor):
    """Scores the candidates on eval and copies the best one, and the anchor."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the winner with `selection.json` and, if there is a champion, the anchor.

        Args:
            input_dict: raw `examples` with the split eval; a Model of each family that was trained; `champion` and
                `champion_blessing`, if there are any.
            output_dict: `model`: one Model.
            exec_properties: SelectModel's parameters.

        Raises:
            AnchorError: the champion cannot be scored, and the parameters do not accept that.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        models = {family: input_dict[family][0] for family in _FAMILIES if input_dict.get(family)}
        metric, label = exec_properties["metric"], exec_properties["label"]
        measured = candidates.measure(models, examples, label)
        chosen = candidates.best(measured.candidates, metric)
        _tell(measured, metric, chosen)

        model = artifact_utils.get_single_instance(output_dict["model"])
        io_utils.copy_dir(chosen.uri, model.uri)
        document = {
            "split": candidates.SPLIT,
            "metric": metric,
            "chosen": chosen.family,
            **dataclasses.asdict(measured),
        }
        with fileio.open(os.path.join(model.uri, SELECTION), "w") as file:
            file.write(json.dumps(document, indent=1))
        model.set_string_custom_property(challenger.FAMILY, chosen.family)
        model.set_int_custom_property(challenger.SOURCE_ID, chosen.model_id)
        model.set_string_custom_property(challenger.SOURCE_URI, chosen.uri)
        model.set_string_custom_property("metric", metric)
        if chosen.metrics[metric] is not None:
            model.set_float_custom_property("value", chosen.metrics[metric])

        champions, blessings = input_dict.get("champion") or [], input_dict.get("champion_blessing") or []
        if champions:
            anchor.carry(
                model.uri,
                champions[0],
                blessings[0] if blessings else None,
                examples,
                label=label,
                accept_none=bool(exec_properties["accept_incompatible_champion"]),
            )


def _tell(measured: candidates.MeasuredCandidates, metric: str, chosen: candidates.Candidate) -> None:
    """Logs the choice, and a warning for each candidate that has a problem."""
    for candidate in measured.candidates:
        if candidate.problem:
            _log.warning("%s", candidate.problem)
    texts = {
        candidate.family: "no value" if candidate.metrics[metric] is None else f"{candidate.metrics[metric]:.4f}"
        for candidate in measured.candidates
    }
    line = f"{chosen.family}: {candidates.SPLIT} {metric} {texts.pop(chosen.family)}"
    others = ", ".join(f"{family} {text}" for family, text in texts.items())
    _progress.info("%s", f"{line} ({others})" if others else line)


class SelectModel(
    specification.Component,
    executor=Executor,
    inputs={
        "examples": standard_artifacts.Examples,
        **{family: specification.optional(standard_artifacts.Model) for family in _FAMILIES},
        "champion": specification.optional(standard_artifacts.Model),
        "champion_blessing": specification.optional(standard_artifacts.ModelBlessing),
    },
    outputs={"model": standard_artifacts.Model},
    parameters={"metric": str, "label": str, "accept_incompatible_champion": int},
):
    """Chooses the challenger.

    Inputs:
        examples: raw Examples, whose eval split is scored.
        keras, xgboost, ...: by family, the Models that were trained; at least one.
        champion: the latest blessed Model; it may resolve to nothing.
        champion_blessing: its ModelBlessing.

    Parameters:
        metric: the metric by which the models are compared.
        label: the label's feature.
        accept_incompatible_champion: 1 to go on without an anchor if not even the champion can be scored.

    Outputs:
        model: a copy of the winner's Model, with `selection.json` and, if there is a champion, `anchor/`.
    """
