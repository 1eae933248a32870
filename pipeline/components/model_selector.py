"""ModelSelector: which of the models that were trained challenges the champion, by their predictions on eval.

The test split stays untouched until the gate. The winner's folder is copied below an artifact of this component's own,
which is newer than the champion even when the trainers come from the cache: TFX's local resolver takes the blessed
model with the highest id, Vertex's the newest blessing, and so they agree.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import typing
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.dsl.io import fileio
from tfx.orchestration.data_types import RuntimeParameter
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import io_utils

from pipeline.artifacts import SELECTION
from pipeline.champion import anchor, candidates, challenger
from pipeline.settings.training import Family, Metric

_log = logging.getLogger("propensity")
_progress = logging.getLogger("propensity.progress")

_FAMILIES = typing.get_args(Family)


class ModelSelectorSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of ModelSelector."""

    PARAMETERS = {  # noqa: RUF012  (TFX reads a plain dict)
        "metric": component_spec.ExecutionParameter(type=str),
        "label": component_spec.ExecutionParameter(type=str),
        "accept_incompatible_champion": component_spec.ExecutionParameter(type=int),
        "digest": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        **{
            family: component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True)
            for family in _FAMILIES
        },
        "champion": component_spec.ChannelParameter(type=standard_artifacts.Model, optional=True),
        "champion_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
    }


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
            exec_properties: those of ModelSelectorSpec.

        Raises:
            AnchorError: the champion cannot be scored, and the user has not accepted that.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        models = {family: input_dict[family][0] for family in _FAMILIES if input_dict.get(family)}
        metric, label = exec_properties["metric"], exec_properties["label"]
        comparison = candidates.compare(models, examples, label)
        chosen = candidates.best(comparison.candidates, metric)
        _tell(comparison, metric, chosen)

        model = artifact_utils.get_single_instance(output_dict["model"])
        io_utils.copy_dir(chosen.uri, model.uri)
        document = {
            "split": candidates.SPLIT,
            "metric": metric,
            "chosen": chosen.family,
            **dataclasses.asdict(comparison),
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


def _tell(comparison: candidates.Comparison, metric: str, chosen: candidates.Candidate) -> None:
    """Shows the choice, and as a warning what is wrong with a candidate."""
    for candidate in comparison.candidates:
        if candidate.problem:
            _log.warning("%s", candidate.problem)
    texts = {
        candidate.family: "no value" if candidate.metrics[metric] is None else f"{candidate.metrics[metric]:.4f}"
        for candidate in comparison.candidates
    }
    line = f"{chosen.family}: {candidates.SPLIT} {metric} {texts.pop(chosen.family)}"
    others = ", ".join(f"{family} {text}" for family, text in texts.items())
    _progress.info("%s", f"{line} ({others})" if others else line)


class ModelSelector(base_component.BaseComponent):
    """Chooses the challenger.

    Outputs:
        model: a copy of the winner's Model, with `selection.json` and, if there is a champion, `anchor/`.
    """

    SPEC_CLASS = ModelSelectorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        examples: types.BaseChannel,
        models: Mapping[Family, types.BaseChannel],
        champion: types.BaseChannel,
        champion_blessing: types.BaseChannel,
        metric: Metric,
        label: str,
        accept_incompatible_champion: int | RuntimeParameter,
        digest: str,
    ):
        """Builds the component.

        Args:
            examples: raw Examples; their split eval is scored.
            models: by family, the trained Models; at least one.
            champion: the latest blessed Model; may resolve to none.
            champion_blessing: its ModelBlessing.
            metric: by which the models are compared.
            label: the label's feature.
            accept_incompatible_champion: 1 to go on without an anchor where not even the champion can be scored.
            digest: of this component's code.
        """
        if not models:
            raise ValueError("no model to select from: give one of a family at least")
        super().__init__(
            ModelSelectorSpec(
                examples=examples,
                **models,
                champion=champion,
                champion_blessing=champion_blessing,
                metric=metric,
                label=label,
                accept_incompatible_champion=accept_incompatible_champion,
                digest=digest,
                model=types.Channel(type=standard_artifacts.Model),
            )
        )
