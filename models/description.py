"""What a model's folder says about the model, for programs that have the folder alone: `assets.extra/model.json`."""

from __future__ import annotations

import dataclasses
import json
import os

import tensorflow as tf

from models.features import FeatureSet

DESCRIPTION_FILE = "assets.extra/model.json"


@dataclasses.dataclass(frozen=True)
class Description:
    """The contents of the file.

    Attributes:
        family: the model's family, a name of models.families.FAMILIES.
        features: name and kind of each feature, in the order of the model's contributions.
        method: how contributions are computed, one sentence for reports; see contract.Attributions.
        baseline: the log odds that contributions start from.
    """

    family: str
    features: FeatureSet
    method: str
    baseline: float

    def to_json(self) -> bytes:
        """The file's contents."""
        features = [{"name": feature.name, "kind": feature.kind.value} for feature in self.features.features]
        reasons = {"method": self.method, "baseline": self.baseline}
        return json.dumps({"family": self.family, "features": features, "reasons": reasons}, indent=1).encode()


def read_description(folder: str) -> Description | None:
    """Reads the file of a model's folder; None if there is none, as in models of earlier versions.

    Raises:
        ValueError: the file is damaged.
    """
    path = os.path.join(folder, DESCRIPTION_FILE)
    if not tf.io.gfile.exists(path):
        return None
    with tf.io.gfile.GFile(path, "rb") as stream:
        content = stream.read()
    try:
        found = json.loads(content)
        return Description(
            family=found["family"],
            features=FeatureSet.from_config(found["features"]),
            method=found["reasons"]["method"],
            baseline=float(found["reasons"]["baseline"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the description of a model ({error}); export the model again") from error
