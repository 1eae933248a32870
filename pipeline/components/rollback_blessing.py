"""RollbackBlessing: blesses a model that was the champion before, and says why."""

from __future__ import annotations

import os
from typing import Any

from tfx import types
from tfx.components.evaluator import executor as evaluator_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import io_utils

from pipeline.champion import challenger
from pipeline.components import specification
from pipeline.fast.compat import evaluator_constants as constants


class Executor(evaluator_executor.Executor):
    """Writes the blessing. On Vertex AI, TFX resolves its ids only for subclasses of the Evaluator's executor."""

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


class RollbackBlessing(
    specification.BeamComponent,  # as TFX's Evaluator, whose executor is the base of this one
    executor=Executor,
    inputs={"model": standard_artifacts.Model},
    outputs={"blessing": standard_artifacts.ModelBlessing},
    parameters={"reason": str, "previous": str, "anchor_replaced": int},
):
    """Blesses the restored model.

    Inputs:
        model: the restored Model.

    Parameters:
        reason: why, for people.
        previous: id of the champion before the restored model, to which a second rollback leads; "" for none.
        anchor_replaced: 1 if the restored model was the anchor itself; 0 if the anchor is the one that it carries.

    Outputs:
        blessing: ModelBlessing with the reason.
    """
