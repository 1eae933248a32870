"""RollbackBlessing: blesses a model that was the champion before, and says why."""

from __future__ import annotations

import os
from typing import Any

from tfx import types
from tfx.components.evaluator import executor as evaluator_executor
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts
from tfx.utils import io_utils

from pipeline.champion import challenger
from pipeline.fast.compat import evaluator_constants as constants


class RollbackBlessingSpec(component_spec.ComponentSpec):
    """Inputs, outputs and parameters of RollbackBlessing."""

    PARAMETERS = {  # noqa: RUF012  (TFX reads a plain dict)
        "reason": component_spec.ExecutionParameter(type=str),
        "previous": component_spec.ExecutionParameter(type=str),
        "anchor_replaced": component_spec.ExecutionParameter(type=int),
    }
    INPUTS = {  # noqa: RUF012
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {  # noqa: RUF012
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class Executor(evaluator_executor.Executor):
    """Writes the blessing. A subclass of TFX's Evaluator executor, by which Vertex AI knows what its ids mean."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Blesses the one Model of `input_dict`."""
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict["model"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, constants.BLESSED_VALUE)
        blessing.set_int_custom_property(challenger.ANCHOR_REPLACED, exec_properties["anchor_replaced"])
        blessing.set_string_custom_property(challenger.PREVIOUS_CHAMPION, exec_properties["previous"])
        blessing.set_string_custom_property(challenger.ROLLBACK_REASON, exec_properties["reason"])
        io_utils.write_string_file(os.path.join(blessing.uri, constants.BLESSED_FILE_NAME), exec_properties["reason"])


class RollbackBlessing(base_beam_component.BaseBeamComponent):
    """Blesses the restored model.

    Outputs:
        blessing: ModelBlessing with the reason.
    """

    SPEC_CLASS = RollbackBlessingSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, *, model: types.BaseChannel, reason: str, previous: str, anchor_replaced: bool):
        """Builds the component.

        Args:
            model: the restored Model.
            reason: why, for people.
            previous: id of the champion before it, to which a second rollback leads; "" for none.
            anchor_replaced: whether the restored model was the anchor itself; else the one that it carries is.
        """
        super().__init__(
            RollbackBlessingSpec(
                model=model,
                reason=reason,
                previous=previous,
                anchor_replaced=int(anchor_replaced),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
