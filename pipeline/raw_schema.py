"""Writes `schema/<data set>/schema.pbtxt`, the curated schema, as features.yaml implies it: once, then it is reviewed.

python -m pipeline.raw_schema ga4
"""

from __future__ import annotations

import argparse
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

import schema as schema_package
from models.config import SettingsError
from models.features import FeatureSet, Kind, Missing
from pipeline.settings.dataset_folder import DatasetFolder


def raw_schema(features: FeatureSet, label: str) -> schema_pb2.Schema:
    """The schema of raw examples: scalar FLOAT numbers, scalar BYTES categories, and the label as INT 0 or 1.

    A feature that may not be missing has `min_fraction` 1. Categories have no domain: a new value is no anomaly (how
    far the shares have moved is), and the transform graph gives it a bucket.
    """
    result = schema_pb2.Schema()
    for feature in features.features:
        entry = result.feature.add(
            name=feature.name,
            type=schema_pb2.BYTES if feature.kind is Kind.CATEGORICAL else schema_pb2.FLOAT,
        )
        entry.value_count.min = entry.value_count.max = 1
        entry.presence.min_count = 1
        if feature.missing is Missing.REFUSE:
            entry.presence.min_fraction = 1
    entry = result.feature.add(name=label, type=schema_pb2.INT)
    entry.value_count.min = entry.value_count.max = 1
    entry.presence.min_fraction = 1
    entry.presence.min_count = 1
    entry.int_domain.min, entry.int_domain.max = 0, 1
    return result


def check_schema(path: Path, features: FeatureSet, label: str) -> None:
    """Refuses a curated schema whose features or types are not those of features.yaml. Raises SettingsError."""
    try:
        curated = text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    except text_format.ParseError as error:
        raise SettingsError(f"{path}: not a schema in text format: {error}") from error
    types = {entry.name: entry.type for entry in curated.feature}
    wanted = {entry.name: entry.type for entry in raw_schema(features, label).feature}
    for name in sorted(wanted.keys() | types.keys()):
        if name not in types:
            raise SettingsError(f"{path}: feature '{name}' of features.yaml is missing here; add it")
        if name not in wanted:
            raise SettingsError(f"{path}: feature '{name}' is not in features.yaml; remove it here or declare it there")
        if types[name] != wanted[name]:
            kind = schema_pb2.FeatureType.Name
            raise SettingsError(f"{path}: feature '{name}' has type {kind(types[name])}, must be {kind(wanted[name])}")


def main() -> None:
    """Writes the file; refuses to overwrite one that is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a folder below schema/")
    folder = DatasetFolder.load(schema_package.ROOT / parser.parse_args().dataset)
    path = schema_package.ROOT / folder.name / "schema.pbtxt"
    with path.open("x", encoding="utf-8") as file:
        file.write(text_format.MessageToString(raw_schema(folder.features, folder.dataset.columns.label)))
    print(f"wrote {path}; review it")


if __name__ == "__main__":
    main()
