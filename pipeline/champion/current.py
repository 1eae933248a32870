"""Finds the champion in ML Metadata, like TFX's resolver for the latest blessed model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from pipeline.fast.compat import evaluator_constants as constants

_TYPES = ("Model", "ModelBlessing")


@dataclasses.dataclass(frozen=True)
class Blessed:
    """A blessed model.

    Attributes:
        model: its Model artifact.
        blessing: its newest ModelBlessing.
    """

    model: metadata_store_pb2.Artifact
    blessing: metadata_store_pb2.Artifact


def blessed_models(
    models: Iterable[metadata_store_pb2.Artifact], blessings: Iterable[metadata_store_pb2.Artifact]
) -> dict[int, Blessed]:
    """All blessed models by id, in ascending order; the last one is the champion.

    Args:
        models: the Model artifacts of one pipeline.
        blessings: its ModelBlessing artifacts.
    """
    by_model = {
        integer(blessing, constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY): blessing
        for blessing in sorted(blessings, key=lambda blessing: blessing.id)
        if integer(blessing, constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE
    }
    return {
        model.id: Blessed(model, by_model[model.id])
        for model in sorted(models, key=lambda model: model.id)
        if model.id in by_model
    }


def read_blessed_models(store: metadata_store.MetadataStore, pipeline: str) -> dict[int, Blessed]:
    """All blessed models of a pipeline in ML Metadata; see `blessed_models`."""
    context = store.get_context_by_type_and_name("pipeline", pipeline)
    known = store.get_artifacts_by_context(context.id) if context else []
    return blessed_models(*([artifact for artifact in known if artifact.type == name] for name in _TYPES))


def integer(artifact: metadata_store_pb2.Artifact, name: str) -> int:
    """A custom property; 0 if there is none of that name."""
    return artifact.custom_properties[name].int_value if name in artifact.custom_properties else 0
