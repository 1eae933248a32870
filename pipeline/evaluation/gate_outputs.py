"""What the gate leaves in artifacts: the verdict, and the blessing."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.io import fileio
from tfx.utils import io_utils

from pipeline.artifacts import VERDICT
from pipeline.champion import challenger
from pipeline.fast.compat import evaluator_constants as constants
from pipeline.gate.verdict import Judgement
from pipeline.report.verdict_page import render_verdict

VERDICT_PAGE = "verdict.html"


def write_verdict(verdict: types.Artifact, document: dict[str, Any]) -> None:
    """Writes the verdict as JSON and as a page, and sets the artifact's properties."""
    fileio.makedirs(verdict.uri)
    with fileio.open(os.path.join(verdict.uri, VERDICT), "w") as file:
        file.write(json.dumps(document, indent=1))
    with fileio.open(os.path.join(verdict.uri, VERDICT_PAGE), "w") as file:
        file.write(render_verdict(document))
    verdict.set_string_custom_property("verdict", document["verdict"])
    verdict.set_string_custom_property("decided_by", document["decided_by"])


def write_blessing(
    blessing: types.Artifact,
    judgement: Judgement,
    model: types.Artifact,
    champions: list[types.Artifact],
    exec_properties: dict[str, Any],
) -> None:
    """Sets what TFX's executor sets, and whether the model is the anchor from now on.

    Args:
        blessing: the ModelBlessing.
        judgement: what the gate decided.
        model: the challenger.
        champions: the champion, if there is one. It is named even if it could not be compared, since a rollback leads
            back to it.
        exec_properties: the executor's; TFX adds the component's id.
    """
    blessed = judgement.verdict == "blessed"
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    for champion in champions:
        blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, champion.uri)
        blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, champion.id)
    if "current_component_id" in exec_properties:
        blessing.set_string_custom_property("component_id", exec_properties["current_component_id"])
    value = constants.BLESSED_VALUE if blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    blessing.set_int_custom_property(challenger.ANCHOR_REPLACED, int(judgement.anchor_replaced))
    name = constants.BLESSED_FILE_NAME if blessed else constants.NOT_BLESSED_FILE_NAME
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
