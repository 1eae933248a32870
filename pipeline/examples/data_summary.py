"""The data summary: what ExampleGen knows about the rows, as a JSON file beside the splits of an Examples artifact."""

from __future__ import annotations

import json
import logging
from typing import Any

from tfx import types
from tfx.dsl.io import fileio

DATA_SUMMARY = "data_report.json"  # an older name; summaries of earlier runs have it too

_log = logging.getLogger("propensity")


def write_data_summary(examples: types.Artifact, summary: dict[str, Any]) -> None:
    """Writes the summary beside the splits and logs its warnings.

    Args:
        examples: an Examples artifact; its folder exists.
        summary: JSON-ready; `splits` lists `split` and `rows` of each split, `warnings` are sentences.
    """
    for warning in summary["warnings"]:
        _log.warning("%s", warning)
    with fileio.open(f"{examples.uri}/{DATA_SUMMARY}", "w") as file:
        file.write(json.dumps(summary, indent=1))


def has_data_summary(examples: types.Artifact) -> bool:
    """Whether the artifact has a summary; Examples of other ExampleGens have none."""
    return fileio.exists(f"{examples.uri}/{DATA_SUMMARY}")


def read_data_summary(examples: types.Artifact) -> dict[str, Any]:
    """Reads the summary.

    Raises:
        FileNotFoundError: the artifact has none, or the file is empty.
    """
    text = ""
    if has_data_summary(examples):
        with fileio.open(f"{examples.uri}/{DATA_SUMMARY}") as file:
            text = file.read()
    if not text:
        raise FileNotFoundError(
            f"{examples.uri}: '{DATA_SUMMARY}' is missing or empty: it was deleted after ExampleGen wrote it. "
            "Run the pipeline again to write these examples again."
        )
    return json.loads(text)
