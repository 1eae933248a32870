"""Writes `schema/<data set>/schema.pbtxt`, the curated schema, for the features that features.yaml declares.

What you have reviewed stays: only features that were added, removed or changed in kind change in the file.

    make schema DATASET=ga4
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

import schema as schema_package
from models.config import SettingsError
from models.features import FeatureSet, Kind, Missing
from pipeline.settings.dataset_folder import DatasetFolder


def raw_schema(features: FeatureSet, label: str) -> schema_pb2.Schema:
    """The schema of raw examples: scalar FLOAT numbers, scalar BYTES categories, and the label as INT 0 or 1.

    A feature that may not be missing has `min_fraction` 1. Categories have no domain: the transform graph gives a new
    value a bucket, so it is not an anomaly. DataGate compares the shares of values instead.
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
    types = {entry.name: entry.type for entry in _parse(path, path.read_text(encoding="utf-8")).feature}
    wanted = {entry.name: entry.type for entry in raw_schema(features, label).feature}
    way_out = f"run `make schema DATASET={path.parent.name}`"
    for name in sorted(wanted.keys() | types.keys()):
        if name not in types:
            raise SettingsError(f"{path}: feature '{name}' of features.yaml is missing here; {way_out}")
        if name not in wanted:
            raise SettingsError(f"{path}: feature '{name}' is not in features.yaml; declare it there, or {way_out}")
        if types[name] != wanted[name]:
            kind = schema_pb2.FeatureType.Name
            raise SettingsError(
                f"{path}: feature '{name}' has type {kind(types[name])}, must be {kind(wanted[name])}; {way_out}"
            )


def updated_text(path: Path, features: FeatureSet, label: str) -> str:
    """The text of a curated schema for the declared features.

    Args:
        path: the present file; it need not exist.
        features: the declared features.
        label: the label.

    Returns:
        The features in the order of features.yaml, then the label. A feature whose type is unchanged has the text of
        the present file, with its comments. What is not about a feature, such as domains, stays at the end.

    Raises:
        SettingsError: the present file is not a schema.
    """
    wanted = raw_schema(features, label)
    present = path.read_text(encoding="utf-8") if path.is_file() else ""
    blocks, rest = _blocks(path, present)
    kept = {}
    for block in blocks:
        [entry] = _parse(path, block).feature
        kept[entry.name, entry.type] = block
    new = [kept.get((entry.name, entry.type)) or _text_of(entry) for entry in wanted.feature]
    return "".join([*new, rest])


def main(arguments: list[str] | None = None) -> int:
    """Shows what changes in the file, and writes it. Returns the exit code: 2 for settings that cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="a folder below schema/")
    parser.add_argument("--schema-root", type=Path, default=schema_package.ROOT, help="the folder of the data sets")
    given = parser.parse_args(arguments)
    try:
        folder = DatasetFolder.load(given.schema_root / given.dataset)
        path = given.schema_root / given.dataset / "schema.pbtxt"
        text = updated_text(path, folder.declared, folder.dataset.columns.label)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    present = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text == present:
        print(f"{path} is up to date.")
        return 0
    lines = (part.splitlines(keepends=True) for part in (present, text))
    sys.stdout.writelines(difflib.unified_diff(*lines, fromfile=f"{path} (before)", tofile=f"{path} (now)"))
    path.write_text(text, encoding="utf-8")
    print(f"Wrote {path}. Review the change.")
    return 0


def _parse(path: Path, text: str) -> schema_pb2.Schema:
    try:
        return text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise SettingsError(f"{path}: not a schema in text format: {error}; correct or delete it") from error


def _blocks(path: Path, text: str) -> tuple[list[str], str]:
    """The text of each feature, with the comments above it, and the text of all else."""
    whole = _parse(path, text)
    blocks = [match.group(0) for match in re.finditer(r"(^#.*\n)*^feature \{\n(.*\n)*?^\}\n", text, re.MULTILINE)]
    if len(blocks) == len(whole.feature):
        rest = text
        for block in blocks:
            rest = rest.replace(block, "", 1)
        return blocks, rest
    # Not laid out as this module writes it: comments are lost.
    blocks = [_text_of(entry) for entry in whole.feature]
    del whole.feature[:]
    return blocks, text_format.MessageToString(whole)


def _text_of(entry: schema_pb2.Feature) -> str:
    return text_format.MessageToString(schema_pb2.Schema(feature=[entry]))


if __name__ == "__main__":
    sys.exit(main())
