"""The rollback: makes the previous champion the current one again, by a small pipeline of its own.

The restored model becomes a new Model artifact with a new ModelBlessing, so that TFX's local resolver (the blessed
model with the highest id), Vertex AI's (the model that the newest blessing names) and the serving folder agree on it.
The withdrawn model is remembered: the gate refuses it when it comes back unchanged, as it does from a cached Trainer.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.components import Pusher
from tfx.components.evaluator import constants
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts

from pipeline.champion import challenger
from pipeline.components.rollback_blessing import RollbackBlessing

_KEPT = (challenger.FAMILY, challenger.SOURCE_ID, challenger.SOURCE_URI)


class RollbackError(RuntimeError):
    """There is nothing to roll back to; the message says why."""


@dataclasses.dataclass(frozen=True)
class Restoration:
    """A model that shall be the champion again.

    Attributes:
        model_id: its id so far.
        uri: of its artifact.
        properties: custom properties of the new artifact, but for the reason.
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
    by_id = {model.id: model for model in models}
    blessed = {
        _integer(blessing, constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY): blessing
        for blessing in sorted(blessings, key=lambda blessing: blessing.id)
        if _integer(blessing, constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE
    }
    champions = sorted(by_id.keys() & blessed.keys())
    if not champions:
        raise RollbackError("no model was pushed yet, so there is none to go back to")
    champion = by_id[champions[-1]]
    previous = _previous(blessed[champion.id])
    if not previous:
        raise RollbackError(f"the champion, model {champion.id}, is the first one, so there is none to go back to")
    model, blessing = by_id[int(previous)], blessed[int(previous)]
    withdrawn = json.loads(champion.custom_properties[challenger.WITHDRAWN].string_value or "[]")
    source = champion.custom_properties[challenger.SOURCE_URI].string_value or champion.uri
    return Restoration(
        model_id=model.id,
        uri=model.uri,
        properties={
            **{name: _value(model, name) for name in _KEPT if name in model.custom_properties},
            challenger.WITHDRAWN: json.dumps([*withdrawn, source]),
        },
        previous=_previous(blessing),
        anchor_replaced=_integer(blessing, challenger.ANCHOR_REPLACED) == 1,
        withdrawn_id=champion.id,
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
        anchor_replaced=restoration.anchor_replaced,
    )
    pusher = Pusher(
        model=model.outputs["result"],
        model_blessing=blessing.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=serving)
        ),
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
        return blessing.custom_properties[challenger.PREVIOUS_CHAMPION].string_value
    return str(_integer(blessing, constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY) or "")


def _integer(artifact: metadata_store_pb2.Artifact, name: str) -> int:
    return artifact.custom_properties[name].int_value if name in artifact.custom_properties else 0


def _value(artifact: metadata_store_pb2.Artifact, name: str) -> str | int:
    value = artifact.custom_properties[name]
    return value.string_value if value.HasField("string_value") else value.int_value
