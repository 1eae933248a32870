"""Whether a champion can be compared with a challenger on this run's test rows: fairly, and at all."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.text_format import ParseError
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.dsl.io import fileio

from pipeline.champion import training_record
from pipeline.fast.compat import path_utils


class IncomparableChampionError(RuntimeError):
    """The champion cannot be compared on the test rows; the message says why and what to do."""


def comparable_champion(
    champions: list[types.Artifact], summary: dict[str, Any], schema: schema_pb2.Schema, *, accept: bool
) -> tuple[types.Artifact | None, list[str]]:
    """The champion, if there is one that can be compared.

    Args:
        champions: what the resolver found: none or one Model.
        summary: of this run's rows (`data_report.json`).
        schema: the raw schema of this run.
        accept: whether to go on without a champion where it cannot be compared.

    Returns:
        The champion or None, and why it was left out.

    Raises:
        IncomparableChampionError: it cannot be compared, and `accept` is not set.
    """
    if not champions:
        return None, []
    [champion] = champions
    problems = incomparable(champion.uri, summary, schema)
    if not problems:
        return champion, []
    if accept:
        return None, problems
    listed = problems[0] if len(problems) == 1 else "".join(f"\n  {problem}" for problem in problems)
    raise IncomparableChampionError(
        f"the champion cannot be compared with a new model on this run's test rows: {listed}\n"
        f"The champion is model {champion.id}, {champion.uri}. To go on as on a first run, with bounds alone and a new "
        "anchor, pass --accept-incompatible-champion (with make: ARGS=--accept-incompatible-champion). The verdict "
        "records it."
    )


def incomparable(champion_uri: str, summary: dict[str, Any], schema: schema_pb2.Schema) -> list[str]:
    """Why the champion cannot be compared; nothing if it can."""
    if not fileio.exists(path_utils.serving_model_path(champion_uri)):
        return [f"its files are gone: there is no model at {champion_uri}"]
    try:
        learnt, learnt_schema = training_record.read_summary(champion_uri), training_record.read_schema(champion_uri)
        training_record.read_statistics(champion_uri)
    except (OSError, ValueError, ParseError, DecodeError) as error:  # ValueError: JSON that is cut off
        return [f"its training record is gone or damaged: {error}"]
    return _time_problems(learnt, summary) + _column_problems(learnt_schema, schema)


def _time_problems(learnt: dict[str, Any], summary: dict[str, Any]) -> list[str]:
    """The champion may have been trained on rows that are test rows now."""
    if learnt["test_split"] != summary["test_split"]:
        was, now = (" ".join(f"{key}={value}" for key, value in x["test_split"].items()) for x in (learnt, summary))
        return [f"its test split was defined differently: {was}; now it is {now}"]
    if summary["test_split"]["by"] != "date":
        return []
    first_test = min(count["date"] for count in summary["dates"] if count["split"] == "test")
    through = learnt["trained_through"]
    if through < first_test:
        return []
    return [f"it was trained through {through}, and the test rows begin on {first_test}"]


def _column_problems(learnt: schema_pb2.Schema, schema: schema_pb2.Schema) -> list[str]:
    types_now = {feature.name: feature.type for feature in schema.feature}
    name_of = schema_pb2.FeatureType.Name
    problems = []
    for feature in learnt.feature:
        if feature.name not in types_now:
            problems.append(f"it needs the column '{feature.name}', which is gone")
        elif types_now[feature.name] != feature.type:
            now = name_of(types_now[feature.name])
            problems.append(f"it needs the column '{feature.name}' as {name_of(feature.type)}, which is {now} now")
    return problems
