"""Reads artifacts as parts that can be compared: a dict by part, empty if there is no artifact."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Parts = Mapping[str, Any]


def by_split(folder: Path, read: Callable[[Path], Parts]) -> dict[str, Parts]:
    """The parts in the folder of each split, by the split's name."""
    return {path.name.removeprefix("Split-"): read(path) for path in sorted(folder.glob("Split-*"))}


def examples(folder: Path) -> Parts:
    """How often each tf.Example occurs, by a digest that ignores order, encoding and format."""
    from tensorflow.core.example import example_pb2

    from pipeline.examples.files import serialised

    files = sorted(str(path) for path in folder.glob("*"))
    found: Counter[str] = Counter()
    for batch in serialised(files) if files else ():
        for record in batch:
            example = example_pb2.Example.FromString(record).SerializeToString(deterministic=True)
            found[hashlib.sha256(example).hexdigest()] += 1
    return found


def schema(folder: Path) -> Parts:
    """Each feature of a schema, and its other fields."""
    from google.protobuf import json_format, text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    path = folder / "schema.pbtxt"
    if not path.exists():
        return {}
    document = json_format.MessageToDict(text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema()))
    return {feature["name"]: feature for feature in document.pop("feature", [])} | document


def statistics(folder: Path) -> Parts:
    """Each figure of a split's statistics, by feature and name."""
    from google.protobuf import json_format
    from tensorflow_metadata.proto.v0 import statistics_pb2

    path = folder / "FeatureStats.pb"
    if not path.exists():
        return {}
    found = statistics_pb2.DatasetFeatureStatisticsList.FromString(path.read_bytes())
    return {
        f"{'.'.join(feature.path.step)}: {name}": value
        for dataset in found.datasets
        for feature in dataset.features
        for name, value in leaves(json_format.MessageToDict(feature))
    } | {"num_examples": [dataset.num_examples for dataset in found.datasets]}


def vocabularies(folder: Path) -> dict[str, Parts]:
    """The entries of each vocabulary of Transform, with their positions."""
    return {
        path.name: {line.decode(errors="replace"): place for place, line in enumerate(path.read_bytes().splitlines())}
        for path in sorted((folder / "transform_fn" / "assets").glob("*"))
    }


def constants(folder: Path) -> Parts:
    """How often each numeric array is a constant of the transform graph: quantiles, ranks, fill values."""
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "transform_fn" / "saved_model.pb"
    if not path.exists():
        return {}
    graph = saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    found: Counter[str] = Counter()
    for node in nodes:
        if node.op == "Const" and tf.as_dtype(node.attr["dtype"].type).is_numeric:
            array = tf.make_ndarray(node.attr["value"].tensor)
            found[f"{array.dtype}{array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"] += 1
    return found


def selected(folder: Path) -> Parts:
    """The family that SelectModel chose, the candidates, and the number of rows."""
    found = _document(folder / "selection.json")
    if not found:
        return {}
    families = {f"problem of {candidate['family']}": candidate["problem"] for candidate in found["candidates"]}
    return {key: found[key] for key in ("chosen", "metric", "rows", "positives")} | families


def family_metrics(folder: Path) -> Parts:
    """Metrics of each family on the eval split."""
    found = _document(folder / "selection.json")
    return {
        f"{candidate['family']}.{name}": value
        for candidate in found.get("candidates", [])
        for name, value in (candidate["metrics"] or {}).items()
    }


def test_metrics(folder: Path) -> Parts:
    """Metrics of the challenger on the test split."""
    return _document(folder / "verdict.json").get("metrics", {}).get("challenger", {})


def verdict(folder: Path) -> Parts:
    """The gate's verdict, its data, and the outcome of each check."""
    found = _document(folder / "verdict.json")
    if not found:
        return {}
    data = {name: value for name, value in leaves(found["data"]) if not isinstance(value, float)}
    checks = {f"{check['name']} {check['slice']} {check['metric']}": check["outcome"] for check in found["checks"]}
    return {key: found[key] for key in ("verdict", "decided_by")} | data | checks


def files(folder: Path) -> Parts:
    """The names of the files below a folder."""
    return {str(path.relative_to(folder)): True for path in sorted(folder.rglob("*")) if path.is_file()}


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a JSON document, each with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from leaves(item, f"{name}[{place}]")
    else:
        yield name, value


def _document(path: Path) -> dict[str, Any]:
    """A JSON file; empty if there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
