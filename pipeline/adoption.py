"""The adoption: makes the model in the serving folder the champion if the metadata file does not list it.

The metadata may be lost, or restored from an older backup, while artifacts and serving folder still exist. Without an
adoption, the next model would replace the one in production without a comparison.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import standard_artifacts

from pipeline import serving_folder
from pipeline.artifacts import SELECTION
from pipeline.champion import challenger
from pipeline.components.rollback_blessing import RollbackBlessing
from pipeline.fast.compat import path_utils

_REASON = "adopted: the serving folder holds this model, but the metadata file did not list it"


def find_in_service(serving: str, models: Iterable[Path]) -> Path | None:
    """The model that the serving folder holds as its highest version.

    Args:
        serving: the serving folder.
        models: folders of Model artifacts of SelectModel.

    Returns:
        One of `models`, or None if none of them is there.
    """
    version = serving_folder.newest(serving)
    if version is None:
        return None
    for model in models:
        if serving_folder.is_copy(version, path_utils.serving_model_path(str(model))):
            return model
    return None


def create_adoption_pipeline(
    *, name: str, root: str, model: Path, previous: str, metadata_connection_config: Any = None
) -> tfx_pipeline.Pipeline:
    """Builds the pipeline: Importer and a blessing.

    Args:
        name: of the pipeline whose champion the model becomes.
        root: where artifacts go.
        model: folder of the Model artifact.
        previous: id of the champion that the metadata knows; "" for none.
        metadata_connection_config: of ML Metadata; None if the runner has its own.
    """
    imported = Importer(
        source_uri=str(model),
        artifact_type=standard_artifacts.Model,
        reimport=True,
        custom_properties=_properties(model),
    ).with_id("AdoptedChampion")
    blessing = RollbackBlessing(
        model=imported.outputs["result"],
        reason=_REASON,
        previous=previous,
        # A model without an anchor was the first champion, so it is the anchor itself. Only the lost metadata knew
        # whether another model had replaced its anchor, so the anchor that it carries stays.
        anchor_replaced=int(not challenger.has_anchor(str(model))),
    )
    return tfx_pipeline.Pipeline(
        pipeline_name=name,
        pipeline_root=root,
        components=[imported, blessing],
        enable_cache=False,
        metadata_connection_config=metadata_connection_config,
    )


def _properties(model: Path) -> dict[str, str | int]:
    """The properties that SelectModel sets on its Model, as far as the folder holds them."""
    selection = json.loads((model / SELECTION).read_text(encoding="utf-8"))
    chosen = next(found for found in selection["candidates"] if found["family"] == selection["chosen"])
    return {
        challenger.FAMILY: chosen["family"],
        challenger.SOURCE_ID: chosen["model_id"],
        challenger.SOURCE_URI: chosen["uri"],
    }
