"""The rollback: makes the previous champion the current one again, with a small pipeline.

The restored model becomes a new Model artifact with a new ModelBlessing. So TFX's local resolver (the blessed model
with the highest id), Vertex AI's (the model that the newest blessing names) and the serving folder agree. The new
artifact lists the withdrawn model, and the gate refuses that model if it comes back unchanged, for example from a
cached Trainer.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import standard_artifacts

from pipeline import serving_folder
from pipeline.champion import challenger
from pipeline.champion.current import Blessed, blessed_models, integer
from pipeline.components.pusher import Pusher
from pipeline.components.rollback_blessing import RollbackBlessing
from pipeline.fast.compat import evaluator_constants as constants
from pipeline.fast.compat import path_utils

_KEPT = (challenger.FAMILY, challenger.SOURCE_ID, challenger.SOURCE_URI)


class RollbackError(RuntimeError):
    """No rollback is possible; the message says why."""


@dataclasses.dataclass(frozen=True)
class Restoration:
    """A model that is to be the champion again.

    Attributes:
        model_id: its id before the rollback.
        uri: of its artifact.
        properties: custom properties of the new artifact, except the reason.
        previous: id of the champion before it; "" for none.
        anchor_replaced: whether it was the anchor itself.
        withdrawn_id: id of the present champion.
    """

    model_id: int
    uri: str
    properties: dict[str, str | int]
    previous: str
    anchor_replaced: bool
    withdrawn_id: int


def find_restoration(
    models: Iterable[metadata_store_pb2.Artifact], blessings: Iterable[metadata_store_pb2.Artifact]
) -> Restoration:
    """The champion before the present one.

    Args:
        models: the pipeline's Model artifacts.
        blessings: its ModelBlessing artifacts.

    Raises:
        RollbackError: no model was blessed yet, or the champion had none before it.
    """
    return restoration_of(blessed_models(models, blessings))


def restoration_of(blessed: Mapping[int, Blessed]) -> Restoration:
    """Like `find_restoration`, from the result of `blessed_models`."""
    if not blessed:
        raise RollbackError("no model was pushed yet, so there is none to go back to")
    champion = blessed[max(blessed)]
    previous = _previous(champion.blessing)
    if not previous:
        raise RollbackError(
            f"the champion, model {champion.model.id}, is the first one, so there is none to go back to"
        )
    if int(previous) not in blessed:
        raise RollbackError(f"model {previous}, the champion before model {champion.model.id}, is not in the metadata")
    properties = champion.model.custom_properties
    withdrawn = json.loads(properties[challenger.WITHDRAWN].string_value or "[]")
    source = properties[challenger.SOURCE_URI].string_value or champion.model.uri
    return _restoration(blessed[int(previous)], [*withdrawn, source], champion.model.id)


def unfinished_restoration(blessed: Mapping[int, Blessed], serving: str) -> Restoration | None:
    """The last rollback once more, if the champion comes from one and is not in the serving folder; else None.

    That rollback's push failed. Another one would go back one model too far.
    """
    found = blessed[max(blessed)] if blessed else None
    if found is None or challenger.PREVIOUS_CHAMPION not in found.blessing.custom_properties:
        return None
    if serving_folder.holds(serving, path_utils.serving_model_path(found.model.uri)):
        return None
    withdrawn = json.loads(_text(found.model, challenger.WITHDRAWN) or "[]")
    return _restoration(found, withdrawn, found.model.id)


def _restoration(restored: Blessed, withdrawn: Sequence[str], withdrawn_id: int) -> Restoration:
    properties = restored.model.custom_properties
    return Restoration(
        model_id=restored.model.id,
        uri=restored.model.uri,
        properties={
            **{name: _value(restored.model, name) for name in _KEPT if name in properties},
            challenger.WITHDRAWN: json.dumps(withdrawn),
        },
        previous=_previous(restored.blessing),
        anchor_replaced=integer(restored.blessing, challenger.ANCHOR_REPLACED) == 1,
        withdrawn_id=withdrawn_id,
    )


def create_rollback_pipeline(
    *,
    name: str,
    root: str,
    serving: str,
    restoration: Restoration,
    reason: str,
    metadata_connection_config: Any = None,
) -> tfx_pipeline.Pipeline:
    """Builds the pipeline: Importer, a blessing that says why, Pusher.

    Args:
        name: of the pipeline whose champion it is; resolvers look among the artifacts of that name.
        root: where artifacts go.
        serving: where the Pusher puts the model.
        restoration: which model.
        reason: why, for people.
        metadata_connection_config: of ML Metadata; None where the runner brings its own.
    """
    model = Importer(
        source_uri=restoration.uri,
        artifact_type=standard_artifacts.Model,
        reimport=True,
        custom_properties={**restoration.properties, challenger.ROLLBACK_REASON: reason},
    ).with_id("PreviousChampion")
    blessing = RollbackBlessing(
        model=model.outputs["result"],
        reason=reason,
        previous=restoration.previous,
        anchor_replaced=int(restoration.anchor_replaced),
    )
    pusher = Pusher(
        model=model.outputs["result"],
        model_blessing=blessing.outputs["blessing"],
        serving=serving,
    )
    return tfx_pipeline.Pipeline(
        pipeline_name=name,
        pipeline_root=root,
        components=[model, blessing, pusher],
        enable_cache=False,
        metadata_connection_config=metadata_connection_config,
    )


def _previous(blessing: metadata_store_pb2.Artifact) -> str:
    """Id of the champion before the one that is blessed; "" for none."""
    if challenger.PREVIOUS_CHAMPION in blessing.custom_properties:
        return _text(blessing, challenger.PREVIOUS_CHAMPION)
    return str(integer(blessing, constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY) or "")


def _text(artifact: metadata_store_pb2.Artifact, name: str) -> str:
    return artifact.custom_properties[name].string_value if name in artifact.custom_properties else ""


def _value(artifact: metadata_store_pb2.Artifact, name: str) -> str | int:
    value = artifact.custom_properties[name]
    return value.string_value if value.HasField("string_value") else value.int_value
