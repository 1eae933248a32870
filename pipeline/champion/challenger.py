"""The contents of a challenger's Model artifact: its origin, its anchor, and the models that a rollback withdrew.

<model>/selection.json              the candidates and their figures on eval
<model>/anchor/                     the anchor that the gate compares it with: anchor.json and Format-Serving/
"""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.io import fileio

from pipeline.champion import training_record
from pipeline.fast.compat import path_utils

# Properties of a ModelBlessing.
ANCHOR_REPLACED = "anchor_replaced"  # 1 if the blessed model is the anchor from now on, else 0
PREVIOUS_CHAMPION = "previous_champion"  # of a rollback: id of the champion before the restored one, "" for none

# Properties of a Model that SelectModel or a rollback made.
FAMILY = "family"
SOURCE_URI = "source_model_uri"  # of the Trainer's Model that it is a copy of
SOURCE_ID = "source_model_id"
WITHDRAWN = "withdrawn"  # JSON list of the source URIs of the models that rollbacks to this one withdrew
ROLLBACK_REASON = "rollback_reason"

_ANCHOR = "anchor"


def source_of(model: types.Artifact) -> str:
    """The URI of the Trainer's Model that this model is a copy of; its own URI if it is not a copy."""
    return model.get_string_custom_property(SOURCE_URI) or model.uri


def withdrawn_sources(champion: types.Artifact) -> list[str]:
    """Source URIs of the models that were withdrawn in favour of this one."""
    return json.loads(champion.get_string_custom_property(WITHDRAWN) or "[]")


def anchor_uri(model_uri: str) -> str:
    """The folder of the anchor in a Model artifact. It has a `Format-Serving/`, like the artifact itself."""
    return os.path.join(model_uri, _ANCHOR)


def has_anchor(model_uri: str) -> bool:
    """Whether the model carries an anchor."""
    return fileio.exists(path_utils.serving_model_path(anchor_uri(model_uri)))


def read_anchor(model_uri: str) -> dict[str, Any]:
    """`uri`, `trained_through` and `trained_at` of the anchor that a model carries."""
    with fileio.open(os.path.join(anchor_uri(model_uri), "anchor.json")) as file:
        return json.loads(file.read())


def write_anchor(model_uri: str, description: dict[str, Any]) -> None:
    """Describes the anchor that was copied to `anchor_uri`."""
    with fileio.open(os.path.join(anchor_uri(model_uri), "anchor.json"), "w") as file:
        file.write(json.dumps(description, indent=1))


def describe(model: types.Artifact) -> dict[str, Any]:
    """A verdict's description of a model: ids, family, time of training and last day of the training rows."""
    summary = training_record.read_summary(model.uri)
    return {
        "id": model.id,
        "uri": model.uri,
        "family": model.get_string_custom_property(FAMILY) or None,
        "source_model_id": model.get_int_custom_property(SOURCE_ID) or None,
        "source_model_uri": source_of(model),
        "trained_through": summary["trained_through"],
        "trained_at": summary["trained_at"],
    }
